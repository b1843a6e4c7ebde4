"""Constant load on one model: clients send requests at a steady rate, and every answer is kept with its time."""

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

from benchmarks.commands import CommandError
from endpoints.endpoint import Check, Endpoint

# Servers that start again after a roll-back keep requests waiting.
TIMEOUT = 60.0
SHOWN = 5


class Predictions(BaseModel):
    """A model's answer by protocol v1."""

    predictions: list[JsonValue]


@dataclass(frozen=True, kw_only=True)
class Target:
    """A request for predictions, sent through the gateway; `headers` are more headers, such as Knative's."""

    gateway: str
    host: str
    path: str
    instances: list[JsonValue]
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, endpoint: Endpoint) -> Target:
        """The request of an endpoint's check.

        Raises:
            CommandError: the endpoint has no check with instances, or its gateway has no address.
        """
        if not isinstance(endpoint.check, Check):
            raise CommandError(f"{endpoint.name} has no check whose instances could be sent")
        if endpoint.gateway_address is None:
            raise CommandError(f"the gateway of {endpoint.name} has no address; set ingress.address")
        return cls(
            gateway=endpoint.gateway_address,
            host=endpoint.host,
            path=endpoint.predict_path,
            instances=endpoint.check.instances,
        )

    def client(self, *, timeout: float | None) -> httpx.Client:
        """A new client for it; the environment's proxies are not for the gateway."""
        headers = {**self.headers, "Host": self.host}
        return httpx.Client(base_url=self.gateway, headers=headers, timeout=timeout, trust_env=False)

    def send(self, client: httpx.Client) -> httpx.Response:
        """Send the request; raises httpx.HTTPError."""
        return client.post(self.path, json={"instances": self.instances})


@dataclass(frozen=True, kw_only=True)
class Shot:
    """One request.

    Attributes:
        at: when it was sent, in seconds since the load began.
        took: seconds until the answer came.
        status: the HTTP status; 0 without an answer.
        answer: the predictions; None when the request failed.
        problem: why it failed; empty when it did not.

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
        """The requests that were not answered with predictions."""
        return tuple(shot for shot in self.all if shot.answer is None)

    @property
    def summary(self) -> str:
        """How many requests failed, of how many, and the first failures."""
        first = "; ".join(f"{s.at:.2f} s (after {s.took:.2f} s): {s.problem}" for s in self.failures[:SHOWN])
        return f"{len(self.failures)} of {len(self)} failed" + (f": {first}" if first else "")

    def between(self, start: float, end: float) -> Shots:
        """The requests sent at `start` or later, and before `end`."""
        return Shots(all=tuple(shot for shot in self.all if start <= shot.at < end))

    def where(self, wanted: Callable[[list[JsonValue]], bool]) -> Shots:
        """The requests whose predictions satisfy `wanted`."""
        return Shots(all=tuple(shot for shot in self.all if shot.answer is not None and wanted(shot.answer)))

    def quantile(self, share: float) -> float:
        """Seconds within which this share of the requests was answered; raises ValueError without a request."""
        if not self.all:
            raise ValueError("there was no request")
        return sorted(shot.took for shot in self.all)[max(0, ceil(share * len(self)) - 1)]

    @property
    def statuses(self) -> Counter[int]:
        """How many requests had each status."""
        return Counter(shot.status for shot in self.all)


class Load:
    """A load that lasts as long as its `with` block.

    Each client sends its next request at its turn, but not before it has the last answer: together they send `rate`
    requests a second, or fewer where answers are slow. Every other client opens a new connection for each request.
    """

    def __init__(self, target: Target, *, clients: int = 8, rate: float = 40) -> None:
        self._target = target
        self._clients = clients
        self._period = clients / rate
        self._pool = ThreadPoolExecutor(max_workers=clients, thread_name_prefix="load")
        self._ended = threading.Event()
        self._shots: list[Shot] = []
        # On the monotonic clock, which all loads share.
        self.started = time.monotonic()

    def __enter__(self) -> Self:
        self.started = time.monotonic()
        self._running = [self._pool.submit(self._send_in_turn, number) for number in range(self._clients)]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._ended.set()
        self._pool.shutdown(wait=True)
        for client in self._running:
            client.result()

    @property
    def now(self) -> float:
        """Seconds since the load began."""
        return time.monotonic() - self.started

    @property
    def shots(self) -> Shots:
        """The requests that were answered or failed so far."""
        return Shots(all=tuple(sorted(self._shots, key=lambda shot: shot.at)))

    def _send_in_turn(self, number: int) -> None:
        turns = (number * self._period / self._clients + turn * self._period for turn in itertools.count())
        client = self._target.client(timeout=TIMEOUT)
        try:
            for turn in turns:
                if self._ended.wait(max(0.0, turn - self.now)):
                    return
                self._shots.append(self._send(client))
                if number % 2:
                    client.close()
                    client = self._target.client(timeout=TIMEOUT)
        finally:
            client.close()

    def _send(self, client: httpx.Client) -> Shot:
        at, status = self.now, 0
        try:
            answer = self._target.send(client)
            status, problem = answer.status_code, f"{answer.status_code}: {answer.text[:200]}"
            found = Predictions.model_validate_json(answer.content).predictions if answer.is_success else None
        except (httpx.HTTPError, ValidationError) as error:
            found, problem = None, f"{type(error).__name__}: {error}"
        return Shot(
            at=at, took=self.now - at, status=status, answer=found, problem="" if found is not None else problem
        )


def send_and_hold(target: Target, *, requests: int = 4) -> list[str]:
    """Send requests in the background, each on its own connection and without a time-out.

    Returns a list that gets the outcome of each request when it ends: its status and answer, or what failed.
    """
    outcomes: list[str] = []

    def send() -> None:
        try:
            with target.client(timeout=None) as client:
                answer = target.send(client)
            outcomes.append(f"{answer.status_code}: {answer.text[:200]}")
        except httpx.HTTPError as error:
            outcomes.append(f"{type(error).__name__}: {error}")

    for _ in range(requests):
        threading.Thread(target=send, daemon=True).start()
    return outcomes


def switched(shots: Shots, *, new: Callable[[list[JsonValue]], bool]) -> tuple[float, float]:
    """When the first new answer came and when the last request with an old answer was sent, since the load began.

    Raises:
        ValueError: only one of the versions answered.
    """
    first = min((shot.at + shot.took for shot in shots.where(new).all), default=None)
    last = max((shot.at for shot in shots.where(lambda answer: not new(answer)).all), default=None)
    if first is None or last is None:
        raise ValueError("not both versions answered")
    return first, last


def milliseconds(shots: Shots, shares: Iterable[float] = (0.5, 0.95)) -> list[int]:
    """The quantiles of the latency, rounded."""
    return [round(shots.quantile(share) * 1000) for share in shares]
