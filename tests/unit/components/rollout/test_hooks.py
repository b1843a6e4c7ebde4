"""Hooks of transformers and explainers, against a Kubernetes API on the loopback."""

from __future__ import annotations

import httpx2 as httpx
import pulumi
import pytest

from components.rollout.hooks import ComponentRemoval, ComponentRollout
from components.rollout.server import Servers
from components.rollout.wait import RolloutError, Wait
from tests.unit.components.rollout.test_knative_rollout import SPEC_HASH, knative_service, run
from tests.unit.predict.server import Reply, Server

pytestmark = pytest.mark.usefixtures("pauses")

KNATIVE = "/apis/serving.knative.dev/v1/namespaces/models/services/iris-transformer"
KSERVE = "GET /apis/serving.kserve.io/v1beta1/namespaces/models/inferenceservices/iris"


def inference_service(ready: str) -> Reply:
    return Reply({"metadata": {}, "status": {"conditions": [{"type": "Ready", "status": ready}]}})


def answers(api: Server, **replies: Reply | tuple[Reply, ...]) -> None:
    paths = {"knative": f"GET {KNATIVE}", "delete": f"DELETE {KNATIVE}", "kserve": KSERVE}
    host = api.address.removeprefix("http://")
    for name, reply in replies.items():
        api.on(host, paths[name], *(reply if isinstance(reply, tuple) else (reply,)))


def rollout(api: Server, timeout: int = 60) -> Wait:
    servers = servers_of(api, timeout=timeout)
    server = servers.rollout("iris-transformer", spec_hash=SPEC_HASH)
    return ComponentRollout(scope=servers, name="iris-transformer", server=server, model="iris")


def removal(api: Server, timeout: int = 60) -> Wait:
    servers = servers_of(api, timeout=timeout)
    paths = servers.paths("iris-transformer")
    return ComponentRemoval(scope=servers, name="iris-transformer", paths=paths, model="iris")


def servers_of(api: Server, *, timeout: int) -> Servers:
    return Servers(
        connect=lambda: httpx.Client(base_url=api.address), mode="Knative", namespace="models", timeout=timeout
    )


def test_waits_for_knative_and_then_for_the_route(api: Server, pauses: list[float]) -> None:
    answers(
        api,
        knative=(knative_service(ready="Unknown"), knative_service()),
        kserve=(inference_service("Unknown"), inference_service("True")),
    )
    run(rollout(api))
    assert len(pauses) == 2


def test_fails_if_the_route_does_not_change(api: Server) -> None:
    answers(api, knative=knative_service(), kserve=inference_service("False"))
    with pytest.raises(
        RolloutError, match="does not serve what was declared after 0 s: KServe has not changed the model's route yet"
    ):
        run(rollout(api, timeout=0))


def test_nothing_is_removed_without_an_old_component(api: Server, pauses: list[float]) -> None:
    answers(api, knative=Reply(status=404))
    run(removal(api))
    assert pauses == []


def test_old_component_is_deleted_after_the_route_changed(api: Server, pauses: list[float]) -> None:
    answers(
        api,
        knative=knative_service(),
        kserve=(inference_service("Unknown"), inference_service("True")),
        delete=Reply({}),
    )
    run(removal(api))
    assert len(pauses) == 1
    asked = [(request.method, request.path) for request in api.requests]
    assert asked[-1] == ("DELETE", KNATIVE)
    assert len(asked) == 5


def test_fails_if_the_old_component_cannot_be_deleted(api: Server) -> None:
    answers(api, knative=knative_service(), kserve=inference_service("True"), delete=Reply(status=409))
    with pytest.raises(RolloutError, match=r"iris-transformer is still there after 0 s: .*409"):
        run(removal(api, timeout=0))


def test_warns_without_permission(api: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", logged.append)
    answers(api, knative=Reply(status=403))
    run(removal(api))
    assert len(logged) == 1
