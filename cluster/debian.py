"""Debian packages: those that the host needs, and root filesystems for the node and the images."""

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
# Debian's archive has only the newest version of a package, so versions cannot be pinned: a root filesystem has those
# of its day. This day is part of its key, so that a later one has every machine rebuild it with security updates.
RENEWED = "2026-11-28"
# The file in a cache entry with the versions of its packages.
PACKAGES_FILE = ".debian-packages.json"
OLD = datetime.timedelta(days=30)
DPKG = Path("/var/lib/dpkg")
# Command → the package that has it.
HOST_COMMANDS = {"runc": "runc", "ip": "iproute2", "mount": "mount", "nsenter": "util-linux"}
# Needed only to build a root filesystem.
BUILD_COMMANDS = {"mmdebstrap": "mmdebstrap"}
# The keys that verify Debian's archive; Ubuntu does not install them by default. An older package lacks the second file
# and the suite's keys.
KEYRING_PACKAGE = "debian-archive-keyring"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
KEYS_OF_SUITE = KEYRING.with_name(f"debian-archive-{SUITE}-automatic.gpg")
UNNEEDED = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "var/cache/apt", "var/lib/apt")
# Removed because they belong to this machine, from which mmdebstrap copies the first two.
OF_THE_MACHINE = ("etc/hostname", "etc/resolv.conf", "etc/machine-id")


@dataclass(frozen=True)
class RootFilesystem:
    """A Debian root filesystem.

    Attributes:
        name: the cache entry's name.
        packages: packages to install, with their dependencies.
        variant: mmdebstrap's variant: `essential` is a complete system; `extract` only unpacks the packages, without
            Debian's essential ones and without running maintainer scripts.
        links: symbolic links (path → target) that a maintainer script would have made.
        bytecode: a folder with Python modules to compile.
        suite: Debian's name of its release.
        seconds: what building it took on two cores.
    """

    name: str
    packages: tuple[str, ...]
    variant: str = "extract"
    links: tuple[tuple[str, str], ...] = ()
    bytecode: str | None = None
    suite: str = SUITE
    seconds: int = 10

    @property
    def key(self) -> str:
        """The key of the cache entry."""
        made_from = (self.suite, renewed(), self.packages, self.bytecode and (self.bytecode, BYTECODE_FORMAT))
        return digest(*made_from, self.variant, self.links, UNNEEDED, OF_THE_MACHINE)

    def build(self, cache: Cache) -> Path:
        """The directory with the root filesystem, built if necessary."""
        return cache.get(self.name, self.key, self._build)

    def _build(self, directory: Path) -> None:
        run(
            [
                # In a mount namespace of its own, so that no mount is left behind, even a busy one.
                *("unshare", "--mount", "--propagation", "private"),
                *("mmdebstrap", f"--variant={self.variant}", f"--include={','.join(self.packages)}"),
                f"--keyring={KEYRING}",
                *(f"--dpkgopt=path-exclude=/{path}/*" for path in UNNEEDED if path.startswith("usr/")),
                # The fetched packages are listed below, then removed.
                *("--skip=cleanup/apt", "--skip=essential/unlink"),
                *(self.suite, directory),
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
    """The day of Debian's archive and the packages' versions, read from the files that mmdebstrap downloaded."""
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
    """The day of Debian's archive that a root filesystem was built from; None when it is unknown."""
    try:
        return datetime.date.fromisoformat(json.loads((filesystem / PACKAGES_FILE).read_text())["archive"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def age_advice(filesystem: Path) -> str | None:
    """Advice for a root filesystem that is old; None when it is not, or its age is unknown."""
    made = archive_day(filesystem)
    if made is None or _today() - made < OLD:
        return None
    return (
        f"the Debian packages in images and nodes are of {made}: python -m cluster build --renew rebuilds them with "
        "the security updates since then"
    )


def _today() -> datetime.date:
    return datetime.datetime.now(datetime.UTC).date()


def _renewal() -> Path:
    """The file with the day of this machine's last `build --renew`."""
    return cache_dir() / "debian-renewed"


def renewed() -> str:
    """The day of the last renewal, on this machine or on all; part of the root filesystems' keys."""
    try:
        return max(RENEWED, datetime.date.fromisoformat(_renewal().read_text()).isoformat())
    except (OSError, ValueError):
        return RENEWED


@contextlib.contextmanager
def renewing(lock: Path, *, day: datetime.date | None = None) -> Iterator[None]:
    """Give root filesystems the key of `day` (today) while the block gets them; restore the former when it fails.

    A build that holds `lock` finishes with the former key first.
    """
    former = renewed()
    _write_renewal((day or _today()).isoformat(), lock)
    try:
        yield
    except BaseException:
        _write_renewal(former, lock)
        raise


def is_newer(day: datetime.date) -> bool:
    """Whether `day` is later than the last renewal, and not in the future."""
    return renewed() < day.isoformat() <= _today().isoformat()


def _write_renewal(day: str, lock: Path) -> None:
    with locked(lock):
        _renewal().parent.mkdir(parents=True, exist_ok=True)
        write_whole(_renewal(), day)


def missing_host_packages(*, builds_filesystem: bool) -> list[str]:
    """Debian packages that this machine lacks to run a cluster, and to build a root filesystem if it does."""
    needed = HOST_COMMANDS | (BUILD_COMMANDS if builds_filesystem else {})
    missing = {package for command, package in needed.items() if not shutil.which(command)}
    return sorted(missing | ({KEYRING_PACKAGE} if builds_filesystem and not KEYS_OF_SUITE.is_file() else set()))


def install_host_packages(packages: list[str], *, console: Console) -> None:
    """Install `packages` with apt, after finishing what an interrupted dpkg left; both are printed to `console`.

    Raises:
        ClusterError: apt failed (the text ends with the last lines of its log), or its keyring package is too old.
    """
    log = logs_dir() / "apt.log"
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    hint = f"Install them yourself: apt-get install {' '.join(packages)}"
    console.print(f"installing with apt: {' '.join(packages)}")
    # Wait for another apt, such as Debian's unattended upgrades.
    apt = ("apt-get", "-o", "DPkg::Lock::Timeout=300")
    run([*apt, "update"], what="reading Debian's package lists", log=log, env=env, hint=hint)
    # dpkg does not wait for another apt, but the installation below does.
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
    """Whether dpkg was interrupted, so that apt refuses to work: packages half installed, or changes not recorded."""
    journal = any((DPKG / "updates").glob("[0-9]*"))
    return journal or bool(output(["dpkg", f"--admindir={DPKG}", "--audit"]).strip())
