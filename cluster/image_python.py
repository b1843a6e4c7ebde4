"""Runs the images' Python on this machine, so that its output does not depend on the machine's Python."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cluster.locations import logs_dir
from cluster.processes import run

VERSION = "3.11"
# Raised when the same modules are compiled differently; part of keys.
BYTECODE_FORMAT = 2
LIBRARIES = ("lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu", "usr/lib")
# Where Debian's own Python packages are.
DEBIAN_PACKAGES = "usr/lib/python3/dist-packages"


def command(root: Path, *arguments: str | Path) -> list[str]:
    """The command line that runs `python3` of the root filesystem `root`.

    It is run by the root filesystem's own loader and libraries, so that it needs neither a mount nor root, and the
    machine's C library may be older.
    """
    libraries = [root / folder for folder in LIBRARIES]
    return [
        *(str(libraries[0] / "ld-linux-x86-64.so.2"), "--inhibit-cache"),
        *("--library-path", ":".join(map(str, libraries))),
        # Without the module `site`, which would follow a link to /etc and import the machine's customization.
        *(str((root / "usr/bin/python3").resolve()), "-S"),
        *map(str, arguments),
    ]


def environment(root: Path, *, packages: Sequence[Path] = ()) -> dict[str, str]:
    """Variables for `command`: `packages` can be imported, and the user's own Python settings have no effect."""
    return {
        "PYTHONHOME": str(root / "usr"),
        "PYTHONPATH": ":".join(map(str, packages)),
        "PYTHONHASHSEED": "0",
        "PYTHONOPTIMIZE": "",
        # The root filesystem and the packages are in the cache, whose entries must not change.
        "PYTHONDONTWRITEBYTECODE": "1",
        "LC_ALL": "C",
    }


def compile_bytecode(directory: Path, *, image_path: str, root: Path) -> None:
    """Compile the modules in `directory` for their place in the image, `image_path`.

    A container would compile them again at each start. One process compiles all modules in order, because bytecode
    depends on what the process compiled before. Links out of `directory` are skipped, because on this machine they
    lead to another file than in the image.
    """
    once = ("-q", "-j", "1", "--invalidation-mode", "unchecked-hash", "-e", directory)
    run(
        command(root, "-m", "compileall", *once, "-s", directory, "-p", image_path, directory),
        what=f"compiling the Python modules of {image_path}",
        log=logs_dir() / "bytecode.log",
        env=environment(root),
    )
