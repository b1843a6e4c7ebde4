"""What the platform's own pods ask of the cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class PodResources:
    """Requests and limits of a container, as Kubernetes quantities by resource name."""

    requests: Mapping[str, str]
    limits: Mapping[str, str]

    def values(self) -> dict[str, dict[str, str]]:
        """The same as a `resources` field, in a chart or in a pod."""
        return {"requests": dict(self.requests), "limits": dict(self.limits)}


@dataclass(frozen=True, kw_only=True)
class Footprint:
    """Resources a part; None leaves a part what its chart gives it.

    Attributes:
        replicated: several replicas and autoscalers where upstream has them.
        queue_proxy: beside each of Knative's servers.
        predictor: of a model that says nothing itself.
        router: of a graph that says nothing itself.

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


def _resources(cpu: str, memory: str, *, most_cpu: str = "1", most_memory: str = "1Gi") -> PodResources:
    return PodResources(
        requests={"cpu": cpu, "memory": memory},
        limits={"cpu": most_cpu, "memory": most_memory},
    )


# What KServe's router asks for.
ROUTER = _resources("100m", "100Mi")
# What KServe's serving runtimes ask for; KServe lays a model's own words over these, field by field.
SERVING_RUNTIME = _resources("1", "2Gi", most_memory="2Gi")

FOOTPRINTS: Mapping[str, Footprint] = {
    "default": Footprint(),
    # For a laptop: what the parts use when idle, with room to start quickly.
    "small": Footprint(
        replicated=False,
        istiod=_resources("50m", "256Mi"),
        gateway=_resources("20m", "64Mi"),
        knative_operator=_resources("20m", "64Mi"),
        knative=_resources("20m", "64Mi"),
        kserve_controller=_resources("20m", "128Mi"),
        kube_rbac_proxy=_resources("10m", "32Mi", most_cpu="100m", most_memory="300Mi"),
        storage_initializer=_resources("10m", "64Mi"),
        queue_proxy=PodResources(requests={"cpu": "10m", "memory": "32Mi"}, limits={}),
        predictor=_resources("20m", "256Mi"),
        prometheus=_resources("50m", "128Mi"),
        kube_state_metrics=_resources("10m", "32Mi", most_memory="256Mi"),
        grafana=_resources("20m", "128Mi"),
        router=_resources("10m", "64Mi"),
    ),
}
