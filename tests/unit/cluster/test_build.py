"""Building: one process at a time, and Go's caches are taken from nobody who compiles."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import pytest
from rich.console import Console

from cluster import build as build_module
from cluster.artifacts import Cache, locked, try_locked
from cluster.build import Build, Entry, build_lock
from cluster.catalog import GO_PARTS, Catalog
from cluster.locations import cache_dir
from cluster.toolchain import remove_go_caches

pytestmark = pytest.mark.usefixtures("own_directories")


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch) -> Build:
    """A build whose tasks are not to be made."""
    monkeypatch.setattr(Build, "_tasks", lambda _, wanted, **__: iter(wanted))
    cache = Cache(cache_dir() / "entries")
    return Build(Catalog(cache))


@pytest.fixture
def go_cache() -> Path:
    directory = cache_dir() / "go" / "build"
    directory.mkdir(parents=True)
    return directory


def missing(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> None:
    rest = list(answers)
    monkeypatch.setattr(Build, "missing", lambda *_: rest.pop(0))


def quiet() -> Console:
    return Console(file=io.StringIO())


def test_nothing_to_build_gives_gos_caches_back(build: Build, go_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing(monkeypatch, [], [])
    build.run(quiet(), keep_go_caches=True)
    assert go_cache.exists()
    build.run(quiet(), keep_go_caches=False)
    assert not go_cache.exists()


def test_nothing_to_build_waits_for_nobody_and_takes_nobodys_caches(
    build: Build, go_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing(monkeypatch, [])
    with locked(build_lock()):
        build.run(quiet(), keep_go_caches=False)
    assert go_cache.exists()


def test_a_second_builder_waits_and_then_builds_what_is_still_missing(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing(monkeypatch, ["one", "two"], ["two"])
    built: list[str] = []
    monkeypatch.setattr(build_module, "run_all", lambda tasks, **_: built.extend(tasks))
    said = io.StringIO()
    waiting = threading.Thread(target=lambda: build.run(Console(file=said), keep_go_caches=False))
    with locked(build_lock()):
        waiting.start()
        waiting.join(0.3)
        assert built == []
        assert "waiting for another python -m cluster" in said.getvalue()
    waiting.join(10)
    assert built == ["two"]


def test_the_lock_is_held_while_it_builds(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    missing(monkeypatch, ["one"], ["one"])
    free: list[bool] = []

    def look(*_: object, **__: object) -> None:
        with try_locked(build_lock()) as held:
            free.append(held)

    monkeypatch.setattr(build_module, "run_all", look)
    build.run(quiet(), keep_go_caches=False)
    assert free == [False]


def test_an_interrupted_removal_of_gos_caches_leaves_no_half_of_a_module(
    go_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: Path) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("cluster.toolchain.remove_tree", interrupt)
        with pytest.raises(KeyboardInterrupt):
            remove_go_caches()
    assert not go_cache.parent.exists()
    remove_go_caches()
    assert list(cache_dir().iterdir()) == []


def entry(name: str, *needs: str) -> Entry:
    return Entry(name=name, key="k", lane="prepare", seconds=1, run=lambda: None, needs=frozenset(needs))


def test_what_others_were_made_from_is_not_asked_for_once_they_are_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cache = Cache(cache_dir() / "entries")
    built = Build(Catalog(cache))
    entries = [entry("program"), entry("image", "program"), entry("registry", "image", "program"), entry("other")]
    monkeypatch.setattr(Build, "entries", {one.name: one for one in entries})
    assert built.missing({"registry"}) == ["program", "image", "registry"]
    cache.get("image", "k", lambda directory: directory.joinpath("file").touch())
    assert built.missing({"registry"}) == ["program", "registry"]
    cache.get("registry", "k", lambda directory: directory.joinpath("file").touch())
    assert built.missing({"registry"}) == []
    assert built.missing({"registry", "other"}) == ["other"]


def test_every_entry_can_be_made_from_others_that_can_be_made() -> None:
    cache = Cache(cache_dir() / "entries")
    built = Build(Catalog(cache))
    everything = built.default.union(*map(built.of_extra, built.extras))
    made: set[str] = set()
    for name in built.missing(everything):
        assert built.entries[name].needs <= made, name
        made.add(name)
    assert made == set(built.entries)


def test_the_default_does_without_what_only_extras_need() -> None:
    cache = Cache(cache_dir() / "entries")
    built = Build(Catalog(cache))
    extra = {"prometheus", "kube-state-metrics", "python-lightgbm", "python-onnx", "python-training", "python-bandit"}
    assert not extra & set(built.missing())
    assert "python-go" in built.missing()
    assert extra <= set(built.missing(built.default.union(*map(built.of_extra, built.extras))))


def test_gos_caches_go_as_soon_as_the_last_program_is_linked() -> None:
    cache = Cache(cache_dir() / "entries")
    built = Build(Catalog(cache))
    missing = set(built.missing())
    (task,) = (task for task in built._tasks(missing, keep_go_caches=False) if task.run is remove_go_caches)
    assert task.needs == {part.name for part in GO_PARTS} & missing
    assert "kubernetes" in task.needs
    assert not [task for task in built._tasks(missing, keep_go_caches=True) if task.run is remove_go_caches]
    images_only = missing - task.needs
    assert not [task for task in built._tasks(images_only, keep_go_caches=False) if task.run is remove_go_caches]


def test_a_module_is_fetched_once_the_one_before_is_compiled_and_gives_its_packages_back_once_linked() -> None:
    cache = Cache(cache_dir() / "entries")
    built = Build(Catalog(cache))
    missing = set(built.missing())
    tasks = {task.name: task for task in built._tasks(missing, keep_go_caches=False)}
    assert "core: packages" not in tasks["core: sources"].needs
    assert tasks["pulumi-language-python: sources"].needs == {"core: packages"}
    assert tasks["istio: sources"].needs == {"pulumi-language-python: packages"}
    core = {part.name for part in GO_PARTS if part.module.name == "core"} & missing
    assert tasks["core: packages given back"].needs == core
    kept = {task.name for task in built._tasks(missing, keep_go_caches=True)}
    assert not [name for name in kept if name.endswith("given back")]
