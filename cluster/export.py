"""Writes a folder for CACHE_FROM: archives of the cache entries that `cluster up` needs, and Python packages."""

from __future__ import annotations

import datetime
import json
import platform
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from cluster import archives
from cluster.artifacts import PARTIAL, Cache, digest
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
        if self.folder.is_dir() and any(self.folder.iterdir()) and not (self.folder / INDEX).is_file():
            raise ClusterError(
                f"{self.folder} is not empty, and not an earlier export", hint="Name a new folder, or an empty one."
            )

    @property
    def digest(self) -> str:
        """The SHA-256 of the index, which may follow CACHE_FROM as `#sha256=`."""
        return sha256(self.folder / INDEX)

    def write(self, cache: Cache, keys: Mapping[str, str], *, wheels: bool, debian_day: str | None = None) -> Index:
        """Write archives of the entries in `keys` (name → key) that are not there yet, and remove all others.

        The index is written after each archive, and others are removed last, so that an interrupted export can be
        continued and a reader always finds what the index names.
        """
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
        index = Index(debian_day=day, entries=entries, wheels=self._wheels(before.wheels) if wheels else None)
        self._write_index(index)
        self._remove_others(index)
        return index

    def _index(self) -> Index:
        """The index of an earlier export; an empty one when that is missing or damaged."""
        try:
            return Index.parse((self.folder / INDEX).read_bytes())
        except (FileNotFoundError, RefusedError):
            return Index()

    def _write_index(self, index: Index) -> None:
        unfinished = self.folder / f"{PARTIAL}{INDEX}"
        unfinished.write_text(json.dumps(index.model_dump(mode="json"), indent=1, sort_keys=True))
        unfinished.replace(self.folder / INDEX)

    def _has(self, path: str, digest: str) -> bool:
        file = self.folder / path
        return file.is_file() and sha256(file) == digest

    def _pack(self, entry: Path, *, name: str, key: str, advance: Callable[[int], object]) -> Archive:
        target = self.folder / archive_path(name, key)
        target.parent.mkdir(exist_ok=True)
        unfinished = target.with_name(f"{PARTIAL}{target.name}")
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
        shutil.rmtree(self.folder / WHEELS, ignore_errors=True)
        unfinished.rename(self.folder / WHEELS)
        self.console.print(f"  [green]✓[/] {len(files)} Python packages")
        return Wheels(key=key, files=files)

    def _remove_others(self, index: Index) -> None:
        named = {self.folder / archive_path(*entry.split("/")) for entry in index.entries}
        for file in (self.folder / ENTRIES).iterdir():
            if file not in named:
                file.unlink()
        if index.wheels is None:
            shutil.rmtree(self.folder / WHEELS, ignore_errors=True)
        shutil.rmtree(self.folder / f"{PARTIAL}{WHEELS}", ignore_errors=True)
