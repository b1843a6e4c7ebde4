"""Grafana's dashboards: all models, one model, the platform."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from components.platform.monitoring.alerts import MODEL_PODS

DATA_SOURCE = {"type": "prometheus", "uid": "prometheus"}
SCHEMA = 39  # of Grafana 11 and later
COLUMNS = 24
# Label matchers: for the model that is chosen in the dashboard, and for every model.
_ONE = 'namespace="$namespace",model="$model"'
_ALL = 'model!=""'
_RATE = "[$__rate_interval]"
_BY_MODEL = "by (namespace, model)"
# Legend of a series about a model.
_MODEL = "{{namespace}}/{{model}}"
QUANTILES = (0.5, 0.95, 0.99)

Unit = Literal["short", "reqps", "s", "percentunit", "bytes", "cores", "ops"]


@dataclass(frozen=True, kw_only=True)
class Query:
    """PromQL, and the legend of its series with labels as `{{label}}`."""

    expression: str
    legend: str


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A graph, or a single number if `number` is set; `width` is in Grafana's columns, of which there are 24."""

    title: str
    queries: tuple[Query, ...]
    unit: Unit = "short"
    number: bool = False
    width: int = 8
    description: str = ""

    @property
    def height(self) -> int:
        """Height in Grafana's rows."""
        return 4 if self.number else 8


@dataclass(frozen=True, kw_only=True)
class Dashboard:
    """A page of panels; with `of_model`, the user chooses a namespace and a model."""

    name: str
    title: str
    panels: tuple[Panel, ...]
    of_model: bool = False

    def document(self) -> dict[str, Any]:
        """Return the dashboard as Grafana's JSON model."""
        variables = [_variable("namespace", ""), _variable("model", 'namespace="$namespace"')] if self.of_model else []
        return {
            "uid": f"kserve-multi-model-{self.name}",
            "title": self.title,
            "tags": ["kserve-multi-model"],
            "schemaVersion": SCHEMA,
            "refresh": "30s",
            "time": {"from": "now-1h", "to": "now"},
            "templating": {"list": variables},
            "panels": _placed(self.panels),
        }


def _variable(name: str, matcher: str) -> dict[str, Any]:
    query = f"label_values(kserve_inferenceservice_condition{{{matcher}}}, {name})"
    return {
        "name": name,
        "label": name.capitalize(),
        "type": "query",
        "datasource": DATA_SOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,  # whenever the time range changes, because models come and go
        "sort": 1,
    }


def _placed(panels: tuple[Panel, ...]) -> list[dict[str, Any]]:
    """Place the panels from left to right, in rows that are as high as their highest panel."""
    placed = []
    x = y = row_height = 0
    for number, panel in enumerate(panels, start=1):
        if x + panel.width > COLUMNS:
            x, y, row_height = 0, y + row_height, 0
        place = {"x": x, "y": y, "w": panel.width, "h": panel.height}
        placed.append(_panel(panel, number=number, place=place))
        x, row_height = x + panel.width, max(row_height, panel.height)
    return placed


def _panel(panel: Panel, *, number: int, place: Mapping[str, int]) -> dict[str, Any]:
    return {
        "id": number,
        "title": panel.title,
        "description": panel.description,
        "type": "stat" if panel.number else "timeseries",
        "datasource": DATA_SOURCE,
        "gridPos": dict(place),
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {
                "refId": chr(ord("A") + position),
                "datasource": DATA_SOURCE,
                "expr": query.expression,
                "legendFormat": query.legend,
                "instant": panel.number,
                "range": not panel.number,
            }
            for position, query in enumerate(panel.queries)
        ],
    }


def _one(expression: str, legend: str = "") -> tuple[Query, ...]:
    return (Query(expression=expression, legend=legend),)


def _quantiles(histogram: str, matcher: str, *, by: str = "", divided_by: int = 1) -> tuple[Query, ...]:
    """Return queries for QUANTILES of a histogram, in seconds, for each value of the label `by`."""
    labels = ", ".join(filter(None, (by, "le")))
    scale = f" / {divided_by}" if divided_by > 1 else ""
    rates = f"sum by ({labels}) (rate({histogram}_bucket{{{matcher}}}{_RATE}))"
    named = f" {{{{{by}}}}}" if by else ""
    return tuple(
        Query(expression=f"histogram_quantile({q:g}, {rates}){scale}", legend=f"p{q * 100:g}{named}") for q in QUANTILES
    )


def _gateway_failures(matcher: str) -> str:
    """Return PromQL for each model's share of failed requests; `or 0 * …` is for models that have none yet."""
    requests = f"sum {_BY_MODEL} (rate(envoy_cluster_upstream_rq{{{matcher}}}{_RATE}))"
    failed = f'sum {_BY_MODEL} (rate(envoy_cluster_upstream_rq{{{matcher},response_code_class="5xx"}}{_RATE}))'
    return f"({failed} or 0 * {requests}) / {requests}"


def _of_pods(metric: str) -> str:
    """Return PromQL for the sum of a metric over the containers of each model."""
    return f"sum {_BY_MODEL} ({metric} * {MODEL_PODS})"


def _all_models(*, knative: bool) -> Dashboard:
    ready = 'kserve_inferenceservice_condition{type="Ready"}'
    scaling = Panel(
        title="Servers wanted",
        queries=_one(f"max {_BY_MODEL} (kn_revision_pods_desired{{{_ALL}}})", _MODEL),
        description="By Knative's autoscaler, before the model's own bounds.",
    )
    return Dashboard(
        name="models",
        title="KServe: all models",
        panels=(
            Panel(title="Models", queries=_one(f"count({ready})"), number=True, width=6),
            Panel(title="Not ready", queries=_one(f"count({ready} == 0) or vector(0)"), number=True, width=6),
            Panel(
                title="Requests",
                queries=_one(f"sum(rate(envoy_cluster_upstream_rq{{{_ALL}}}{_RATE}))"),
                unit="reqps",
                number=True,
                width=6,
            ),
            Panel(
                title="Alerts",
                queries=_one('count(ALERTS{alertstate="firing"}) or vector(0)'),
                number=True,
                width=6,
            ),
            Panel(
                title="Requests by model",
                queries=_one(f"sum {_BY_MODEL} (rate(envoy_cluster_upstream_rq{{{_ALL}}}{_RATE}))", _MODEL),
                unit="reqps",
                description="As the gateway sends them on.",
            ),
            Panel(title="Failing (5xx)", queries=_one(_gateway_failures(_ALL), _MODEL), unit="percentunit"),
            Panel(
                title="Latency, p95",
                queries=_one(
                    "histogram_quantile(0.95, sum by (namespace, model, le) "
                    f"(rate(envoy_cluster_upstream_rq_time_bucket{{{_ALL}}}{_RATE}))) / 1000",
                    _MODEL,
                ),
                unit="s",
                description="From the gateway to the model and back, a start from zero included.",
            ),
            Panel(title="Servers ready", queries=_one(_of_pods('kube_pod_status_ready{condition="true"}'), _MODEL)),
            *((scaling,) if knative else ()),
            Panel(
                title="CPU",
                queries=_one(_of_pods(f"rate(container_cpu_usage_seconds_total{_RATE})"), _MODEL),
                unit="cores",
            ),
            Panel(title="Memory", queries=_one(_of_pods("container_memory_working_set_bytes"), _MODEL), unit="bytes"),
            Panel(
                title="Restarts in an hour",
                queries=_one(_of_pods("increase(kube_pod_container_status_restarts_total[1h])"), _MODEL),
            ),
        ),
    )


def _one_model(*, knative: bool) -> Dashboard:
    times = "kn_serving_invocation_duration_seconds"
    by_knative = (
        Panel(
            title="Requests by revision",
            queries=_one(f"sum by (revision) (rate({times}_count{{{_ONE}}}{_RATE}))", "{{revision}}"),
            unit="reqps",
            description="As the queue-proxies count them: a canary's share.",
        ),
        Panel(
            title="Answers of the servers",
            queries=_one(
                f"sum by (http_response_status_code) (rate({times}_count{{{_ONE}}}{_RATE}))",
                "{{http_response_status_code}}",
            ),
            unit="reqps",
        ),
        Panel(title="Latency at the queue-proxies", queries=_quantiles(times, _ONE, by="revision"), unit="s"),
        Panel(
            title="Requests at a time, a server",
            queries=(
                Query(expression=f"kn_revision_concurrency_stable{{{_ONE}}}", legend="{{kn_revision_name}}"),
                Query(expression=f"kn_revision_concurrency_target{{{_ONE}}}", legend="{{kn_revision_name}} target"),
            ),
            description="What Knative's autoscaler goes by, unless it is told to go by requests a second.",
        ),
        Panel(
            title="Servers wanted",
            queries=(
                Query(expression=f"kn_revision_pods_desired{{{_ONE}}}", legend="{{kn_revision_name}}"),
                Query(expression=f"kserve_inferenceservice_max_replicas{{{_ONE}}}", legend="at the most"),
            ),
        ),
    )
    return Dashboard(
        name="model",
        title="KServe: one model",
        of_model=True,
        panels=(
            Panel(
                title="Conditions",
                queries=_one(f"kserve_inferenceservice_condition{{{_ONE}}}", "{{type}}"),
                description="1 is true; what KServe says of the InferenceService.",
            ),
            Panel(
                title="Requests",
                queries=_one(
                    f"sum by (response_code_class) (rate(envoy_cluster_upstream_rq{{{_ONE}}}{_RATE}))",
                    "{{response_code_class}}",
                ),
                unit="reqps",
            ),
            Panel(
                title="Latency at the gateway",
                queries=_quantiles("envoy_cluster_upstream_rq_time", _ONE, divided_by=1000),
                unit="s",
            ),
            *(by_knative if knative else ()),
            Panel(
                title="Predictions in the server",
                queries=_quantiles("request_predict_seconds", _ONE),
                unit="s",
                description="The model's own time; of KServe's own servers.",
            ),
            Panel(
                title="Before and after, p95",
                queries=tuple(
                    Query(
                        expression=f"histogram_quantile(0.95, sum by (le) "
                        f"(rate(request_{step}_seconds_bucket{{{_ONE}}}{_RATE})))",
                        legend=step,
                    )
                    for step in ("preprocess", "postprocess")
                ),
                unit="s",
            ),
            Panel(
                title="Refused by the model",
                queries=_one(
                    f"sum(rate(request_preprocess_seconds_count{{{_ONE}}}{_RATE})) - "
                    f"sum(rate(request_postprocess_seconds_count{{{_ONE}}}{_RATE}))"
                ),
                unit="reqps",
                description="Requests that it began and did not end, whether the fault is theirs or its own.",
            ),
            Panel(
                title="CPU",
                queries=_one(
                    f"sum by (container) (rate(container_cpu_usage_seconds_total{_RATE}) * {_its_pods()})",
                    "{{container}}",
                ),
                unit="cores",
            ),
            Panel(
                title="Memory",
                queries=_one(
                    f"sum by (container) (container_memory_working_set_bytes * {_its_pods()})", "{{container}}"
                ),
                unit="bytes",
            ),
            Panel(
                title="Servers",
                queries=(
                    Query(expression=f"count(kube_pod_labels{{{_ONE}}})", legend="there"),
                    Query(expression=f'sum(kube_pod_status_ready{{condition="true"}} * {_its_pods()})', legend="ready"),
                ),
            ),
        ),
    )


def _its_pods() -> str:
    """Return PromQL to multiply by, as MODEL_PODS, for the pods of the chosen model."""
    return MODEL_PODS.replace(_ALL, _ONE)


def _platform(*, knative: bool) -> Dashboard:
    by_knative = (
        Panel(
            title="Knative's work waiting",
            queries=_one("sum by (pod) (kn_workqueue_depth)", "{{pod}}"),
        ),
    )
    return Dashboard(
        name="platform",
        title="KServe: platform",
        panels=(
            Panel(title="Parts that answer", queries=_one("sum by (job) (up)", "{{job}}")),
            Panel(
                title="The gateway's answers",
                queries=_one(
                    f"sum by (listener, response_code_class) (rate(envoy_http_downstream_rq{_RATE}))",
                    "{{listener}} {{response_code_class}}",
                ),
                unit="reqps",
                description="With Knative a request from outside passes port 80, then 8081, where its routes are.",
            ),
            Panel(
                title="The gateway's latency",
                queries=_quantiles("envoy_http_downstream_rq_time", "", by="listener", divided_by=1000),
                unit="s",
            ),
            Panel(
                title="Connections to the gateway",
                queries=_one("sum by (pod, listener) (envoy_http_downstream_cx_active)", "{{pod}} {{listener}}"),
            ),
            Panel(
                title="Time until the gateway knows of a change",
                queries=_one(
                    "histogram_quantile(0.95, sum by (le) (increase(pilot_proxy_convergence_time_bucket[1h])))", "p95"
                ),
                unit="s",
                description="In an hour: changes are seldom.",
            ),
            *(by_knative if knative else ()),
            Panel(
                title="KServe's reconciliations",
                queries=_one(
                    f'sum by (result) (rate(controller_runtime_reconcile_total{{job="kserve"}}{_RATE}))', "{{result}}"
                ),
                unit="ops",
            ),
            Panel(
                title="KServe's work waiting", queries=_one('sum by (name) (workqueue_depth{job="kserve"})', "{{name}}")
            ),
            Panel(
                title="Certificates: time left",
                queries=_one(
                    "min by (namespace, name) (certmanager_certificate_expiration_timestamp_seconds) - time()",
                    "{{namespace}}/{{name}}",
                ),
                unit="s",
            ),
            Panel(
                title="CPU",
                queries=_one(f"sum by (namespace) (rate(container_cpu_usage_seconds_total{_RATE}))", "{{namespace}}"),
                unit="cores",
            ),
            Panel(
                title="Memory",
                queries=_one("sum by (namespace) (container_memory_working_set_bytes)", "{{namespace}}"),
                unit="bytes",
            ),
            Panel(
                title="Series in Prometheus",
                queries=_one("prometheus_tsdb_head_series", "series"),
                description="What its memory grows with.",
            ),
        ),
    )


def all_dashboards(*, knative: bool) -> tuple[Dashboard, ...]:
    """Return every dashboard; `knative`: whether Knative is installed, whose metrics are then shown."""
    return (_all_models(knative=knative), _one_model(knative=knative), _platform(knative=knative))
