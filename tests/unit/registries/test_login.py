"""What is sent to whom when a registry asks for a login."""

from __future__ import annotations

from collections.abc import Callable

import httpx2 as httpx
import pytest

from registries.errors import DownloadError
from registries.login import Login, Logins, RegistryAuth

HOST = "images.example"
REGISTRY = f"https://{HOST}"
LOGIN = Login(host=HOST, username="reader", password="private-password")
TOKEN_SERVER = 'Bearer realm="{realm}",service="s",scope="repository:a/b:pull"'


def asked(challenge: str, answer: Callable[[httpx.Request], httpx.Response], *, times: int = 1) -> list[httpx.Request]:
    """The requests to a registry that sends this challenge, and to its token server, which answers with `answer`."""
    seen: list[httpx.Request] = []

    def serve(request: httpx.Request) -> httpx.Response:
        seen.append(httpx.Request(request.method, request.url, headers=request.headers))
        if request.url.host != HOST:
            return answer(request)
        allowed = "Authorization" in request.headers
        return httpx.Response(200 if allowed else 401, headers={} if allowed else {"WWW-Authenticate": challenge})

    auth = RegistryAuth(registry=REGISTRY, login=LOGIN)
    with httpx.Client(transport=httpx.MockTransport(serve), auth=auth) as client:
        for _ in range(times):
            client.get(f"{REGISTRY}/v2/a/b/manifests/1")
    return seen


def token(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json={"token": "abc"})


def test_one_token_is_used_for_all_requests_to_a_repository() -> None:
    seen = asked(TOKEN_SERVER.format(realm="https://tokens.example/get"), token, times=3)
    assert [request.url.host for request in seen].count("tokens.example") == 1
    assert seen[1].url.params["scope"] == "repository:a/b:pull"
    assert seen[1].headers["Authorization"] == LOGIN.basic
    assert [request.headers.get("Authorization") for request in seen if request.url.host != "tokens.example"] == [
        None,
        *["Bearer abc"] * 3,
    ]


def test_the_login_is_not_sent_without_encryption_where_the_registry_is_encrypted() -> None:
    with pytest.raises(DownloadError, match=r"wants the login sent to tokens\.example without encryption"):
        asked(TOKEN_SERVER.format(realm="http://tokens.example/get"), token)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (httpx.Response(401), r"images\.example refuses the login of 'reader' \(401 from tokens\.example\)"),
        (httpx.Response(200, text="<html>"), r"tokens\.example: its token server answers without a token"),
        (httpx.Response(200, json=["token"]), r"tokens\.example: its token server answers without a token"),
    ],
)
def test_a_token_server_that_gives_no_token(answer: httpx.Response, problem: str) -> None:
    with pytest.raises(DownloadError, match=problem):
        asked(TOKEN_SERVER.format(realm="https://tokens.example/get"), lambda _: answer)


def test_a_challenge_without_a_token_server() -> None:
    with pytest.raises(DownloadError, match="names no token server"):
        asked('Bearer service="s"', token)


def test_a_password_is_not_shown() -> None:
    assert "private-password" not in repr(Logins(known=(LOGIN,)))


def test_all_names_of_docker_hub_have_one_login() -> None:
    hub = Login(host="docker.io", username="me", password="p")
    assert Logins(known=(LOGIN, hub)).of("registry-1.docker.io") == hub
    assert Logins(known=(LOGIN,)).of("docker.io") is None
