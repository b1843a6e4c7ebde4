"""What is wrong with a model or with the platform, as Prometheus's rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.settings.monitoring import AlertSettings

_OF_MODEL = "by (namespace, model)"
_WINDOW = "5m"
_AUTOSCALER = "kube_horizontalpodautoscaler"
_REQUESTS = 'envoy_cluster_upstream_rq{model!=""}'
_FAILED = 'envoy_cluster_upstream_rq{model!="",response_code_class="5xx"}'
# A pod of a model, as 1, with the model's name.
MODEL_PODS = 'on (namespace, pod) group_left (model) max by (namespace, pod, model) (kube_pod_labels{model!=""})'


@dataclass(frozen=True, kw_only=True)
class Alert:
    """A rule: fires when `measure` is `over` something for as long as the settings say.

    Attributes:
        measure: a query, one series for each model (or target) there is something to say about.
        over: comparison with a bound.
        summary: what is wrong, with `$labels` and `$value` in it.
        severity: `critical` where requests fail or will, else `warning`.

    """

    name: str
    measure: str
    over: str
    summary: str
    severity: str = "warning"

    @property
    def expression(self) -> str:
        """The query whose every series is something wrong."""
        return f"({self.measure}) {self.over}"

    def document(self, *, after: int) -> dict[str, Any]:
        """The rule as Prometheus reads it."""
        return {
            "alert": self.name,
            "expr": self.expression,
            "for": f"{after}s",
            "labels": {"severity": self.severity},
            "annotations": {"summary": self.summary},
        }


def all_alerts(settings: AlertSettings) -> tuple[Alert, ...]:
    """Every alert, with the bounds the settings say."""
    model = "{{ $labels.namespace }}/{{ $labels.model }}"
    share = "{{ $value | humanizePercentage }}"
    all_requests = f"sum {_OF_MODEL} (rate({_REQUESTS}[{_WINDOW}]))"
    return (
        Alert(
            name="ModelNotReady",
            measure='kserve_inferenceservice_condition{type="Ready"}',
            over="== 0",
            summary=f"model {model} is not ready",
            severity="critical",
        ),
        Alert(
            name="ModelErrors",
            # Without an error there is no series of errors yet.
            measure=(f"(sum {_OF_MODEL} (rate({_FAILED}[{_WINDOW}])) or 0 * {all_requests}) / ({all_requests} > 0)"),
            over=f"> {settings.error_rate:g}",
            summary=f"{share} of the requests to model {model} fail",
            severity="critical",
        ),
        Alert(
            name="ModelSlow",
            measure=(
                f"histogram_quantile(0.95, sum by (namespace, model, le) "
                f'(rate(envoy_cluster_upstream_rq_time_bucket{{model!=""}}[{_WINDOW}]))) / 1000'
            ),
            over=f"> {settings.latency:g}",
            summary=f"5 of 100 requests to model {model} take {{{{ $value | humanizeDuration }}}} or more",
        ),
        Alert(
            name="ModelCrashLooping",
            measure=f"max {_OF_MODEL} ({_crash_loops('container')} or {_crash_loops('init_container')})",
            over="> 0",
            summary=f"a server of model {model} ends again and again",
            severity="critical",
        ),
        Alert(
            name="ModelAtScaleLimit",
            # Knative tells how many it wants, Kubernetes' autoscaler only that it is at its limit.
            measure=(
                f"max {_OF_MODEL} (kn_revision_pods_desired{{model!=''}}) - on (namespace, model) "
                f"max {_OF_MODEL} (kserve_inferenceservice_max_replicas) or max {_OF_MODEL} (label_replace("
                f"({_AUTOSCALER}_status_desired_replicas == bool {_AUTOSCALER}_spec_max_replicas) "
                f"* ({_AUTOSCALER}_spec_max_replicas > bool {_AUTOSCALER}_spec_min_replicas), "
                "'model', '$1', 'horizontalpodautoscaler', '(.+)-predictor'))"
            ),
            over="> 0",
            summary=f"model {model} has as many servers as it may have, and wants more",
        ),
        Alert(
            name="TargetDown",
            measure="up",
            over="== 0",
            summary="{{ $labels.job }} {{ $labels.instance }} does not answer Prometheus",
        ),
    )


def _crash_loops(kind: str) -> str:
    """Pods with a container that waits to be started again, now or a moment ago, as between two tries it runs."""
    waiting = f'kube_pod_{kind}_status_waiting_reason{{reason="CrashLoopBackOff"}}'
    return f"max by (namespace, pod) (max_over_time({waiting}[{_WINDOW}])) * {MODEL_PODS}"


def alert_rules(settings: AlertSettings) -> Mapping[str, Any]:
    """Prometheus's file of rules."""
    rules = [alert.document(after=settings.after) for alert in all_alerts(settings)]
    return {"groups": [{"name": "kserve-multi-model", "rules": rules}]}
