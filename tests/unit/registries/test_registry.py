"""The client of OCI registries, where a registry does not answer as most do."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from registries.errors import DownloadError
from registries.registry import Registry
from tests.unit.predict.server import Reply, Server, serving

TAGS = "GET /v2/kserve/onnxserver/tags/list"
TOKEN = "GET /token?service=here"


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


def reply(server: Server, request: str, *replies: Reply) -> None:
    server.on(server.address.removeprefix("http://"), request, *replies)


def has_image(server: Server) -> bool:
    with Registry.at(server.address.removeprefix("http://"), plain_http=True) as registry:
        return registry.has("kserve/onnxserver")


def challenge(server: Server) -> Reply:
    return Reply(status=401, headers={"WWW-Authenticate": f'Bearer realm="{server.address}/token",service="here"'})


@pytest.mark.parametrize("key", ["token", "access_token"])
def test_images_of_a_registry_that_requires_a_token(server: Server, key: str) -> None:
    reply(server, TAGS, challenge(server), Reply({"tags": ["v1"]}))
    reply(server, TOKEN, Reply({key: "anybody"}))
    assert has_image(server)
    assert server.requests[-1].headers["authorization"] == "Bearer anybody"


def test_image_that_is_not_there(server: Server) -> None:
    reply(server, "GET /v2/")
    assert not has_image(server)


@pytest.mark.parametrize("header", [{}, {"WWW-Authenticate": 'Basic realm="here"'}])
def test_registry_that_wants_another_login_than_a_token(server: Server, header: dict[str, str]) -> None:
    reply(server, TAGS, Reply(status=401, headers=header))
    with pytest.raises(DownloadError, match="401 Unauthorized for http://"):
        has_image(server)


@pytest.mark.parametrize(
    ("body", "problem"),
    [({}, "its token server answers without a token"), (b"<html>", "its token server answers without a token")],
)
def test_token_server_that_gives_none(server: Server, body: object, problem: str) -> None:
    reply(server, TAGS, challenge(server))
    reply(server, TOKEN, Reply(body))
    with pytest.raises(DownloadError, match=problem):
        has_image(server)


def test_manifest_that_is_a_web_page(server: Server) -> None:
    reply(server, "GET /v2/charts/istiod/manifests/1", Reply(b"<html>login</html>"))
    with (
        Registry.at(server.address.removeprefix("http://"), plain_http=True) as registry,
        pytest.raises(DownloadError, match=r"127\.0\.0\.1 does not answer as a registry does"),
    ):
        registry.chart_digest("charts/istiod", tag="1")


def test_login_of_netrc(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is used where the stack has none of the registry, and goes to the token server that the registry names."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    reply(server, TAGS, challenge(server), Reply({"tags": ["v1"]}))
    reply(server, TOKEN, Reply({"token": "mine"}))
    assert has_image(server)
    asked = next(request for request in server.requests if "token" in request.path)
    assert asked.headers["authorization"] == f"Basic {base64.b64encode(b'me:secret').decode()}"
