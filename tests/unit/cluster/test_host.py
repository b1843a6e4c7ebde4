"""The machine is checked before anything starts; every problem names the other way."""

from __future__ import annotations

import os
import platform
import shutil
from collections import namedtuple
from pathlib import Path

import psutil
import pytest

from cluster import host
from cluster.errors import ClusterError

Usage = namedtuple("Usage", "total used free")
Memory = namedtuple("Memory", "available")


@pytest.fixture(autouse=True)
def good_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(100 * host.GIB, 0, 100 * host.GIB))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: Memory(20 * host.GIB))


def message(tmp_path: Path, *, to_compile: bool = True) -> str:
    with pytest.raises(ClusterError) as caught:
        host.check(cache=tmp_path / "not" / "there", to_compile=to_compile)
    return str(caught.value)


def test_a_good_machine_is_accepted(tmp_path: Path) -> None:
    host.check(cache=tmp_path, to_compile=True)


@pytest.mark.parametrize("change", ["system", "machine"])
def test_another_platform_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    monkeypatch.setattr(platform, change, lambda: "Other")
    assert "it runs on Linux/x86_64 only; this is" in message(tmp_path)


def test_without_root_it_is_refused_and_the_other_way_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    text = message(tmp_path)
    assert "it needs root" in text
    assert "make up CONTEXT=<kube-context>" in text


def test_too_little_disk_says_how_much_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, 20 * host.GIB))
    assert "has 20 GiB free; 40 GiB are needed" in message(tmp_path)
    host.check(cache=tmp_path, to_compile=False)


def test_too_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: Memory(2 * host.GIB))
    assert "2.0 GiB of memory are available; 6 GiB are needed" in message(tmp_path)


def test_a_missing_kernel_feature_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(host.KERNEL_FEATURES, "time travel", tmp_path / "missing")
    assert "the kernel lacks time travel" in message(tmp_path)


def test_every_problem_is_listed_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: Memory(0))
    assert message(tmp_path).count("\n  - ") == 2
