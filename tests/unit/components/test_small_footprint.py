"""A small platform leaves room for models: what it may ask of a node is bounded, whatever the load."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from components.platform.context import Supply
from components.platform.platform import Platform, PlatformArgs
from components.settings.fields import parse_quantity
from components.settings.monitoring import MonitoringSettings
from components.settings.resource_profiles import FOOTPRINTS
from releases.local import LOCAL
from releases.official_0_20 import OFFICIAL_0_20
from releases.types import Release
from tests.unit.components.recording import Recording, record
from tests.unit.components.test_platform import NODE_PORT

RELEASES = pytest.mark.parametrize("release", [LOCAL, OFFICIAL_0_20], ids=lambda release: release.name)
# What the documentation promises: a quarter of the CPU of a node with two cores.
MOST = {"cpu": "500m", "memory": "1536Mi"}
# HorizontalPodAutoscalers of the manifests in Knative's operator, and how many pods each of them may want.
AUTOSCALERS = {"activator": 20, "webhook": 5}
# Pods that the footprint does not reach keep the requests of their manifests.
OF_MANIFESTS: Mapping[str, tuple[Mapping[str, str], ...]] = {
    "local": (
        {"cpu": "30m", "memory": "40Mi"},  # Knative's autoscaler-hpa
        {"cpu": "100m", "memory": "100Mi"},  # net-gateway-api's controller
        {"cpu": "20m", "memory": "20Mi"},  # and its webhook
    ),
    "0.20": (
        {"cpu": "30m", "memory": "40Mi"},
        {"cpu": "30m", "memory": "40Mi"},  # net-istio's controller
        {"cpu": "20m", "memory": "20Mi"},  # and its webhook
    ),
}
# Values of charts that are requests of models' pods.
OF_MODELS = {"storage", "inferenceservice", "global"}


def platform(supply: Supply, release: Release) -> Recording:
    """A platform with all there is, monitoring included."""
    args = PlatformArgs(
        supply=supply,
        release=release,
        ingress=NODE_PORT,
        has_knative=True,
        monitoring=MonitoringSettings(),
        foreign_namespaces=frozenset(),
    )
    return record(lambda: Platform("platform", args=args))


def requests_in(stated: Any) -> Iterator[Mapping[str, str]]:
    """The requests of every container that is spoken of, at any depth."""
    if isinstance(stated, list):
        for inner in stated:
            yield from requests_in(inner)
    elif isinstance(stated, Mapping):
        if "requests" in stated:
            yield stated["requests"]
        for key, inner in stated.items():
            if key not in OF_MODELS:
                yield from requests_in(inner)


def most_pods(recording: Recording, workload: str) -> int:
    """How many pods of one of Knative's workloads there may be."""
    held = any(
        patch.plain["metadata"]["name"] == workload
        and patch.plain["spec"]["behavior"]["scaleUp"]["selectPolicy"] == "Disabled"
        for patch in recording.resources.values()
        if patch.type.endswith(":HorizontalPodAutoscalerPatch")
    )
    return 1 if held else AUTOSCALERS.get(workload, 1)


def total(asked: Iterable[Mapping[str, str]]) -> dict[str, Decimal]:
    """The sum of the requests of containers, in whole units."""
    amounts: defaultdict[str, Decimal] = defaultdict(Decimal)
    for requests in asked:
        for name, amount in requests.items():
            amounts[name] += parse_quantity(amount)
    return dict(amounts)


def most_requested(recording: Recording, release: Release) -> dict[str, Decimal]:
    """What the platform asks for when every autoscaler has made all the pods it may."""
    asked = [*OF_MANIFESTS[release.name]]
    for resource in recording.resources.values():
        if resource.type.endswith(":ClusterServingRuntime"):
            continue  # of models' pods, too
        if resource.type.endswith(":KnativeServing"):
            for workload in resource.plain["spec"]["workloads"]:
                asked += [*requests_in(workload)] * most_pods(recording, workload["name"])
        else:
            asked += requests_in(resource.plain)
    return total(asked)


def over(asked: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """What is asked for beyond what is promised."""
    return {name: amount for name, amount in asked.items() if amount > parse_quantity(MOST.get(name, "0"))}


@RELEASES
def test_all_that_a_small_platform_may_ask_for_is_bounded(supply: Supply, release: Release) -> None:
    asked = most_requested(platform(supply, release), release)
    assert asked.keys() == MOST.keys()
    assert not over(asked), asked


@RELEASES
def test_the_operators_autoscalers_add_no_pods(supply: Supply, release: Release) -> None:
    """`maxReplicas` is the operator's, which sets it again; `behavior` its manifests do not mention."""
    recording = platform(supply, release)
    serving = recording.the(":KnativeServing", "knative-serving")
    patches = [r for r in recording.resources.values() if r.type.endswith(":HorizontalPodAutoscalerPatch")]
    assert {patch.plain["metadata"]["name"] for patch in patches} == AUTOSCALERS.keys()
    for patch in patches:
        assert patch.plain["metadata"]["namespace"] == serving.plain["metadata"]["namespace"]
        assert patch.plain["spec"] == {"behavior": {"scaleUp": {"selectPolicy": "Disabled"}}}
        assert recording.waits_for(patch, serving)
        # Gone with Serving, no field can be given back; without a small footprint it is.
        assert patch.deleted_with == serving.urn
        assert not patch.retained


@RELEASES
def test_elsewhere_autoscalers_are_upstreams(supply: Supply, release: Release) -> None:
    recording = platform(replace(supply, footprint=FOOTPRINTS["default"]), release)
    assert not [name for name in recording.names if "HorizontalPodAutoscaler" in name]
    assert recording.the(":Chart", "istiod").plain["values"]["autoscaleEnabled"] is True
    assert recording.the(":Chart", "istio-ingressgateway").plain["values"]["autoscaling"] == {"enabled": True}
