"""A small OCI registry on the loopback: charts by name and tag, with or without tokens."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import yaml

TOKEN = "anybody"
HELM_CHART = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"


def packaged(name: str, version: str) -> bytes:
    """Return a chart archive that contains only Chart.yaml."""
    text = yaml.safe_dump({"apiVersion": "v2", "name": name, "version": version}).encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        entry = tarfile.TarInfo(f"{name}/Chart.yaml")
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text))
    return buffer.getvalue()


@dataclass
class Registry:
    """The registry's content and the requests it got.

    Attributes:
        any_chart: whether it has a generated chart for every name and tag.
        requires_token: whether it refuses requests without a token.
        requests: paths of all requests.

    """

    address: str = ""
    any_chart: bool = False
    requires_token: bool = False
    manifests: dict[str, bytes] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)

    def push(self, path: str, tag: str, content: bytes, *, media_type: str = HELM_CHART) -> str:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self.blobs[digest] = content
        layers = [{"mediaType": media_type, "digest": digest, "size": len(content)}]
        self.manifests[f"{path}:{tag}"] = json.dumps({"schemaVersion": 2, "layers": layers}).encode()
        return digest

    def find(self, path: str) -> bytes | None:
        """Return the content at a path of the distribution API, or a plain file."""
        repository, _, rest = path.removeprefix("/v2/").rpartition("/manifests/")
        if repository:
            if self.any_chart and f"{repository}:{rest}" not in self.manifests:
                self.push(repository, rest, packaged(repository.rpartition("/")[2], rest))
            return self.manifests.get(f"{repository}:{rest}")
        if self.any_chart and path.endswith("/tags/list"):
            return b"{}"
        if "/blobs/" in path:
            return self.blobs.get(path.rpartition("/")[2])
        return self.files.get(path)


@contextmanager
def serving() -> Iterator[Registry]:
    registry = Registry()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            registry.requests.append(self.path)
            if path == "/token":
                self.answer(200, json.dumps({"token": TOKEN}).encode())
            elif registry.requires_token and self.headers.get("Authorization") != f"Bearer {TOKEN}":
                realm = f'Bearer realm="http://{registry.address}/token",service="here",scope="repository:x:pull"'
                self.answer(401, b"", {"WWW-Authenticate": realm})
            elif (content := registry.find(path)) is not None:
                self.answer(200, content)
            else:
                self.answer(404, b"")

        def answer(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for key, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    registry.address = f"127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield registry
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
