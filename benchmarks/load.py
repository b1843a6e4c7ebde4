"""Constant load on one model: some clients ask at a steady rate, and every answer is kept with its time."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from math import ceil
from types import TracebackType
from typing import Self

import httpx2 as httpx
from pydantic import BaseModel, JsonValue, ValidationError

# Servers that start again after a roll-back keep requests waiting.
TIMEOUT = 60.0
SHOWN = 5


class Predictions(BaseModel):
    """What a model answers by protocol v1."""

    predictions: list[JsonValue]


@dataclass(frozen=True, kw_only=True)
class Target:
    """What is asked: by way of the gateway, with more headers for Knative if need be."""

    gateway: str
    host: str
    path: str
    instances: list[JsonValue]
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Shot:
    """One request.

    Attributes:
        at: seconds since the load began.
        took: seconds until the answer was there.
        status: of HTTP; 0 where none came.
        answer: the predictions; None where it failed.
        problem: why it failed; empty where it did not.

    """

    at: float
    took: float
    status: int
    answer: list[JsonValue] | None
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class Shots:
    """Requests in the order they were sent."""

    all: tuple[Shot, ...]

    def __len__(self) -> int:
        return len(self.all)

    @property
    def failures(self) -> tuple[Shot, ...]:
        """Those without an answer of the model's."""
        return tuple(shot for shot in self.all if shot.answer is None)

    @property
    def told(self) -> str:
        """How many there were and failed, and the first that did."""
        first = "; ".join(f"{s.at:.2f} s (after {s.took:.2f} s): {s.problem}" for s in self.failures[:SHOWN])
        return f"{len(self.failures)} of {len(self)} failed" + (f": {first}" if first else "")

    def between(self, start: float, end: float) -> Shots:
        """Those sent from `start` on, and before `end`."""
        return Shots(all=tuple(shot for shot in self.all if start <= shot.at < end))

    def where(self, wanted: Callable[[list[JsonValue]], bool]) -> Shots:
        """Those with such an answer."""
        return Shots(all=tuple(shot for shot in self.all if shot.answer is not None and wanted(shot.answer)))

    def quantile(self, share: float) -> float:
        """The seconds within which this share of the requests was answered. Raises ValueError without a request."""
        if not self.all:
            raise ValueError("there was no request")
        return sorted(shot.took for shot in self.all)[max(0, ceil(share * len(self)) - 1)]

    @property
    def statuses(self) -> Counter[int]:
        """How many requests had each status."""
        return Counter(shot.status for shot in self.all)


class Load:
    """A load that lasts as long as its `with` block.

    Each client asks again when it has its answer, and not before its turn: together they ask `rate` times a second, or
    less often where answers are slow. Of two clients, one keeps its connection and the other opens one a request.
    """

    def __init__(self, target: Target, *, clients: int = 8, rate: float = 40) -> None:
        self._target = target
        self._clients = clients
        self._period = clients / rate
        self._pool = ThreadPoolExecutor(max_workers=clients, thread_name_prefix="load")
        self._ended = threading.Event()
        self._shots: list[Shot] = []
        self._start = time.monotonic()

    def __enter__(self) -> Self:
        self._start = time.monotonic()
        self._running = [self._pool.submit(self._ask_on, number) for number in range(self._clients)]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._ended.set()
        self._pool.shutdown(wait=True)
        for client in self._running:
            client.result()

    @property
    def started(self) -> float:
        """When it began, on the monotonic clock that all loads share."""
        return self._start

    @property
    def now(self) -> float:
        """Seconds since the load began."""
        return time.monotonic() - self._start

    @property
    def shots(self) -> Shots:
        """What has been answered so far."""
        return Shots(all=tuple(sorted(self._shots, key=lambda shot: shot.at)))

    def wait(self, seconds: float) -> None:
        """Let it go on."""
        time.sleep(seconds)

    def _ask_on(self, number: int) -> None:
        kept = number % 2 == 0
        turns = (number * self._period / self._clients + turn * self._period for turn in itertools.count())
        client = self._client()
        try:
            for turn in turns:
                if self._ended.wait(max(0.0, turn - self.now)):
                    return
                self._shots.append(self._ask(client))
                if not kept:
                    client.close()
                    client = self._client()
        finally:
            client.close()

    def _client(self) -> httpx.Client:
        # The environment's proxies are not for the gateway.
        return httpx.Client(timeout=TIMEOUT, trust_env=False)

    def _ask(self, client: httpx.Client) -> Shot:
        target = self._target
        at, status = self.now, 0
        try:
            answer = client.post(
                f"{target.gateway}{target.path}",
                json={"instances": target.instances},
                headers={**target.headers, "Host": target.host},
            )
            status, problem = answer.status_code, f"{answer.status_code}: {answer.text[:200]}"
            found = Predictions.model_validate_json(answer.content).predictions if answer.is_success else None
        except (httpx.HTTPError, ValidationError) as error:
            found, problem = None, f"{type(error).__name__}: {error}"
        return Shot(
            at=at, took=self.now - at, status=status, answer=found, problem="" if found is not None else problem
        )


class InFlight:
    """Requests that are sent when its `with` block begins, each on a connection of its own, and kept waiting for."""

    def __init__(self, target: Target, *, requests: int = 4) -> None:
        self._target = target
        self._requests = requests
        self._over: list[str] = []

    def __enter__(self) -> Self:
        for _ in range(self._requests):
            # They may be answered long after the end of the block.
            threading.Thread(target=self._ask, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Leave them alone."""

    @property
    def over(self) -> list[str]:
        """How those ended that have: with a status, or a failure."""
        return [*self._over]

    def _ask(self) -> None:
        target = self._target
        try:
            with httpx.Client(timeout=None, trust_env=False) as client:
                answer = client.post(
                    f"{target.gateway}{target.path}",
                    json={"instances": target.instances},
                    headers={**target.headers, "Host": target.host},
                )
            self._over.append(f"{answer.status_code}: {answer.text[:200]}")
        except httpx.HTTPError as error:
            self._over.append(f"{type(error).__name__}: {error}")


def switched(shots: Shots, *, new: Callable[[list[JsonValue]], bool]) -> tuple[float, float]:
    """When the first new answer came and when the last old one was asked for, in seconds since the load began.

    Raises ValueError where there is none of either.
    """
    first = min((shot.at + shot.took for shot in shots.where(new).all), default=None)
    last = max((shot.at for shot in shots.where(lambda answer: not new(answer)).all), default=None)
    if first is None or last is None:
        raise ValueError("not both versions answered")
    return first, last


def milliseconds(shots: Shots, shares: Iterable[float] = (0.5, 0.95)) -> list[int]:
    """The quantiles, for a report."""
    return [round(shots.quantile(share) * 1000) for share in shares]
