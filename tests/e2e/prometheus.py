"""Asks the Prometheus of a deployment, by way of the API server."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from tests.e2e.machine import Deployment, run

SERVICE = "/api/v1/namespaces/monitoring/services/prometheus-server:http/proxy/api/v1"
PATIENCE = 90


@dataclass(frozen=True)
class Series:
    """One series of an answer."""

    labels: dict[str, str]
    value: float


@dataclass(frozen=True)
class Prometheus:
    """Prometheus in the namespace `monitoring`."""

    deployment: Deployment

    def get(self, path: str, **parameters: str) -> Any:
        """What the API answers, below `data`."""
        url = f"{SERVICE}/{path}?{urlencode(parameters)}"
        done = run("kubectl", "get", "--raw", url, env=self.deployment.environment)
        assert done.status == 0, done.text
        answer = json.loads(done.stdout)
        assert answer["status"] == "success", answer
        return answer["data"]

    def ask(self, query: str) -> list[Series]:
        """What a query gives now: the series with a value that is a number."""
        found = self.get("query", query=query)["result"]
        series = [Series(one["metric"], float(one["value"][1])) for one in found]
        return [one for one in series if math.isfinite(one.value)]

    def wait(self, query: str, until: Callable[[list[Series]], bool] = bool, *, seconds: float = PATIENCE) -> None:
        """Ask until the answer is as expected; without an expectation, until there is one."""
        deadline = time.monotonic() + seconds
        while not until(found := self.ask(query)):
            assert time.monotonic() < deadline, f"after {seconds} s, {query} gives {found}"
            time.sleep(2)
