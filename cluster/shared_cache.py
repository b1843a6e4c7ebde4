"""Takes cache entries from a folder or web server that `cluster export` filled on another machine.

Everything is verified before it is unpacked: the index has the SHA-256 of all archives, and CACHE_FROM may have that of
the index. Entries that are missing there, or differ from the index, are reported and built on this machine instead.
"""

from __future__ import annotations

import datetime
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Annotated, BinaryIO, Literal, Protocol, TypeVar
from urllib.parse import urlsplit
from urllib.request import proxy_bypass

import httpx2 as httpx
import tenacity
from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveInt, StringConstraints, ValidationError
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from cluster import archives, host
from cluster.artifacts import Cache
from cluster.cache_from import Location, is_trustworthy
from cluster.locations import cache_dir

INDEX = "index.json"
ENTRIES = "entries"
INDEX_LIMIT = 4 << 20
BLOCK = 1 << 20
MB = 1_000_000
TIMEOUT = httpx.Timeout(60, connect=10)
ATTEMPTS = 5
# Bytes a second that a server has to send, on average over each of these windows; with less, building is faster.
LOWEST_RATE = 10_000
RATE_WINDOW = 60.0
# A cache whose index names more than this to fetch is wrong: not even compiling everything takes as much.
FETCH_LIMIT = host.DISK_TO_COMPILE
PARTIAL_CONTENT, RANGE_NOT_SATISFIABLE = 206, 416
# Statuses of a server that may succeed a moment later.
OVERLOADED = {408, 429, 500, 502, 503, 504}

Sha256 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
Identity = Annotated[str, StringConstraints(pattern="^[a-z0-9][a-z0-9.-]*/[0-9a-f]+$")]
FileName = Annotated[str, StringConstraints(pattern="^[A-Za-z0-9][A-Za-z0-9._+-]*$")]


Given = TypeVar("Given")
# What httpx raises for a request, also to where a server redirects.
_UNANSWERED = (httpx.HTTPError, httpx.InvalidURL, UnicodeError)


class RefusedError(Exception):
    """Something in a shared cache is not used; the text says why."""


class _IncompleteError(Exception):
    """A transfer failed that may succeed when it is tried again."""


class _IndexPart(BaseModel):
    """A part of the index."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Archive(_IndexPart):
    """The archive of a cache entry.

    Attributes:
        size: bytes of the archive.
        unpacked: bytes of the files in it.
    """

    sha256: Sha256
    size: PositiveInt
    unpacked: NonNegativeInt

    @property
    def disk(self) -> int:
        """Bytes of disk that fetching it takes."""
        return self.size + self.unpacked


class Wheels(_IndexPart):
    """The Python packages of `make venv`.

    Attributes:
        key: a key of the lock file and the Python that they are for.
        files: SHA-256 by file name.
    """

    key: str
    files: dict[FileName, Sha256]


class Index(_IndexPart):
    """The content of a shared cache.

    Attributes:
        entries: archives by `<entry>/<key>`.
        debian_day: the day in the keys of entries with Debian packages.
    """

    format: Literal[1]
    debian_day: datetime.date | None = None
    entries: dict[Identity, Archive] = {}
    wheels: Wheels | None = None

    @classmethod
    def parse(cls, text: bytes) -> Index:
        """Parse an index.

        Raises:
            RefusedError: it is not a valid one.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "JSON"
            raise RefusedError(f"its {INDEX} is damaged: {place}: {first['msg']}") from error


def identity(name: str, key: str) -> str:
    """The entry's name in the index, which is also the folder in its archive."""
    return f"{name}/{key}"


def archive_path(name: str, key: str) -> str:
    """The path of an entry's archive in a shared cache."""
    return f"{ENTRIES}/{name}-{key}.tar.gz"


def sha256(file: Path) -> str:
    """A file's SHA-256."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


class Entry(Protocol):
    """A cache entry: its key, and the names of the entries that it is made from."""

    @property
    def key(self) -> str: ...  # noqa: D102
    @property
    def needs(self) -> frozenset[str]: ...  # noqa: D102


def to_fetch(
    wanted: Collection[str],
    entries: Mapping[str, Entry],
    *,
    has: Callable[[str, str], bool],
    offers: Callable[[str, str], bool],
) -> list[str]:
    """Names of the entries to fetch for `wanted`: the fewest with which the least has to be built.

    An entry that exists here or is fetched does not need what it is made from. One that is not offered will be built,
    so what it is made from is wanted, too.
    """
    found: list[str] = []
    seen: set[str] = set()

    def visit(name: str) -> None:
        if name in seen:
            return
        seen.add(name)
        key = entries[name].key
        if has(name, key):
            return
        if offers(name, key):
            found.append(name)
            return
        for need in sorted(entries[name].needs):
            visit(need)

    for name in sorted(wanted):
        visit(name)
    return found


@dataclass(frozen=True, kw_only=True)
class _Stream:
    """A file's content from `start` on; `total` is the size of the whole file, if known."""

    start: int
    total: int | None
    chunks: Iterator[bytes]


class _Source(Protocol):
    """A folder or server with a shared cache."""

    def open(self, path: str, offset: int) -> AbstractContextManager[_Stream]:
        """Read the file `path`, from `offset` on if the source can do that."""


@dataclass(frozen=True)
class _Folder:
    root: Path

    @contextmanager
    def open(self, path: str, offset: int) -> Iterator[_Stream]:
        try:
            file = (self.root / path).open("rb")
        except OSError as error:
            raise RefusedError(f"{path}: {error.strerror}") from error
        with file:
            total = file.seek(0, os.SEEK_END)
            file.seek(min(offset, total))
            yield _Stream(start=file.tell(), total=total, chunks=iter(partial(_read, file), b""))


def _read(file: BinaryIO) -> bytes:
    try:
        return file.read(BLOCK)
    except OSError as error:
        raise _IncompleteError(f"it cannot be read: {error.strerror}") from error


@dataclass(frozen=True)
class _Server:
    location: Location
    client: httpx.Client

    @contextmanager
    def open(self, path: str, offset: int) -> Iterator[_Stream]:
        # Without this, a server might compress the archives once more.
        headers = {"Accept-Encoding": "identity"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        with self.client.stream("GET", f"{self.location.root}/{path}", headers=headers) as response:
            if response.status_code in OVERLOADED:
                raise _IncompleteError(f"HTTP {response.status_code}")
            if response.status_code == RANGE_NOT_SATISFIABLE:
                raise RefusedError("it is shorter than the index says")
            if not response.is_success:
                raise RefusedError(f"{path}: HTTP {response.status_code}")
            partly = response.status_code == PARTIAL_CONTENT
            given = response.headers.get("Content-Range", "") if partly else ""
            if partly and not given.startswith(f"bytes {offset}-"):
                raise RefusedError("another part was sent than was asked for")
            size = given.rpartition("/")[2] if partly else response.headers.get("Content-Length", "")
            yield _Stream(
                start=offset if partly else 0,
                total=int(size) if size.isdecimal() else None,
                chunks=_fast_enough(response.iter_raw()),
            )


def _fast_enough(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The chunks of an answer, for as long as they arrive at the lowest rate.

    Raises:
        httpx.ReadTimeout: they do not.
    """
    since, arrived = time.monotonic(), 0
    for chunk in chunks:
        arrived += len(chunk)
        seconds = time.monotonic() - since
        if seconds > RATE_WINDOW:
            if arrived < LOWEST_RATE * seconds:
                raise httpx.ReadTimeout(f"less than {LOWEST_RATE / 1000:.0f} kB/s arrive")
            since, arrived = time.monotonic(), 0
        yield chunk


@contextmanager
def _source(location: Location) -> Iterator[_Source]:
    if not location.is_url:
        yield _Folder(Path(location.root))
        return

    def check(request: httpx.Request) -> None:
        if not (location.pin or is_trustworthy(str(request.url))):
            raise RefusedError(f"it redirects to plain HTTP, {request.url.host}, which proves nothing")

    with _client(urlsplit(location.root).hostname or "", check) as client:
        yield _Server(location, client)


def _client(host_name: str, check: Callable[[httpx.Request], None]) -> httpx.Client:
    """A client for that host, with the certificates and proxies of the environment; `check` sees each request.

    Raises:
        RefusedError: these cannot be used.
    """
    try:
        trusted = httpx.create_ssl_context()
    except OSError as error:
        reason = error.strerror or error
        raise RefusedError(f"SSL_CERT_FILE or SSL_CERT_DIR names no certificates: {reason}") from error
    make = partial(
        httpx.Client, verify=trusted, timeout=TIMEOUT, follow_redirects=True, event_hooks={"request": [check]}
    )
    try:
        return make()
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        # httpx refuses a proxy of the environment that it does not know, even if that is not for this host.
        if proxy_bypass(host_name):
            return make(trust_env=False)
        raise RefusedError(
            "the environment names a proxy that cannot be used: HTTPS_PROXY, HTTP_PROXY and ALL_PROXY may be http:// "
            "or https:// URLs, and NO_PROXY may name this host"
        ) from error


@dataclass(frozen=True, kw_only=True)
class SharedCache:
    """The cache at `location`; what was taken, refused or missing is printed to `console`.

    Attributes:
        pause: seconds before a failed transfer is tried again, doubled each time.
    """

    location: Location
    console: Console
    pause: float = 0.5

    @cached_property
    def _index(self) -> Index | None:
        """The index; None, after printing why, when it cannot be used."""
        try:
            with _source(self.location) as source:
                return self._read_index(source)
        except (RefusedError, *_UNANSWERED) as error:
            self._report_unused("", error)
            return None

    @property
    def debian_day(self) -> datetime.date | None:
        """The day in the keys of entries with Debian packages."""
        return self._index.debian_day if self._index else None

    def offers(self, name: str, key: str) -> bool:
        """Whether its index has that entry."""
        return self._index is not None and identity(name, key) in self._index.entries

    def fetch(self, cache: Cache, entries: Mapping[str, Entry], wanted: Collection[str]) -> None:
        """Fetch entries into `cache`, so that as little as possible has to be built for `wanted`.

        Raises:
            ClusterError: there is too little disk space.
        """
        if self._index is None:
            return
        try:
            with _source(self.location) as source:
                refused = self._fetch_all(source, self._index, cache, entries, wanted)
        except (RefusedError, httpx.HTTPError) as error:
            self._report_unused("", error)
            return
        lacking = (name for name in sorted(wanted) if name not in refused and not cache.has(name, entries[name].key))
        if names := ", ".join(lacking):
            self.console.print(f"  {escape(str(self.location))} does not have {names}", soft_wrap=True)
        shutil.rmtree(downloads(), ignore_errors=True)

    def _report_unused(self, what: str, error: Exception) -> None:
        reason = str(error) if isinstance(error, RefusedError) else f"{type(error).__name__}: {error}"
        text = f"{what}{self.location} is not used, what it is for is built here: {reason}"
        self.console.print(f"  [yellow]![/] {escape(text)}", soft_wrap=True)

    def _read_index(self, source: _Source) -> Index:
        def read() -> bytes:
            with source.open(INDEX, 0) as stream:
                text = b""
                for chunk in stream.chunks:
                    text += chunk
                    if len(text) > INDEX_LIMIT:
                        raise RefusedError(f"its {INDEX} is larger than any that export writes")
                return text

        text = self._retry(read)
        found = hashlib.sha256(text).hexdigest()
        if self.location.pin not in {None, found}:
            raise RefusedError(f"its {INDEX} has the sha256 {found}, not the one that CACHE_FROM names")
        return Index.parse(text)

    def _fetch_all(
        self,
        source: _Source,
        index: Index,
        cache: Cache,
        entries: Mapping[str, Entry],
        wanted: Collection[str],
    ) -> set[str]:
        """Fetch entries, and then what those that were refused are made from; returns the names of the refused ones.

        Raises:
            httpx.HTTPError: the server cannot be reached, or is too slow.
            ClusterError: there is too little disk space.
        """
        refused: set[str] = set()

        def offers(name: str, key: str) -> bool:
            return name not in refused and identity(name, key) in index.entries

        while names := to_fetch(wanted, entries, has=cache.has, offers=offers):
            chosen = {name: index.entries[identity(name, entries[name].key)] for name in names}
            needed = sum(archive.disk for archive in chosen.values())
            if needed > FETCH_LIMIT:
                largest = max(chosen, key=lambda name: chosen[name].disk)
                refused.add(largest)
                wrong = RefusedError(f"its sizes in {INDEX} cannot be right: compiling everything takes less disk")
                self._report_unused(f"{largest} of ", wrong)
                continue
            host.check_resources(cache=cache.root, disk=needed + host.DISK_TO_REPAIR, memory=0)
            with _progress(self.console) as progress:
                bar = progress.add_task("", total=sum(archive.size for archive in chosen.values()))
                before = 0
                for name, archive in chosen.items():
                    progress.update(bar, description=f"fetching {name}", completed=before)
                    advance = _advance(progress, bar, before)
                    try:
                        self._fetch(source, cache, name, entries[name].key, archive, advance)
                    except (httpx.ConnectError, httpx.TimeoutException):
                        # Of every attempt: it would hold up each other entry for as long.
                        raise
                    except (RefusedError, *_UNANSWERED) as error:
                        refused.add(name)
                        self._report_unused(f"{name} of ", error)
                    else:
                        self.console.print(f"  [green]✓[/] {name} [dim]fetched, {archive.size / MB:,.0f} MB[/]")
                    before += archive.size
        return refused

    def _fetch(
        self, source: _Source, cache: Cache, name: str, key: str, archive: Archive, at: Callable[[int], object]
    ) -> None:
        """Download an archive, or the rest of one, compare it with the index, and unpack it into the cache."""
        # Named by content, so that an interrupted download can be continued even from another CACHE_FROM.
        file = downloads() / archive.sha256
        file.parent.mkdir(parents=True, exist_ok=True)
        for continued in (file.exists(), False):
            self._retry(lambda: _download(source, archive_path(name, key), file, size=archive.size, at=at))
            found = sha256(file)
            if found == archive.sha256:
                break
            file.unlink()
            if not continued:
                raise RefusedError(f"it has the sha256 {found}, the index says {archive.sha256}")
        try:
            cache.get(name, key, partial(archives.unpack, file, prefix=identity(name, key), limit=archive.unpacked))
        except (*archives.FAULTS, PermissionError) as error:
            raise RefusedError(f"it cannot be unpacked: {error}") from error
        file.unlink()

    def _retry(self, transfer: Callable[[], Given]) -> Given:
        """Run `transfer`, again after a fault of the network or the server; returns its result."""
        attempts = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type((httpx.TransportError, _IncompleteError)),
            wait=tenacity.wait_exponential(self.pause),
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            reraise=True,
        )
        try:
            return attempts(transfer)
        except _IncompleteError as error:
            raise RefusedError(str(error)) from error


def _download(source: _Source, path: str, file: Path, *, size: int, at: Callable[[int], object]) -> None:
    """Download the rest of a file; `at` is called with the position after each block."""
    done = file.stat().st_size if file.exists() else 0
    if done == size:
        return
    with source.open(path, done) as stream:
        if stream.total not in {None, size}:
            raise RefusedError(f"it has {stream.total} bytes, the index says {size}")
        with file.open("r+b" if done else "wb") as target:
            target.seek(stream.start)
            target.truncate()
            for chunk in stream.chunks:
                if target.tell() + len(chunk) > size:
                    raise RefusedError(f"it has more than the {size} bytes that the index says")
                target.write(chunk)
                at(target.tell())
            if target.tell() < size:
                raise _IncompleteError(f"it ends after {target.tell()} of {size} bytes")


def downloads() -> Path:
    """The folder of unfinished downloads: the next run continues them, and `prune` removes them."""
    return cache_dir() / "downloads"


def _progress(console: Console) -> Progress:
    """A progress bar with the size, the speed and the time left."""
    numbers = (DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    return Progress(TextColumn("{task.description}"), BarColumn(), *numbers, console=console, transient=True)


def _advance(progress: Progress, bar: TaskID, before: int) -> Callable[[int], None]:
    return lambda position: progress.update(bar, completed=before + position)
