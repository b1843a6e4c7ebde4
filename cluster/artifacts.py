"""A cache of built directories, each under a key computed from everything it is made from.

An entry is built beside its final place and renamed when complete, so an interrupted build leaves no entry. File count
and size are recorded, so that an entry that was damaged later is noticed and built again.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from rich.console import Console

KEY_LENGTH = 16
RECORD = ".entry.json"
PARTIAL = ".partial-"


def digest(*inputs: object) -> str:
    """A key for `inputs`: the content of files and directories (`Path`), and the JSON text of everything else."""
    hasher = hashlib.sha256()
    for item in inputs:
        if isinstance(item, Path):
            files = sorted(p for p in item.rglob("*") if p.is_file()) if item.is_dir() else [item]
            for file in files:
                if "__pycache__" in file.parts or ".venv" in file.parts:
                    continue
                hasher.update(f"{file.relative_to(item if item.is_dir() else item.parent)}\0".encode())
                hasher.update(hashlib.sha256(file.read_bytes()).digest())
        else:
            hasher.update(json.dumps(item, sort_keys=True).encode() + b"\0")
    return hasher.hexdigest()[:KEY_LENGTH]


def _contents(directory: Path) -> dict[str, int]:
    """File count and total bytes: cheap to compute, and enough to notice a truncated or deleted file."""
    count = size = 0
    stack = [directory]
    while stack:
        with os.scandir(stack.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    stack.append(Path(entry.path))
                elif entry.name != RECORD:
                    count += 1
                    size += entry.stat(follow_symlinks=False).st_size
    return {"files": count, "bytes": size}


@contextmanager
def locked(path: Path, *, console: Console | None = None) -> Iterator[None]:
    """Hold an exclusive lock on the file `path`; print to `console` when another process holds it, and wait."""
    with try_locked(path) as held:
        if held:
            yield
            return
    if console is not None:
        console.print(f"  waiting for another python -m cluster to end ({path.stem})")
    handle = _open_locked(path, fcntl.LOCK_EX)
    with handle:
        yield


@contextmanager
def try_locked(path: Path) -> Iterator[bool]:
    """Hold the same lock as `locked`, but do not wait for it; gives whether it is held."""
    try:
        handle = _open_locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
        return
    with handle:
        yield True


def _open_locked(path: Path, operation: int) -> IO[str]:
    """Open and lock the file `path`.

    Raises:
        BlockingIOError: another process holds the lock, and `operation` has LOCK_NB.
    """
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = path.open("w")
        try:
            fcntl.flock(handle, operation)
            # The last holder may have removed the file (`prune --all`): a lock on a removed file excludes nobody.
            if path.exists() and os.path.samestat(path.stat(), os.fstat(handle.fileno())):
                return handle
        except BaseException:
            handle.close()
            raise
        handle.close()


def write_whole(path: Path, text: str) -> None:
    """Replace a file's text in one step, so that it is never half-written; only its owner may read it."""
    partial = path.with_name(f"{PARTIAL}{path.name}")
    partial.unlink(missing_ok=True)
    partial.touch(mode=0o600)
    partial.write_text(text)
    partial.replace(path)


@dataclass(frozen=True)
class Cache:
    """Entries in `root/<name>/<key>`; at most one process builds an entry at a time."""

    root: Path

    def path(self, name: str, key: str) -> Path:
        """The entry's directory, built or not."""
        return self.root / name / key

    def has(self, name: str, key: str) -> bool:
        """Whether the entry was built and is undamaged."""
        path = self.path(name, key)
        try:
            recorded = json.loads((path / RECORD).read_text())
        except (OSError, ValueError):
            return False
        return bool(recorded == _contents(path))

    def size(self, name: str, key: str) -> int:
        """Bytes of the files in an entry that was built."""
        return int(json.loads((self.path(name, key) / RECORD).read_text())["bytes"])

    def get(self, name: str, key: str, build: Callable[[Path], None]) -> Path:
        """The entry's directory, built by `build(directory)` when it is missing or damaged."""
        path = self.path(name, key)
        if self.has(name, key):
            return path
        with locked(self._lock(name)):
            if self.has(name, key):
                return path
            for leftover in [path, *path.parent.glob(f"{PARTIAL}*")]:
                shutil.rmtree(leftover, ignore_errors=True)
            path.parent.mkdir(parents=True, exist_ok=True)
            # A new name, because a child of a killed build may still write to the old directory.
            partial = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=path.parent))
            partial.chmod(0o755)
            try:
                build(partial)
                # A link there would have the record written to its target.
                (partial / RECORD).unlink(missing_ok=True)
                (partial / RECORD).write_text(json.dumps(_contents(partial)))
                partial.rename(path)
            except BaseException:
                # A full disk may be why it failed.
                with suppress(OSError):
                    remove_tree(partial)
                raise
        return path

    def prune(self, keep: Collection[tuple[str, str]]) -> int:
        """Remove all entries but those in `keep` (name, key), and what is half-written; returns the bytes freed."""
        freed = 0
        if not self.root.is_dir():
            return freed
        for directory in (d for d in self.root.iterdir() if d.is_dir()):
            with locked(self._lock(directory.name)):
                for entry in directory.iterdir():
                    if (directory.name, entry.name) not in keep:
                        freed += remove_tree(entry)
                if not any(directory.iterdir()):
                    directory.rmdir()
        return freed

    def _lock(self, name: str) -> Path:
        return self.root.parent / "locks" / name


def disk_usage(path: Path) -> int:
    """Bytes on disk of `path` and everything below; hard links count once, and files may come and go meanwhile."""
    if not path.is_dir():
        return path.lstat().st_blocks * 512
    seen: set[int] = set()
    total = 0
    for directory, _, files in os.walk(path):
        for file in files:
            with suppress(FileNotFoundError):
                stat = os.lstat(Path(directory) / file)
                total += 0 if stat.st_ino in seen else stat.st_blocks * 512
                seen.add(stat.st_ino)
    return total


def remove_tree(path: Path) -> int:
    """Remove a file or a directory, even with read-only folders as in Go's module cache; returns the bytes freed."""
    freed = disk_usage(path)
    if path.is_dir():
        try:
            shutil.rmtree(path)
        except PermissionError:
            for directory, _, _ in os.walk(path):
                Path(directory).chmod(0o700)
            shutil.rmtree(path)
    else:
        path.unlink()
    return freed
