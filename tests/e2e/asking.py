"""Asks a model through the gateway, as any client can."""

from __future__ import annotations

import requests

from tests.e2e.machine import GATEWAY

INSTANCES = [[6.5, 3.0, 5.5, 2.0], [5.9, 2.8, 4.3, 1.3]]


def predict(model: str, *, namespace: str = "default", timeout: float = 60) -> object:
    """What a model predicts of the two flowers, by protocol v1."""
    answer = requests.post(
        f"{GATEWAY}/v1/models/{model}:predict",
        json={"instances": INSTANCES},
        headers={"Host": f"{model}.{namespace}.example.com"},
        timeout=timeout,
    )
    assert answer.status_code == 200, answer.text
    return answer.json()["predictions"]
