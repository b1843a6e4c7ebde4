"""HTTP through the ingress gateway: connects to its address, selects the model by the Host header."""

import time

import requests
from pydantic import JsonValue
from urllib3.exceptions import HTTPError, MaxRetryError, NameResolutionError, NewConnectionError

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
    """A connection to `address` (scheme://name:port) for one `host`; `deadline` (monotonic) cuts the requests short.

    `asked` is the path of the latest request.
    """

    def __init__(self, *, address: str, host: str, deadline: float) -> None:
        self.asked = "/"
        self.address = address
        self.host = host
        self._deadline = deadline
        self._session = requests.Session()

    def allowed(self, seconds: float) -> float:
        """Give how long a request may take that wants `seconds`."""
        return max(LEAST_SECONDS, min(seconds, self._deadline - time.monotonic()))

    def send(self, method: str, path: str, *, body: JsonValue = None, seconds: float) -> requests.Response:
        """Give the 2xx answer, or raise CheckFailed; every wait for a part of it lasts at most `seconds`."""
        self.asked = path
        seconds = self.allowed(seconds)
        try:
            response = self._session.request(
                method,
                self.address + path,
                json=body,  # also sets Content-Type: application/json, without which KServe answers 500
                headers={"Host": self.host},
                timeout=(min(seconds, CONNECT_SECONDS), seconds),
                allow_redirects=False,
            )
        except (requests.RequestException, HTTPError, OverflowError, ValueError) as problem:
            # Not all of urllib3's errors come out as requests' own, nor do those of encoding a host or a header.
            raise CheckFailed(_transport_failure(problem, path=path, seconds=seconds)) from problem
        if response.status_code // 100 == 2:
            return response
        # The gateway writes its `server` header on every answer; only its own 404 has no body.
        if response.status_code == 404 and not response.content and "envoy" in response.headers.get("server", ""):
            raise CheckFailed(NoRoute(path=path))
        raise CheckFailed(_http_error(response, path=path))


def json_of(response: requests.Response, *, path: str) -> JsonValue:
    """Parse the body, or raise CheckFailed(NotJson)."""
    try:
        content: JsonValue = response.json()
    except (ValueError, RecursionError) as problem:  # also a number of too many digits, lists nested too deep
        kind = response.headers.get("content-type", "-")
        failure = NotJson(path=path, content_type=one_line(kind), said=one_line(response.text))
        raise CheckFailed(failure) from problem
    return content


def _transport_failure(problem: Exception, *, path: str, seconds: float) -> Failure:
    reason = problem.args[0] if problem.args else problem
    reason = reason.reason if isinstance(reason, MaxRetryError) else reason
    if isinstance(problem, requests.ConnectTimeout):
        return ConnectTimeout()
    if isinstance(problem, requests.ReadTimeout):
        return ReadTimeout(path=path, seconds=seconds)
    if isinstance(reason, NameResolutionError):
        return UnknownName()
    if isinstance(reason, NewConnectionError):
        return ConnectionRefused() if isinstance(reason.__cause__, ConnectionRefusedError) else ConnectTimeout()
    return Disconnected(problem=one_line(str(reason)))


def _http_error(response: requests.Response, *, path: str) -> HttpError:
    try:
        content = response.json()
    except (ValueError, RecursionError):
        content = None
    words = (
        next((content[key] for key in ("error", "detail") if content.get(key)), None)
        if isinstance(content, dict)
        else None
    )
    said = str(words or response.text or response.headers.get("location") or response.reason)
    return HttpError(
        path=path, status=response.status_code, said=one_line(said), by_model_server=isinstance(content, dict)
    )
