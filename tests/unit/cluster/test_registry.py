"""The registry that images are pushed to: a real server on a port that it chooses, ended with the push."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
import pytest
import requests

from cluster import registry
from cluster.errors import ClusterError
from cluster.registry import _serving

# Serves where its configuration file says, as the real one does.
SERVER = f"""#!{sys.executable}
import http.server, signal, sys, yaml
address, port = yaml.safe_load(open(sys.argv[2]))["http"]["addr"].split(":")
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/v2/" else 404)
        self.end_headers()
    def log_message(self, *_): pass
EXTRA
http.server.HTTPServer((address, int(port)), Answer).serve_forever()
"""


def program(directory: Path, extra: str = "") -> Path:
    file = directory / "registry"
    file.write_text(SERVER.replace("EXTRA", extra))
    file.chmod(0o755)
    return file


def test_two_registries_never_want_the_same_port(tmp_path: Path) -> None:
    server, log = program(tmp_path), tmp_path / "log"
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with (
        _serving(registry=server, root=tmp_path / "one" / "storage", log=log) as one,
        _serving(registry=server, root=tmp_path / "two" / "storage", log=log) as two,
    ):
        assert "127.0.0.1:0" in (tmp_path / "one" / "registry.yaml").read_text()
        assert one != two
        for address in (one, two):
            assert requests.get(f"http://{address}/v2/", timeout=10).status_code == 200
    for address in (one, two):
        with pytest.raises(requests.ConnectionError):
            requests.get(f"http://{address}/v2/", timeout=10)
    assert not list(tmp_path.glob("*/registry.yaml"))


def test_a_registry_that_ends_at_once_is_said_to_have_failed(tmp_path: Path) -> None:
    server = program(tmp_path, 'sys.exit("cannot open the storage")')
    serving = _serving(registry=server, root=tmp_path / "storage", log=tmp_path / "log")
    with pytest.raises(ClusterError, match=r"(?s)the registry did not start.*cannot open the storage"), serving:
        pytest.fail("it did start")


def test_a_registry_that_does_not_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "GRACE", 0.3)
    server = program(tmp_path, "signal.signal(signal.SIGTERM, signal.SIG_IGN)")
    with _serving(registry=server, root=tmp_path / "storage", log=tmp_path / "log"):
        children = [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]
        running = [child for child in children if str(server) in child.cmdline()]
        assert len(running) == 1
    assert not running[0].is_running()
