"""Writes a folder for CACHE_FROM: archives of the cache entries that `cluster up` needs, and Python packages."""

from __future__ import annotations

import datetime
import errno
import json
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from cluster import archives, host
from cluster.artifacts import KEY_LENGTH, PARTIAL, Cache, digest
from cluster.cache_from import WHEELS, WHEELS_PAGE
from cluster.errors import ClusterError
from cluster.locations import logs_dir
from cluster.processes import output, run
from cluster.python_packages import ROOT
from cluster.shared_cache import (
    ENTRIES,
    INDEX,
    MB,
    Archive,
    Index,
    RefusedError,
    Wheels,
    archive_path,
    identity,
    sha256,
)

OTHER_DISK = "Name another folder, or make it writable and give it space; the same command then goes on from here."
OTHER_FOLDER = "Name a new folder, or an empty one."
# The end of an archive's name; a file of somebody else's hardly ends like this.
ARCHIVE_END = re.compile(f"-[0-9a-f]{{{KEY_LENGTH}}}[.]tar[.]gz$")
# With less, a first export (1.2 GB) surely does not fit.
DISK_TO_EXPORT = host.GIB
# What whoever runs the command can do something about.
UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}


@dataclass(frozen=True, kw_only=True)
class Export:
    """The folder of an export.

    Raises:
        ClusterError: the folder holds something other than an export.
    """

    folder: Path
    console: Console

    def __post_init__(self) -> None:
        if self.folder.exists() and not self.folder.is_dir():
            raise ClusterError(f"{self.folder} is not a folder")
        if not self.folder.is_dir() or not any(self.folder.iterdir()):
            return
        if not self._holds_export():
            raise ClusterError(
                f"{self.folder} is not empty, and not an earlier export of this version's format", hint=OTHER_FOLDER
            )
        for part in (self.folder / ENTRIES, self.folder / WHEELS):
            if part.is_symlink() or (part.exists() and not part.is_dir()):
                raise ClusterError(f"{part} is a link or a file, where an export has a folder", hint=OTHER_FOLDER)

    def _holds_export(self) -> bool:
        """Whether there is an index of ours, or one that was cut off, beside archives of ours."""
        try:
            text = (self.folder / INDEX).read_bytes()
            Index.parse(text)
        except OSError:
            return False
        except RefusedError:
            archives_there = list((self.folder / ENTRIES).glob("*"))
            return not _is_json(text) and bool(archives_there) and all(map(_is_archive, archives_there))
        return True

    def prepare(self) -> None:
        """Create the folder.

        Raises:
            ClusterError: it cannot be written to, or is new and its disk has too little space for an export.
        """
        with self._faults_in_words():
            self.folder.mkdir(parents=True, exist_ok=True)
            # A file as it will be written: access rights alone do not say it for root, or a read-only file system.
            with tempfile.TemporaryFile(dir=self.folder):
                pass
        if not (self.folder / INDEX).exists():
            host.check_resources(
                cache=self.folder, disk=DISK_TO_EXPORT, refusal=f"{self.folder} cannot be written", hint=OTHER_DISK
            )

    @contextmanager
    def _faults_in_words(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno not in UNWRITABLE:
                raise
            raise ClusterError(f"{self.folder} cannot be written: {error}", hint=OTHER_DISK) from error

    @property
    def digest(self) -> str:
        """The SHA-256 of the index, which may follow CACHE_FROM as `#sha256=`."""
        return sha256(self.folder / INDEX)

    def write(self, cache: Cache, keys: Mapping[str, str], *, wheels: bool, debian_day: str | None = None) -> Index:
        """Write archives of the entries in `keys` (name → key) that are not there yet, and remove all others.

        The index is written after each archive, and others are removed last, so that an interrupted export can be
        continued and a reader always finds what the index names.

        Raises:
            ClusterError: the folder cannot be written to, or its disk is full.
        """
        with self._faults_in_words():
            return self._write(cache, keys, wheels=wheels, debian_day=debian_day)

    def _write(self, cache: Cache, keys: Mapping[str, str], *, wheels: bool, debian_day: str | None) -> Index:
        (self.folder / ENTRIES).mkdir(parents=True, exist_ok=True)
        before = self._index()
        self._write_index(before)
        sizes = {name: cache.size(name, key) for name, key in keys.items()}
        numbers = (DownloadColumn(), TimeRemainingColumn())
        columns = (TextColumn("{task.description}"), BarColumn(), *numbers)
        entries: dict[str, Archive] = {}
        with Progress(*columns, console=self.console, transient=True) as progress:
            bar, done = progress.add_task("packing", total=sum(sizes.values())), 0
            for name, key in keys.items():
                progress.update(bar, description=f"packing {name}", completed=done)
                known = before.entries.get(identity(name, key))
                if known is None or not self._has(archive_path(name, key), known.sha256):
                    known = self._pack(
                        cache.path(name, key), name=name, key=key, advance=partial(progress.advance, bar)
                    )
                    self.console.print(f"  [green]✓[/] {name} [dim]{known.size / MB:,.0f} MB[/]")
                entries[identity(name, key)] = known
                done += sizes[name]
                self._write_index(before.model_copy(update={"entries": before.entries | entries}))
        day = datetime.date.fromisoformat(debian_day) if debian_day else None
        packages = self._wheels(before.wheels) if wheels else None
        index = Index(format=1, debian_day=day, entries=entries, wheels=packages)
        self._write_index(index)
        self._remove_others(index, before)
        return index

    def _index(self) -> Index:
        """The index of an earlier export; an empty one when that is missing or damaged."""
        try:
            return Index.parse((self.folder / INDEX).read_bytes())
        except (FileNotFoundError, RefusedError):
            return Index(format=1)

    def _write_index(self, index: Index) -> None:
        unfinished = self.folder / f"{PARTIAL}{INDEX}"
        unfinished.unlink(missing_ok=True)
        unfinished.write_text(json.dumps(index.model_dump(mode="json"), indent=1, sort_keys=True))
        unfinished.replace(self.folder / INDEX)

    def _has(self, path: str, digest: str) -> bool:
        file = self.folder / path
        return file.is_file() and sha256(file) == digest

    def _pack(self, entry: Path, *, name: str, key: str, advance: Callable[[int], object]) -> Archive:
        target = self.folder / archive_path(name, key)
        target.parent.mkdir(exist_ok=True)
        unfinished = target.with_name(f"{PARTIAL}{target.name}")
        unfinished.unlink(missing_ok=True)
        try:
            unpacked = archives.pack(entry, unfinished, prefix=identity(name, key), advance=advance)
            archive = Archive(sha256=sha256(unfinished), size=unfinished.stat().st_size, unpacked=unpacked)
            unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)
        return archive

    def _wheels(self, before: Wheels | None) -> Wheels:
        """Download the packages that `make venv` installs with this Python from PyPI, unless `before` has them."""
        export = ("export", "--project", ROOT, "--frozen", "--no-emit-project", "--no-header", "--no-annotate")
        requirements = output([sys.executable, "-m", "uv", *export, "--quiet"])
        key = digest(requirements, sys.version_info[:2], platform.system(), platform.machine())
        if (
            before
            and before.key == key
            and all(self._has(f"{WHEELS}/{file}", sha) for file, sha in before.files.items())
        ):
            return before
        unfinished = self.folder / f"{PARTIAL}{WHEELS}"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        locked = unfinished / "requirements.txt"
        locked.write_text(requirements)
        with self.console.status("fetching the Python packages of make venv from PyPI"):
            run(
                [
                    *(sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes", "--no-deps"),
                    *("--only-binary", ":all:", "--dest", unfinished, "--requirement", locked),
                ],
                what="fetching the Python packages of make venv",
                log=logs_dir() / "wheels.log",
                hint="PyPI must be reachable; --no-wheels leaves them out.",
            )
        locked.unlink()
        files = {file.name: sha256(file) for file in sorted(unfinished.iterdir())}
        links = (f'<a href="{quote(file)}#sha256={sha}">{file}</a><br>' for file, sha in files.items())
        (unfinished / WHEELS_PAGE).write_text(
            "\n".join(["<!DOCTYPE html>", "<title>Python packages</title>", *links, ""])
        )
        self._remove_wheels()
        (self.folder / WHEELS).mkdir(exist_ok=True)
        for file in sorted(unfinished.iterdir()):
            file.rename(self.folder / WHEELS / file.name)
        unfinished.rmdir()
        self.console.print(f"  [green]✓[/] {len(files)} Python packages")
        return Wheels(key=key, files=files)

    def _remove_others(self, index: Index, before: Index) -> None:
        """Remove archives that `before` names or that are named like ours, what is half-written, and old packages.

        Nothing else: somebody may keep files of their own there.
        """
        named, former = (
            {self.folder / archive_path(*entry.split("/")) for entry in each.entries} for each in (index, before)
        )
        for file in (self.folder / ENTRIES).iterdir():
            if file not in named and (file in former or _is_archive(file)):
                file.unlink(missing_ok=True)
        if index.wheels is None:
            self._remove_wheels()
        shutil.rmtree(self.folder / f"{PARTIAL}{WHEELS}", ignore_errors=True)

    def _remove_wheels(self) -> None:
        """Remove the Python packages, and their folder unless somebody keeps something else in it."""
        folder = self.folder / WHEELS
        for file in folder.glob("*"):
            if file.is_file() and (file.suffix == ".whl" or file.name == WHEELS_PAGE):
                file.unlink()
        with suppress(OSError):
            folder.rmdir()


def _is_archive(file: Path) -> bool:
    """Whether a file in the folder of archives is one of ours, or the start of one."""
    return file.is_file() and bool(file.name.startswith(PARTIAL) or ARCHIVE_END.search(file.name))


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
