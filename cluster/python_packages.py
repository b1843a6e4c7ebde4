"""PyPI packages at the versions and hashes of a `uv.lock`, laid into a directory."""

from __future__ import annotations

import platform
import re
import shutil
import sys
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from cluster.artifacts import Cache, digest
from cluster.debian import RootFilesystem
from cluster.image_python import BYTECODE_FORMAT, VERSION, compile_bytecode
from cluster.locations import logs_dir
from cluster.processes import output, run

ROOT = Path(__file__).parent.parent
# Where an image holds its packages.
SITE = "/opt/site"
# Debian 12, which the root filesystems are of.
IMAGE_PLATFORM = "x86_64-manylinux_2_36"


def _uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.exists() else shutil.which("uv") or "uv"


def host_platform() -> str:
    """Platform of this machine as uv names it, with the oldest C library, for every distribution of Linux."""
    machine = platform.machine().replace("arm64", "aarch64")
    return f"{machine}-apple-darwin" if platform.system() == "Darwin" else f"{machine}-manylinux_2_17"


@dataclass(frozen=True)
class PythonPackages:
    """One dependency group of a uv project, for Debian 12's Python on x86-64.

    Attributes:
        python: for packages of an image, its root filesystem, whose Python compiles them for their place there.
        beside: groups whose packages are left out, as other directories have them.
        for_host: whether they are programs for this machine, whatever it is, and not for Debian 12 on x86-64.
    """

    group: str
    project: Path = ROOT
    python: RootFilesystem | None = None
    beside: tuple[str, ...] = ()
    for_host: bool = False
    seconds: int = 10

    @property
    def name(self) -> str:
        """The cache entry's name."""
        return f"python-{self.group}"

    @property
    def platform(self) -> str:
        """The platform whose wheels are installed, by uv's name."""
        return host_platform() if self.for_host else IMAGE_PLATFORM

    @cached_property
    def requirements(self) -> str:
        """The packages with their hashes, from the lock file."""
        there = {package for group in self.beside for package in self._exported(group)}
        return "".join(package for package in self._exported(self.group) if package not in there)

    def _exported(self, group: str) -> list[str]:
        """A group's packages, each with its hashes on the lines that follow."""
        text = output(
            [
                *(_uv(), "export", "--project", self.project, "--frozen", "--only-group", group),
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
        """The cache entries it is built with."""
        return frozenset({self.python.name} if self.python else ())

    def build(self, cache: Cache) -> Path:
        """The directory with the packages; every file's hash was checked."""
        return cache.get(self.name, self.key, partial(self._build, cache))

    def _build(self, cache: Cache, directory: Path) -> None:
        file = directory / ".requirements.txt"
        file.write_text(self.requirements)
        run(
            [
                *(_uv(), "pip", "install", "--quiet", "--require-hashes", "--no-deps", "--only-binary", ":all:"),
                *("--python-version", VERSION, "--python-platform", self.platform, "--link-mode", "copy"),
                *("--target", directory, "-r", file),
            ],
            what=f"installing the Python packages of {self.name}",
            log=logs_dir() / f"{self.name}.log",
            hint="PyPI must be reachable.",
        )
        file.unlink()
        if self.python:
            compile_bytecode(directory, image_path=SITE, root=self.python.build(cache))
