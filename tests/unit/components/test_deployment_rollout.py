"""Waiting for a Deployment, against a Kubernetes API on the loopback."""

from __future__ import annotations

import httpx2 as httpx
import pytest

from components.rollout.deployment import DeploymentRollout
from components.rollout.wait import RolloutError
from tests.unit.components.test_rollout import DECLARED, finish
from tests.unit.predict.server import Reply, Server

pytestmark = pytest.mark.usefixtures("pauses")

PATH = "GET /apis/apps/v1/namespaces/models/deployments/iris-predictor"
PODS = "GET /api/v1/namespaces/models/pods?labelSelector=app%3Disvc.iris-predictor"


def deployment(*, declared: str = DECLARED, observed: int = 3, wanted: int = 2, **status: int) -> Reply:
    counts = {"replicas": wanted, "updatedReplicas": wanted, "availableReplicas": wanted, **status}
    return Reply(
        {
            "metadata": {"generation": 3},
            "spec": {
                "replicas": wanted,
                "template": {"metadata": {"annotations": {"kserve-multi-model/declared": declared}}},
            },
            "status": {"observedGeneration": observed, **counts},
        }
    )


def pods(*servers: tuple[str, str]) -> Reply:
    """Pods, each by what it was declared as and the state of its server."""
    return Reply(
        {
            "items": [
                {
                    "metadata": {"name": f"iris-{i}", "annotations": {"kserve-multi-model/declared": declared}},
                    "status": {
                        "containerStatuses": [
                            {"name": "agent", "state": {"running": {}}},
                            {"name": "kserve-container", "state": {state: {}}},
                        ]
                    },
                }
                for i, (declared, state) in enumerate(servers)
            ]
        }
    )


NEW = pods((DECLARED, "running"))


def follow(api: Server, *replies: Reply, servers: tuple[Reply, ...] = (NEW,), timeout: float = 60) -> None:
    host = api.address.removeprefix("http://")
    api.on(host, PATH, *replies)
    api.on(host, PODS, *servers)
    rollout = DeploymentRollout(
        connect=lambda: httpx.Client(base_url=api.address),
        place=("models", "iris-predictor"),
        declared=DECLARED,
        timeout=timeout,
        selector="app=isvc.iris-predictor",
    )
    finish(rollout)


def test_what_is_served_is_not_waited_for(api: Server, pauses: list[float]) -> None:
    follow(api, deployment(), servers=(pods((DECLARED, "running"), ("of before", "terminated")),))
    assert pauses == []


@pytest.mark.parametrize(
    "before",
    [
        deployment(declared="of before"),
        deployment(observed=2),
        deployment(updatedReplicas=1),
        deployment(availableReplicas=1),
        deployment(replicas=3),
        Reply({"metadata": {"generation": 1}, "spec": {}}),
        Reply(status=404),
        Reply(status=503),
        Reply(b"no JSON"),
    ],
    ids=["not told", "not looked", "not made", "not ready", "old ones", "just made", "not there", "busy", "no JSON"],
)
def test_what_is_not_served_yet_is_waited_for(api: Server, pauses: list[float], before: Reply) -> None:
    follow(api, before, before, deployment())
    assert len(pauses) == 2


def test_a_server_of_before_is_waited_for_while_it_may_answer(api: Server, pauses: list[float]) -> None:
    follow(api, deployment(), servers=(pods((DECLARED, "running"), ("of before", "running")), NEW))
    assert len(pauses) == 1


@pytest.mark.parametrize(
    ("reply", "servers", "why"),
    [
        (deployment(declared="of before"), NEW, "KServe has not changed the Deployment yet"),
        (deployment(observed=2), NEW, "Kubernetes has not looked yet"),
        (deployment(availableReplicas=0), NEW, "0 of 2 servers are ready"),
        (deployment(replicas=3), NEW, "1 of the servers before are still there"),
        (deployment(), pods(("of before", "running")), "iris-0 of before still answers"),
        (Reply(status=404), NEW, "404"),
    ],
)
def test_waiting_ends_and_says_for_what(api: Server, reply: Reply, servers: Reply, why: str) -> None:
    with pytest.raises(RolloutError, match=f"iris-predictor does not serve it after 0 s: .*{why}"):
        follow(api, reply, servers=(servers,), timeout=0)


def test_who_may_not_look_does_not_wait(api: Server, pauses: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr("components.rollout.wait.pulumi.log.warn", said.append)
    follow(api, Reply(status=403))
    assert pauses == []
    assert said == ["whether the Deployment serves iris-predictor as declared is not checked: the cluster answers 403"]
