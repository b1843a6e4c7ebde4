"""Prometheus's alerting rules for the models and the platform."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.settings.monitoring import AlertSettings

_BY_MODEL = "by (namespace, model)"
_WINDOW = "5m"
_AUTOSCALER = "kube_horizontalpodautoscaler"
_REQUESTS = 'envoy_cluster_upstream_rq{model!=""}'
_FAILED = 'envoy_cluster_upstream_rq{model!="",response_code_class="5xx"}'
# PromQL to multiply by: 1 for every pod of a model, and adds the model's name as a label.
MODEL_PODS = 'on (namespace, pod) group_left (model) max by (namespace, pod, model) (kube_pod_labels{model!=""})'


@dataclass(frozen=True, kw_only=True)
class Alert:
    """An alerting rule: it fires when `query` meets `condition` for as long as the settings say.

    Attributes:
        query: PromQL with one series for each model or target.
        condition: comparison of its value with a bound, as `> 0`.
        summary: text of the alert, with `$labels` and `$value` as placeholders.
        severity: `critical` if requests fail or soon will, else `warning`.

    """

    name: str
    query: str
    condition: str
    summary: str
    severity: str = "warning"

    @property
    def expression(self) -> str:
        """PromQL with one series for each model or target that meets the condition."""
        return f"({self.query}) {self.condition}"

    def document(self, *, after: int) -> dict[str, Any]:
        """Return the rule as in Prometheus's file of rules; `after` is in seconds."""
        return {
            "alert": self.name,
            "expr": self.expression,
            "for": f"{after}s",
            "labels": {"severity": self.severity},
            "annotations": {"summary": self.summary},
        }


def all_alerts(settings: AlertSettings) -> tuple[Alert, ...]:
    """Return every alert, with the bounds of the settings."""
    model = "{{ $labels.namespace }}/{{ $labels.model }}"
    share = "{{ $value | humanizePercentage }}"
    all_requests = f"sum {_BY_MODEL} (rate({_REQUESTS}[{_WINDOW}]))"
    return (
        Alert(
            name="ModelNotReady",
            query='kserve_inferenceservice_condition{type="Ready"}',
            condition="== 0",
            summary=f"model {model} is not ready",
            severity="critical",
        ),
        Alert(
            name="ModelErrors",
            # A model without errors has no series of errors: `or 0 * …` gives it one.
            query=(f"(sum {_BY_MODEL} (rate({_FAILED}[{_WINDOW}])) or 0 * {all_requests}) / ({all_requests} > 0)"),
            condition=f"> {settings.error_rate:g}",
            summary=f"{share} of the requests to model {model} fail",
            severity="critical",
        ),
        Alert(
            name="ModelSlow",
            query=(
                f"histogram_quantile(0.95, sum by (namespace, model, le) "
                f'(rate(envoy_cluster_upstream_rq_time_bucket{{model!=""}}[{_WINDOW}]))) / 1000'
            ),
            condition=f"> {settings.latency:g}",
            summary=f"5 of 100 requests to model {model} take {{{{ $value | humanizeDuration }}}} or more",
        ),
        Alert(
            name="ModelCrashLooping",
            query=f"max {_BY_MODEL} ({_crash_loops('container')} or {_crash_loops('init_container')})",
            condition="> 0",
            summary=f"a server of model {model} ends again and again",
            severity="critical",
        ),
        Alert(
            name="ModelAtScaleLimit",
            # Knative has a metric of the pods it wants. A HorizontalPodAutoscaler only shows that it is at its limit.
            query=(
                f"max {_BY_MODEL} (kn_revision_pods_desired{{model!=''}}) - on (namespace, model) "
                f"max {_BY_MODEL} (kserve_inferenceservice_max_replicas) or max {_BY_MODEL} (label_replace("
                f"({_AUTOSCALER}_status_desired_replicas == bool {_AUTOSCALER}_spec_max_replicas) "
                f"* ({_AUTOSCALER}_spec_max_replicas > bool {_AUTOSCALER}_spec_min_replicas), "
                "'model', '$1', 'horizontalpodautoscaler', '(.+)-predictor'))"
            ),
            condition="> 0",
            summary=f"model {model} has as many servers as it may have, and wants more",
        ),
        Alert(
            name="TargetDown",
            query="up",
            condition="== 0",
            summary="{{ $labels.job }} {{ $labels.instance }} does not answer Prometheus",
        ),
    )


def _crash_loops(kind: str) -> str:
    """Return PromQL for pods with a container that is, or recently was, in CrashLoopBackOff.

    Recently, because the container runs for a moment between two restarts.
    """
    waiting = f'kube_pod_{kind}_status_waiting_reason{{reason="CrashLoopBackOff"}}'
    return f"max by (namespace, pod) (max_over_time({waiting}[{_WINDOW}])) * {MODEL_PODS}"


def alert_rules(settings: AlertSettings) -> Mapping[str, Any]:
    """Return the content of Prometheus's file of rules."""
    rules = [alert.document(after=settings.after) for alert in all_alerts(settings)]
    return {"groups": [{"name": "kserve-multi-model", "rules": rules}]}
