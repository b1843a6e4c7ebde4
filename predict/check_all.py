"""Checks all endpoints at the same time."""

import threading
import time
from collections.abc import Iterator, Sequence
from queue import Empty, SimpleQueue

from endpoints.endpoint import Endpoint
from predict.check import EndpointCheck, Limits
from predict.outcome import Outcome, Waiting

GRACE_SECONDS = 15.0  # beyond the timeout, for the last attempt and for reading the InferenceService


def check_all(
    endpoints: Sequence[Endpoint], *, limits: Limits, grace: float = GRACE_SECONDS
) -> Iterator[Waiting | Outcome]:
    """Yield every change of state when it happens; one Outcome for each endpoint, within the timeout and `grace`."""
    events: SimpleQueue[Waiting | Outcome | BaseException] = SimpleQueue()

    def work(check: EndpointCheck) -> None:
        try:
            events.put(check.run())
        except BaseException as problem:  # an error in a thread belongs to whoever waits for its result
            events.put(problem)

    deadline = time.monotonic() + limits.timeout + grace
    running = {endpoint.name: EndpointCheck(endpoint, limits=limits, notify=events.put) for endpoint in endpoints}
    for check in running.values():
        # Daemon threads rather than an executor: an ending program need not wait for requests under way.
        threading.Thread(target=work, args=(check,), daemon=True).start()
    while running:
        try:
            event = events.get(timeout=max(0.0, deadline - time.monotonic()))
        except Empty:
            yield from (check.overdue() for check in running.values())
            return
        if isinstance(event, BaseException):
            raise event
        if isinstance(event, Outcome):
            del running[event.endpoint.name]
        yield event
