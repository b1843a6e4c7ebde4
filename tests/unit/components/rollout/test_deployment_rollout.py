"""Waiting for a Deployment, against a Kubernetes API on the loopback."""

from __future__ import annotations

import httpx2 as httpx
import pytest

from components.rollout.server import DeploymentRollout
from components.rollout.wait import RolloutError, WaitScope
from tests.unit.components.rollout.test_knative_rollout import SPEC_HASH, run
from tests.unit.predict.server import Reply, Server

pytestmark = pytest.mark.usefixtures("pauses")

PATH = "GET /apis/apps/v1/namespaces/models/deployments/iris-predictor"
PODS = "GET /api/v1/namespaces/models/pods?labelSelector=app%3Disvc.iris-predictor"


def deployment(*, spec_hash: str = SPEC_HASH, observed: int = 3, desired: int = 2, **status: int) -> Reply:
    counts = {"replicas": desired, "updatedReplicas": desired, "availableReplicas": desired, **status}
    return Reply(
        {
            "metadata": {"generation": 3},
            "spec": {
                "replicas": desired,
                "template": {"metadata": {"annotations": {"kserve-multi-model/declared": spec_hash}}},
            },
            "status": {"observedGeneration": observed, **counts},
        }
    )


def pods(*servers: tuple[str, str]) -> Reply:
    """Pods, each by its spec hash and the state of its server's container."""
    return Reply(
        {
            "items": [
                {
                    "metadata": {"name": f"iris-{i}", "annotations": {"kserve-multi-model/declared": spec_hash}},
                    "status": {
                        "containerStatuses": [
                            {"name": "agent", "state": {"running": {}}},
                            {"name": "kserve-container", "state": {state: {}}},
                        ]
                    },
                }
                for i, (spec_hash, state) in enumerate(servers)
            ]
        }
    )


NEW = pods((SPEC_HASH, "running"))


def follow(api: Server, *replies: Reply, servers: tuple[Reply, ...] = (NEW,), timeout: int = 60) -> None:
    host = api.address.removeprefix("http://")
    api.on(host, PATH, *replies)
    api.on(host, PODS, *servers)
    scope = WaitScope(connect=lambda: httpx.Client(base_url=api.address), namespace="models", timeout=timeout)
    run(DeploymentRollout(scope=scope, name="iris-predictor", spec_hash=SPEC_HASH, selector="app=isvc.iris-predictor"))


def test_does_not_wait_for_what_is_served(api: Server, pauses: list[float]) -> None:
    follow(api, deployment(), servers=(pods((SPEC_HASH, "running"), ("old", "terminated")),))
    assert pauses == []


@pytest.mark.parametrize(
    "before",
    [
        deployment(spec_hash="old"),
        deployment(observed=2),
        deployment(updatedReplicas=1),
        deployment(availableReplicas=1),
        deployment(replicas=3),
        Reply({"metadata": {"generation": 1}, "spec": {}}),
        Reply(status=404),
        Reply(status=503),
        Reply(b"no JSON"),
    ],
    ids=[
        "not updated",
        "not observed",
        "not made",
        "not ready",
        "old ones",
        "just made",
        "not there",
        "busy",
        "no JSON",
    ],
)
def test_waits_until_the_new_version_is_served(api: Server, pauses: list[float], before: Reply) -> None:
    follow(api, before, before, deployment())
    assert len(pauses) == 2


def test_waits_for_old_pods_that_may_still_answer(api: Server, pauses: list[float]) -> None:
    follow(api, deployment(), servers=(pods((SPEC_HASH, "running"), ("old", "running")), NEW))
    assert len(pauses) == 1


@pytest.mark.parametrize(
    ("reply", "servers", "why"),
    [
        (deployment(spec_hash="old"), NEW, "KServe has not updated it yet"),
        (deployment(observed=2), NEW, "Kubernetes has not acted on the update yet"),
        (deployment(availableReplicas=0), NEW, "0 of 2 pods are ready"),
        (deployment(replicas=3), NEW, "1 old pods still exist"),
        (deployment(), pods(("old", "running")), "old pods still serve: iris-0"),
        (Reply(status=404), NEW, "404"),
    ],
)
def test_error_names_what_is_pending(api: Server, reply: Reply, servers: Reply, why: str) -> None:
    with pytest.raises(RolloutError, match=f"iris-predictor does not serve what was declared after 0 s: .*{why}"):
        follow(api, reply, servers=(servers,), timeout=0)


def test_warns_and_does_not_wait_without_permission(
    api: Server, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[str] = []
    monkeypatch.setattr("components.rollout.wait.pulumi.log.warn", logged.append)
    follow(api, Reply(status=403))
    assert pauses == []
    assert logged == ["the rollout of iris-predictor is not checked: the cluster answers 403"]
