"""A cache of built directories, each under a key made of everything that went into it.

An entry is built beside its final place and renamed when complete, so an interrupted build leaves nothing that looks
finished; what was written is recorded, so an entry damaged later is found and built again.
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
    """A key for `inputs`: files and directories by content, anything else by its JSON text."""
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
    """File count and total bytes: cheap, and enough to find a truncated or deleted file."""
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
    """Hold an exclusive lock on the file `path`, waiting for another process that holds it; `console` is told so."""
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
    """Hold the lock of `locked` when nobody else does; gives whether it is held."""
    try:
        handle = _open_locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
        return
    with handle:
        yield True


def _open_locked(path: Path, operation: int) -> IO[str]:
    """The file `path`, locked.

    Raises:
        BlockingIOError: another process holds the lock, and `operation` is not to wait for it.
    """
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = path.open("w")
        try:
            fcntl.flock(handle, operation)
            # Whoever held it may have removed the file, as `prune --all` does: then the lock is worth nothing.
            if path.exists() and os.path.samestat(path.stat(), os.fstat(handle.fileno())):
                return handle
        except BaseException:
            handle.close()
            raise
        handle.close()


def write_whole(path: Path, text: str) -> None:
    """Write a file for its owner's eyes alone, which whatever ends this program leaves as it was or whole."""
    partial = path.with_name(f"{PARTIAL}{path.name}")
    partial.unlink(missing_ok=True)
    partial.touch(mode=0o600)
    partial.write_text(text)
    partial.replace(path)


@dataclass(frozen=True)
class Cache:
    """Entries under `root/<name>/<key>`; at most one process builds an entry at a time."""

    root: Path

    def path(self, name: str, key: str) -> Path:
        """Where the entry is, or will be."""
        return self.root / name / key

    def has(self, name: str, key: str) -> bool:
        """Whether the entry is there and holds what was written into it."""
        path = self.path(name, key)
        try:
            recorded = json.loads((path / RECORD).read_text())
        except (OSError, ValueError):
            return False
        return bool(recorded == _contents(path))

    def size(self, name: str, key: str) -> int:
        """Bytes of the files in an entry that is there."""
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
            # A name of its own: what a killed build started may still write into the other one.
            partial = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=path.parent))
            partial.chmod(0o755)
            try:
                build(partial)
                (partial / RECORD).write_text(json.dumps(_contents(partial)))
                partial.rename(path)
            except BaseException:
                # A full disk may be why it failed.
                with suppress(OSError):
                    remove_tree(partial)
                raise
        return path

    def prune(self, keep: Collection[tuple[str, str]]) -> int:
        """Remove every entry but `keep` (name, key) and everything half-written; returns the bytes given back."""
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
    """Bytes on disk of `path` and below, hard links counted once."""
    if not path.is_dir():
        return path.lstat().st_blocks * 512
    seen: set[int] = set()
    total = 0
    for directory, _, files in os.walk(path):
        for file in files:
            stat = os.lstat(Path(directory) / file)
            if stat.st_ino not in seen:
                seen.add(stat.st_ino)
                total += stat.st_blocks * 512
    return total


def remove_tree(path: Path) -> int:
    """Remove a file or a directory, also with read-only parts, as Go's modules are; returns the bytes given back."""
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
