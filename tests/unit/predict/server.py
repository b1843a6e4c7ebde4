"""A small real HTTP server that stands where the ingress gateway (or the Kubernetes API) would: on loopback."""

import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.running_server import run_server


@dataclass(frozen=True)
class Reply:
    body: Any = b""
    status: int = 200
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    wait_for: threading.Event | None = None
    drip_s: float = 0  # pause after every byte of the body

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: Any


class Server(ThreadingHTTPServer):
    """Answers per Host; like Envoy it says 404 without a body for any other, and signs every answer."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[Request] = []
        self._routes: dict[tuple[str, str], list[Reply]] = {}
        self._lock = threading.Lock()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that gave up waiting is no news."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def on(self, host: str, request: str, *replies: Reply) -> None:
        """Answer `request` (method and path) with each reply in turn, the last one from then on."""
        self._routes[host, request] = list(replies)

    def reply_to(self, host: str, request: Request) -> Reply:
        with self._lock:
            self.requests.append(request)
            if host not in {known for known, _ in self._routes}:
                return Reply(status=404)
            replies = self._routes.get((host, f"{request.method} {request.path}"))
            if replies is None:
                return Reply({"detail": "Not Found"}, status=404)
            return replies.pop(0) if len(replies) > 1 else replies[0]


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "istio-envoy"
    sys_version = ""

    def _answer(self) -> None:
        length = int(self.headers.get("content-length", 0))
        body = json.loads(self.rfile.read(length)) if length else None
        request = Request(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
        reply = self.server.reply_to(self.headers.get("host", ""), request)
        if reply.wait_for is not None:
            reply.wait_for.wait(30)
        self.send_response(reply.status)
        for name, value in {"content-type": reply.content_type, **reply.headers}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(reply.content)))
        self.end_headers()
        if not reply.drip_s:
            self.wfile.write(reply.content)
            return
        for byte in reply.content:
            self.wfile.write(bytes([byte]))
            time.sleep(reply.drip_s)

    do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Keep the tests' output quiet."""


@contextmanager
def serving() -> Iterator[Server]:
    with run_server(Server()) as server:
        yield server
