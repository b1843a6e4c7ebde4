"""The HTTP client for charts and registries, with the proxies and certificate authorities of the environment."""

from __future__ import annotations

import netrc
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import httpx2 as httpx

from registries.errors import DownloadError, NotThereError
from registries.login import Login, refusal

# Each names a file or folder of certificate authorities to trust instead of the system's. httpx knows SSL_CERT_FILE and
# SSL_CERT_DIR itself.
CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@contextmanager
def http_client(*, seconds: float, auth: httpx.Auth | None = None) -> Iterator[httpx.Client]:
    """A client that follows redirects and waits `seconds` at most to connect, and for each part of an answer.

    It uses the proxies and certificate authorities of the environment, and without `auth` its ~/.netrc, as other
    programs do.

    Raises:
        DownloadError: a request in the `with` block fails, or the environment names no usable certificates.

    """
    with download_errors(), _client(seconds=seconds, auth=auth or _netrc()) as client:
        yield client


@contextmanager
def download_errors() -> Iterator[None]:
    """Raise DownloadError where a request in the `with` block fails."""
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as problem:
        raise DownloadError(str(problem) or type(problem).__name__) from problem


def require_success(response: httpx.Response, *, login: Login | None = None) -> httpx.Response:
    """Return the answer. Raises DownloadError with the status and the URL if it is not a success.

    `login` is what was sent, to say that it was refused.
    """
    if not response.is_success:
        # A query may hold a signature, which is as good as a password.
        url = response.url.copy_with(query=None)
        missing = response.status_code == httpx.codes.NOT_FOUND
        text = f"{response.status_code} {response.reason_phrase} for {url}"
        # Some servers answer 403 for what is not there, so without a login it does not mean that one is asked for.
        if response.status_code == httpx.codes.UNAUTHORIZED or (
            login and response.status_code == httpx.codes.FORBIDDEN
        ):
            text = f"{refusal(url.netloc.decode(), login)}: {text}"
        raise NotThereError(text) if missing else DownloadError(text)
    return response


def download(url: str, *, seconds: float, login: Login | None = None) -> bytes:
    """Download a file. The login is not sent on to another host that the server may redirect to.

    Raises:
        DownloadError: it cannot be downloaded, for example because the login is refused.

    """
    auth = httpx.BasicAuth(login.username, login.password) if login else None
    with http_client(seconds=seconds, auth=auth) as client:
        answer = client.get(url)
        return require_success(answer, login=None if answer.history else login).content


def netrc_login(host: str) -> Login | None:
    """The login of `host`, which may have a port, in ~/.netrc; None where it has none."""
    with suppress(OSError, netrc.NetrcParseError):
        # Not the login of `default`, which would be sent to every registry.
        found = netrc.netrc(os.environ.get("NETRC")).hosts.get(host.partition(":")[0])
        if found:
            return Login(host=host, username=found[0], password=found[2] or "")
    return None


def _client(*, seconds: float, auth: httpx.Auth | None) -> httpx.Client:
    make = partial(httpx.Client, timeout=seconds, follow_redirects=True, verify=_trusted(), auth=auth)
    try:
        return make()
    except (ImportError, ValueError):  # for a proxy of the environment of a kind that httpx does not know, as SOCKS
        return make(trust_env=False)


def _trusted() -> ssl.SSLContext:
    variable, path = next(((name, path) for name in CA_VARIABLES if (path := os.environ.get(name))), ("", ""))
    try:
        if not path:
            return httpx.create_ssl_context()
        if Path(path).is_dir():
            return ssl.create_default_context(capath=path)
        return ssl.create_default_context(cafile=path)
    except OSError as problem:
        names = variable or "SSL_CERT_FILE or SSL_CERT_DIR"
        raise DownloadError(f"{names} names no certificates: {problem.strerror or problem}") from problem


def _netrc() -> httpx.Auth | None:
    with suppress(OSError, RuntimeError, netrc.NetrcParseError):  # RuntimeError: there is no home
        return httpx.NetRCAuth(os.environ.get("NETRC") or str(Path.home() / ".netrc"))
    return None
