"""Ask an API server that is busy for a moment once more."""

from __future__ import annotations

import time

import httpx2 as httpx
import tenacity

BUSY = {httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE}
ATTEMPTS = 5
# In seconds. An API server that asks for a longer pause is not waited for.
LONGEST_PAUSE = 10.0
FIRST_PAUSE = 0.5
# Are posted, and only answered.
REVIEWS = "/selfsubjectaccessreviews"


class RetryTransport(httpx.BaseTransport):
    """Reads, or asks, again after the status 429 or 503, as often as ATTEMPTS says, and then gives the last answer.

    It pauses as long as the answer's `Retry-After` asks, else twice as long each time. What changes something is sent
    once.
    """

    def __init__(self, transport: httpx.BaseTransport) -> None:
        self._transport = transport

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send it."""
        if not _changes_nothing(request):
            return self._transport.handle_request(request)
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_result(_is_busy),
            wait=_pause,
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            sleep=_sleep,
            before_sleep=_discard,
            retry_error_callback=_answer,
        )
        return retrying(self._transport.handle_request, request)

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()


def _changes_nothing(request: httpx.Request) -> bool:
    """Whether it reads, asks for a right of the login, or is a dry run."""
    asks = request.url.path.endswith(REVIEWS) or request.url.params.get("dryRun") == "All"
    return request.method == "GET" or (request.method == "POST" and asks)


def _is_busy(answer: httpx.Response) -> bool:
    return answer.status_code in BUSY and _asked_pause(answer) <= LONGEST_PAUSE


def _asked_pause(answer: httpx.Response) -> float:
    """Seconds that the answer asks to wait; 0 where it does not say, or says a date."""
    text = answer.headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else 0.0


def _answer(state: tenacity.RetryCallState) -> httpx.Response:
    if state.outcome is None:
        raise AssertionError("tenacity asks after an attempt only")
    answer: httpx.Response = state.outcome.result()
    return answer


def _pause(state: tenacity.RetryCallState) -> float:
    return _asked_pause(_answer(state)) or min(FIRST_PAUSE * 2 ** (state.attempt_number - 1), LONGEST_PAUSE)


def _discard(state: tenacity.RetryCallState) -> None:
    """Read the busy answer to its end, so that its connection can be used again."""
    answer = _answer(state)
    answer.read()
    answer.close()


def _sleep(seconds: float) -> None:
    # By the module's name, so that tests can take the pauses out.
    time.sleep(seconds)
