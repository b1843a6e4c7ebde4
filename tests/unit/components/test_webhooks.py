from __future__ import annotations

import asyncio

import pulumi
import pytest

from components.objects.webhooks import ATTEMPTS, retry_while_unanswered

REFUSED = (
    'Internal error occurred: failed calling webhook "inferenceservice.kserve-webhook-server.defaulter": '
    'failed to call webhook: Post "https://kserve-webhook-server-service.kserve.svc:443/": connect: connection refused'
)
NO_ENDPOINTS = 'failed calling webhook "w": no endpoints available for service "kserve-webhook-server-service"'
CONVERSION = "conversion webhook for operator.knative.dev/v1alpha1, Kind=KnativeServing failed: x509: unknown authority"


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses asked for, none of them taken."""
    asked: list[float] = []

    async def sleep(seconds: float) -> None:
        asked.append(seconds)

    monkeypatch.setattr("components.objects.webhooks.asyncio.sleep", sleep)
    return asked


def asks(*errors: str) -> bool:
    """Whether the engine is to try again after these errors, newest first."""
    failure = pulumi.ErrorHookArgs(urn="u", id="", name="n", type="t", failed_operation="create", errors=list(errors))
    loop = asyncio.new_event_loop()  # asyncio.run would leave the thread without one
    try:
        return loop.run_until_complete(retry_while_unanswered(failure))
    finally:
        loop.close()


@pytest.mark.parametrize("error", [REFUSED, NO_ENDPOINTS, CONVERSION])
def test_a_webhook_that_does_not_answer_yet_is_asked_again(error: str, pauses: list[float]) -> None:
    assert asks(error)
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
def test_an_answer_is_an_answer(error: str, pauses: list[float]) -> None:
    assert not asks(error)
    assert not pauses


def test_no_error_at_all_is_not_tried_again(pauses: list[float]) -> None:
    assert not asks()


def test_pauses_grow_and_end(pauses: list[float]) -> None:
    tries = 1
    while asks(*[REFUSED] * tries):
        tries += 1
    assert tries == ATTEMPTS
    assert pauses[:5] == [0.5, 1.0, 2.0, 4.0, 5.0]
    assert 60 < sum(pauses) < 180
