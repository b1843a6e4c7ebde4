"""The cache: nothing half-written is used, nothing is built twice, what is pruned is counted."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path

import pytest
from rich.console import Console

from cluster.artifacts import PARTIAL, RECORD, Cache, digest, disk_usage, locked, remove_tree, try_locked, write_whole


def write_one_file(directory: Path) -> None:
    (directory / "binary").write_bytes(b"x" * 5000)


def must_not_build(directory: Path) -> None:
    raise AssertionError(f"built again in {directory}")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "entries")


def test_an_entry_is_built_once(cache: Cache) -> None:
    first = cache.get("part", "key", write_one_file)
    assert (first / "binary").is_file()
    assert cache.get("part", "key", must_not_build) == first


def test_another_key_is_another_entry(cache: Cache) -> None:
    assert cache.get("part", "one", write_one_file) != cache.get("part", "two", write_one_file)


def test_the_record_is_not_written_through_a_link(cache: Cache, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    cache.get("part", "key", lambda directory: (directory / RECORD).symlink_to(tmp_path / "file"))
    assert (tmp_path / "file").read_text() == "precious"
    assert cache.has("part", "key")


def test_a_failed_build_leaves_no_entry(cache: Cache) -> None:
    def fail(directory: Path) -> None:
        write_one_file(directory)
        raise RuntimeError("interrupted")

    with pytest.raises(RuntimeError, match="interrupted"):
        cache.get("part", "key", fail)
    assert not cache.has("part", "key")
    assert (cache.get("part", "key", write_one_file) / "binary").stat().st_size == 5000


@pytest.mark.parametrize("reason", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failed_build_gives_its_disk_back(cache: Cache, reason: BaseException) -> None:
    def fail(directory: Path) -> None:
        write_one_file(directory)
        # As Go's modules are.
        directory.joinpath("binary").chmod(0o400)
        directory.chmod(0o500)
        raise reason

    with pytest.raises(type(reason)):
        cache.get("part", "key", fail)
    assert list((cache.root / "part").iterdir()) == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: (path / "binary").write_bytes(b"x"),
        lambda path: (path / "binary").unlink(),
        lambda path: (path / ".entry.json").write_text("{"),
        lambda path: (path / ".entry.json").unlink(),
    ],
    ids=["truncated", "deleted", "record damaged", "record deleted"],
)
def test_a_damaged_entry_is_built_again(cache: Cache, damage: object) -> None:
    assert callable(damage)
    damage(cache.get("part", "key", write_one_file))
    assert not cache.has("part", "key")
    assert (cache.get("part", "key", write_one_file) / "binary").stat().st_size == 5000
    assert cache.has("part", "key")


def test_prune_keeps_what_is_used_and_counts_what_it_gives_back(cache: Cache) -> None:
    kept = cache.get("part", "used", write_one_file)
    cache.get("part", "old", write_one_file)
    cache.get("gone", "old", write_one_file)
    (cache.root / "part" / ".partial-x").mkdir()
    (cache.root / "part" / "a file").write_text("left by a killed build")
    before = disk_usage(cache.root)
    freed = cache.prune({("part", "used")})
    assert [entry.name for entry in (cache.root / "part").iterdir()] == ["used"]
    assert not (cache.root / "gone").exists()
    assert kept.is_dir()
    assert freed == before - disk_usage(cache.root) > 0


def test_prune_keeps_every_key_that_is_used(cache: Cache) -> None:
    for key in ("one", "two", "three"):
        cache.get("part", key, write_one_file)
    cache.prune({("part", "one"), ("part", "two"), ("other", "three")})
    assert {entry.name for entry in (cache.root / "part").iterdir()} == {"one", "two"}


def test_a_build_shares_its_directory_with_no_killed_one(cache: Cache) -> None:
    used: list[str] = []

    def interrupted(directory: Path) -> None:
        used.append(directory.name)
        raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            cache.get("part", "key", interrupted)
    assert used[0] != used[1]
    assert all(name.startswith(PARTIAL) for name in used)
    entry = cache.get("part", "key", write_one_file)
    assert [path.name for path in entry.parent.iterdir()] == ["key"]
    assert entry.stat().st_mode & 0o777 == 0o755


def test_who_waits_for_a_lock_says_so_and_then_holds_it(tmp_path: Path) -> None:
    said, held, done = io.StringIO(), threading.Event(), threading.Event()

    def wait() -> None:
        with locked(tmp_path / "build", console=Console(file=said)):
            held.set()
            done.wait(10)

    other = threading.Thread(target=wait)
    with locked(tmp_path / "build"):
        other.start()
        assert not held.wait(0.3)
        assert "waiting for another python -m cluster to end (build)" in said.getvalue()
        # As `prune --all` does.
        (tmp_path / "build").unlink()
    assert held.wait(10)
    with try_locked(tmp_path / "build") as free:
        assert not free
    done.set()
    other.join()
    with try_locked(tmp_path / "build") as free:
        assert free


def test_a_free_lock_is_taken_without_a_word(tmp_path: Path) -> None:
    said = io.StringIO()
    with locked(tmp_path / "locks" / "build", console=Console(file=said)):
        pass
    assert said.getvalue() == ""


def test_a_file_is_written_whole_and_private(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    for text in ("first", "second"):
        write_whole(file, text)
        assert file.read_text() == text
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_a_read_only_tree_is_removed(tmp_path: Path) -> None:
    tree = tmp_path / "module"
    tree.mkdir()
    (tree / "file").write_text("x")
    (tree / "file").chmod(0o400)
    tree.chmod(0o500)
    assert remove_tree(tree) > 0
    assert not tree.exists()


def test_the_digest_follows_content_not_place(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "go.mod").write_text("module x")
    assert digest(tmp_path / "one") == digest(tmp_path / "two")
    (tmp_path / "two" / "go.mod").write_text("module y")
    assert digest(tmp_path / "one") != digest(tmp_path / "two")
    assert digest("a", 1) != digest("a", 2)


def test_a_file_that_goes_while_sizes_are_read_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("x")
    size = disk_usage(tmp_path)
    monkeypatch.setattr(os, "walk", lambda path: [(str(path), [], ["gone", "file"])])
    assert disk_usage(tmp_path) == size > 0
