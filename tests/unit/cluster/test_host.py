"""The machine is checked before anything starts; every problem names the other way."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from cluster import host
from cluster.errors import ClusterError
from cluster.locations import state_dir

Usage = namedtuple("Usage", "total used free")
Memory = namedtuple("Memory", "available")
REAL_FEATURES = host.KERNEL_FEATURES
REAL_MODULES = host.KERNEL_MODULES


@pytest.fixture(autouse=True)
def good_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(100 * host.GIB, 0, 100 * host.GIB))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: Memory(20 * host.GIB))
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}" if name == "apt-get" else None)
    monkeypatch.setattr(host, "KERNEL_FEATURES", {"something": tmp_path})
    monkeypatch.setattr(host, "FILESYSTEMS", tmp_path / "filesystems")
    host.FILESYSTEMS.write_text("nodev\tproc\nnodev\toverlay\n\text4\n")


def message() -> str:
    with pytest.raises(ClusterError) as caught:
        host.check_machine()
    return str(caught.value)


def test_a_good_machine_is_accepted() -> None:
    host.check_machine()


@pytest.mark.parametrize("change", ["system", "machine"])
def test_another_platform_is_refused(monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    monkeypatch.setattr(platform, change, lambda: "Other")
    assert "runs on Linux/x86_64 only; this is" in message()
    assert "make up CONTEXT=<kube-context>" in message()


@pytest.mark.parametrize(("system", "machine"), [("Linux", "aarch64"), ("Darwin", "x86_64"), ("Darwin", "arm64")])
def test_pulumi_is_compiled_on_more_platforms(monkeypatch: pytest.MonkeyPatch, system: str, machine: str) -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    host.check_platform(what="It runs", platforms=host.TOOLS_PLATFORMS, hint="Install it yourself")
    assert f"runs on Linux/x86_64 only; this is {system}/{machine}" in message()


def test_another_platform_may_be_told_another_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def check() -> None:
        host.check_platform(what="It runs", platforms=host.TOOLS_PLATFORMS, hint="Install it yourself")

    check()
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(ClusterError, match=r"^It runs on .*; this is Linux/riscv64\nInstall it yourself"):
        check()


def test_without_root_it_is_refused_and_the_other_way_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    text = message()
    assert "it needs root" in text
    assert "make up CONTEXT=<kube-context>" in text


def test_only_root_removes_a_local_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    host.check_root()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ClusterError, match=r"(?s)cannot be removed.*it needs root.*make down CONTEXT="):
        host.check_root()


def resources(tmp_path: Path, *, disk: int = 0, memory: int = 0) -> None:
    host.check_resources(cache=tmp_path / "not" / "there", disk=disk, memory=memory)


def test_too_little_disk_says_how_much_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, 15 * host.GIB))
    with pytest.raises(ClusterError, match=r"has 15 GiB free; 17 GiB are needed\nOr use a cluster you have"):
        resources(tmp_path, disk=host.DISK_TO_COMPILE)
    resources(tmp_path, disk=host.DISK_TO_RUN)


def test_too_little_disk_for_something_else_is_said_of_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, 0))
    with pytest.raises(ClusterError, match=r"(?s)^no room:\n.*has 0 GiB free; 8 GiB are needed\nmake some$") as caught:
        host.check_resources(cache=tmp_path, disk=host.DISK_TO_COMPILE_TOOLS, refusal="no room", hint="make some")
    assert "local cluster" not in str(caught.value)


def test_too_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: Memory(2 * host.GIB))
    with pytest.raises(ClusterError, match=r"2\.0 GiB of memory are available; 6 GiB are needed"):
        resources(tmp_path, memory=host.MEMORY)
    resources(tmp_path)


def test_too_little_of_everything_is_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, 0))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: Memory(0))
    with pytest.raises(ClusterError, match=r"(?s)\n  - .*\n  - "):
        resources(tmp_path, disk=host.DISK_TO_RUN, memory=host.MEMORY)


def test_a_missing_kernel_feature_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(host.KERNEL_FEATURES, "time travel", tmp_path / "missing")
    host.FILESYSTEMS.write_text("\text4\n")
    assert "the kernel lacks overlayfs, time travel" in message()


def test_bridges_must_pass_netfilter() -> None:
    assert Path("/proc/sys/net/bridge") in REAL_FEATURES.values()


def test_modules_are_loaded_before_the_kernel_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    host.FILESYSTEMS.write_text("\text4\n")
    monkeypatch.setattr(shutil, "which", lambda name: f"/sbin/{name}")

    def load(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        assert command == ["/sbin/modprobe", "-a", "overlay", "br_netfilter"]
        host.FILESYSTEMS.write_text("nodev\toverlay\n")
        return subprocess.CompletedProcess(command, 1)

    monkeypatch.setattr(subprocess, "run", load)
    host.check_machine()


def test_every_problem_is_listed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert message().count("\n  - ") == 2


@pytest.fixture
def modules(own_directories: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The kernel's list of modules, a `modprobe` that changes it, and no bridge; the file with modules in use."""
    assert own_directories
    programs, loaded = tmp_path / "bin", tmp_path / "modules"
    programs.mkdir()
    loaded.write_text("ext4 999424 1 - Live 0x0\n")
    (tmp_path / "in use").touch()
    modprobe = programs / "modprobe"
    modprobe.write_text(f"""#!/bin/sh
cd {tmp_path}
case $1 in
-a) shift; for name; do grep -q "^$name " modules || echo "$name 1 0 - Live 0x0" >> modules; done;;
-r) grep -qx "$2" "in use" && exit 1; sed -i "/^$2 /d" modules;;
esac
""")
    modprobe.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name: str(programs / name))
    monkeypatch.setattr(host, "KERNEL_MODULES", REAL_MODULES)
    monkeypatch.setattr(host, "LOADED", loaded)
    monkeypatch.setattr(host, "BOOT", tmp_path / "boot")
    monkeypatch.setattr(host, "INTERFACES", tmp_path / "interfaces")
    (tmp_path / "boot").write_text("first")
    return tmp_path


def loaded(modules: Path) -> set[str]:
    return {line.split()[0] for line in (modules / "modules").read_text().splitlines()}


def bridge(modules: Path, name: str) -> None:
    (modules / "interfaces" / name / "bridge").mkdir(parents=True)


def test_modules_are_unloaded_that_were_loaded_here(modules: Path) -> None:
    bridge(modules, "virbr0")
    # More than once, as `build` and `up` do.
    host.check_machine()
    host.check_machine()
    assert loaded(modules) == {"ext4", "overlay", "br_netfilter"}
    host.unload_modules()
    assert loaded(modules) == {"ext4"}
    assert not list(state_dir("").iterdir())


def test_modules_that_were_there_stay(modules: Path) -> None:
    with (modules / "modules").open("a") as file:
        file.write("br_netfilter 1 0 - Live 0x0\n")
    host.check_machine()
    host.unload_modules()
    assert loaded(modules) == {"ext4", "br_netfilter"}


@pytest.mark.parametrize("use", [lambda path: bridge(path, "docker0"), lambda path: (path / "boot").write_text("2")])
def test_bridges_keep_their_filter_when_others_may_use_it_now(modules: Path, use: Callable[[Path], object]) -> None:
    bridge(modules, "virbr0")
    host.check_machine()
    use(modules)
    host.unload_modules()
    assert "br_netfilter" in loaded(modules)
    assert not list(state_dir("").iterdir())


def test_a_module_in_use_stays(modules: Path) -> None:
    host.check_machine()
    (modules / "in use").write_text("overlay\n")
    host.unload_modules()
    assert loaded(modules) == {"ext4", "overlay"}


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"boot": "first"}'])
def test_a_damaged_record_unloads_nothing(modules: Path, text: str) -> None:
    host.check_machine()
    (state_dir("") / "loaded-modules.json").write_text(text)
    host.unload_modules()
    assert loaded(modules) == {"ext4", "overlay", "br_netfilter"}
