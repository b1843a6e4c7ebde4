"""A cache from elsewhere: what is right is used, all else is named and left to be built."""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import json
import os
import signal
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import httpx2 as httpx
import pytest
from rich.console import Console

from cluster import archives, host, shared_cache
from cluster.archives import ArchiveError, pack, unpack
from cluster.artifacts import Cache
from cluster.cache_from import Location
from cluster.errors import ClusterError
from cluster.export import Export
from cluster.locations import cache_dir
from cluster.shared_cache import ATTEMPTS, SharedCache, archive_path, downloads, to_fetch
from tests.unit.cluster.shared_cache_server import WebServer, cut, serving, status

pytestmark = pytest.mark.usefixtures("own_directories")
ROOT = os.geteuid() == 0


@dataclass(frozen=True)
class Made:
    key: str
    needs: frozenset[str] = frozenset()


# The registry is made from the image, which is made from the program.
ENTRIES = {
    "program": Made("a1"),
    "image": Made("b2", frozenset({"program"})),
    "registry": Made("c3", frozenset({"image"})),
    "rootfs": Made("d4"),
}
WANTED = ("registry", "rootfs")
REGISTRY = f"/{archive_path('registry', 'c3')}"
ROOTFS = f"/{archive_path('rootfs', 'd4')}"


def root_filesystem(directory: Path) -> None:
    """All that a root filesystem has and a plain copy would lose."""
    (directory / "usr" / "bin").mkdir(parents=True)
    program = directory / "usr" / "bin" / "su"
    program.write_bytes(b"\x7fELF" * 50_000)
    if ROOT:
        os.chown(program, 17, 42)
        directory.joinpath("tmp").mkdir()
        os.chown(directory / "tmp", 5, 6)
        (directory / "tmp").chmod(0o1777)
    program.chmod(0o4755)
    program.with_name("su-too").hardlink_to(program)
    (directory / "bin").symlink_to("usr/bin")
    (directory / "etc").mkdir(mode=0o750)
    (directory / "etc" / "mtab").symlink_to("/proc/self/mounts")
    (directory / "etc" / "upwards").symlink_to("../../../etc/passwd")
    (directory / "etc" / "name with ä and a newline\n").write_text("x")
    (directory / "etc" / "empty").touch(mode=0o600)
    (directory / ("deep/" * 30)).mkdir(parents=True)
    (directory / ("deep/" * 30) / ("long" * 40)).write_text("x")


def random_bytes(directory: Path) -> None:
    (directory / "layer").write_bytes(os.urandom(3_000_000))


def described(directory: Path) -> dict[str, tuple[object, ...]]:
    """Every path with its kind, mode, owner, content and what it shares its content with."""
    found: dict[str, tuple[object, ...]] = {}
    inodes: dict[int, str] = {}
    for path in [directory, *sorted(directory.rglob("*"))]:
        facts = path.lstat()
        name = path.relative_to(directory).as_posix()
        content = str(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else None
        shared = inodes.setdefault(facts.st_ino, name)
        times = int(facts.st_mtime) if isinstance(content, bytes) and name != ".entry.json" else None
        found[name] = (facts.st_mode, facts.st_uid, facts.st_gid, content, shared, times)
    return found


@pytest.fixture
def built(tmp_path: Path) -> Cache:
    """The cache of the other machine."""
    cache = Cache(tmp_path / "other" / "entries")
    cache.get("registry", "c3", random_bytes)
    cache.get("rootfs", "d4", root_filesystem)
    return cache


@pytest.fixture
def folder(tmp_path: Path, built: Cache) -> Path:
    """What it exported."""
    written(tmp_path / "shared", built)
    return tmp_path / "shared"


def written(folder: Path, cache: Cache, *names: str) -> Export:
    export = Export(folder=folder, console=Console(file=io.StringIO()))
    export.write(cache, {name: ENTRIES[name].key for name in names or WANTED}, wheels=False)
    return export


@pytest.fixture
def server(folder: Path) -> Iterator[WebServer]:
    with serving(folder) as running:
        yield running


@pytest.fixture
def cache() -> Cache:
    """The cache of this machine, with nothing in it."""
    return Cache(cache_dir() / "entries")


def fetch(source: str, cache: Cache, wanted: tuple[str, ...] = WANTED) -> str:
    """Take from `source`; returns what was said, a message a line."""
    said = io.StringIO()
    console = Console(file=said, width=1000)
    SharedCache(location=Location.parse(source), console=console, pause=0.001).fetch(cache, ENTRIES, wanted)
    return said.getvalue()


def there(cache: Cache) -> set[str]:
    return {name for name, entry in ENTRIES.items() if cache.has(name, entry.key)}


def edit_index(folder: Path, edit: Callable[[dict[str, dict[str, object]]], object]) -> None:
    """Change the entries in the index."""
    index = json.loads((folder / "index.json").read_text())
    edit(index["entries"])
    (folder / "index.json").write_text(json.dumps(index))


@pytest.mark.parametrize("pinned", [False, True])
@pytest.mark.parametrize("web", [False, True])
def test_an_entry_is_the_same_as_where_it_was_built(
    built: Cache, folder: Path, server: WebServer, cache: Cache, *, web: bool, pinned: bool
) -> None:
    pin = f"#sha256={hashlib.sha256((folder / 'index.json').read_bytes()).hexdigest()}" if pinned else ""
    said = fetch(f"{server.url if web else folder}/{pin}", cache)
    assert there(cache) == set(WANTED)
    for name in WANTED:
        key = ENTRIES[name].key
        assert described(cache.path(name, key)) == described(built.path(name, key))
    assert said.count("✓") == 2
    assert "rootfs fetched" in said
    assert "!" not in said
    assert not downloads().exists()
    assert bool(server.requests) == web


def test_what_is_here_already_is_not_fetched(server: WebServer, cache: Cache) -> None:
    cache.get("registry", "c3", random_bytes)
    fetch(server.url, cache)
    assert there(cache) == set(WANTED)
    assert server.asked(REGISTRY) == []


def test_what_others_are_made_from_is_fetched_only_where_they_have_to_be_built(
    tmp_path: Path, built: Cache, cache: Cache
) -> None:
    built.get("program", "a1", random_bytes)
    built.get("image", "b2", random_bytes)
    written(tmp_path / "all", built, *ENTRIES)
    with serving(tmp_path / "all") as server:
        server.faults[REGISTRY] = [status(403)]
        said = fetch(server.url, cache)
    assert there(cache) == {"image", "rootfs"}
    assert "registry of http" in said
    assert "HTTP 403" in said


@pytest.mark.parametrize(
    ("has", "offers", "expected"),
    [
        ("", "program image registry rootfs", "registry rootfs"),
        ("registry", "program image rootfs", "rootfs"),
        ("", "program image rootfs", "image rootfs"),
        ("image", "program", ""),
        ("", "program", "program"),
        ("", "", ""),
    ],
)
def test_the_fewest_that_spare_most_are_fetched(has: str, offers: str, expected: str) -> None:
    found = to_fetch(
        WANTED, ENTRIES, has=lambda name, _: name in has.split(), offers=lambda name, _: name in offers.split()
    )
    assert found == expected.split()


def flip_a_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("web", [False, True])
@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (flip_a_bit, "it has the sha256 "),
        (lambda file: file.write_bytes(file.read_bytes()[:-1]), "bytes, the index says"),
        (lambda file: file.write_bytes(file.read_bytes() + b"x"), "bytes, the index says"),
        (lambda file: file.write_bytes(b""), "bytes, the index says"),
        (Path.unlink, "HTTP 404|No such file"),
    ],
    ids=["changed", "truncated", "longer", "empty", "missing"],
)
def test_a_wrong_archive_is_named_and_not_used(
    folder: Path, server: WebServer, cache: Cache, *, damage: Callable[[Path], object], reason: str, web: bool
) -> None:
    damage(folder / ROOTFS.lstrip("/"))
    said = fetch(server.url if web else str(folder), cache)
    assert there(cache) == {"registry"}
    [complaint] = [line for line in said.splitlines() if "!" in line]
    assert "rootfs of" in complaint
    assert "is not used, what it is for is built here" in complaint
    assert any(part in complaint for part in reason.split("|")), complaint
    assert not cache.path("rootfs", "d4").exists()
    assert not downloads().exists()


@pytest.mark.parametrize("change", [-1, 1])
def test_a_wrong_size_is_found_also_when_the_server_says_none(
    folder: Path, server: WebServer, cache: Cache, change: int
) -> None:
    server.sizes = server.ranges = False
    file = folder / ROOTFS.lstrip("/")
    file.write_bytes((file.read_bytes() + b"x")[: file.stat().st_size + change])
    said = fetch(server.url, cache)
    assert there(cache) == {"registry"}
    assert ("it ends after" if change < 0 else "it has more than") in said


@pytest.mark.parametrize(
    ("index", "reason"),
    [
        (lambda text: text.replace('"format": 1', '"format": 2'), "format"),
        (lambda text: text[:-20], "JSON"),
        (lambda _: "<html>Please log in</html>", "JSON"),
        (lambda text: text.replace("rootfs/d4", "../rootfs/d4"), "String should match pattern"),
        (lambda text: text.replace('"sha256"', '"md5"'), "sha256"),
        (lambda text: text + " " * (5 << 20), "larger than any"),
    ],
    ids=["another format", "truncated", "a page", "a path", "no hash", "huge"],
)
def test_a_damaged_index_is_not_used(
    folder: Path, server: WebServer, cache: Cache, index: Callable[[str], str], reason: str
) -> None:
    file = folder / "index.json"
    file.write_text(index(file.read_text()))
    said = fetch(server.url, cache)
    assert reason in said
    assert len(said.splitlines()) == 1
    assert there(cache) == set()
    assert [path for path, _ in server.requests] == ["/index.json"]


def test_of_a_changed_index_nothing_is_used_when_its_digest_is_named(
    folder: Path, server: WebServer, cache: Cache
) -> None:
    digest = hashlib.sha256((folder / "index.json").read_bytes()).hexdigest()
    evil = folder / ROOTFS.lstrip("/")
    evil.write_bytes(b"evil")
    edit_index(folder, lambda entries: entries["rootfs/d4"].update(sha256=hashlib.sha256(b"evil").hexdigest(), size=4))
    said = fetch(f"{server.url}#sha256={digest}", cache)
    assert "its index.json has the sha256" in said
    assert there(cache) == set()
    assert [path for path, _ in server.requests] == ["/index.json"]


def test_a_changed_hash_in_the_index_refuses_that_entry(folder: Path, server: WebServer, cache: Cache) -> None:
    edit_index(folder, lambda entries: entries["rootfs/d4"].update(sha256="0" * 64))
    assert f"the index says {'0' * 64}" in fetch(server.url, cache)
    assert there(cache) == {"registry"}


@pytest.mark.parametrize("other", ["registry/c3", "rootfs/0a"])
def test_an_archive_of_another_entry_or_key_is_refused(
    tmp_path: Path, built: Cache, folder: Path, server: WebServer, cache: Cache, other: str
) -> None:
    """Also when the index has its right hash."""
    name, _, key = other.partition("/")
    built.get(name, key, root_filesystem)
    export = Export(folder=tmp_path / "others", console=Console(file=io.StringIO()))
    index = export.write(built, {name: key}, wheels=False)
    wrong = tmp_path / "others" / archive_path(name, key)
    (folder / ROOTFS.lstrip("/")).write_bytes(wrong.read_bytes())
    edit_index(folder, lambda entries: entries["rootfs/d4"].update(index.entries[other].model_dump()))
    said = fetch(server.url, cache)
    assert "rootfs of http" in said
    assert "lies outside of 'rootfs/d4'" in said
    assert there(cache) == {"registry"}


def test_nothing_that_an_archive_says_is_written_elsewhere(
    tmp_path: Path, folder: Path, server: WebServer, cache: Cache
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    evil = folder / ROOTFS.lstrip("/")
    evil.unlink()
    write_archive(evil, link("rootfs/d4/way", str(outside)), file("rootfs/d4/way/evil"))
    edit_index(folder, lambda entries: entries["rootfs/d4"].update(facts_of(evil)))
    assert "'rootfs/d4/way/evil' lies behind a link" in fetch(server.url, cache)
    assert list(outside.iterdir()) == []
    assert there(cache) == {"registry"}


def test_a_damaged_header_refuses_that_entry(folder: Path, server: WebServer, cache: Cache) -> None:
    evil = folder / ROOTFS.lstrip("/")
    evil.unlink()
    write_archive(evil, file("rootfs/d4/" + "a" * 300))
    edit_index(folder, lambda entries: entries["rootfs/d4"].update(facts_of(evil)))
    assert "rootfs of http" in (said := fetch(server.url, cache))
    assert "it cannot be unpacked: OSError" in said
    assert there(cache) == {"registry"}


@pytest.mark.parametrize("facts", [{"size": 10**18}, {"size": 10**400}, {"unpacked": 10**18}])
def test_impossible_sizes_in_the_index_refuse_that_entry(
    folder: Path, server: WebServer, cache: Cache, facts: dict[str, int]
) -> None:
    edit_index(folder, lambda entries: entries["rootfs/d4"].update(facts))
    said = fetch(server.url, cache)
    assert "rootfs of http" in said
    assert "its sizes in index.json cannot be right" in said
    assert there(cache) == {"registry"}


def test_without_an_index_everything_is_left_to_be_built(folder: Path, server: WebServer, cache: Cache) -> None:
    (folder / "index.json").unlink()
    assert "index.json: HTTP 404" in fetch(server.url, cache)
    assert "index.json: No such file or directory" in fetch(str(folder), cache)
    assert there(cache) == set()


def test_without_a_server_everything_is_left_to_be_built(folder: Path, cache: Cache) -> None:
    with serving(folder) as server:
        url = server.url
    said = fetch(url, cache)
    assert "ConnectError" in said
    assert len(said.splitlines()) == 1
    assert there(cache) == set()


def test_what_is_not_there_is_named(tmp_path: Path, built: Cache, cache: Cache) -> None:
    written(tmp_path / "less", built, "registry")
    assert f"{tmp_path}/less does not have rootfs" in fetch(str(tmp_path / "less"), cache)
    assert there(cache) == {"registry"}


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_transfer_is_continued(server: WebServer, cache: Cache, *, ranges: bool) -> None:
    server.ranges = ranges
    server.faults[REGISTRY] = [cut(1_000_000), status(503)]
    said = fetch(server.url, cache)
    assert there(cache) == set(WANTED)
    assert "!" not in said
    asked = server.asked(REGISTRY)
    assert asked[0] is None
    assert asked[1] == asked[2] == "bytes=1000000-"


@pytest.mark.parametrize("fault", [status(500), cut(10)], ids=["error", "cut"])
def test_a_server_that_goes_on_failing_is_asked_no_more(server: WebServer, cache: Cache, fault: object) -> None:
    server.faults[REGISTRY] = [fault] * 100  # type: ignore[list-item]
    said = fetch(server.url, cache)
    assert len(server.asked(REGISTRY)) == ATTEMPTS
    assert "registry of http" in said
    assert there(cache) == {"rootfs"}


def silent(handler: BaseHTTPRequestHandler, _: bytes) -> None:
    """Say nothing for longer than the test waits."""
    time.sleep(0.3)
    handler.close_connection = True


def test_a_server_that_times_out_at_every_attempt_is_asked_for_nothing_else(
    server: WebServer, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_cache, "TIMEOUT", httpx.Timeout(0.1))
    server.faults[REGISTRY] = [silent] * 100
    said = fetch(server.url, cache)
    assert "ReadTimeout" in said
    assert len(server.asked(REGISTRY)) == ATTEMPTS
    assert server.asked(ROOTFS) == []
    assert there(cache) == set()


@pytest.mark.parametrize("path", [REGISTRY, "/index.json"])
def test_a_server_that_sends_too_slowly_is_given_up(
    server: WebServer, cache: Cache, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    def drip(handler: BaseHTTPRequestHandler, content: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        with suppress(OSError):
            for start in range(20):
                handler.wfile.write(content[start : start + 1])
                handler.wfile.flush()
                time.sleep(0.01)
            handler.wfile.write(content[20:])

    monkeypatch.setattr(shared_cache, "RATE_WINDOW", 0.02)
    monkeypatch.setattr(shared_cache, "LOWEST_RATE", 10**15)
    server.faults[path] = [drip] * 100
    server.ranges = False
    said = fetch(server.url, cache)
    assert "ReadTimeout: less than" in said
    assert len(server.asked(path)) == ATTEMPTS
    assert there(cache) == set()


@pytest.mark.parametrize("location", ["https://a..b/x", f"https://{'a' * 70}/x", "https://127.0.0.1:1/%00\x01"])
@pytest.mark.parametrize("path", [ROOTFS, "/index.json"])
def test_a_redirect_to_where_nothing_can_be_is_not_followed(
    server: WebServer, cache: Cache, location: str, path: str
) -> None:
    server.faults[path] = [status(302, Location=location)] * 100
    assert "is not used, what it is for is built here" in fetch(server.url, cache)
    assert there(cache) == ({"registry"} if path == ROOTFS else set())


@pytest.mark.parametrize("proxy", ["socks5://me:secret@127.0.0.1:1", "socks5h://127.0.0.1:1", "foo://x"])
def test_a_proxy_that_cannot_be_used_is_said_where_the_server_is_behind_it(
    server: WebServer, cache: Cache, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    said = fetch("https://cache.invalid/x", cache)
    assert "the environment names a proxy that cannot be used: HTTPS_PROXY, HTTP_PROXY and ALL_PROXY may be" in said
    assert "secret" not in said
    fetch(server.url, cache)
    assert there(cache) == set(WANTED)


def test_certificates_that_are_not_there_are_said(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/no/such/file")
    assert "SSL_CERT_FILE or SSL_CERT_DIR names no certificates: No such file" in fetch("https://h.invalid/x", cache)


def test_a_redirect_to_plain_http_elsewhere_is_followed_only_when_the_digest_is_named(
    server: WebServer, cache: Cache, folder: Path
) -> None:
    server.faults["/index.json"] = [status(302, Location=f"{server.url}/index.json")]
    fetch(server.url, cache, ("registry",))
    assert there(cache) == {"registry"}
    elsewhere = "http://cache.invalid/index.json"
    server.faults["/index.json"] = [status(302, Location=elsewhere)] * 2
    assert "it redirects to plain HTTP, cache.invalid, which proves nothing" in fetch(server.url, cache)
    assert there(cache) == {"registry"}
    digest = hashlib.sha256((folder / "index.json").read_bytes()).hexdigest()
    # Nobody answers there, so that it is tried once more.
    fetch(f"{server.url}#sha256={digest}", cache)
    assert there(cache) == set(WANTED)


def interrupt() -> None:
    """As Ctrl-C does, when some of the content has arrived."""
    while sum(part.stat().st_size for part in downloads().glob("*")) < 500_000:
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.2)


def test_an_interrupted_download_leaves_nothing_that_looks_built_and_is_continued(
    server: WebServer, cache: Cache
) -> None:
    server.faults[REGISTRY] = [cut(1_000_000, interrupt)]
    with pytest.raises(KeyboardInterrupt):
        fetch(server.url, cache)
    assert there(cache) == set()
    fetch(server.url, cache)
    assert there(cache) == set(WANTED)
    first, second = server.asked(REGISTRY)
    assert first is None
    assert second is not None
    assert int(second.removeprefix("bytes=").rstrip("-")) >= 500_000
    assert not downloads().exists()


def test_a_wrong_start_of_an_interrupted_download_is_not_kept(folder: Path, server: WebServer, cache: Cache) -> None:
    index = json.loads((folder / "index.json").read_text())
    downloads().mkdir(parents=True)
    (downloads() / index["entries"]["registry/c3"]["sha256"]).write_bytes(b"x" * 1000)
    said = fetch(server.url, cache)
    assert there(cache) == set(WANTED)
    assert "!" not in said
    assert server.asked(REGISTRY) == ["bytes=1000-", None]


def test_too_little_disk_is_said_before_anything_is_fetched(
    server: WebServer, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "_free", lambda _: 1 << 20)
    with pytest.raises(ClusterError, match="GiB free"):
        fetch(server.url, cache)
    assert [path for path, _ in server.requests] == ["/index.json"]


# Archives that `export` does not write.


def member(name: str, kind: bytes, target: str = "", content: bytes = b"") -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, target, len(content)
    return info, content


def file(name: str, content: bytes = b"x") -> tuple[tarfile.TarInfo, bytes]:
    return member(name, tarfile.REGTYPE, content=content)


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, kind, target)


def pax(**headers: str) -> tuple[tarfile.TarInfo, bytes]:
    info, content = file("part/key/a")
    info.pax_headers = headers
    return info, content


def write_archive(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> None:
    with tarfile.open(path, "w:gz") as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))


def facts_of(archive: Path) -> dict[str, object]:
    content = archive.read_bytes()
    return {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "unpacked": 1000}


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ([file("../evil")], "lies outside"),
        ([file("/part/key/evil")], "lies outside"),
        ([file("part/key/../../evil")], "lies outside"),
        ([file("part/other/evil")], "lies outside"),
        ([file("part/evil")], "lies outside"),
        ([link("part/key/way", "/"), file("part/key/way/evil")], "lies behind a link"),
        ([link("part/key/way", ".."), member("part/key/way/evil", tarfile.DIRTYPE)], "lies behind a link"),
        ([link("part/key/way", "/"), link("part/key/way/evil", "x")], "lies behind a link"),
        ([link("part/key/way", "/etc/evil"), file("part/key/way")], "occurs twice"),
        ([file("part/key/./a"), file("part/key//a")], "occurs twice"),
        ([link("part/key/a", "/etc/passwd", tarfile.LNKTYPE)], "lies outside"),
        ([link("part/key/a", "part/key/../../x", tarfile.LNKTYPE)], "lies outside"),
        ([link("part/key/b", "part/key/a", tarfile.LNKTYPE), file("part/key/a")], "not a file before it"),
        (
            [link("part/key/a", "/etc/passwd"), link("part/key/b", "part/key/a", tarfile.LNKTYPE)],
            "not a file before it",
        ),
        ([member("part/key/a", tarfile.CHRTYPE)], "is not a file, folder or link"),
        ([member("part/key/a", tarfile.FIFOTYPE)], "is not a file, folder or link"),
        ([file("part/key/a", b"x" * 900), file("part/key/b", b"x" * 200)], "unpacks to more"),
        ([link("part/key/.entry.json", "/etc/evil")], "is the cache's own file"),
        ([link("part/key/./.entry.json", "/etc/evil")], "is the cache's own file"),
        ([member("part/key/.entry.json", tarfile.DIRTYPE)], "is the cache's own file"),
        ([file("part/key")], "is not a folder"),
        ([link("part/key", "/etc")], "is not a folder"),
        ([file("part/key/" + "a" * 300)], "File name too long"),
        ([pax(path="part/key/\0")], "null byte"),
        ([pax(uid="9" * 20)], "OverflowError"),
        ([pax(mtime="1e300")], "OverflowError"),
        ([pax(mtime="nan")], "ValueError"),
        ([pax(**{"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "part/key/a"})], "ValueError"),
    ],
)
def test_a_member_that_would_be_written_elsewhere_or_is_no_file_is_refused(
    tmp_path: Path, members: list[tuple[tarfile.TarInfo, bytes]], reason: str
) -> None:
    write_archive(tmp_path / "archive", *members)
    target = tmp_path / "deep" / "target"
    target.mkdir(parents=True)
    with pytest.raises(ArchiveError, match=reason):
        unpack(tmp_path / "archive", target, prefix="part/key", limit=1000)
    assert not list(tmp_path.rglob("evil"))


def test_a_full_disk_is_not_the_archives_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    write_archive(tmp_path / "archive", file("part/key/a"))
    monkeypatch.setattr(tarfile.TarFile, "makefile", full)
    with pytest.raises(OSError, match="No space left"):
        unpack(tmp_path / "archive", tmp_path, prefix="part/key", limit=1000)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda _: b"not an archive",
        lambda content: gzip.compress(gzip.decompress(content)[:700]),
    ],
    ids=["truncated", "text", "ends in a member"],
)
def test_what_is_no_whole_archive_is_refused(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    source = tmp_path / "source"
    source.mkdir()
    random_bytes(source)
    pack(source, tmp_path / "archive", prefix="part/key", advance=lambda _: None)
    (tmp_path / "archive").write_bytes(damage((tmp_path / "archive").read_bytes()))
    (tmp_path / "target").mkdir()
    with pytest.raises(archives.FAULTS):
        unpack(tmp_path / "archive", tmp_path / "target", prefix="part/key", limit=1 << 30)


def test_what_an_archive_would_not_keep_is_not_packed(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    os.mkfifo(tmp_path / "source" / "pipe")
    with pytest.raises(ClusterError, match="pipe cannot be exported"):
        pack(tmp_path / "source", tmp_path / "archive", prefix="part/key", advance=lambda _: None)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("/no/such/folder", "there is no such folder"),
        ("ftp://example.com/cache", "must be a folder, or an http or https URL"),
        ("https:///cache", "must be a folder, or an http or https URL"),
        ("https://example.com:port/cache", "must be a folder, or an http or https URL"),
        ("https://example.com/cache?token=secret", "without a query"),
        ("https://example.com/cache#sha256=12", "64 hexadecimal digits"),
        ("https://example.com/cache#", "64 hexadecimal digits"),
        ("http://example.com/cache", "plain HTTP does not prove who answers"),
        ("http://10.0.0.1/cache", "plain HTTP does not prove who answers"),
        ("https://a..b/cache", "must be a folder, or an http or https URL"),
        (f"https://{'a' * 70}/cache", "must be a folder, or an http or https URL"),
        ("https://example.com/\x01", "must be a folder, or an http or https URL"),
        ("https://example.com/a b", "must be a folder, or an http or https URL"),
        ("https://example.com/\udcff", "must be a folder, or an http or https URL"),
        ("/no/such/folder@home", "folder@home: there is no such folder"),
    ],
)
def test_a_wrong_cache_from_is_refused_before_anything_is_asked(text: str, reason: str) -> None:
    with pytest.raises(ClusterError, match=reason):
        Location.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "https://example.com/cache/",
        f"http://example.com/cache#sha256={'a' * 64}",
        "http://127.0.0.1:8000",
        "http://localhost:8000/cache",
        "http://[::1]:8000",
    ],
)
def test_a_cache_from_that_somebody_vouches_for(text: str) -> None:
    assert Location.parse(text).root == text.partition("#")[0].rstrip("/")


@pytest.mark.parametrize(
    "text",
    [
        "https://me:secret@example.com/x#sha=1",
        "https://me:sec#ret@example.com/x",
        "https://me:sec/ret@example.com/x",
        "https://me:x@secret@example.com:port/x",
        "https://example.com/cache?token=secret",
        "http:/me:secret@example.com/x",
        "http://me:secret@example.com/x",
        "me:secret@example.com/x",
        "ftp://me:secret@example.com/x",
    ],
)
def test_a_refusal_does_not_show_a_password(text: str) -> None:
    with pytest.raises(ClusterError) as refused:
        Location.parse(text)
    assert "CACHE_FROM=" in str(refused.value)
    assert "example.com" in str(refused.value)
    assert not any(part in str(refused.value) for part in ("secret", "sec#", "ret@", "x@"))


@pytest.mark.parametrize("user", ["me:secret@", "me:sec@ret@", "secret@", "me:%40secret@"])
def test_a_location_is_named_without_user_and_password(user: str) -> None:
    assert str(Location.parse(f"https://{user}example.com/a@b")) == "https://example.com/a@b"
    assert str(Location(root="/srv/a@b")) == "/srv/a@b"


def test_a_password_goes_only_to_a_server_that_proves_who_it_is() -> None:
    assert "--trusted-host" not in Location.parse("https://me:secret@example.com/x").wheels_options()
    plain = Location.parse(f"http://example.com:8000/x#sha256={'a' * 64}")
    assert plain.wheels_options()[-2:] == ["--trusted-host", "example.com:8000"]


def test_a_password_is_not_shown(cache: Cache, server: WebServer) -> None:
    url = server.url.replace("http://", "http://me:secret@")
    server.faults["/index.json"] = [status(401)]
    said = fetch(url, cache)
    assert "secret" not in said
    assert "HTTP 401" in said
