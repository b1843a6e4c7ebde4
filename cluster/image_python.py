"""The images' Python, run on this machine: what it makes is the same whichever Python the machine has."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cluster.locations import logs_dir
from cluster.processes import run

VERSION = "3.11"
# Raised when the same modules give other bytecode.
BYTECODE_FORMAT = 2
LIBRARIES = ("lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu")


def command(root: Path, *arguments: str | Path) -> list[str]:
    """The command line of `python3` in the root filesystem `root`.

    That root filesystem's own loader and libraries run it: neither a mount nor root is needed, and the machine's C
    library may be older.
    """
    libraries = [root / folder for folder in LIBRARIES]
    return [
        *(str(libraries[0] / "ld-linux-x86-64.so.2"), "--inhibit-cache"),
        *("--library-path", ":".join(map(str, libraries))),
        # Without the module `site`, which would import the machine's own customization by a link to /etc.
        *(str(root / f"usr/bin/python{VERSION}"), "-S"),
        *map(str, arguments),
    ]


def environment(root: Path, *, packages: Sequence[Path] = ()) -> dict[str, str]:
    """Variables for `command`: `packages` can be imported, and nothing of the user's Python counts."""
    return {
        "PYTHONHOME": str(root / "usr"),
        "PYTHONPATH": ":".join(map(str, packages)),
        "PYTHONHASHSEED": "0",
        "PYTHONOPTIMIZE": "",
        # The root filesystem and the packages are in the cache, where every entry stays as it was built.
        "PYTHONDONTWRITEBYTECODE": "1",
        "LC_ALL": "C",
    }


def compile_bytecode(directory: Path, *, image_path: str, root: Path) -> None:
    """Compile every module for use at `image_path`: a container could not keep what it compiles at each start.

    One process compiles one module after the other: bytecode depends on what a process compiled before. A link out of
    `directory` is left out, because on this machine it leads to another file than in the image.
    """
    once = ("-q", "-j", "1", "--invalidation-mode", "unchecked-hash", "-e", directory)
    run(
        command(root, "-m", "compileall", *once, "-s", directory, "-p", image_path, directory),
        what=f"compiling the Python modules of {image_path}",
        log=logs_dir() / "bytecode.log",
        env=environment(root),
    )
