"""Connections to a Service through the API server, against one that forwards them to a server of the test."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import httpx2 as httpx
import pytest
from httpx2.websockets import WebSocketSession

from kube.port_forward import PortForward, _send
from tests.unit.kube.forwarding_api import (
    NAMESPACE,
    POD,
    SERVICE,
    SERVICE_PATH,
    SLICES_PATH,
    ForwardingAPI,
    forwarding_api,
)
from tests.unit.predict.server import Reply, Server, serving

HOST = "iris.default.example.com"


@pytest.fixture
def api() -> Iterator[ForwardingAPI]:
    with forwarding_api() as api:
        yield api


@pytest.fixture
def gateway(api: ForwardingAPI) -> Iterator[Server]:
    with serving() as server:
        api.have_gateway(server.server_port)
        server.on(HOST, "GET /", Reply({"model": "iris"}))
        yield server


@pytest.fixture
def forward(api: ForwardingAPI) -> Iterator[PortForward]:
    with (
        httpx.Client(base_url=api.address) as client,
        PortForward(client, namespace=NAMESPACE, service=SERVICE, port=80) as forward,
    ):
        yield forward


def ask(forward: PortForward) -> httpx.Response:
    return httpx.get(forward.address, headers={"Host": HOST}, trust_env=False)


def test_requests_go_to_the_pods_port_behind_the_services_port(
    api: ForwardingAPI, gateway: Server, forward: PortForward
) -> None:
    assert ask(forward).json() == {"model": "iris"}
    assert api.forwarded == [(POD, 8080)]
    assert [request.headers["host"] for request in gateway.requests] == [HOST]
    assert forward.failure is None


def test_connections_are_forwarded_at_the_same_time(api: ForwardingAPI, forward: PortForward) -> None:
    both = threading.Event()
    with serving() as server, ThreadPoolExecutor(2) as pool:
        api.have_gateway(server.server_port)
        server.on(HOST, "GET /", Reply({"turn": 1}, wait_for=both), Reply({"turn": 2}))
        first = pool.submit(ask, forward)
        while not server.requests:
            time.sleep(0.01)
        assert ask(forward).json() == {"turn": 2}
        both.set()
        assert first.result().json() == {"turn": 1}


def test_large_bodies_arrive_whole_in_both_directions(
    api: ForwardingAPI, gateway: Server, forward: PortForward
) -> None:
    numbers = [*range(300_000)]
    gateway.on(HOST, "POST /", Reply(numbers))
    answer = httpx.post(forward.address, json=numbers, headers={"Host": HOST}, trust_env=False)
    assert answer.json() == numbers
    assert gateway.requests[0].body == numbers


def test_the_end_of_the_forward_ends_its_connections(gateway: Server, api: ForwardingAPI) -> None:
    with httpx.Client(base_url=api.address) as client:
        with PortForward(client, namespace=NAMESPACE, service=SERVICE, port=80) as forward:
            connection = socket.create_connection(("127.0.0.1", forward.port))
            connection.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
            assert connection.recv(1024).startswith(b"HTTP/1.1 200")
            address = forward.address
        while connection.recv(1024):
            time.sleep(0.01)
        connection.close()
    with pytest.raises(httpx.ConnectError):
        httpx.get(address, trust_env=False)


def problem(forward: PortForward) -> str:
    """What is wrong, after a request without an answer."""
    with pytest.raises(httpx.RemoteProtocolError):
        ask(forward)
    assert forward.failure is not None
    return f"{'final: ' if forward.failure.final else ''}{forward.failure}"


def test_a_missing_service_is_named(forward: PortForward) -> None:
    assert problem(forward) == "there is no Service istio-system/istio-ingressgateway"


def test_a_port_that_the_service_does_not_have_is_named(api: ForwardingAPI, forward: PortForward) -> None:
    api.objects[SERVICE_PATH] = {"metadata": {}, "spec": {"ports": [{"port": 443}]}}
    assert problem(forward) == "final: Service istio-system/istio-ingressgateway has no port 80"


@pytest.mark.parametrize("slices", [[], None])
def test_pods_that_are_not_ready_get_no_connection(
    api: ForwardingAPI, forward: PortForward, slices: list[object] | None
) -> None:
    api.have_gateway(1, ready=False)
    if slices is not None:
        api.objects[SLICES_PATH] = {"items": slices}
    assert problem(forward) == "no pod of Service istio-system/istio-ingressgateway is ready"
    assert api.forwarded == []


def test_a_refused_forward_names_the_rights_that_it_needs(
    api: ForwardingAPI, gateway: Server, forward: PortForward
) -> None:
    api.refuses = 403
    rights = "it needs the rights get and create on pods/portforward"
    assert problem(forward) == f"final: the cluster answers 403 to a port-forward; {rights}"
    api.refuses = 502
    assert problem(forward) == "the cluster answers 502 to a port-forward"
    api.refuses = None
    assert ask(forward).is_success
    assert forward.failure is None


def test_what_the_kubelet_says_is_kept(api: ForwardingAPI, forward: PortForward) -> None:
    api.have_gateway(1)
    api.listening.clear()
    assert problem(forward).startswith("error forwarding port: [Errno 111]")


def test_what_the_kubelet_says_is_read_where_the_client_cannot_send_any_more() -> None:
    """The kubelet's refusal and the end of the connection may come before the client's request is passed on."""
    client, ours = socket.socketpair()
    ended = threading.Event()
    with client, ours:
        client.sendall(b"GET / HTTP/1.1")
        _send(ours, cast(WebSocketSession, Gone()), ended)
        assert not ended.is_set()
        client.close()
        _send(ours, cast(WebSocketSession, Gone()), ended)
        assert ended.is_set()


class Gone:
    """A connection to the API server that is closed."""

    def send_bytes(self, data: bytes) -> None:
        raise OSError(data)


def test_a_cluster_out_of_reach_is_a_problem(forward: PortForward, api: ForwardingAPI) -> None:
    api.shutdown()
    api.server_close()
    assert problem(forward).startswith("ConnectError: ")
