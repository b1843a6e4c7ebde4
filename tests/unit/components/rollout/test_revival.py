"""Revisions that Knative has given up, against a Kubernetes API on the loopback."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2 as httpx
import pulumi
import pytest

from components.rollout.revival import Revival
from components.rollout.wait import WaitScope
from tests.unit.predict.server import Reply, Server

SERVICE = "GET /apis/serving.knative.dev/v1/namespaces/models/services/iris-predictor"
REVISION = "/apis/serving.knative.dev/v1/namespaces/models/revisions/iris-predictor-00002"
SPEC_HASH = "0123456789abcdef"


def service(*, declared: str = SPEC_HASH, ready: str = "iris-predictor-00001") -> Reply:
    template = {"metadata": {"annotations": {"kserve-multi-model/declared": declared}}}
    status = {"latestCreatedRevisionName": "iris-predictor-00002", "latestReadyRevisionName": ready}
    return Reply({"metadata": {"name": "iris-predictor"}, "spec": {"template": template}, "status": status})


def revision(ready: str) -> Reply:
    conditions = [{"type": "Ready", "status": ready, "reason": "ProgressDeadlineExceeded"}]
    return Reply({"metadata": {"name": "iris-predictor-00002"}, "status": {"conditions": conditions}})


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    words: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", words.append)
    monkeypatch.setattr(pulumi.log, "info", words.append)
    return words


def update(api: Server, **replies: Reply) -> list[Any]:
    """Run the hook; the bodies of the deletions."""
    host = api.address.removeprefix("http://")
    paths = {"service": SERVICE, "revision": f"GET {REVISION}", "deleted": f"DELETE {REVISION}"}
    for name, reply in replies.items():
        api.on(host, paths[name], reply)
    scope = WaitScope(connect=lambda: httpx.Client(base_url=api.address), namespace="models", timeout=60)
    loop = asyncio.new_event_loop()
    args = pulumi.ResourceHookArgs(urn="u", id="i", name="n", type="t")
    loop.run_until_complete(Revival(scope=scope, name="iris-predictor", spec_hash=SPEC_HASH).run(args))
    loop.close()
    return [request.body for request in api.requests if request.method == "DELETE"]


def test_a_revision_that_was_given_up_is_deleted_with_what_it_owns(api: Server, said: list[str]) -> None:
    deleted = update(api, service=service(), revision=revision("False"), deleted=Reply({}))
    assert deleted == [{"propagationPolicy": "Foreground"}]
    assert said == ["iris-predictor: Knative had given up iris-predictor-00002, and starts it again"]


@pytest.mark.parametrize(
    "replies",
    [
        {"service": Reply(status=404)},
        {"service": service(declared="another")},
        {"service": service(ready="iris-predictor-00002")},
        {"service": service(), "revision": revision("Unknown")},
        {"service": service(), "revision": revision("True")},
    ],
    ids=["no server yet", "a new version comes", "it is ready", "it still starts", "it has just become ready"],
)
def test_others_stay(api: Server, said: list[str], replies: dict[str, Reply]) -> None:
    assert update(api, **replies) == []
    assert said == []


@pytest.mark.parametrize("refused", ["service", "revision", "deleted"])
def test_without_the_right_it_warns(api: Server, said: list[str], refused: str) -> None:
    replies = {"service": service(), "revision": revision("False"), "deleted": Reply({})}
    update(api, **replies | {refused: Reply({"message": "no"}, status=403)})
    (warned,) = said
    assert warned.startswith("iris-predictor: a revision that Knative has given up is not started again: ")
