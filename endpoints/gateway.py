"""HTTP through the ingress gateway: connects to its address, selects the model by the Host header."""

import json
import socket
import ssl
import time
from functools import cache, cached_property
from typing import Any
from urllib.parse import urlsplit
from urllib.request import proxy_bypass

import httpx2 as httpx
from pydantic import JsonValue

from endpoints.failures import (
    CheckFailed,
    ConnectionRefused,
    ConnectTimeout,
    Disconnected,
    Failure,
    HttpError,
    NoRoute,
    NotJson,
    ReadTimeout,
    UnknownName,
    one_line,
)

CONNECT_SECONDS = 5.0
LEAST_SECONDS = 2.0  # what a request gets however near the deadline, or its answer would count for nothing


class GatewayClient:
    """A client of the gateway at `address` (scheme://name:port) for one `host`, until `deadline` (monotonic seconds).

    `asked` is the path of the latest request. With `forwarded`, the address is the end of a port-forward on this
    machine, which no proxy of the environment is for.
    """

    def __init__(self, *, address: str, host: str, deadline: float, forwarded: bool = False) -> None:
        self.asked = "/"
        self.address = address
        self.host = host
        self.forwarded = forwarded
        self._deadline = deadline

    @cached_property
    def _client(self) -> httpx.Client:
        try:
            return httpx.Client(verify=_trusted(), trust_env=not self.forwarded)
        except ImportError:  # for a SOCKS proxy of the environment, which does not matter if it is not for this host
            if not proxy_bypass(urlsplit(self.address).hostname or ""):
                raise
            return httpx.Client(verify=_trusted(), trust_env=False)

    def allowed(self, seconds: float) -> float:
        """Seconds that a request may take, at most `seconds`."""
        return max(LEAST_SECONDS, min(seconds, self._deadline - time.monotonic()))

    def send(self, method: str, path: str, *, body: JsonValue = None, seconds: float) -> httpx.Response:
        """Send a request, with `body` as JSON, and return the 2xx answer. Each wait for a part lasts `seconds` at most.

        Raises:
            CheckFailed: the gateway cannot be reached, or answers with another status.

        """
        self.asked = path
        seconds = self.allowed(seconds)
        connecting: dict[str, Any] = {}

        def trace(event: str, info: dict[str, Any]) -> None:
            if event == "connection.connect_tcp.started":
                connecting.update(info)

        # KServe answers 500 without the Content-Type. `json=` would refuse the lone surrogates that JSON may hold.
        typed = {} if body is None else {"Content-Type": "application/json"}
        try:
            response = self._client.request(
                method,
                httpx.URL(self.address + path, port=urlsplit(self.address).port),  # which raises ValueError above 65535
                content=None if body is None else json.dumps(body, allow_nan=False),
                headers={"Host": self.host, **typed},
                timeout=httpx.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS)),
                extensions={"trace": trace},
            )
        except httpx.ConnectError as problem:
            through_proxy = connecting.get("host") not in {None, httpx.URL(self.address).host}
            raise CheckFailed(_disconnected(problem) if through_proxy else _unconnected(problem)) from problem
        except httpx.ConnectTimeout as problem:
            raise CheckFailed(ConnectTimeout()) from problem
        except httpx.ReadTimeout as problem:
            raise CheckFailed(ReadTimeout(path=path, seconds=seconds)) from problem
        except (httpx.HTTPError, httpx.InvalidURL, ImportError, OverflowError, ValueError) as problem:
            # The last two come from proxies and hosts that cannot be parsed, and from addresses that no socket takes.
            raise CheckFailed(_disconnected(problem)) from problem
        if response.is_success:
            return response
        # The gateway writes its `server` header on every answer; only its own 404 has no body.
        if response.status_code == 404 and not response.content and "envoy" in response.headers.get("server", ""):
            raise CheckFailed(NoRoute(path=path))
        raise CheckFailed(_http_error(response, path=path))


@cache
def _trusted() -> ssl.SSLContext:
    """Load the certificate authorities once: it takes longer than a request."""
    return httpx.create_ssl_context()


def json_of(response: httpx.Response, *, path: str) -> JsonValue:
    """Parse the body.

    Raises:
        CheckFailed: it is not JSON (NotJson).

    """
    try:
        content: JsonValue = response.json()
    except (ValueError, RecursionError) as problem:  # also a number of too many digits, lists nested too deep
        kind = response.headers.get("content-type", "-")
        failure = NotJson(path=path, content_type=one_line(kind), detail=one_line(response.text))
        raise CheckFailed(failure) from problem
    return content


def _unconnected(problem: httpx.ConnectError) -> Failure:
    """Why there is no connection, by the operating system's error."""
    error: BaseException | None = problem
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    if isinstance(error, socket.gaierror):
        return UnknownName()
    if isinstance(error, ConnectionRefusedError):
        return ConnectionRefused()
    return _disconnected(problem) if error is None or isinstance(error, ssl.SSLError) else ConnectTimeout()


def _disconnected(problem: Exception) -> Disconnected:
    return Disconnected(problem=one_line(str(problem) or type(problem).__name__))


def _http_error(response: httpx.Response, *, path: str) -> HttpError:
    try:
        content = response.json()
    except (ValueError, RecursionError):
        content = None
    by_model_server = isinstance(content, dict)
    error = (content.get("error") or content.get("detail")) if by_model_server else None
    detail = one_line(str(error or response.text or response.headers.get("location") or response.reason_phrase))
    return HttpError(path=path, status=response.status_code, detail=detail, by_model_server=by_model_server)
