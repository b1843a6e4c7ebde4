"""Debian packages: apt after whoever else uses it, and root filesystems that are the same on every machine."""

from __future__ import annotations

import datetime
import io
import json
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.console import Console

from cluster import debian
from cluster.artifacts import Cache, locked
from cluster.debian import (
    PACKAGES_FILE,
    RENEWED,
    RootFilesystem,
    archive_day,
    install_host_packages,
    missing_host_packages,
    renewing,
)
from cluster.errors import ClusterError
from cluster.locations import cache_dir

pytestmark = pytest.mark.usefixtures("own_directories")
FILESYSTEM = RootFilesystem(name="rootfs-test", packages=("libc6",))
HALF_DONE = "Package: runc\nStatus: install ok half-configured\nVersion: 1.1\nArchitecture: all\nMaintainer: x <x@y>\n"


@pytest.fixture
def dpkg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database of dpkg's, with no package."""
    if not shutil.which("dpkg"):
        pytest.skip("there is no dpkg on this machine")
    directory = tmp_path / "dpkg"
    for name in ("updates", "info", "triggers"):
        (directory / name).mkdir(parents=True)
    (directory / "status").touch()
    monkeypatch.setattr(debian, "DPKG", directory)
    return directory


def test_dpkg_is_left_alone_when_it_was_not_interrupted(dpkg: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[str] = []
    said = io.StringIO()
    (dpkg / "status").write_text(HALF_DONE.replace("half-configured", "installed"))
    # Not having it is another matter for dpkg.
    (dpkg / "info" / "runc.list").touch()
    (dpkg / "info" / "runc.md5sums").touch()
    monkeypatch.setattr(debian, "run", lambda command, **_: commands.append(command[0]))
    install_host_packages(["runc"], console=Console(file=said))
    assert commands == ["apt-get", "apt-get"]
    assert said.getvalue() == "installing with apt: runc\n"


@pytest.mark.parametrize(("file", "text"), [("status", HALF_DONE), ("updates/0001", "")])
def test_apt_waits_for_others_and_finishes_what_was_interrupted(
    dpkg: Path, monkeypatch: pytest.MonkeyPatch, file: str, text: str
) -> None:
    (dpkg / file).write_text(text)
    said = io.StringIO()
    commands: list[str] = []

    def run(command: Sequence[str], **_: object) -> None:
        commands.append(" ".join(command))
        if command[0] == "dpkg":
            raise ClusterError("another process has locked dpkg")

    monkeypatch.setattr(debian, "run", run)
    install_host_packages(["runc"], console=Console(file=said))
    assert "dpkg was interrupted on this machine: finishing that first (dpkg --configure -a)" in said.getvalue()
    assert commands == [
        "apt-get -o DPkg::Lock::Timeout=300 update",
        "dpkg --configure -a",
        "apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends runc",
    ]


def test_debians_keys_are_missing_where_ubuntu_comes_without_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(debian, "HOST_COMMANDS", {"no-such-command": "its-package", "sh": "dash"})
    monkeypatch.setattr(debian, "KEYS_OF_SUITE", tmp_path / "keys.gpg")
    monkeypatch.setattr(debian, "BUILD_COMMANDS", {"no-such-builder": "mmdebstrap"})
    building = ["debian-archive-keyring", "its-package", "mmdebstrap"]
    assert missing_host_packages(builds_filesystem=True) == building
    assert missing_host_packages(builds_filesystem=False) == ["its-package"]
    debian.KEYS_OF_SUITE.touch()
    assert missing_host_packages(builds_filesystem=True) == ["its-package", "mmdebstrap"]


def test_keys_that_are_too_old_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quiet = Console(file=io.StringIO())
    monkeypatch.setattr(debian, "KEYS_OF_SUITE", tmp_path / "keys.gpg")
    monkeypatch.setattr(debian, "run", lambda *_, **__: None)
    install_host_packages(["runc"], console=quiet)
    with pytest.raises(ClusterError, match=r"debian-archive-keyring is too old .*bookworm\nInstall a newer one"):
        install_host_packages(["debian-archive-keyring", "runc"], console=quiet)


def test_nothing_of_the_machine_is_in_a_root_filesystem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def mmdebstrap(command: Sequence[str | Path], **_: object) -> None:
        etc = Path(command[-1]) / "etc"
        etc.mkdir()
        for name in ("hostname", "resolv.conf", "machine-id", "services"):
            (etc / name).write_text("of this machine")

    monkeypatch.setattr(debian, "run", mmdebstrap)
    built = RootFilesystem(name="rootfs-test", packages=("libc6",)).build(Cache(tmp_path / "entries"))
    assert [file.name for file in (built / "etc").iterdir()] == ["services"]


def test_what_is_left_out_is_part_of_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    filesystem = RootFilesystem(name="rootfs-test", packages=("libc6",))
    before = filesystem.key
    monkeypatch.setattr(debian, "OF_THE_MACHINE", ())
    assert filesystem.key != before


def test_a_root_filesystem_is_of_the_release_that_it_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    suites: list[str | Path] = []
    monkeypatch.setattr(debian, "run", lambda command, **_: suites.append(command[-2]))
    newer = RootFilesystem(name="rootfs-test", packages=("libc6",), suite="trixie")
    for filesystem in (FILESYSTEM, newer):
        filesystem.build(Cache(tmp_path / "entries"))
    assert suites == ["bookworm", "trixie"]
    assert FILESYSTEM.key != newer.key


def fetched(command: Sequence[str | Path], **_: object) -> None:
    """Leaves what mmdebstrap does: fetched packages, and the releases of the archive they were listed in."""
    root = Path(command[-1])
    archives, lists = root / "var/cache/apt/archives", root / "var/lib/apt/lists"
    for directory in (archives, lists, root / "usr/share/doc/libc6"):
        directory.mkdir(parents=True)
    for name in ("libc6_2.36-9+deb12u14_amd64.deb", "conntrack_1%3a1.4.7-1+b2_amd64.deb", "lock"):
        (archives / name).touch()
    for name, day in (("bookworm", "Sat, 11 Jul 2026 10:16:37 UTC"), ("security", "Thu, 26 Nov 2026 21:03:35 UTC")):
        text = f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nOrigin: Debian\nDate: {day}\nValid-Until: x\n"
        (lists / f"archive.example_dists_{name}_InRelease").write_text(text)


def test_a_root_filesystem_says_what_it_was_made_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian, "run", fetched)
    built = FILESYSTEM.build(Cache(tmp_path / "entries"))
    versions = {"conntrack": "1:1.4.7-1+b2", "libc6": "2.36-9+deb12u14"}
    assert json.loads((built / PACKAGES_FILE).read_text()) == {"archive": "2026-11-26", "packages": versions}
    assert archive_day(built) == datetime.date(2026, 11, 26)
    assert [path.name for path in built.rglob("*") if path.is_file() and path.name[0] != "."] == []


@pytest.mark.parametrize("text", [None, "{", "[]", '{"archive": null}', '{"archive": "yesterday"}'])
def test_without_a_record_there_is_no_telling_how_old_it_is(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / PACKAGES_FILE).write_text(text)
    assert archive_day(tmp_path) is None
    assert debian.age_advice(tmp_path) is None


@pytest.mark.parametrize(("days", "old"), [(0, False), (29, False), (30, True)])
def test_an_old_one_is_said_to_be_old(tmp_path: Path, days: int, old: bool) -> None:
    day = debian._today() - datetime.timedelta(days=days)
    (tmp_path / PACKAGES_FILE).write_text(json.dumps({"archive": day.isoformat(), "packages": {}}))
    advice = debian.age_advice(tmp_path)
    assert (advice is not None) == old
    assert not old or f"are of {day}: python -m cluster build --renew" in str(advice)


def test_keys_are_the_same_on_every_day_and_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    before = FILESYSTEM.key
    monkeypatch.setattr(debian, "_today", lambda: datetime.date(2030, 1, 1))
    assert FILESYSTEM.key == before
    monkeypatch.setattr(debian, "RENEWED", "2027-01-01")
    assert FILESYSTEM.key != before


def test_a_renewal_gives_another_key_until_everyone_has_a_later_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = FILESYSTEM.key
    monkeypatch.setattr(debian, "_today", lambda: datetime.date(2030, 1, 1))
    with renewing(tmp_path / "lock"):
        renewed = FILESYSTEM.key
    assert renewed == FILESYSTEM.key != before
    monkeypatch.setattr(debian, "RENEWED", "2030-01-01")
    assert FILESYSTEM.key == renewed
    monkeypatch.setattr(debian, "RENEWED", "2030-01-02")
    assert FILESYSTEM.key not in (before, renewed)


@pytest.mark.parametrize("reason", [ClusterError("Debian's archive is not reachable"), KeyboardInterrupt()])
def test_a_renewal_that_fails_leaves_what_was_built_in_use(tmp_path: Path, reason: BaseException) -> None:
    before = FILESYSTEM.key
    with pytest.raises(type(reason)), renewing(tmp_path / "lock"):
        raise reason
    assert FILESYSTEM.key == before
    assert debian.renewed() == RENEWED


def test_a_renewal_waits_for_who_builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian, "_today", lambda: datetime.date(2030, 1, 1))
    before, keys = FILESYSTEM.key, []

    def renew() -> None:
        with renewing(tmp_path / "lock"):
            keys.append(debian.renewed())

    waiting = threading.Thread(target=renew)
    with locked(tmp_path / "lock"):
        waiting.start()
        waiting.join(0.3)
        assert (FILESYSTEM.key, keys) == (before, [])
    waiting.join(10)
    assert keys == ["2030-01-01"]


@pytest.mark.parametrize("text", ["", "soon", "2020-01-01"])
def test_a_damaged_or_older_day_counts_for_nothing(text: str) -> None:
    before = FILESYSTEM.key
    cache_dir().mkdir(parents=True)
    (cache_dir() / "debian-renewed").write_text(text)
    assert FILESYSTEM.key == before
