"""Resources of the platform's own pods, by the setting `resources`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class PodResources:
    """Requests and limits of a container, as Kubernetes quantities by resource name."""

    requests: Mapping[str, str]
    limits: Mapping[str, str]

    def values(self) -> dict[str, dict[str, str]]:
        """Give them as a `resources` field, for a chart's values or a pod."""
        return {"requests": dict(self.requests), "limits": dict(self.limits)}


def resource_values(resources: PodResources | None) -> dict[str, Any]:
    """Give `resources` for a chart's values; nothing where the chart's own stay."""
    return {"resources": resources.values()} if resources else {}


@dataclass(frozen=True, kw_only=True)
class Footprint:
    """Resources of each part of the platform; None leaves what its chart sets.

    Attributes:
        replicated: whether parts have several replicas and autoscalers where their charts have them.
        queue_proxy: Knative's sidecar in each pod of a model.
        predictor: of a model without `resources` of its own.
        router: of a graph without `resources` of its own.

    """

    replicated: bool = True
    istiod: PodResources | None = None
    gateway: PodResources | None = None
    knative_operator: PodResources | None = None
    knative: PodResources | None = None
    kserve_controller: PodResources | None = None
    kube_rbac_proxy: PodResources | None = None
    storage_initializer: PodResources | None = None
    queue_proxy: PodResources | None = None
    predictor: PodResources | None = None
    prometheus: PodResources | None = None
    kube_state_metrics: PodResources | None = None
    grafana: PodResources | None = None
    router: PodResources | None = None


def _resources(cpu: str, memory: str, *, cpu_limit: str = "1", memory_limit: str = "1Gi") -> PodResources:
    return PodResources(
        requests={"cpu": cpu, "memory": memory},
        limits={"cpu": cpu_limit, "memory": memory_limit},
    )


# Default of KServe's router.
ROUTER = _resources("100m", "100Mi")
# Default of the container that downloads a model's files.
STORAGE_INITIALIZER = _resources("100m", "100Mi")
# Defaults of KServe's serving runtimes. KServe merges a model's own resources into these, field by field.
SERVING_RUNTIME = _resources("1", "2Gi", memory_limit="2Gi")

FOOTPRINTS: Mapping[str, Footprint] = {
    "default": Footprint(),
    # For a laptop: what the parts use when idle, plus enough to start quickly.
    "small": Footprint(
        replicated=False,
        istiod=_resources("50m", "256Mi"),
        gateway=_resources("20m", "64Mi"),
        knative_operator=_resources("20m", "64Mi"),
        knative=_resources("20m", "64Mi"),
        kserve_controller=_resources("20m", "128Mi"),
        kube_rbac_proxy=_resources("10m", "32Mi", cpu_limit="100m", memory_limit="300Mi"),
        storage_initializer=_resources("10m", "64Mi"),
        queue_proxy=PodResources(requests={"cpu": "10m", "memory": "32Mi"}, limits={}),
        predictor=_resources("20m", "256Mi"),
        prometheus=_resources("50m", "128Mi"),
        kube_state_metrics=_resources("10m", "32Mi", memory_limit="256Mi"),
        grafana=_resources("20m", "128Mi"),
        router=_resources("10m", "64Mi"),
    ),
}
