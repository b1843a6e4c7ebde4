"""Monitoring on: every target answers, every panel and alert has something to say; faults fire alerts; then off."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from lightkube.models.meta_v1 import ObjectMeta

from components.platform.monitoring.alerts import all_alerts
from components.platform.monitoring.dashboards import all_dashboards
from components.platform.monitoring.scraping import scrape_configs
from components.settings.monitoring import AlertSettings
from tests.e2e.asking import INSTANCES
from tests.e2e.cluster_objects import InferenceService, all_objects
from tests.e2e.machine import GATEWAY, Deployment, need
from tests.e2e.prometheus import Prometheus, Series

MODELS = ("sklearn-model", "xgboost-model")
BROKEN = "broken-model"
INTERVAL = 5
# Alerts at once; none of them waits for minutes that a test would have to wait, too.
SETTINGS = {"interval": INTERVAL, "alerts": {"after": 0}}
ALERTS = all_alerts(AlertSettings(after=0))
PANELS = {
    f"{dashboard.name}: {panel.title}": (panel, dashboard.of_model)
    for dashboard in all_dashboards(knative=True)
    for panel in dashboard.panels
}


def ask(model: str, verb: str = "predict", body: object = None) -> int:
    """The status of an answer."""
    answer = requests.post(
        f"{GATEWAY}/v1/models/{model}:{verb}",
        json={"instances": INSTANCES} if body is None else body,
        headers={"Host": f"{model}.default.example.com"},
        timeout=120,
    )
    return answer.status_code


def traffic(*, seconds: float) -> dict[int, int]:
    """Right and wrong requests to both models; how many got each status."""
    statuses: dict[int, int] = {}
    end = time.monotonic() + seconds
    kinds: list[tuple[str, object]] = [("predict", None), ("predict", None), ("predict", {}), ("explain", None)]
    with ThreadPoolExecutor(len(MODELS)) as pool:
        while time.monotonic() < end:
            for verb, body in kinds:
                for status in pool.map(lambda model, verb=verb, body=body: ask(model, verb, body), MODELS):
                    statuses[status] = statuses.get(status, 0) + 1
    return statuses


@pytest.fixture(scope="module")
def before(deployment: Deployment) -> set[str]:
    """Every object before there is monitoring."""
    return all_objects(deployment)


@pytest.fixture(scope="module")
def monitored(deployment: Deployment, before: set[str]) -> Iterator[Prometheus]:
    """The demo with monitoring, after some traffic; afterwards as it was."""
    assert before
    settings = deployment.stack_file.read_text()
    need("monitoring")
    deployment.configure(monitoring=SETTINGS)
    deployment.up()
    prometheus = Prometheus(deployment)
    # Knative gives every server a new queue-proxy, which has metrics.
    for model in MODELS:
        ask(model)
        prometheus.wait(f'up{{job="queue-proxies",model="{model}"}} == 1', seconds=300)
    # A rate needs two looks at a series, and the first request of a kind makes the series.
    statuses = traffic(seconds=INTERVAL * 6)
    assert {200, 400, 501} <= statuses.keys(), statuses
    yield prometheus
    there = deployment.settings["monitoring"]
    deployment.stack_file.write_text(settings)
    if there:
        deployment.up()


@pytest.mark.feature("monitoring")
def test_every_target_answers(monitored: Prometheus) -> None:
    for job in scrape_configs():
        monitored.wait(f'up{{job="{job["job_name"]}"}}', _all_one)
    for name in ("models", "queue-proxies"):
        assert {one.labels["model"] for one in monitored.ask(f'up{{job="{name}"}}')} >= set(MODELS)


@pytest.mark.feature("dashboards")
@pytest.mark.parametrize("name", PANELS)
def test_a_panel_has_data(monitored: Prometheus, name: str) -> None:
    panel, of_model = PANELS[name]
    for model in MODELS if of_model else MODELS[:1]:
        for query in panel.queries:
            shown = query.expression.replace("$__rate_interval", "5m")
            monitored.wait(shown.replace("$namespace", "default").replace("$model", model))


@pytest.mark.feature("dashboards")
def test_what_is_shown_is_what_happened(monitored: Prometheus) -> None:
    """Requests counted by the gateway, by the queue-proxies and by the server itself."""
    before = {name: _counted(monitored, query) for name, query in _COUNTERS.items()}
    assert [ask("sklearn-model") for _ in range(20)] == [200] * 20
    assert [ask("sklearn-model", "explain") for _ in range(5)] == [501] * 5
    added = {"gateway": 20, "gateway 5xx": 5, "queue-proxy": 20, "queue-proxy 501": 5, "server": 20}
    for name, query in _COUNTERS.items():
        monitored.wait(query, _sums_to(before[name] + added[name]), seconds=60)


_OF_SKLEARN = 'namespace="default",model="sklearn-model"'
_COUNTERS = {
    "gateway": f'sum(envoy_cluster_upstream_rq{{{_OF_SKLEARN},response_code_class="2xx"}})',
    "gateway 5xx": f'sum(envoy_cluster_upstream_rq{{{_OF_SKLEARN},response_code_class="5xx"}})',
    "queue-proxy": (
        f'sum(kn_serving_invocation_duration_seconds_count{{{_OF_SKLEARN},http_response_status_code="200"}})'
    ),
    "queue-proxy 501": (
        f'sum(kn_serving_invocation_duration_seconds_count{{{_OF_SKLEARN},http_response_status_code="501"}})'
    ),
    "server": f"sum(request_predict_seconds_count{{{_OF_SKLEARN}}})",
}


def _counted(prometheus: Prometheus, query: str) -> float:
    """A counter once the last look at it came after the last request."""
    time.sleep(2 * INTERVAL)
    return sum(one.value for one in prometheus.ask(query))


@pytest.mark.feature("alerts")
def test_prometheus_takes_every_alert(monitored: Prometheus) -> None:
    (group,) = monitored.get("rules", type="alert")["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    assert {rule["name"]: rule["health"] for rule in rules} == {alert.name: "ok" for alert in ALERTS}
    assert not [rule["lastError"] for rule in rules if rule.get("lastError")]


@pytest.mark.feature("alerts")
@pytest.mark.parametrize("name", [alert.name for alert in ALERTS if alert.name != "ModelCrashLooping"])
def test_what_an_alert_measures_is_measured(monitored: Prometheus, name: str) -> None:
    """Of a crash loop there is nothing to measure until there is one."""
    (alert,) = (alert for alert in ALERTS if alert.name == name)
    monitored.wait(alert.query)


@pytest.mark.feature("alerts")
def test_faults_are_alerts(monitored: Prometheus) -> None:
    """A model whose files are nowhere, and requests to another that fail."""
    client = monitored.deployment.client()
    spec = client.get(InferenceService, "sklearn-model", namespace="default")["spec"]
    spec["predictor"]["model"]["storageUri"] = "s3://models/nowhere"
    meta = ObjectMeta(name=BROKEN, namespace="default")
    client.create(InferenceService(metadata=meta, spec={"predictor": spec["predictor"]}))
    try:
        assert {ask("sklearn-model", "explain") for _ in range(20)} == {501}
        for name, model in (
            ("ModelErrors", "sklearn-model"),
            ("ModelNotReady", BROKEN),
            ("ModelCrashLooping", BROKEN),
        ):
            firing = f'ALERTS{{alertname="{name}",alertstate="firing",namespace="default",model="{model}"}}'
            monitored.wait(firing, seconds=180)
        assert not monitored.ask('ALERTS{alertname="ModelNotReady",model="sklearn-model"}')
        assert not monitored.ask('ALERTS{alertname="ModelCrashLooping",model!="broken-model"}')
    finally:
        client.delete(InferenceService, BROKEN, namespace="default")
    monitored.wait('ALERTS{alertname="ModelNotReady"}', _none, seconds=120)


def _all_one(found: list[Series]) -> bool:
    return bool(found) and all(one.value == 1 for one in found)


def _sums_to(goal: float) -> Callable[[list[Series]], bool]:
    return lambda found: sum(one.value for one in found) == goal


def _none(found: list[Series]) -> bool:
    return not found


@pytest.mark.feature("alerts")
def test_a_bound_is_changed_without_a_restart(monitored: Prometheus) -> None:
    started = monitored.ask('process_start_time_seconds{job="prometheus"}')[0].value
    deployment = monitored.deployment
    deployment.configure(monitoring=SETTINGS | {"alerts": {"after": 0, "latency": 0.02}})
    assert "1 updated" in deployment.up()
    deadline = time.monotonic() + 180  # the kubelet takes up to a minute to bring a ConfigMap to a pod
    while not _asks_for(monitored, "> 0.02"):
        assert time.monotonic() < deadline, "Prometheus still has the old bound"
        time.sleep(5)
    assert monitored.ask('process_start_time_seconds{job="prometheus"}')[0].value == started


def _asks_for(prometheus: Prometheus, bound: str) -> bool:
    (group,) = prometheus.get("rules", type="alert")["groups"]
    return any(rule["name"] == "ModelSlow" and rule["query"].endswith(bound) for rule in group["rules"])


@pytest.mark.feature("monitoring")
def test_how_to_reach_it_is_an_output(monitored: Prometheus) -> None:
    shown = monitored.deployment.pulumi("stack", "output", "monitoring", "--json")
    assert shown.status == 0, shown.text
    assert "port-forward service/prometheus-server 9090:80" in shown.text


@pytest.mark.feature("monitoring")
def test_off_leaves_nothing(monitored: Prometheus, before: set[str]) -> None:
    deployment = monitored.deployment
    deployment.configure(monitoring=False)
    deployment.up()
    assert all_objects(deployment) - before == set()
    again = deployment.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
    assert again.status == 0, again.text[-4000:]
    assert [ask(model) for model in MODELS] == [200, 200]
