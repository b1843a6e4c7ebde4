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


def program(directory: Path, name: str, version: str = "") -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / name
    file.write_text(f"#!/bin/sh\necho {version}\n")
    file.chmod(0o755)
    return file


def helm(directory: Path, version: str = "v3.18.0") -> Path:
    return program(directory, "helm", version)


def on_path(monkeypatch: pytest.MonkeyPatch, *directories: Path) -> None:
    monkeypatch.setenv("PATH", os.pathsep.join(map(str, directories)))


def test_a_program_of_the_machine_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = helm(tmp_path / "bin")
    on_path(monkeypatch, tmp_path / "bin")
    assert programs.usable_helm() == own


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


@pytest.mark.parametrize(("version", "usable"), [("v3.259.0", True), ("v3.300.1", True), ("v3.258.9", False)])
def test_a_pulumi_must_be_as_new_as_ours_and_have_its_language_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, usable: bool
) -> None:
    pulumi = program(tmp_path / "bin", "pulumi", version)
    on_path(monkeypatch, tmp_path / "bin")
    assert programs.usable_pulumi() is None
    program(tmp_path / "bin", "pulumi-language-python")
    assert programs.usable_pulumi() == (pulumi if usable else None)


def test_a_pulumi_that_is_linked_to_has_its_language_host_beside_what_is_linked_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pulumi = program(tmp_path / "opt", "pulumi", "v3.259.0")
    link = tmp_path / "bin" / "pulumi"
    link.parent.mkdir()
    link.symlink_to(pulumi)
    on_path(monkeypatch, link.parent)
    assert programs.usable_pulumi() is None
    program(tmp_path / "opt", "pulumi-language-python")
    assert programs.usable_pulumi() == link
