"""Installs PyPI packages into a directory, at the versions and hashes of a `uv.lock`."""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from uv import find_uv_bin

from cluster.artifacts import Cache, digest
from cluster.debian import RootFilesystem
from cluster.image_python import BYTECODE_FORMAT, VERSION, compile_bytecode
from cluster.locations import logs_dir
from cluster.processes import output, run

ROOT = Path(__file__).parent.parent
# The folder of packages in an image.
SITE = "/opt/site"
# Of Debian 12, as in the root filesystems.
IMAGE_PLATFORM = "x86_64-manylinux_2_36"


def host_platform() -> str:
    """The machine's platform as uv names it; on Linux with an old C library, so that it fits every distribution."""
    machine = platform.machine().replace("arm64", "aarch64")
    return f"{machine}-apple-darwin" if platform.system() == "Darwin" else f"{machine}-manylinux_2_17"


@dataclass(frozen=True)
class PythonPackages:
    """One dependency group of a uv project, for an image's Python on x86-64.

    Attributes:
        python: an image's root filesystem, whose Python compiles the packages for the image; None for other uses.
        beside: groups that are installed together with this one; their packages are left out here.
        for_host: install for this machine's platform instead.
        version: of that Python.
    """

    group: str
    project: Path = ROOT
    python: RootFilesystem | None = None
    beside: tuple[str, ...] = ()
    for_host: bool = False
    version: str = VERSION
    seconds: int = 10

    @property
    def name(self) -> str:
        """The cache entry's name."""
        return f"python-{self.group}"

    @property
    def platform(self) -> str:
        """The platform whose wheels are installed, as uv names it."""
        return host_platform() if self.for_host else IMAGE_PLATFORM

    @cached_property
    def requirements(self) -> str:
        """The packages with their hashes, from the lock file."""
        left_out = {package for group in self.beside for package in self._exported(group)}
        return "".join(package for package in self._exported(self.group) if package not in left_out)

    def _exported(self, group: str) -> list[str]:
        """A group's packages, each with its hashes on the lines after it."""
        text = output(
            [
                *(find_uv_bin(), "export", "--project", self.project, "--frozen", "--only-group", group),
                *("--no-emit-project", "--no-header", "--no-annotate", "--quiet"),
            ]
        )
        return re.findall(r"^\S.*\n?(?:^\s.*\n?)*", text, flags=re.MULTILINE)

    @property
    def key(self) -> str:
        """The key of the cache entry."""
        place = self.python and (SITE, BYTECODE_FORMAT)
        return digest(self.requirements, place, *([self.platform] if self.for_host else []))

    @property
    def needs(self) -> frozenset[str]:
        """Names of the cache entries that building it needs."""
        return frozenset({self.python.name} if self.python else ())

    def build(self, cache: Cache) -> Path:
        """The directory with the packages, whose hashes were verified."""
        return cache.get(self.name, self.key, partial(self._build, cache))

    def _build(self, cache: Cache, directory: Path) -> None:
        file = directory / ".requirements.txt"
        file.write_text(self.requirements)
        run(
            [
                *(find_uv_bin(), "pip", "install", "--quiet", "--require-hashes", "--no-deps"),
                *("--only-binary", ":all:", "--target", directory, "-r", file),
                *("--python-version", self.version, "--python-platform", self.platform, "--link-mode", "copy"),
            ],
            what=f"installing the Python packages of {self.name}",
            log=logs_dir() / f"{self.name}.log",
            hint="PyPI must be reachable.",
        )
        file.unlink()
        if self.python:
            compile_bytecode(directory, image_path=SITE, root=self.python.build(cache))
