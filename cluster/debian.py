"""Debian packages: what the host needs, and the root filesystems the node and the images start from."""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from cluster.artifacts import Cache, digest
from cluster.errors import ClusterError
from cluster.locations import logs_dir
from cluster.processes import run
from cluster.python_packages import compile_bytecode

SUITE = "bookworm"
# Command → the package that brings it.
HOST_COMMANDS = {"runc": "runc", "ip": "iproute2", "nsenter": "util-linux"}
# Needed only where a root filesystem is built.
BUILD_COMMANDS = {"mmdebstrap": "mmdebstrap"}
UNNEEDED = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "var/cache/apt", "var/lib/apt")
# mmdebstrap copies the first two from this machine.
OF_THE_MACHINE = ("etc/hostname", "etc/resolv.conf", "etc/machine-id")


@dataclass(frozen=True)
class RootFilesystem:
    """A Debian root filesystem.

    Attributes:
        name: the cache entry's name.
        packages: what it holds beside what they depend on.
        variant: mmdebstrap's: `essential` is a system one can run programs in as usual, `extract` only unpacks, so
            it holds nothing that was not named and no maintainer script runs.
        links: symbolic links that a maintainer script would have made (path → target).
        bytecode: a folder of Python modules to compile.
        seconds: what it took on two cores.
    """

    name: str
    packages: tuple[str, ...]
    variant: str = "extract"
    links: tuple[tuple[str, str], ...] = ()
    bytecode: str | None = None
    seconds: int = 10

    @property
    def key(self) -> str:
        """The key of the cache entry."""
        return digest(SUITE, self.packages, self.variant, self.links, self.bytecode, UNNEEDED, OF_THE_MACHINE)

    def build(self, cache: Cache) -> Path:
        """The directory with the root filesystem."""
        return cache.get(self.name, self.key, self._build)

    def _build(self, directory: Path) -> None:
        run(
            [
                *("mmdebstrap", f"--variant={self.variant}", f"--include={','.join(self.packages)}"),
                *(f"--dpkgopt=path-exclude=/{path}/*" for path in UNNEEDED if path.startswith("usr/")),
                *(SUITE, directory),
            ],
            what=f"building the root filesystem {self.name}",
            log=logs_dir() / f"{self.name}.log",
            hint="Debian's package archive must be reachable.",
        )
        for path, target in self.links:
            link = directory / path
            link.unlink(missing_ok=True)
            link.symlink_to(target)
        if self.bytecode:
            compile_bytecode(directory / self.bytecode, image_path=f"/{self.bytecode}")
        for path in UNNEEDED:
            shutil.rmtree(directory / path, ignore_errors=True)
        for path in OF_THE_MACHINE:
            (directory / path).unlink(missing_ok=True)
        shutil.rmtree(directory / "dev", ignore_errors=True)
        (directory / "dev").mkdir()


def missing_host_packages(*, builds_filesystem: bool) -> list[str]:
    """Debian packages whose commands this machine lacks, to run a cluster and perhaps to build a root filesystem."""
    needed = HOST_COMMANDS | (BUILD_COMMANDS if builds_filesystem else {})
    return sorted({package for command, package in needed.items() if not shutil.which(command)})


def install_host_packages(packages: list[str]) -> None:
    """Install `packages` with apt; the caller has said so before.

    Raises:
        ClusterError: apt failed; its text ends with the last lines of apt's log.
    """
    log = logs_dir() / "apt.log"
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    hint = f"Install them yourself: apt-get install {' '.join(packages)}"
    # Another apt may run, as Debian's own upgrades do.
    apt = ("apt-get", "-o", "DPkg::Lock::Timeout=300")
    run([*apt, "update"], what="reading Debian's package lists", log=log, env=env, hint=hint)
    # What an interrupted run left half-done; fails while another apt runs, which the installation waits for.
    with contextlib.suppress(ClusterError):
        run(["dpkg", "--configure", "-a"], what="finishing what dpkg began", log=log, env=env)
    command = [*apt, "install", "-y", "--no-install-recommends", *packages]
    run(command, what="installing Debian packages", log=log, env=env, hint=hint)
