"""What a deployment could leave in the cluster, to compare before and after."""

from __future__ import annotations

import json
from typing import Any

from lightkube.generic_resource import create_namespaced_resource

from tests.e2e.machine import Deployment, run

InferenceService = create_namespaced_resource("serving.kserve.io", "v1beta1", "InferenceService", "inferenceservices")
# Kubernetes makes and renames these by itself.
IGNORED = {"events", "leases", "endpointslices", "endpoints", "pods", "replicasets", "nodes", "csinodes"}
# Knative's operator makes these again at any time; they cannot outlive their namespace, which does count.
OPERATORS_JOB = ("Job", "knative-serving")


def kubectl(deployment: Deployment, *arguments: str) -> Any:
    done = run("kubectl", *arguments, "-o", "json", env=deployment.environment)
    assert done.status == 0, done.text
    return json.loads(done.stdout)


def pods(deployment: Deployment, *, namespace: str) -> list[str]:
    """The names of all pods in a namespace, those that are about to end included."""
    return [item["metadata"]["name"] for item in kubectl(deployment, "-n", namespace, "get", "pods")["items"]]


def all_objects(deployment: Deployment) -> set[str]:
    """Every object of every listable kind, as kind/namespace/name."""
    return {
        reference(item)
        for item in all_items(deployment)
        # The aggregated API's registrations come and go with the CRDs' groups.
        if item["kind"] != "APIService" and (item["kind"], item["metadata"].get("namespace")) != OPERATORS_JOB
    }


def all_items(deployment: Deployment) -> list[dict[str, Any]]:
    """Every object of every listable kind, whole."""
    listed = run("kubectl", "api-resources", "--verbs=list", "-o", "name", env=deployment.environment)
    kinds = [kind for kind in listed.stdout.split() if kind.partition(".")[0] not in IGNORED]
    items: list[dict[str, Any]] = kubectl(deployment, "get", ",".join(kinds), "--all-namespaces", "--ignore-not-found")[
        "items"
    ]
    return items


def reference(item: dict[str, Any]) -> str:
    """An object as kind/namespace/name."""
    return f"{item['kind']}/{item['metadata'].get('namespace', '')}/{item['metadata']['name']}"
