"""A small platform leaves room for models: its requests are bounded, whatever the load."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from components.platform.context import InstallContext
from components.platform.platform import Platform, PlatformArgs
from components.settings.fields import parse_quantity
from components.settings.monitoring import MonitoringSettings
from components.settings.resource_profiles import FOOTPRINTS
from releases.local import LOCAL
from releases.official_0_20 import OFFICIAL_0_20
from releases.types import Release
from tests.unit.components.platform.test_platform import NODE_PORT
from tests.unit.components.recording import Recording, record

RELEASES = pytest.mark.parametrize("release", [LOCAL, OFFICIAL_0_20], ids=lambda release: release.name)
# As documented: a quarter of the CPU of a node with two cores.
MOST = {"cpu": "500m", "memory": "1536Mi"}
# HorizontalPodAutoscalers in the manifests of Knative's operator, and the most pods of each.
AUTOSCALERS = {"activator": 20, "webhook": 5}
# Requests of the pods that the footprint does not apply to, from their manifests.
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
# Keys of chart values under which there are requests of models' pods.
OF_MODELS = {"storage", "inferenceservice", "global"}


def platform(install: InstallContext, release: Release) -> Recording:
    """Record the complete platform, with monitoring."""
    args = PlatformArgs(
        install=install,
        release=release,
        ingress=NODE_PORT,
        has_knative=True,
        monitoring=MonitoringSettings(),
        foreign_namespaces=frozenset(),
    )
    return record(lambda: Platform("platform", args=args))


def requests_in(value: Any) -> Iterator[Mapping[str, str]]:
    """Yield the requests of every container, at any depth."""
    if isinstance(value, list):
        for inner in value:
            yield from requests_in(inner)
    elif isinstance(value, Mapping):
        if "requests" in value:
            yield value["requests"]
        for key, inner in value.items():
            if key not in OF_MODELS:
                yield from requests_in(inner)


def most_pods(recording: Recording, workload: str) -> int:
    """Return the highest possible number of pods of one of Knative's workloads."""
    scale_up_disabled = any(
        patch.plain["metadata"]["name"] == workload
        and patch.plain["spec"]["behavior"]["scaleUp"]["selectPolicy"] == "Disabled"
        for patch in recording.resources.values()
        if patch.type.endswith(":HorizontalPodAutoscalerPatch")
    )
    return 1 if scale_up_disabled else AUTOSCALERS.get(workload, 1)


def total(all_requests: Iterable[Mapping[str, str]]) -> dict[str, Decimal]:
    """Return the sum of the requests of containers, in cores and bytes."""
    amounts: defaultdict[str, Decimal] = defaultdict(Decimal)
    for requests in all_requests:
        for name, amount in requests.items():
            amounts[name] += parse_quantity(amount)
    return dict(amounts)


def most_requested(recording: Recording, release: Release) -> dict[str, Decimal]:
    """Return the platform's requests when every autoscaler has started the most pods it may."""
    requests = [*OF_MANIFESTS[release.name]]
    for resource in recording.resources.values():
        if resource.type.endswith(":ClusterServingRuntime"):
            continue  # its requests are those of models' pods
        if resource.type.endswith(":KnativeServing"):
            for workload in resource.plain["spec"]["workloads"]:
                requests += [*requests_in(workload)] * most_pods(recording, workload["name"])
        else:
            requests += requests_in(resource.plain)
    return total(requests)


def over(requests: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Return the requests that are above the documented ones."""
    return {name: amount for name, amount in requests.items() if amount > parse_quantity(MOST.get(name, "0"))}


@RELEASES
def test_the_requests_of_a_small_platform_are_bounded(install: InstallContext, release: Release) -> None:
    requests = most_requested(platform(install, release), release)
    assert requests.keys() == MOST.keys()
    assert not over(requests), requests


@RELEASES
def test_knatives_autoscalers_add_no_pods(install: InstallContext, release: Release) -> None:
    """The operator resets `maxReplicas`, but not `behavior`, which its manifests do not set."""
    recording = platform(install, release)
    serving = recording.the(":KnativeServing", "knative-serving")
    patches = [r for r in recording.resources.values() if r.type.endswith(":HorizontalPodAutoscalerPatch")]
    assert {patch.plain["metadata"]["name"] for patch in patches} == AUTOSCALERS.keys()
    for patch in patches:
        assert patch.plain["metadata"]["namespace"] == serving.plain["metadata"]["namespace"]
        assert patch.plain["spec"] == {"behavior": {"scaleUp": {"selectPolicy": "Disabled"}}}
        assert recording.waits_for(patch, serving)
        # Deleted with Serving, its field cannot be reset. With another footprint, Serving stays and it is reset.
        assert patch.deleted_with == serving.urn
        assert not patch.retained


@RELEASES
def test_autoscalers_are_unchanged_on_the_default_footprint(install: InstallContext, release: Release) -> None:
    recording = platform(replace(install, footprint=FOOTPRINTS["default"]), release)
    assert not [name for name in recording.names if "HorizontalPodAutoscaler" in name]
    assert recording.the(":Chart", "istiod").plain["values"]["autoscaleEnabled"] is True
    assert recording.the(":Chart", "istio-ingressgateway").plain["values"]["autoscaling"] == {"enabled": True}
