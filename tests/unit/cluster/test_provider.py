"""The published provider: Pulumi itself fetches it from a server of the test's own, or gives up in bounded time."""

from __future__ import annotations

import io
import itertools
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from cluster import provider
from cluster.artifacts import Cache
from cluster.catalog import PULUMI_KUBERNETES
from cluster.errors import ClusterError
from cluster.locations import cache_dir, state_dir
from cluster.processes import Watch, run
from cluster.programs import usable_pulumi
from cluster.provider import PLUGIN, OfficialProvider
from cluster.toolchain import host_target

BINARY = "pulumi-resource-kubernetes"
PublishedBy = Callable[[type[BaseHTTPRequestHandler]], None]


@pytest.fixture(scope="session")
def pulumi() -> Path:
    """A real Pulumi CLI: the machine's own, else the newest that was built here."""
    built = sorted((cache_dir() / "entries" / "pulumi").glob("*/pulumi"), key=lambda path: path.stat().st_mtime)
    found = usable_pulumi() or (built[-1] if built else None)
    if found is None:
        pytest.skip("there is no Pulumi yet: python -m cluster tools")
    return found


@pytest.fixture
def official(own_directories: Path) -> OfficialProvider:
    assert own_directories
    return OfficialProvider(Cache(cache_dir() / "entries"))


@pytest.fixture
def said() -> Console:
    return Console(file=io.StringIO())


def text(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return " ".join(console.file.getvalue().split())


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """A server on this machine; gives its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        # Not server_close, which waits for a request that is never answered.
        server.socket.close()


@pytest.fixture
def published_by(monkeypatch: pytest.MonkeyPatch) -> Iterator[PublishedBy]:
    """Has Pulumi get plugins from a server of the test's own, the way a site without internet sets it."""
    with ExitStack() as servers:

        def publish(handler: type[BaseHTTPRequestHandler]) -> None:
            address = servers.enter_context(serving(handler))
            overrides = ",".join(f"^{scheme}://={address}" for scheme in ("github", "https"))
            monkeypatch.setenv("PULUMI_PLUGIN_DOWNLOAD_URL_OVERRIDES", overrides)

        yield publish


class Published(BaseHTTPRequestHandler):
    """Has the plugin for this machine."""

    def do_GET(self) -> None:
        target = host_target()
        if not self.path.endswith(f"/{BINARY}-v{PULUMI_KUBERNETES}-{target['GOOS']}-{target['GOARCH']}.tar.gz"):
            self.send_error(404)
            return
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            program = tarfile.TarInfo(BINARY)
            program.mode, program.size = 0o755, 9
            archive.addfile(program, io.BytesIO(b"published"))
        self.send_response(200)
        self.send_header("Content-Length", str(len(packed.getvalue())))
        self.end_headers()
        self.wfile.write(packed.getvalue())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Stuck(Published):
    """Begins an answer and never ends it."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"begun")
        self.wfile.flush()
        threading.Event().wait()


class Absent(Published):
    """Does not have it."""

    def do_GET(self) -> None:
        self.send_error(404)


def test_it_is_fetched_by_pulumi_once_for_every_cluster(
    official: OfficialProvider, pulumi: Path, published_by: PublishedBy, said: Console
) -> None:
    assert official.find() is None
    published_by(Published)
    assert official.fetch(said, pulumi=pulumi)
    assert text(said) == f"fetching Pulumi's Kubernetes provider {PULUMI_KUBERNETES} from where Pulumi publishes it"
    found = OfficialProvider(official.cache).find()
    assert found is not None
    assert (found / BINARY).read_text() == "published"
    # Neither Pulumi's home of the download nor anything temporary stays.
    assert [path.name for path in found.parent.iterdir() if not path.name.startswith(".")] == [PLUGIN]


@pytest.mark.parametrize(
    ("handler", "why"),
    [
        pytest.param(Absent, "failed (exit status", id="not there"),
        pytest.param(Stuck, "made no progress for 1 s", id="stuck"),
    ],
)
def test_what_cannot_be_fetched_is_given_up_and_said_in_a_line(
    official: OfficialProvider,
    pulumi: Path,
    published_by: PublishedBy,
    said: Console,
    monkeypatch: pytest.MonkeyPatch,
    handler: type[BaseHTTPRequestHandler],
    why: str,
) -> None:
    if handler is Stuck:
        monkeypatch.setattr(provider, "SECONDS_WITHOUT_DATA", 1)
    published_by(handler)
    assert not official.fetch(said, pulumi=pulumi)
    assert f"fetching it {why}" in text(said)
    assert "it is compiled instead (why: python -m cluster logs build-provider-plugin)" in text(said)
    assert official.find() is None
    assert not [child for child in psutil.Process().children(recursive=True) if child.name() == "pulumi"]


@pytest.mark.parametrize("begun", [True, False])
def test_a_pulumi_that_installs_nothing_is_not_believed(
    official: OfficialProvider, said: Console, tmp_path: Path, *, begun: bool
) -> None:
    program = tmp_path / "pulumi"
    begin = f'mkdir -p "$PULUMI_HOME/plugins/{PLUGIN}" && touch "$PULUMI_HOME/plugins/{PLUGIN}.partial"'
    program.write_text(f"#!/bin/sh\n{begin if begun else 'exit 0'}\n")
    program.chmod(0o755)
    assert not official.fetch(said, pulumi=program)
    assert f"fetching it ended without {PLUGIN}: it is compiled instead" in text(said)
    assert official.find() is None


def test_a_program_that_gets_on_is_not_stuck_however_slow_it_is(tmp_path: Path) -> None:
    run(
        ["sleep", "1"],
        what="sleeping",
        log=tmp_path / "log",
        watch=Watch(progress=itertools.count().__next__, seconds=0),
    )
    with pytest.raises(ClusterError, match=r"^sleeping made no progress for 0 s"):
        run(["sleep", "600"], what="sleeping", log=tmp_path / "log", watch=Watch(progress=lambda: 0, seconds=0))


def plugin_in(home: Path) -> Path:
    plugin = home / "plugins" / PLUGIN
    plugin.mkdir(parents=True)
    return plugin


def test_the_users_own_is_used(official: OfficialProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = plugin_in(Path.home() / ".pulumi")
    assert official.find() == plugin
    mark = plugin.with_name(f"{PLUGIN}.partial")
    mark.touch()
    assert official.find() is None
    mark.unlink()
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path))
    assert official.find() == plugin
    other = plugin_in(tmp_path)
    assert official.find() == other


def test_ours_may_be_compiled_and_does_not_count_as_the_users(
    official: OfficialProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = state_dir("two") / "pulumi" / "home"
    plugin_in(home)
    monkeypatch.setenv("PULUMI_HOME", str(home))
    assert official.find() is None


def test_another_platforms_does_not_count(
    official: OfficialProvider, pulumi: Path, published_by: PublishedBy, said: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    published_by(Published)
    assert official.fetch(said, pulumi=pulumi)
    monkeypatch.setattr("platform.machine", lambda: "other")
    assert official.find() is None
