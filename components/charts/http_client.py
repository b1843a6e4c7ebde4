"""The HTTP client that charts are downloaded and registries are asked with; the environment says whom it trusts."""

from __future__ import annotations

import netrc
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import httpx2 as httpx

# Each names a file or folder of certificate authorities to trust instead of the system's. httpx knows SSL_CERT_FILE and
# SSL_CERT_DIR itself.
CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


class DownloadError(Exception):
    """A server did not give what it was asked for; the text says why."""


@contextmanager
def http_client(*, seconds: float) -> Iterator[httpx.Client]:
    """A client that follows redirects and waits `seconds` at most to connect, and for each part of an answer.

    It uses the proxies, certificate authorities and ~/.netrc of the environment, as other programs do.

    Raises:
        DownloadError: a request in the `with` block fails, or the environment names no usable certificates.

    """
    try:
        with _client(seconds=seconds) as client:
            yield client
    except (httpx.HTTPError, httpx.InvalidURL) as problem:
        raise DownloadError(str(problem)) from problem


def require_success(response: httpx.Response) -> httpx.Response:
    """Return the answer. Raises DownloadError with the status and the URL if it is not a success."""
    if not response.is_success:
        # A query may hold a signature, which is as good as a password.
        url = response.url.copy_with(query=None)
        raise DownloadError(f"{response.status_code} {response.reason_phrase} for {url}")
    return response


def _client(*, seconds: float) -> httpx.Client:
    make = partial(httpx.Client, timeout=seconds, follow_redirects=True, verify=_trusted(), auth=_netrc())
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
