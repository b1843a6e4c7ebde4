"""A small OCI registry on the loopback: charts and images by name and tag, with or without tokens and a login."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import yaml

from tests.running_server import run_server

TOKEN = "anybody"
HELM_CHART = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"


def packaged(name: str, version: str, *, template: str = "") -> bytes:
    """A chart's archive with Chart.yaml and this template, if any; the same bytes each time."""
    files = {"Chart.yaml": yaml.safe_dump({"apiVersion": "v2", "name": name, "version": version})}
    if template:
        files["templates/objects.yaml"] = template
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, text in files.items():
            entry = tarfile.TarInfo(f"{name}/{path}")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return gzip.compress(buffer.getvalue(), mtime=0)


@dataclass
class Registry:
    """The registry's content and the requests it got.

    Attributes:
        any_chart: whether it has a generated chart for every name and tag.
        requires_token: whether it refuses requests without a token.
        login: user name and password, without which it gives nothing; with `requires_token`, its token server wants it.
        requests: paths of all requests.
        pushed: paths of what was uploaded, in this order.
        sent_logins: the headers `Authorization` of all requests that had one.

    """

    address: str = ""
    any_chart: bool = False
    requires_token: bool = False
    manifests: dict[str, bytes] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    login: tuple[str, str] | None = None
    pushed: list[str] = field(default_factory=list)
    sent_logins: list[str] = field(default_factory=list)
    media_types: dict[str, str] = field(default_factory=dict)

    def push(self, path: str, tag: str, content: bytes, *, media_type: str = HELM_CHART) -> str:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self.blobs[digest] = content
        layers = [{"mediaType": media_type, "digest": digest, "size": len(content)}]
        self.manifests[f"{path}:{tag}"] = json.dumps({"schemaVersion": 2, "layers": layers}).encode()
        return digest

    def challenge(self, path: str, headers: Message) -> dict[str, str] | None:
        """What the registry asks for before it answers a request; None where it is content."""
        sent = headers.get("Authorization", "")
        wanted = f"Basic {base64.b64encode(':'.join(self.login).encode()).decode()}" if self.login else ""
        if path == "/token" or not self.requires_token:
            return {"WWW-Authenticate": 'Basic realm="here"'} if wanted and sent != wanted else None
        realm = f'Bearer realm="http://{self.address}/token",service="here",scope="repository:x:pull"'
        return {"WWW-Authenticate": realm} if sent != f"Bearer {TOKEN}" else None

    def store(self, path: str, content: bytes, media_type: str) -> None:
        """Keep uploaded content or a manifest."""
        self.pushed.append(path)
        repository, _, reference = path.removeprefix("/v2/").rpartition("/manifests/")
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        if not repository:
            self.blobs[digest] = content
            return
        for name in {reference, digest}:
            self.manifests[f"{repository}:{name}"] = content
            self.media_types[f"{repository}:{name}"] = media_type

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
def serving(*, address: str = "127.0.0.1") -> Iterator[Registry]:
    registry = Registry()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if not self.refused(path):
                if path == "/token":
                    self.answer(200, json.dumps({"token": TOKEN}).encode())
                elif (content := registry.find(path)) is not None:
                    name = path.removeprefix("/v2/").replace("/manifests/", ":")
                    known = registry.media_types.get(name, "application/vnd.oci.image.manifest.v1+json")
                    self.answer(200, content, {"Content-Type": known})
                else:
                    self.answer(404, b"")

        do_HEAD = do_GET  # noqa: N815 - the base class's name

        def do_POST(self) -> None:
            if not self.refused(self.path):
                self.answer(202, b"", {"Location": f"{self.path}some-upload?state=1"})

        def do_PUT(self) -> None:
            path, _, query = self.path.partition("?")
            content = self.rfile.read(int(self.headers["Content-Length"]))
            expected = parse_qs(query).get("digest", [""])[0]
            if self.refused(path):
                return
            if expected and expected != f"sha256:{hashlib.sha256(content).hexdigest()}":
                self.answer(400, b"")
                return
            registry.store(path, content, self.headers["Content-Type"])
            self.answer(201, b"")

        def refused(self, path: str) -> bool:
            registry.requests.append(self.path)
            registry.sent_logins += [sent] if (sent := self.headers.get("Authorization")) else []
            asked = registry.challenge(path, self.headers)
            if asked:
                self.answer(401, b"", asked)
            return asked is not None

        def answer(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for key, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
                self.send_header(key, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    server = ThreadingHTTPServer((address, 0), Handler)
    registry.address = f"{address}:{server.server_port}"
    with run_server(server):
        yield registry
