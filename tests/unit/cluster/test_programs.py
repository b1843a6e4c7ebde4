"""Programs of the machine are used; ours, which are on PATH in a shell set up by `cluster env`, do not count."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import programs
from cluster.locations import cache_dir, state_dir

pytestmark = pytest.mark.usefixtures("own_directories")


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    programs._version.cache_clear()
    yield
    programs._version.cache_clear()


def helm(directory: Path, version: str = "v3.18.0") -> Path:
    directory.mkdir(parents=True)
    program = directory / "helm"
    program.write_text(f"#!/bin/sh\necho {version}\n")
    program.chmod(0o755)
    return program


def on_path(monkeypatch: pytest.MonkeyPatch, *directories: Path) -> None:
    monkeypatch.setenv("PATH", os.pathsep.join(map(str, directories)))


def test_a_program_of_the_machine_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = helm(tmp_path / "bin")
    on_path(monkeypatch, tmp_path / "bin")
    assert programs.usable_helm() == program


def test_one_that_is_too_old_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helm(tmp_path / "bin", "v3.2.0")
    on_path(monkeypatch, tmp_path / "bin")
    assert programs.usable_helm() is None


def test_ours_do_not_count_and_the_machines_own_behind_them_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built, placed = helm(cache_dir() / "entries" / "helm" / "key"), helm(state_dir("dev") / "bin")
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "helm").symlink_to(built)
    ours = (placed.parent, built.parent, linked)
    on_path(monkeypatch, *ours)
    assert programs.usable_helm() is None
    programs._version.cache_clear()
    own = helm(tmp_path / "bin")
    on_path(monkeypatch, *ours, tmp_path / "bin")
    assert programs.usable_helm() == own
