"""Debian packages: apt after whoever else uses it, and root filesystems that are the same on every machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from cluster import debian
from cluster.artifacts import Cache
from cluster.debian import RootFilesystem, install_host_packages, missing_host_packages
from cluster.errors import ClusterError

pytestmark = pytest.mark.usefixtures("own_directories")


def test_apt_waits_for_others_and_finishes_what_was_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[str] = []

    def run(command: Sequence[str], **_: object) -> None:
        commands.append(" ".join(command))
        if command[0] == "dpkg":
            raise ClusterError("another process has locked dpkg")

    monkeypatch.setattr(debian, "run", run)
    install_host_packages(["runc"])
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
    assert missing_host_packages() == ["debian-archive-keyring", "its-package"]
    debian.KEYS_OF_SUITE.touch()
    assert missing_host_packages() == ["its-package"]


def test_keys_that_are_too_old_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian, "KEYS_OF_SUITE", tmp_path / "keys.gpg")
    monkeypatch.setattr(debian, "run", lambda *_, **__: None)
    install_host_packages(["runc"])
    with pytest.raises(ClusterError, match=r"debian-archive-keyring is too old .*bookworm\nInstall a newer one"):
        install_host_packages(["debian-archive-keyring", "runc"])


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
