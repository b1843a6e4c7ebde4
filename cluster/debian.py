"""Debian packages: what the host needs, and the root filesystems the node and the images start from."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import unquote

from rich.console import Console

from cluster.artifacts import Cache, digest, locked, write_whole
from cluster.errors import ClusterError
from cluster.image_python import BYTECODE_FORMAT, compile_bytecode
from cluster.locations import cache_dir, logs_dir
from cluster.processes import output, run

SUITE = "bookworm"
# Debian's archive has one version of a package at a time, so none can be pinned. Root filesystems hold those of the day
# they were made; a later day here has all of them made anew everywhere, with the security updates until then.
RENEWED = "2026-11-28"
# The file of an entry that says which versions it holds.
PACKAGES_FILE = ".debian-packages.json"
OLD = datetime.timedelta(days=30)
DPKG = Path("/var/lib/dpkg")
# Command → the package that brings it.
HOST_COMMANDS = {"runc": "runc", "ip": "iproute2", "mount": "mount", "nsenter": "util-linux"}
# Needed only where a root filesystem is built.
BUILD_COMMANDS = {"mmdebstrap": "mmdebstrap"}
# Debian's archive is verified with these keys, on Ubuntu, too, which does not trust them. An older package lacks the
# second file, and the suite's keys.
KEYRING_PACKAGE = "debian-archive-keyring"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
KEYS_OF_SUITE = KEYRING.with_name(f"debian-archive-{SUITE}-automatic.gpg")
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
        made_from = (SUITE, renewed(), self.packages, self.bytecode and (self.bytecode, BYTECODE_FORMAT))
        return digest(*made_from, self.variant, self.links, UNNEEDED, OF_THE_MACHINE)

    def build(self, cache: Cache) -> Path:
        """The directory with the root filesystem."""
        return cache.get(self.name, self.key, self._build)

    def _build(self, directory: Path) -> None:
        run(
            [
                # What it mounts inside ends with it, also when something looks in there and keeps that busy.
                *("unshare", "--mount", "--propagation", "private"),
                *("mmdebstrap", f"--variant={self.variant}", f"--include={','.join(self.packages)}"),
                f"--keyring={KEYRING}",
                *(f"--dpkgopt=path-exclude=/{path}/*" for path in UNNEEDED if path.startswith("usr/")),
                # What was fetched is listed below, then removed.
                *("--skip=cleanup/apt", "--skip=essential/unlink"),
                *(SUITE, directory),
            ],
            what=f"building the root filesystem {self.name}",
            log=logs_dir() / f"{self.name}.log",
            hint="Debian's package archive must be reachable.",
        )
        (directory / PACKAGES_FILE).write_text(json.dumps(_fetched(directory), indent=1))
        for path, target in self.links:
            link = directory / path
            link.unlink(missing_ok=True)
            link.symlink_to(target)
        if self.bytecode:
            compile_bytecode(directory / self.bytecode, image_path=f"/{self.bytecode}", root=directory)
        for path in UNNEEDED:
            shutil.rmtree(directory / path, ignore_errors=True)
        for path in OF_THE_MACHINE:
            (directory / path).unlink(missing_ok=True)
        shutil.rmtree(directory / "dev", ignore_errors=True)
        (directory / "dev").mkdir()


def _fetched(root: Path) -> dict[str, object]:
    """The archive's day and every package's version, by what mmdebstrap fetched into the root filesystem."""
    files = (unquote(file.stem).split("_") for file in sorted((root / "var/cache/apt/archives").glob("*.deb")))
    releases = (file.read_text() for file in (root / "var/lib/apt/lists").glob("*Release"))
    days = [
        parsedate_to_datetime(found[1]).date() for text in releases if (found := re.search("(?m)^Date: (.*)", text))
    ]
    return {
        "archive": max(days).isoformat() if days else None,
        "packages": {name: version for name, version, _ in files},
    }


def archive_day(filesystem: Path) -> datetime.date | None:
    """The day of Debian's archive that a root filesystem was made from; None when there is no telling."""
    try:
        return datetime.date.fromisoformat(json.loads((filesystem / PACKAGES_FILE).read_text())["archive"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def age_advice(filesystem: Path) -> str | None:
    """What to do about a root filesystem that is old; None when it is not, or there is no telling."""
    made = archive_day(filesystem)
    if made is None or _today() - made < OLD:
        return None
    return (
        f"the Debian packages in images and nodes are of {made}: python -m cluster build --renew makes them anew with "
        "the security updates since"
    )


def _today() -> datetime.date:
    return datetime.datetime.now(datetime.UTC).date()


def _renewal() -> Path:
    """Holds the day of this machine's last `build --renew`, where there was one."""
    return cache_dir() / "debian-renewed"


def renewed() -> str:
    """The day from which root filesystems are made anew, here or everywhere; part of their keys."""
    try:
        return max(RENEWED, datetime.date.fromisoformat(_renewal().read_text()).isoformat())
    except (OSError, ValueError):
        return RENEWED


@contextlib.contextmanager
def renewing(lock: Path) -> Iterator[None]:
    """Root filesystems get today's key, to be built in the block; when that fails, the former one stays in use.

    Who holds `lock` builds with the former key to the end.
    """
    former = renewed()
    _write_renewal(_today().isoformat(), lock)
    try:
        yield
    except BaseException:
        _write_renewal(former, lock)
        raise


def renew(day: datetime.date, lock: Path) -> bool:
    """Root filesystems get a later day's key than they have; returns whether it is later, and not in the future."""
    if not renewed() < day.isoformat() <= _today().isoformat():
        return False
    _write_renewal(day.isoformat(), lock)
    return True


def _write_renewal(day: str, lock: Path) -> None:
    with locked(lock):
        _renewal().parent.mkdir(parents=True, exist_ok=True)
        write_whole(_renewal(), day)


def missing_host_packages(*, builds_filesystem: bool) -> list[str]:
    """Debian packages that this machine lacks to run a cluster, and perhaps to build a root filesystem."""
    needed = HOST_COMMANDS | (BUILD_COMMANDS if builds_filesystem else {})
    missing = {package for command, package in needed.items() if not shutil.which(command)}
    return sorted(missing | ({KEYRING_PACKAGE} if builds_filesystem and not KEYS_OF_SUITE.is_file() else set()))


def install_host_packages(packages: list[str], *, console: Console) -> None:
    """Install `packages` with apt, after what an interrupted dpkg left half-done; `console` is told of both.

    Raises:
        ClusterError: apt failed, and the text ends with the last lines of its log; or what it has is too old.
    """
    log = logs_dir() / "apt.log"
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    hint = f"Install them yourself: apt-get install {' '.join(packages)}"
    console.print(f"installing with apt: {' '.join(packages)}")
    # Another apt may run, as Debian's own upgrades do.
    apt = ("apt-get", "-o", "DPkg::Lock::Timeout=300")
    run([*apt, "update"], what="reading Debian's package lists", log=log, env=env, hint=hint)
    # Fails while another apt runs, which the installation waits for.
    with contextlib.suppress(ClusterError):
        if _interrupted():
            console.print("dpkg was interrupted on this machine: finishing that first (dpkg --configure -a)")
            run(["dpkg", "--configure", "-a"], what="finishing what dpkg began", log=log, env=env)
    command = [*apt, "install", "-y", "--no-install-recommends", *packages]
    run(command, what="installing Debian packages", log=log, env=env, hint=hint)
    if KEYRING_PACKAGE in packages and not KEYS_OF_SUITE.is_file():
        raise ClusterError(
            f"this machine's {KEYRING_PACKAGE} is too old to have the keys of Debian {SUITE}",
            hint="Install a newer one yourself: the package of that name in Debian, or in Ubuntu 24.04 or later.",
        )


def _interrupted() -> bool:
    """Whether packages are half installed, or changes are not yet in dpkg's database: apt then refuses to work."""
    journal = any((DPKG / "updates").glob("[0-9]*"))
    return journal or bool(output(["dpkg", f"--admindir={DPKG}", "--audit"]).strip())
