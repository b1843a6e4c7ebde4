"""A Kubernetes API on the loopback that forwards ports as a kubelet does, to servers of the test."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection

from tests.running_server import run_server

WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
NAMESPACE, SERVICE, POD = "istio-system", "istio-ingressgateway", "istio-ingressgateway-0"
SERVICE_PATH = f"/api/v1/namespaces/{NAMESPACE}/services/{SERVICE}"
SLICES_PATH = f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices"


class ForwardingAPI(ThreadingHTTPServer):
    """Knows objects by their paths, and what listens at the ports of pods.

    Attributes:
        objects: answers by path.
        listening: port of this machine behind each pod's port.
        refuses: HTTP status of each port-forward, instead of forwarding.
        forwarded: the pods and ports that were asked for.

    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, Any] = {}
        self.listening: dict[tuple[str, int], int] = {}
        self.refuses: int | None = None
        self.forwarded: list[tuple[str, int]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def have_gateway(self, listening: int, *, ready: bool = True, target: int = 8080) -> None:
        """A Service with port 80, and a pod behind it whose port leads to this port of the machine."""
        self.objects[SERVICE_PATH] = {
            "metadata": {"name": SERVICE, "namespace": NAMESPACE},
            "spec": {"ports": [{"name": "status-port", "port": 15021}, {"name": "http2", "port": 80}]},
        }
        backends = [
            {"targetRef": {"name": "starting"}, "conditions": {"ready": False}},
            {"targetRef": {"name": POD}, "conditions": {"ready": ready}},
        ]
        ports = [{"name": "status-port", "port": 15021}, {"name": "http2", "port": target}]
        labels = {"kubernetes.io/service-name": SERVICE}
        slice_ = {"metadata": {"name": "s", "namespace": NAMESPACE, "labels": labels}}
        self.objects[SLICES_PATH] = {"items": [{**slice_, "endpoints": backends, "ports": ports}]}
        self.listening[POD, target] = listening


class _Handler(BaseHTTPRequestHandler):
    server: ForwardingAPI
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        if asked.path.endswith("/portforward"):
            self._forward(asked.path.split("/")[-2], int(parse_qs(asked.query)["ports"][0]))
            return
        found = self.server.objects.get(asked.path)
        self._answer(404 if found is None else 200, found or {"message": "not found"})

    def _answer(self, status: int, document: Any) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _forward(self, pod: str, port: int) -> None:
        self.server.forwarded.append((pod, port))
        if self.server.refuses:
            self._answer(self.server.refuses, {"message": "no"})
            return
        key = self.headers["Sec-WebSocket-Key"].encode()
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header(
            "Sec-WebSocket-Accept",
            base64.b64encode(hashlib.sha1(key + WEBSOCKET_GUID, usedforsecurity=False).digest()).decode(),
        )
        self.send_header("Sec-WebSocket-Protocol", self.headers["Sec-WebSocket-Protocol"])
        self.end_headers()
        self.wfile.flush()
        self.close_connection = True
        _Tunnel(self.connection, port=port).run(self.server.listening.get((pod, port)))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Keep the tests' output quiet."""


class _Tunnel:
    """The kubelet's side of one WebSocket."""

    def __init__(self, connection: socket.socket, *, port: int) -> None:
        self._connection = connection
        self._websocket = Connection(ConnectionType.SERVER)
        self._lock = threading.Lock()
        for channel in (b"\0", b"\1"):
            self._send(channel + struct.pack("<H", port))

    def run(self, listening: int | None) -> None:
        try:
            backend = socket.create_connection(("127.0.0.1", listening or 1))
        except OSError as problem:
            self._send(b"\1" + f"error forwarding port: {problem}".encode())
            self._close()
            return
        threading.Thread(target=self._answers, args=(backend,), daemon=True).start()
        with backend, suppress(OSError):
            while received := self._connection.recv(65536):
                self._websocket.receive_data(received)
                for event in self._websocket.events():
                    if isinstance(event, CloseConnection):
                        return
                    if isinstance(event, BytesMessage):
                        content = bytes(event.data)
                        backend.sendall(content[1:] if content[:1] == b"\0" else content)

    def _answers(self, backend: socket.socket) -> None:
        with suppress(OSError):
            while content := backend.recv(32 * 1024):
                self._send(b"\0" + content)
        with suppress(OSError):
            self._close()

    def _send(self, content: bytes) -> None:
        with self._lock:
            self._connection.sendall(self._websocket.send(BytesMessage(data=content)))

    def _close(self) -> None:
        with self._lock:
            self._connection.sendall(self._websocket.send(CloseConnection(code=1000)))


@contextmanager
def forwarding_api() -> Iterator[ForwardingAPI]:
    with run_server(ForwardingAPI()) as api:
        yield api
