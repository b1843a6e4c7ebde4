"""What kube-state-metrics tells of Kubernetes' objects, InferenceServices among them."""

from __future__ import annotations

from typing import Any

from components.platform.monitoring.scraping import MODEL_LABEL

COLLECTORS = ("deployments", "horizontalpodautoscalers", "pods")
LABELS = f"pods=[{MODEL_LABEL}]"
# A rule of a ClusterRole, as (API group, resources).
Rule = tuple[str, tuple[str, ...]]
CUSTOM_RESOURCES: Rule = ("serving.kserve.io", ("inferenceservices",))
DEFINITIONS: Rule = ("apiextensions.k8s.io", ("customresourcedefinitions",))
COLLECTED: tuple[Rule, ...] = (("", ("pods",)), ("apps", ("deployments",)), ("autoscaling", (COLLECTORS[1],)))


def inference_service_states() -> dict[str, Any]:
    """kube-state-metrics' configuration: conditions and replicas of every InferenceService."""
    return {
        "kind": "CustomResourceStateMetrics",
        "spec": {
            "resources": [
                {
                    "groupVersionKind": {
                        "group": "serving.kserve.io",
                        "version": "v1beta1",
                        "kind": "InferenceService",
                    },
                    "metricNamePrefix": "kserve_inferenceservice",
                    "labelsFromPath": {"model": ["metadata", "name"], "namespace": ["metadata", "namespace"]},
                    "metrics": [
                        _gauge(
                            "condition",
                            "Whether a condition of the InferenceService is true.",
                            path=["status", "conditions"],
                            labels={"type": ["type"]},
                            value=["status"],
                        ),
                        _gauge(
                            "max_replicas",
                            "The most servers the model may have.",
                            path=["spec", "predictor", "maxReplicas"],
                        ),
                    ],
                }
            ]
        },
    }


def _gauge(
    name: str, what: str, *, path: list[str], labels: dict[str, list[str]] | None = None, value: list[str] | None = None
) -> dict[str, Any]:
    gauge: dict[str, Any] = {"path": path}
    gauge |= {"labelsFromPath": labels} if labels else {}
    gauge |= {"valueFrom": value} if value else {}
    return {"name": name, "help": what, "each": {"type": "Gauge", "gauge": gauge}}
