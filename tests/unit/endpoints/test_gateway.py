"""How the gateway is reached where the tests of the check do not look: proxies, and JSON of any text."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from endpoints.failures import CheckFailed, ConnectionRefused, Disconnected
from endpoints.gateway import GatewayClient
from tests.unit.predict.server import Reply, Server, serving

HOST = "iris.default.example.com"


@pytest.fixture
def gateway() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def nothing() -> Iterator[str]:
    """An address where nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{free.getsockname()[1]}"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


def client(address: str) -> GatewayClient:
    return GatewayClient(address=address, host=HOST, deadline=time.monotonic() + 5)


def test_lone_surrogates_are_sent_as_their_escapes(gateway: Server) -> None:
    gateway.on(HOST, "POST /", Reply({}))
    client(gateway.address).send("POST", "/", body=["\ud800", "Ω"], seconds=5)
    (request,) = gateway.requests
    assert request.body == ["\ud800", "Ω"]
    assert request.headers["content-type"] == "application/json"


def test_a_proxy_of_the_environment_is_used(gateway: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", gateway.address)
    gateway.on(HOST, "GET http://gateway.invalid/x", Reply({"by": "proxy"}))
    answer = client("http://gateway.invalid").send("GET", "/x", seconds=5)
    assert answer.json() == {"by": "proxy"}


@pytest.mark.parametrize("excepted", ["127.0.0.1", "10.0.0.0/8,127.0.0.0/8", "*"])
def test_no_proxy_goes_past_it(gateway: Server, nothing: str, excepted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", nothing)
    monkeypatch.setenv("no_proxy", excepted)
    gateway.on(HOST, "GET /x", Reply({}))
    assert client(gateway.address).send("GET", "/x", seconds=5).json() == {}


def test_a_proxy_that_is_down_is_not_the_gateway(nothing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CheckFailed) as refused:
        client(nothing).send("GET", "/", seconds=5)
    assert isinstance(refused.value.failure, ConnectionRefused)
    monkeypatch.setenv("http_proxy", nothing)
    with pytest.raises(CheckFailed) as behind_proxy:
        client("http://gateway.invalid:80").send("GET", "/", seconds=5)
    assert isinstance(behind_proxy.value.failure, Disconnected)


def test_a_socks_proxy_matters_only_where_it_is_used(gateway: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", "socks5://127.0.0.1:1")
    gateway.on(HOST, "GET /x", Reply({}))
    with pytest.raises(CheckFailed) as refused:
        client("http://gateway.invalid:80").send("GET", "/x", seconds=5)
    assert isinstance(refused.value.failure, Disconnected)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert client(gateway.address).send("GET", "/x", seconds=5).json() == {}
