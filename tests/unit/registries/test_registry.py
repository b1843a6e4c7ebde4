"""The client of OCI registries, where a registry does not answer as most do."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from registries.errors import DownloadError
from registries.login import Login
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


def test_copied_manifest_that_is_a_web_page(server: Server) -> None:
    reply(server, "GET /v2/kserve/router/manifests/1", Reply(b"<html>login</html>"))
    with (
        Registry.at(server.address.removeprefix("http://"), plain_http=True) as registry,
        pytest.raises(DownloadError, match=r"127\.0\.0\.1 does not answer as a registry does"),
    ):
        registry.manifest("kserve/router", "1")


def test_upload_that_is_answered_by_a_web_page(server: Server) -> None:
    reply(server, "POST /v2/kserve/router/blobs/uploads/", Reply(b"<html>login</html>"))
    with (
        Registry.at(server.address.removeprefix("http://"), plain_http=True) as registry,
        pytest.raises(DownloadError, match=r"127\.0\.0\.1 does not answer as a registry does"),
    ):
        registry.push_blob("kserve/router", b"1", digest="sha256:a", size=1)


def test_login_of_netrc(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is used where the stack has none of the registry, and goes to the token server that the registry names."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    reply(server, TAGS, challenge(server), Reply({"tags": ["v1"]}))
    reply(server, TOKEN, Reply({"token": "mine"}))
    assert has_image(server)
    asked = next(request for request in server.requests if "token" in request.path)
    assert asked.headers["authorization"] == f"Basic {base64.b64encode(b'me:secret').decode()}"


def test_login_of_netrc_for_every_host_is_not_sent(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("default login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    reply(server, TAGS, challenge(server), Reply({"tags": ["v1"]}))
    reply(server, TOKEN, Reply({"token": "anybody"}))
    assert has_image(server)
    assert [request.headers.get("authorization") for request in server.requests] == [None, None, "Bearer anybody"]


@pytest.fixture
def other(server: Server) -> Iterator[Server]:
    """A server to which the registry, which wants a login, sends its clients."""
    reply(server, TAGS, Reply(status=401, headers={"WWW-Authenticate": 'Basic realm="here"'}), Reply({"tags": []}))
    with serving() as other:
        yield other


def logged_in(server: Server) -> AbstractContextManager[Registry]:
    host = server.address.removeprefix("http://")
    return Registry.at(host, plain_http=True, login=Login(host=host, username="me", password="secret"))


def test_the_server_that_takes_uploads_for_a_registry_gets_no_login(server: Server, other: Server) -> None:
    uploads = "/v2/kserve/onnxserver/blobs/uploads/"
    reply(server, f"POST {uploads}", Reply(status=202, headers={"Location": f"{other.address}{uploads}1"}))
    reply(other, f"PUT {uploads}1?digest=sha256%3Aa", Reply(status=201))
    with logged_in(server) as registry:
        assert registry.has("kserve/onnxserver")
        registry.push_blob("kserve/onnxserver", b"1", digest="sha256:a", size=1)
    assert [request.headers.get("authorization") for request in other.requests] == [None]


def test_the_server_that_has_contents_for_a_registry_cannot_ask_for_its_login(server: Server, other: Server) -> None:
    """Where the other server refuses a request, the login is not for the token server that this one names."""
    blob = "/v2/kserve/onnxserver/blobs/sha256:a"
    reply(server, f"GET {blob}", Reply(status=307, headers={"Location": f"{other.address}/content"}))
    challenge = {"WWW-Authenticate": f'Bearer realm="{other.address}/token",service="here"'}
    reply(other, "GET /content", Reply(status=401, headers=challenge))
    with logged_in(server) as registry, pytest.raises(DownloadError, match="asks for a login: 401"):
        registry.blob("kserve/onnxserver", digest="sha256:a")
    assert [(request.path, request.headers.get("authorization")) for request in other.requests] == [("/content", None)]
