"""HTTP through the ingress gateway: connects to its address, selects the model by the Host header."""

import time

import requests
from pydantic import JsonValue
from urllib3.exceptions import MaxRetryError, NameResolutionError, NewConnectionError

from predict.failures import (
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


class Gateway:
    """A connection to `address` (scheme://name:port) for one `host`; no request lasts beyond `deadline` (monotonic)."""

    def __init__(self, *, address: str, host: str, deadline: float) -> None:
        self._address = address
        self._host = host
        self._deadline = deadline
        self._session = requests.Session()

    def send(self, method: str, path: str, *, body: JsonValue = None, seconds: float) -> requests.Response:
        """Give the 2xx answer, waiting at most `seconds` for it; every other ending raises CheckFailed."""
        seconds = max(0.5, min(seconds, self._deadline - time.monotonic()))
        try:
            response = self._session.request(
                method,
                self._address + path,
                json=body,  # also sets Content-Type: application/json, without which KServe answers 500
                headers={"Host": self._host},
                timeout=(min(seconds, CONNECT_SECONDS), seconds),
                allow_redirects=False,
            )
        except requests.RequestException as problem:
            raise CheckFailed(_transport_failure(problem, path=path, seconds=seconds)) from problem
        if response.ok and not response.is_redirect:
            return response
        # The gateway writes its `server` header on every answer; only its own 404 has no body.
        if response.status_code == 404 and not response.content and "envoy" in response.headers.get("server", ""):
            raise CheckFailed(NoRoute(path=path))
        raise CheckFailed(_http_error(response, path=path))


def json_of(response: requests.Response, *, path: str) -> JsonValue:
    """Parse the body, or raise CheckFailed(NotJson)."""
    try:
        content: JsonValue = response.json()
    except requests.JSONDecodeError as problem:
        kind = response.headers.get("content-type", "-")
        failure = NotJson(path=path, content_type=one_line(kind), said=one_line(response.text))
        raise CheckFailed(failure) from problem
    return content


def _transport_failure(problem: requests.RequestException, *, path: str, seconds: float) -> Failure:
    reason = problem.args[0] if problem.args else problem
    reason = reason.reason if isinstance(reason, MaxRetryError) else reason
    if isinstance(problem, requests.ConnectTimeout):
        return ConnectTimeout()
    if isinstance(problem, requests.ReadTimeout):
        return ReadTimeout(path=path, seconds=seconds)
    if isinstance(reason, NameResolutionError):
        return UnknownName()
    if isinstance(reason, NewConnectionError) and isinstance(reason.__cause__, ConnectionRefusedError):
        return ConnectionRefused()
    return Disconnected(problem=one_line(str(reason)))


def _http_error(response: requests.Response, *, path: str) -> HttpError:
    try:
        content = response.json()
    except requests.JSONDecodeError:
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
