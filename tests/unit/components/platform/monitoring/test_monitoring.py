"""The scrape jobs, dashboards and alerts, and what is installed for them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import yaml

from components.platform.context import InstallContext
from components.platform.monitoring.alerts import all_alerts
from components.platform.monitoring.component import Monitoring, MonitoringArgs
from components.platform.monitoring.dashboards import COLUMNS, Dashboard, all_dashboards
from components.platform.monitoring.scraping import GATEWAY_STATISTICS, scrape_configs
from components.settings.monitoring import AlertSettings, MonitoringSettings
from releases.local import LOCAL
from releases.official_0_20 import OFFICIAL_0_20
from releases.types import Release
from tests.unit.components.recording import Recording, record

RELEASES = pytest.mark.parametrize("release", [LOCAL, OFFICIAL_0_20], ids=lambda release: release.name)


def monitoring(
    install: InstallContext, *, release: Release = LOCAL, settings: MonitoringSettings | None = None
) -> tuple[Recording, Any]:
    """Return the recorded monitoring and its output for the user."""
    access: list[Any] = []

    def program() -> None:
        made = Monitoring(
            "monitoring",
            args=MonitoringArgs(
                install=install, release=release.monitoring, settings=settings or MonitoringSettings(), knative=True
            ),
        )
        made.access.apply(access.append)

    return record(program), access[0]


JOBS = {job["job_name"]: job for job in scrape_configs()}


def relabelled(job: str, labels: dict[str, str], *, steps: str) -> dict[str, str] | None:
    """Apply a job's relabelling steps to labels, as Prometheus does; None when the target or series is dropped."""
    kept = dict(labels)
    for step in JOBS[job][steps]:
        text = ";".join(kept.get(label, "") for label in step["source_labels"])
        found = re.fullmatch(step["regex"], text)
        if (step["action"] == "keep" and not found) or (step["action"] == "drop" and found):
            return None
        if step["action"] == "replace" and found:
            kept[step["target_label"]] = found.expand(step["replacement"].replace("$", "\\"))
    return kept


POD = {
    "__address__": "10.1.2.3:8080",
    "__metrics_path__": "/metrics",
    "__meta_kubernetes_namespace": "shop",
    "__meta_kubernetes_pod_name": "flowers-predictor-00002-deployment-abc",
    "__meta_kubernetes_pod_phase": "Running",
    "__meta_kubernetes_pod_container_name": "kserve-container",
    "__meta_kubernetes_pod_labelpresent_serving_kserve_io_inferenceservice": "true",
    "__meta_kubernetes_pod_label_serving_kserve_io_inferenceservice": "flowers",
    "__meta_kubernetes_pod_label_component": "predictor",
    "__meta_kubernetes_pod_annotation_prometheus_kserve_io_port": "8002",
    "__meta_kubernetes_pod_annotation_prometheus_kserve_io_path": "/v2/metrics",
}


@pytest.mark.parametrize("address", ["10.1.2.3:8080", "10.1.2.3", "10.1.2.3:9000"])
@pytest.mark.parametrize("revision", ["flowers-predictor-00002", None])
def test_a_models_server_is_scraped_at_the_port_and_path_of_its_runtime(address: str, revision: str | None) -> None:
    """In mode Standard there is no revision, and a container may declare no port."""
    of_knative = {"__meta_kubernetes_pod_label_serving_knative_dev_revision": revision} if revision else {}
    target = relabelled("models", POD | of_knative | {"__address__": address}, steps="relabel_configs")
    assert target
    assert target["__address__"] == "10.1.2.3:8002"
    assert target["__metrics_path__"] == "/v2/metrics"
    assert (target["namespace"], target["model"]) == ("shop", "flowers")
    assert target.get("revision", "") == (revision or "")


@pytest.mark.parametrize(
    "other",
    [
        {"__meta_kubernetes_pod_container_name": "queue-proxy"},
        {"__meta_kubernetes_pod_container_name": "storage-initializer"},
        {"__meta_kubernetes_pod_phase": "Pending"},
        {"__meta_kubernetes_pod_labelpresent_serving_kserve_io_inferenceservice": ""},
    ],
)
def test_other_containers_and_pods_are_not_scraped_as_models(other: dict[str, str]) -> None:
    assert relabelled("models", POD | other, steps="relabel_configs") is None


@pytest.mark.parametrize(
    "cluster",
    [
        "outbound|80||flowers-predictor-00002.shop.svc.cluster.local",
        "outbound|80||flowers-predictor-00002-private.shop.svc.cluster.local",
        "outbound|80||flowers-predictor.shop.svc.cluster.local",
    ],
)
def test_the_gateways_series_are_labelled_with_the_model(cluster: str) -> None:
    """The Service is of one of its revisions, or in mode Standard the model's only one."""
    series = {"__name__": "envoy_cluster_upstream_rq", "cluster_name": cluster, "namespace": "istio-system"}
    labels = relabelled("gateway", series, steps="metric_relabel_configs")
    assert labels
    assert (labels["namespace"], labels["model"]) == ("shop", "flowers")
    statistic = f"cluster.{cluster};.upstream_rq_5xx"
    assert any(re.fullmatch(pattern, statistic) for pattern in GATEWAY_STATISTICS)


def test_other_series_of_the_gateway_get_no_model() -> None:
    series = {"__name__": "envoy_cluster_upstream_rq", "cluster_name": "xds-grpc", "namespace": "istio-system"}
    assert relabelled("gateway", series, steps="metric_relabel_configs") == series
    stale = series | {"__name__": "envoy_cluster_assignment_stale"}
    assert relabelled("gateway", stale, steps="metric_relabel_configs") is None


def test_no_pattern_of_a_statistic_has_a_comma() -> None:
    assert not [pattern for pattern in GATEWAY_STATISTICS if "," in pattern]


def test_the_autoscalers_series_are_labelled_with_the_model() -> None:
    series = {"k8s_namespace_name": "shop", "kn_service_name": "flowers-predictor", "namespace": "knative-serving"}
    labels = relabelled("knative", series, steps="metric_relabel_configs")
    assert labels
    assert (labels["namespace"], labels["model"]) == ("shop", "flowers")
    other = {"k8s_namespace_name": "shop", "kn_service_name": "website", "namespace": "knative-serving"}
    assert relabelled("knative", other, steps="metric_relabel_configs") == other


@RELEASES
def test_prometheus_has_the_same_configuration_in_every_release(install: InstallContext, release: Release) -> None:
    recording, _ = monitoring(install, release=release, settings=MonitoringSettings(interval=30))
    data = recording.the(":ConfigMap", "prometheus-config").plain["data"]
    configuration = yaml.safe_load(data["prometheus.yml"])
    assert configuration["global"] == {"scrape_interval": "30s", "evaluation_interval": "30s"}
    assert configuration["scrape_configs"] == [*JOBS.values()]
    assert "&id" not in data["prometheus.yml"]
    assert configuration["rule_files"] == ["/etc/config/alerts.yml"]
    (group,) = yaml.safe_load(data["alerts.yml"])["groups"]
    assert [rule["alert"] for rule in group["rules"]] == [alert.name for alert in all_alerts(AlertSettings())]


@RELEASES
def test_every_dashboard_has_the_label_that_grafana_looks_for(install: InstallContext, release: Release) -> None:
    recording, _ = monitoring(install, release=release)
    for dashboard in all_dashboards(knative=True):
        declared = recording.the(":ConfigMap", f"dashboard-{dashboard.name}").plain
        assert declared["metadata"]["labels"] == {"grafana_dashboard": "1"}
        assert json.loads(declared["data"][f"{dashboard.name}.json"]) == dashboard.document()


def test_alerts_use_the_bounds_of_the_settings(install: InstallContext) -> None:
    settings = MonitoringSettings(alerts=AlertSettings(error_rate=0.2, latency=3, after=60))
    recording, _ = monitoring(install, settings=settings)
    (group,) = yaml.safe_load(recording.the(":ConfigMap", "prometheus-config").plain["data"]["alerts.yml"])["groups"]
    rules = {rule["alert"]: rule for rule in group["rules"]}
    assert rules["ModelErrors"]["expr"].endswith("> 0.2")
    assert rules["ModelSlow"]["expr"].endswith("> 3")
    assert {rule["for"] for rule in rules.values()} == {"60s"}


@pytest.mark.parametrize("dashboard", all_dashboards(knative=True), ids=lambda dashboard: dashboard.name)
def test_panels_do_not_overlap(dashboard: Dashboard) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard.document()["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert place["x"] + place["w"] <= COLUMNS
        assert not cells & taken, panel["title"]
        taken |= cells
    rows = sorted({y for _, y in taken})
    assert all(below - above == 1 for above, below in pairwise(rows))


def test_without_knative_no_panel_shows_its_metrics() -> None:
    shown = json.dumps([dashboard.document() for dashboard in all_dashboards(knative=False)])
    assert "kn_" not in shown
    assert "kn_" in json.dumps([dashboard.document() for dashboard in all_dashboards(knative=True)])


@pytest.mark.feature("monitoring", mode="both", proof="objects")
def test_the_local_prometheus_is_a_deployment_with_the_permissions_it_needs(install: InstallContext) -> None:
    recording, access = monitoring(install, settings=MonitoringSettings(retention=3))
    server = recording.the(":Deployment", "prometheus-server").plain
    pod = server["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["image"] == "registry.example:5000/prometheus/prometheus:v3.14.0"
    assert "--storage.tsdb.retention.time=3d" in container["args"]
    assert {volume.get("name") for volume in pod["volumes"] if "emptyDir" in volume} == {"data"}
    role = recording.the(":ClusterRole", "prometheus-server").plain
    assert {"nonResourceURLs": ["/metrics"], "verbs": ["get"]} in role["rules"]
    assert not [rule for rule in role["rules"] if "secrets" in rule.get("resources", [])]
    states = recording.the(":ClusterRole", "prometheus-kube-state-metrics").plain
    assert ["inferenceservices"] in [rule["resources"] for rule in states["rules"]]
    assert access.keys() == {"prometheus"}
    assert access["prometheus"]["command"] == "kubectl -n monitoring port-forward service/prometheus-server 9090:80"


def test_a_volume_of_the_size_in_the_settings(install: InstallContext) -> None:
    settings = MonitoringSettings(storage="20Gi")
    recording, _ = monitoring(install, settings=settings)
    claim = recording.the(":PersistentVolumeClaim", "prometheus-server").plain
    assert claim["spec"]["resources"] == {"requests": {"storage": "20Gi"}}
    official, _ = monitoring(install, release=OFFICIAL_0_20, settings=settings)
    values = official.the(":Chart", "prometheus").plain["values"]
    assert values["server"]["persistentVolume"] == {"enabled": True, "size": "20Gi"}


@pytest.mark.feature("monitoring", mode="both", proof="objects")
def test_the_values_of_prometheus_and_grafanas_charts(install: InstallContext) -> None:
    recording, access = monitoring(install, release=OFFICIAL_0_20)
    values = recording.the(":Chart", "prometheus").plain["values"]
    disabled = ("alertmanager", "prometheus-node-exporter", "prometheus-pushgateway")
    assert all(values[part] == {"enabled": False} for part in disabled)
    # The chart prepends the name of its release.
    assert values["server"]["configMapOverrideName"] == "config"
    assert values["server"]["persistentVolume"] == {"enabled": False}
    assert values["server"]["image"] == {"repository": "registry.example:5000/prometheus/prometheus"}
    states = values["kube-state-metrics"]
    assert states["customResourceState"]["enabled"]
    assert states["rbac"]["extraRules"][0]["resources"] == ["inferenceservices"]
    grafana = recording.the(":Release", "grafana").plain["values"]
    assert grafana["sidecar"]["dashboards"]["label"] == "grafana_dashboard"
    (source,) = grafana["datasources"]["datasources.yaml"]["datasources"]
    assert source["url"] == "http://prometheus-server.monitoring.svc.cluster.local"
    assert source["uid"] == "prometheus"
    assert grafana["image"] == {"registry": "registry.example:5000", "repository": "grafana/grafana"}
    assert access["grafana"]["command"] == "kubectl -n monitoring port-forward service/grafana 3000:80"


def test_grafanas_password_is_not_declared(install: InstallContext) -> None:
    """Its chart generates one in the cluster."""
    recording, _ = monitoring(install, release=OFFICIAL_0_20)
    grafana = recording.the(":Release", "grafana").plain
    assert "adminPassword" not in json.dumps(grafana)
    assert not [name for name in recording.names if "Secret" in name]


def test_without_a_mirror_the_charts_have_their_own_images(install: InstallContext) -> None:
    recording, _ = monitoring(replace(install, images=None), release=OFFICIAL_0_20)
    assert "image" not in recording.the(":Chart", "prometheus").plain["values"]["server"]
    assert "image" not in recording.the(":Release", "grafana").plain["values"]
