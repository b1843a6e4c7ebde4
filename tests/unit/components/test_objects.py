from __future__ import annotations

import asyncio

import pulumi
import pytest

from components.objects import WEBHOOK_ATTEMPTS, pause_before_retry

REFUSED = (
    'Internal error occurred: failed calling webhook "inferenceservice.kserve-webhook-server.defaulter": '
    'failed to call webhook: Post "https://kserve-webhook-server-service.kserve.svc:443/": connect: connection refused'
)
NO_ENDPOINTS = 'failed calling webhook "w": no endpoints available for service "kserve-webhook-server-service"'
CONVERSION = "conversion webhook for operator.knative.dev/v1alpha1, Kind=KnativeServing failed: x509: unknown authority"


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Record the pauses instead of waiting."""
    recorded: list[float] = []

    async def sleep(seconds: float) -> None:
        recorded.append(seconds)

    monkeypatch.setattr("components.objects.asyncio.sleep", sleep)
    return recorded


def retries(*errors: str) -> bool:
    """Return whether the engine is to try again after these errors, newest first."""
    failure = pulumi.ErrorHookArgs(urn="u", id="", name="n", type="t", failed_operation="create", errors=list(errors))
    loop = asyncio.new_event_loop()  # asyncio.run would leave the thread without one
    try:
        return loop.run_until_complete(pause_before_retry(failure))
    finally:
        loop.close()


@pytest.mark.parametrize("error", [REFUSED, NO_ENDPOINTS, CONVERSION])
def test_a_webhook_that_cannot_be_reached_yet_is_tried_again(error: str, pauses: list[float]) -> None:
    assert retries(error)
    assert pauses == [0.5]


@pytest.mark.parametrize(
    "error",
    [
        'admission webhook "inferenceservice.kserve-webhook-server.validator" denied the request: no model',
        "Server-side field validation failed",
        "timed out waiting for the condition",
        "",
    ],
)
def test_any_other_error_is_final(error: str, pauses: list[float]) -> None:
    assert not retries(error)
    assert not pauses


def test_no_error_means_no_retry(pauses: list[float]) -> None:
    assert not retries()


def test_pauses_grow_and_attempts_are_limited(pauses: list[float]) -> None:
    attempts = 1
    while retries(*[REFUSED] * attempts):
        attempts += 1
    assert attempts == WEBHOOK_ATTEMPTS
    assert pauses[:5] == [0.5, 1.0, 2.0, 4.0, 5.0]
    assert 60 < sum(pauses) < 180
