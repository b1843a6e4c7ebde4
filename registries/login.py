"""Logins of registries, and how they are sent: as a registry asks for them, and to nobody else."""

from __future__ import annotations

import base64
import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from urllib.request import parse_http_list, parse_keqv_list

import httpx2 as httpx

from registries.errors import DownloadError

# Names of Docker Hub, all of one login.
DOCKER_HUB = ("docker.io", "index.docker.io", "registry-1.docker.io")
REPOSITORY = re.compile(r"/v2/(?P<name>.+?)/(?:manifests|blobs|tags)/")


@dataclass(frozen=True, kw_only=True)
class Login:
    """A user name and password, or token, of the registry or web server at `host`, with its port where it has one."""

    host: str
    username: str
    password: str = field(repr=False)

    @property
    def basic(self) -> str:
        """Value of the header `Authorization` (RFC 7617)."""
        return f"Basic {self.encoded}"

    @property
    def encoded(self) -> str:
        """User name and password as Docker's configuration and HTTP have them."""
        return base64.b64encode(f"{self.username}:{self.password}".encode()).decode()


@dataclass(frozen=True, kw_only=True)
class Logins:
    """Logins by their hosts."""

    known: tuple[Login, ...] = ()

    def of(self, host: str) -> Login | None:
        """The login of a host, or of one of Docker Hub's names where it is one."""
        same = DOCKER_HUB if host in DOCKER_HUB else (host,)
        return next((login for login in self.known if login.host in same), None)


@dataclass(frozen=True, kw_only=True)
class RegistryAuth(httpx.Auth):
    """Answers a registry's challenge: with the login, or with a token that the login gets from the token server.

    Without a login it asks for an anonymous token. A token is kept for later requests to the same repository.
    Servers to which the registry sends its clients, for contents and uploads, get no answer: theirs are not its users.
    Source: the token authentication of the distribution project, and RFC 7235. A challenge that it cannot answer, or
    that asks for the login without encryption, raises DownloadError.

    Attributes:
        registry: its URL, as `https://host:port`.

    """

    registry: str
    login: Login | None
    _answers: dict[tuple[str, bool], str] = field(default_factory=dict, repr=False)

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send a request, and again with an answer to the challenge where it is refused."""
        if not self._is_of_registry(request.url):
            yield request
            return
        match = REPOSITORY.match(request.url.path)
        key = (match["name"] if match else "", request.method in {"GET", "HEAD"})
        if key in self._answers:
            request.headers["Authorization"] = self._answers[key]
        refused = yield request
        if refused.status_code != httpx.codes.UNAUTHORIZED or not self._is_of_registry(refused.url):
            return
        scheme, _, parameters = refused.headers.get("WWW-Authenticate", "").partition(" ")
        if scheme.lower() == "basic" and self.login:
            self._answers[key] = self.login.basic
        elif scheme.lower() == "bearer":
            response = yield self._token_request(request, parse_keqv_list(parse_http_list(parameters)))
            if not response.is_success:
                answered = f"{response.status_code} from {response.url.host}"
                raise DownloadError(f"{refusal(_host(request), self.login)} ({answered})")
            response.read()
            self._answers[key] = f"Bearer {_token(response)}"
        else:
            return
        request.headers["Authorization"] = self._answers[key]
        yield request

    def _is_of_registry(self, url: httpx.URL) -> bool:
        registry = httpx.URL(self.registry)
        return (url.scheme, url.netloc) == (registry.scheme, registry.netloc)

    def _token_request(self, request: httpx.Request, challenge: Mapping[str, str]) -> httpx.Request:
        if "realm" not in challenge:
            raise DownloadError(f"{_host(request)} names no token server")
        url = httpx.URL(challenge["realm"])
        query = {key: value for key, value in challenge.items() if key in {"service", "scope"}}
        if self.login and url.scheme != "https" and request.url.scheme == "https":
            raise DownloadError(f"{_host(request)} wants the login sent to {url.host} without encryption")
        headers = {"Authorization": self.login.basic} if self.login else {}
        return httpx.Request("GET", url, params=query, headers=headers)


def refusal(host: str, login: Login | None) -> str:
    """Describe a refused request, without the password."""
    return f"{host} refuses the login of {login.username!r}" if login else f"{host} asks for a login"


def _host(request: httpx.Request) -> str:
    return request.url.netloc.decode()


def _token(response: httpx.Response) -> str:
    try:
        answer = response.json()
        token = answer.get("token") or answer.get("access_token")  # the latter of registries that follow OAuth 2
    except (ValueError, AttributeError):
        token = None
    if not token:
        raise DownloadError(f"{response.url.host}: its token server answers without a token")
    return str(token)
