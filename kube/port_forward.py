"""Reach a Service through the API server, as `kubectl port-forward` does. It needs no address of the Service."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from types import TracebackType
from typing import Any, Self

import httpx2 as httpx
from httpx2.websockets import HTTPXWSException, WebSocketDisconnect, WebSocketSession, WebSocketUpgradeError
from wsproto.events import CloseConnection
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import ProtocolError

from kube.kubeconfig import KubeconfigError
from kube.read import REFUSALS, ForbiddenError, read, read_list
from kube.views.kubernetes import EndpointSlice, Pod, Service

# Its messages begin with the number of a channel. The first one of each channel has the port's number instead of data.
PROTOCOL = "v4.channel.k8s.io"
DATA, ERROR = b"\0", b"\1"
CHUNK = 32 * 1024
LONGEST_MESSAGE = 1024 * 1024
POLL_SECONDS = 0.2
SERVICE_LABEL = "kubernetes.io/service-name"


class PortForwardError(Exception):
    """No connection to a pod behind the Service. It may be possible later, if not `final`."""

    def __init__(self, problem: str, *, final: bool = False) -> None:
        super().__init__(problem)
        self.final = final


class PortForward:
    """Forwards connections to a free port of this machine, each to a ready pod behind a Service. A context manager.

    Attributes:
        failure: why the latest connection was not forwarded; None while all is well.

    """

    failure: PortForwardError | None = None

    def __init__(self, client: httpx.Client, *, namespace: str, service: str, port: int) -> None:
        self._client = client
        self._namespace = namespace
        self._service = service
        self._port = port
        self._listener = _Listener(self)
        self._thread = threading.Thread(
            target=self._listener.serve_forever, kwargs={"poll_interval": 0.1}, name="port-forward", daemon=True
        )

    @property
    def port(self) -> int:
        """Port of this machine that is forwarded."""
        return int(self._listener.server_address[1])

    @property
    def address(self) -> str:
        """URL of the Service on this machine, without a path."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown()
        self._listener.close_connections()
        self._listener.server_close()
        self._thread.join()

    def forward(self, connection: socket.socket) -> None:
        """Forward one connection until either side ends it; `failure` says why it could not be."""
        try:
            self._forward(connection)
        except PortForwardError as problem:
            self.failure = problem
        except ForbiddenError as problem:
            self.failure = PortForwardError(f"{problem}; it needs the right to read the Service's pods", final=True)
        except WebSocketUpgradeError as problem:
            self.failure = _refusal(problem.response.status_code)
        except KubeconfigError as problem:
            self.failure = PortForwardError(str(problem))
        except (httpx.HTTPError, HTTPXWSException, ProtocolError, OSError, ValueError) as problem:
            self.failure = PortForwardError(f"{type(problem).__name__}: {problem}".rstrip(": "))
        finally:  # the client looks at `failure` once its connection has ended
            with contextlib.suppress(OSError):  # the client has ended it
                connection.shutdown(socket.SHUT_RDWR)

    def _forward(self, connection: socket.socket) -> None:
        pod, port = self._backend()
        path = f"{Pod.path(namespace=self._namespace, name=pod)}/portforward"
        with self._client.websocket(
            path, subprotocols=[PROTOCOL], params={"ports": port}, max_message_size_bytes=LONGEST_MESSAGE
        ) as tunnel:
            ended = threading.Event()
            threading.Thread(target=_send, args=(connection, tunnel, ended), daemon=True).start()
            try:
                self._receive(connection, tunnel, ended)
            finally:
                _end(tunnel)

    def _receive(self, connection: socket.socket, tunnel: WebSocketSession, ended: threading.Event) -> None:
        """Pass on what the pod sends, until it closes the connection, or the client has `ended` it."""
        opened: set[bytes] = set()
        while not ended.is_set():
            try:
                message = tunnel.receive_bytes(timeout=POLL_SECONDS)
            except TimeoutError:
                continue
            except WebSocketDisconnect:
                return
            channel, content = message[:1], message[1:]
            if channel not in opened:
                opened.add(channel)
            elif channel == ERROR:
                raise PortForwardError(content.decode(errors="replace"))
            elif content:
                self.failure = None
                with contextlib.suppress(OSError):  # the client has ended it
                    connection.sendall(content)

    def _backend(self) -> tuple[str, int]:
        """Name of a ready pod behind the Service, and the pod's port.

        Raises:
            PortForwardError: there is no such Service, it has no such port, or no pod behind it is ready.

        """
        name = f"Service {self._namespace}/{self._service}"
        path = Service.path(namespace=self._namespace, name=self._service)
        try:
            service = read(Service, self._client, path)
        except httpx.HTTPStatusError as problem:
            if problem.response.status_code != httpx.codes.NOT_FOUND:
                raise
            raise PortForwardError(f"there is no {name}") from problem
        port = next((port for port in service.ports if port.number == self._port), None)
        if port is None:
            raise PortForwardError(f"{name} has no port {self._port}", final=True)
        label = f"{SERVICE_LABEL}={self._service}"
        for part in read_list(EndpointSlice, self._client, namespace=self._namespace, labels=label):
            target = next((target.number for target in part.ports if target.name == port.name), 0)
            ready = next((backend.pod for backend in part.endpoints if backend.ready and backend.pod), "")
            if target and ready:
                return ready, target
        raise PortForwardError(f"no pod of {name} is ready")


def _send(connection: socket.socket, tunnel: WebSocketSession, ended: threading.Event) -> None:
    """Pass on what the client sends, until it closes the connection, which is then `ended`, or the tunnel is gone."""
    while True:
        try:
            content = connection.recv(CHUNK)
        except OSError:
            content = b""
        if not content:
            ended.set()
            return
        try:
            tunnel.send_bytes(DATA + content)
        except (OSError, HTTPXWSException, ProtocolError):
            return  # not `ended`: what the pod or the kubelet said last is still to be read


def _end(tunnel: WebSocketSession) -> None:
    """Say goodbye, and let nothing wait for an answer: a thread that reads on would keep the program from ending."""
    with contextlib.suppress(OSError, HTTPXWSException, ProtocolError):
        tunnel.send(CloseConnection(code=CloseReason.NORMAL_CLOSURE))
    connection = tunnel.stream.get_extra_info("socket")
    if isinstance(connection, socket.socket):
        with contextlib.suppress(OSError):
            socket.socket.shutdown(connection, socket.SHUT_RDWR)


def _refusal(status: int) -> PortForwardError:
    if status not in REFUSALS:
        return PortForwardError(f"the cluster answers {status} to a port-forward")
    rights = "it needs the rights get and create on pods/portforward"
    return PortForwardError(f"the cluster answers {status} to a port-forward; {rights}", final=True)


class _Listener(socketserver.ThreadingTCPServer):
    """Listens on the loopback interface, and hands each connection to the port-forward, in a thread of its own."""

    def __init__(self, forward: PortForward) -> None:
        super().__init__(("127.0.0.1", 0), socketserver.BaseRequestHandler)
        self._forward = forward
        self._open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Begin a connection."""
        self._open.add(request)
        super().process_request(request, client_address)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Forward a connection, in its thread."""
        del client_address
        try:
            self._forward.forward(request)
        finally:
            self._open.discard(request)

    def close_connections(self) -> None:
        """End all connections."""
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
