"""Checks all endpoints at once."""

import threading
from collections.abc import Iterator, Sequence
from queue import SimpleQueue

from predict.check import EndpointCheck, Limits
from predict.endpoints import Endpoint
from predict.outcome import Outcome, Waiting


def check_all(endpoints: Sequence[Endpoint], *, limits: Limits) -> Iterator[Waiting | Outcome]:
    """Yield every change of state as it comes; exactly one Outcome an endpoint."""
    events: SimpleQueue[Waiting | Outcome | BaseException] = SimpleQueue()

    def work(endpoint: Endpoint) -> None:
        try:
            events.put(EndpointCheck(endpoint, limits=limits, notify=events.put).run())
        except BaseException as problem:  # an error in a thread belongs to whoever waits for its result
            events.put(problem)

    for endpoint in endpoints:
        # Daemon threads rather than an executor: an interrupted program need not wait for requests under way.
        threading.Thread(target=work, args=(endpoint,), daemon=True).start()
    unfinished = len(endpoints)
    while unfinished:
        event = events.get()
        if isinstance(event, BaseException):
            raise event
        unfinished -= isinstance(event, Outcome)
        yield event
