"""A small platform under load: it grows no pods, and a model that is added then finds room."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue

from benchmarks.load import Load, Target
from tests.e2e.cluster_objects import kubectl
from tests.e2e.machine import GATEWAY, Deployment
from tests.e2e.models_on_platform import models_on_platform
from tests.unit.components.platform.test_small_footprint import MOST, over, total

PLATFORM = {"cert-manager", "istio-system", "knative-operator", "knative-serving", "kserve", "monitoring"}
NAMESPACE = "added"
INSTANCES: list[JsonValue] = [[6.5, 3.0, 5.5, 2.0], [5.9, 2.8, 4.3, 1.3]]
# As many requests as the clients manage: each asks again when it has its answer.
CLIENTS, RATE = 8, 1000
PATIENCE = 300
# An autoscaler looks every 15 s.
ANOTHER_LOOK = 20


def of_platform(deployment: Deployment, kind: str) -> list[dict[str, Any]]:
    """Objects of a kind in the platform's namespaces."""
    items = kubectl(deployment, "get", kind, "--all-namespaces")["items"]
    return [item for item in items if item["metadata"]["namespace"] in PLATFORM]


def replicas(deployment: Deployment) -> dict[str, int]:
    """How many pods each of the platform's Deployments shall have."""
    return {
        f"{item['metadata']['namespace']}/{item['metadata']['name']}": item["spec"]["replicas"]
        for item in of_platform(deployment, "deployments")
    }


def grown(deployment: Deployment, *, since: dict[str, int]) -> dict[str, int]:
    """The platform's Deployments that shall have more pods than before."""
    return {name: pods for name, pods in replicas(deployment).items() if pods > since.get(name, 0)}


def most_pods(autoscaler: dict[str, Any]) -> int:
    """How many pods an autoscaler may make of those that there are."""
    spec = autoscaler["spec"]
    disabled = spec.get("behavior", {}).get("scaleUp", {}).get("selectPolicy") == "Disabled"
    return int(spec["minReplicas"] if disabled else spec["maxReplicas"])


def wants_more(deployment: Deployment) -> bool:
    """Whether the activator's autoscaler is kept from making more pods than there are."""
    autoscaler = kubectl(deployment, "-n", "knative-serving", "get", "hpa", "activator")
    conditions = {condition["type"]: condition for condition in autoscaler["status"].get("conditions", [])}
    limited = conditions.get("ScalingLimited", {})
    return (limited.get("status"), limited.get("reason")) == ("True", "ScaleUpLimit")


def unscheduled(deployment: Deployment) -> list[str]:
    """Pods that find no node with enough left."""
    return [
        pod["metadata"]["name"]
        for pod in kubectl(deployment, "get", "pods", "--all-namespaces")["items"]
        for condition in pod["status"].get("conditions", [])
        if condition["type"] == "PodScheduled" and condition["status"] != "True"
    ]


def test_all_that_the_platform_may_ever_ask_for_is_what_is_promised(deployment: Deployment) -> None:
    """With every autoscaler that any part of it brings at the most pods it may make."""
    most = {
        (item["metadata"]["namespace"], item["spec"]["scaleTargetRef"]["name"]): most_pods(item)
        for item in of_platform(deployment, "hpa")
    }
    asked: list[dict[str, str]] = []
    for workload in of_platform(deployment, "deployments,statefulsets,daemonsets"):
        spec, metadata = workload["spec"], workload["metadata"]
        pods = most.get((metadata["namespace"], metadata["name"]), spec.get("replicas", 1))
        asked += [c["resources"].get("requests", {}) for c in spec["template"]["spec"]["containers"]] * pods
    assert total(asked).keys() == MOST.keys()
    assert not over(total(asked)), total(asked)


@pytest.mark.feature("a small platform leaves room for a model that is added after load")
def test_load_adds_no_pods_and_a_model_added_then_answers(deployment: Deployment, tmp_path: Path) -> None:
    before = replicas(deployment)
    assert before["knative-serving/activator"] == 1
    model = next(model for model in deployment.settings["models"] if model["name"] == "sklearn-model")
    target = Target(
        gateway=GATEWAY,
        host="sklearn-model.default.example.com",
        path="/v1/models/sklearn-model:predict",
        instances=INSTANCES,
    )
    with Load(target, clients=CLIENTS, rate=RATE) as load:
        deadline = time.monotonic() + PATIENCE
        while not wants_more(deployment):
            assert time.monotonic() < deadline, f"too light a load: {load.shots.summary}"
            assert grown(deployment, since=before) == {}
            time.sleep(2)
        time.sleep(ANOTHER_LOOK)
        assert grown(deployment, since=before) == {}
    assert not load.shots.failures, load.shots.summary

    with models_on_platform(NAMESPACE, model, directory=tmp_path, deployment=deployment) as added:
        checked = added.predict("--stack", added.stack, "--json", timeout=300)
        assert checked.status == 0, checked.text
        (told,) = json.loads(checked.stdout)["models"]
        assert told["got"] == [1, 0]
        assert unscheduled(deployment) == []
        assert grown(deployment, since=before) == {}
