"""Which targets Prometheus scrapes, how it labels their metrics, and what kube-state-metrics exports for it.

Every series about a model has the labels `namespace` and `model`, whether it comes from the model's server, its
queue-proxy, the gateway, Knative's autoscaler or kube-state-metrics.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105 - a path
CONFIG_FOLDER = "/etc/config"
CONFIG_FILE = "prometheus.yml"
ALERTS_FILE = "alerts.yml"
CUSTOM_RESOURCES_FILE = "config.yaml"  # of kube-state-metrics
# Statistics that the gateway's Envoy keeps only if it is configured to. Commas separate them, so none may contain one.
GATEWAY_STATISTICS = (
    r"cluster\.outbound.*-predictor.*\.upstream_rq_(1xx|2xx|3xx|4xx|5xx|time)",
    r"http\.outbound.*\.downstream_(cx_active|rq_(1xx|2xx|3xx|4xx|5xx|time))",
)
# KServe's label of a model's pods, and how Prometheus writes it.
MODEL_LABEL = "serving.kserve.io/inferenceservice"
_MODEL_LABEL = "serving_kserve_io_inferenceservice"
# Names of a model's Service and of the Services of its revisions.
_PREDICTOR = r"(.+)-predictor(?:-\d{5})?(?:-private)?"

# Kinds of objects and labels that kube-state-metrics exports.
COLLECTORS = ("deployments", "horizontalpodautoscalers", "pods")
LABELS = f"pods=[{MODEL_LABEL}]"


@dataclass(frozen=True, kw_only=True)
class Relabel:
    """One relabelling step that keeps, drops or replaces, with Prometheus's field names and defaults."""

    source: tuple[str, ...]
    regex: str = "(.*)"
    action: Literal["replace", "keep", "drop"] = "replace"
    target: str | None = None
    replacement: str = "$1"

    def document(self) -> dict[str, Any]:
        """Return the step as in Prometheus's configuration."""
        step: dict[str, Any] = {"source_labels": list(self.source), "regex": self.regex, "action": self.action}
        if self.action == "replace":
            step |= {"target_label": self.target, "replacement": self.replacement}
        return step


@dataclass(frozen=True, kw_only=True)
class ScrapeJob:
    """Targets of one kind.

    Attributes:
        role: the kind of objects that Prometheus discovers; None for Prometheus itself.
        relabel: chooses the targets among these objects and sets their labels.
        metrics: chooses which of their metrics are kept and sets the labels of these.
        authorized: whether the targets use HTTPS and require a token that allows `GET /metrics`.
        honor_labels: whether to keep the `namespace` and `pod` of a metric, because they name the object it is about.

    """

    name: str
    role: Literal["pod", "node"] | None = "pod"
    relabel: tuple[Relabel, ...] = ()
    metrics: tuple[Relabel, ...] = ()
    path: str = "/metrics"
    authorized: bool = False
    honor_labels: bool = False

    def document(self) -> dict[str, Any]:
        """Return the job as in Prometheus's configuration."""
        job: dict[str, Any] = {"job_name": self.name, "metrics_path": self.path, "honor_labels": self.honor_labels}
        if self.role:
            job["kubernetes_sd_configs"] = [{"role": self.role}]
        else:
            job["static_configs"] = [{"targets": ["localhost:9090"]}]
        if self.authorized:
            # Their certificates are self-signed.
            job |= {"scheme": "https", "tls_config": {"insecure_skip_verify": True}}
            job["authorization"] = {"credentials_file": TOKEN}
        job["relabel_configs"] = [step.document() for step in self.relabel]
        job["metric_relabel_configs"] = [step.document() for step in self.metrics]
        return job


def _keep(label: str, regex: str) -> Relabel:
    return Relabel(source=(label,), regex=regex, action="keep")


def _keep_pods(label: str, regex: str) -> Relabel:
    return _keep(f"__meta_kubernetes_pod_{label}", regex)


def _copy(source: str, target: str) -> Relabel:
    return Relabel(source=(source,), target=target)


def _port(port: int) -> Relabel:
    return Relabel(source=("__address__",), regex=r"(.+?)(?::\d+)?", target="__address__", replacement=f"$1:{port}")


_OF_NAMESPACE = "__meta_kubernetes_namespace"
_POD = (
    Relabel(source=("__meta_kubernetes_pod_phase",), regex="Pending|Succeeded|Failed", action="drop"),
    _copy(_OF_NAMESPACE, "namespace"),
    _copy("__meta_kubernetes_pod_name", "pod"),
)
_MODEL_POD = (
    _keep_pods(f"labelpresent_{_MODEL_LABEL}", "true"),
    *_POD,
    _copy(f"__meta_kubernetes_pod_label_{_MODEL_LABEL}", "model"),
    _copy("__meta_kubernetes_pod_label_component", "component"),
    _copy("__meta_kubernetes_pod_label_serving_knative_dev_revision", "revision"),
)

MODELS_JOB = ScrapeJob(
    name="models",
    relabel=(
        *_MODEL_POD,
        _keep_pods("container_name", "kserve-container"),
        # KServe annotates pods with the port and path of their serving runtime's metrics, in both modes.
        Relabel(
            source=("__address__", "__meta_kubernetes_pod_annotation_prometheus_kserve_io_port"),
            regex=r"(.+?)(?::\d+)?;(\d+)",
            target="__address__",
            replacement="$1:$2",
        ),
        Relabel(
            source=("__meta_kubernetes_pod_annotation_prometheus_kserve_io_path",),
            regex="(.+)",
            target="__metrics_path__",
        ),
    ),
    metrics=(Relabel(source=("__name__",), regex=".*_created", action="drop"),),
)
QUEUE_PROXIES_JOB = ScrapeJob(
    name="queue-proxies",
    relabel=(
        *_MODEL_POD,
        _keep_pods("container_name", "queue-proxy"),
        _keep_pods("container_port_name", "http-usermetric"),
    ),
)
GATEWAY_JOB = ScrapeJob(
    name="gateway",
    path="/stats/prometheus",
    relabel=(
        _keep(_OF_NAMESPACE, "istio-system"),
        _keep_pods("label_istio", "ingressgateway"),
        _keep_pods("container_port_name", "http-envoy-prom"),
        *_POD,
    ),
    metrics=(
        _keep("__name__", "envoy_(server|http_downstream|cluster_upstream_rq).*|istio_requests_total"),
        *(
            Relabel(
                source=("cluster_name",),
                regex=rf"outbound\|\d+\|[^|]*\|{_PREDICTOR}\.([^.]+)\.svc\..*",
                target=label,
                replacement=group,
            )
            for label, group in (("model", "$1"), ("namespace", "$2"))
        ),
        Relabel(source=("http_conn_manager_prefix",), regex="outbound_(.+?);?", target="listener"),
    ),
)
KNATIVE_JOB = ScrapeJob(
    name="knative",
    relabel=(
        _keep(_OF_NAMESPACE, "knative-serving"),
        _keep_pods("label_app", "activator|autoscaler|controller|webhook"),
        _keep_pods("container_port_number", "9090"),
        *_POD,
    ),
    metrics=(
        Relabel(source=("k8s_namespace_name", "kn_service_name"), regex=r"(.+);.+-predictor", target="namespace"),
        Relabel(source=("kn_service_name",), regex="(.+)-predictor", target="model"),
    ),
)
ISTIOD_JOB = ScrapeJob(
    name="istiod",
    relabel=(_keep(_OF_NAMESPACE, "istio-system"), _keep_pods("label_app", "istiod"), *_POD, _port(15014)),
)
CERT_MANAGER_JOB = ScrapeJob(
    name="cert-manager",
    honor_labels=True,
    relabel=(_keep(_OF_NAMESPACE, "cert-manager"), _keep_pods("container_port_number", "9402"), *_POD),
)
KSERVE_JOB = ScrapeJob(
    name="kserve",
    authorized=True,
    relabel=(_keep(_OF_NAMESPACE, "kserve"), _keep_pods("container_port_number", "8443"), *_POD),
)
KUBE_STATE_JOB = ScrapeJob(
    name="kube-state-metrics",
    honor_labels=True,
    relabel=(
        _keep(_OF_NAMESPACE, "monitoring"),
        _keep_pods("label_app_kubernetes_io_name", "kube-state-metrics"),
        _keep_pods("container_port_number", "8080"),
    ),
    metrics=(Relabel(source=(f"label_{_MODEL_LABEL}",), regex="(.+)", target="model"),),
)
KUBELET_JOB = ScrapeJob(
    name="kubelet",
    role="node",
    path="/metrics/cadvisor",
    authorized=True,
    honor_labels=True,
    relabel=(_copy("__meta_kubernetes_node_name", "node"),),
    metrics=(
        _keep("__name__", "container_cpu_usage_seconds_total|container_memory_working_set_bytes"),
        _keep("container", ".+"),
    ),
)
PROMETHEUS_JOB = ScrapeJob(name="prometheus", role=None)
JOBS = (
    MODELS_JOB,
    QUEUE_PROXIES_JOB,
    GATEWAY_JOB,
    KNATIVE_JOB,
    ISTIOD_JOB,
    CERT_MANAGER_JOB,
    KSERVE_JOB,
    KUBE_STATE_JOB,
    KUBELET_JOB,
    PROMETHEUS_JOB,
)


def prometheus_configuration(*, interval: int) -> Mapping[str, Any]:
    """Return the content of Prometheus's configuration file; `interval` is in seconds."""
    return {
        "global": {"scrape_interval": f"{interval}s", "evaluation_interval": f"{interval}s"},
        "rule_files": [f"{CONFIG_FOLDER}/{ALERTS_FILE}"],
        "scrape_configs": [job.document() for job in JOBS],
    }


def inference_service_metrics() -> dict[str, Any]:
    """Return kube-state-metrics' configuration for custom resources.

    It exports the conditions and the maximum replicas of every InferenceService.
    """
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
    name: str,
    description: str,
    *,
    path: list[str],
    labels: dict[str, list[str]] | None = None,
    value: list[str] | None = None,
) -> dict[str, Any]:
    gauge: dict[str, Any] = {"path": path}
    gauge |= {"labelsFromPath": labels} if labels else {}
    gauge |= {"valueFrom": value} if value else {}
    return {"name": name, "help": description, "each": {"type": "Gauge", "gauge": gauge}}
