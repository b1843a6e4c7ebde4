"""Monitoring: Prometheus, kube-state-metrics, alerts, and Grafana with its dashboards."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import yaml

from components.charts.deploy import merge_values
from components.platform.context import InstallContext
from components.platform.monitoring.alerts import alert_rules
from components.platform.monitoring.dashboards import DATA_SOURCE, all_dashboards
from components.platform.monitoring.scraping import (
    ALERTS_FILE,
    COLLECTORS,
    CONFIG_FILE,
    CONFIG_FOLDER,
    CUSTOM_RESOURCES_FILE,
    LABELS,
    inference_service_metrics,
    prometheus_configuration,
)
from components.platform.monitoring.workloads import RELOAD_FLAGS, declare_workload, kube_state_metrics, prometheus
from components.settings.monitoring import MonitoringSettings
from components.settings.resource_profiles import resource_values
from releases.namespaces import MONITORING_NAMESPACE
from releases.types import MonitoringCharts, PlainMonitoring

PROMETHEUS_CHART = "prometheus"
SERVER = f"{PROMETHEUS_CHART}-server"
KUBE_STATE = f"{PROMETHEUS_CHART}-kube-state-metrics"
CONFIG = f"{PROMETHEUS_CHART}-config"
GRAFANA = "grafana"
# Port of the Services of Prometheus and Grafana.
SERVICE_PORT = 80
DASHBOARD_LABEL = "grafana_dashboard"


@dataclass(frozen=True, kw_only=True)
class MonitoringArgs:
    """What monitoring is installed with, its versions and its settings.

    Attributes:
        knative: whether Knative is installed, which has metrics of its own.

    """

    install: InstallContext
    release: MonitoringCharts | PlainMonitoring
    settings: MonitoringSettings
    knative: bool


class Monitoring(pulumi.ComponentResource):
    """Prometheus, kube-state-metrics and, where the release has it, Grafana; done when they are ready.

    Prometheus discovers its targets, so they may be installed before or after it.

    Attributes:
        access: how a user opens Prometheus, and Grafana where it is installed.

    """

    access: pulumi.Output[dict[str, Any]]

    def __init__(self, name: str, *, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kserve-multi-model:platform:Monitoring", name, {}, opts)
        self._args = args
        self._inside = pulumi.ResourceOptions(parent=self)
        _, self._namespace = args.install.declare_namespace(MONITORING_NAMESPACE, opts=self._inside)
        configuration = self._config_map(
            CONFIG,
            {
                CONFIG_FILE: _yaml(prometheus_configuration(interval=args.settings.interval)),
                ALERTS_FILE: _yaml(alert_rules(args.settings.alerts)),
            },
        )
        for dashboard in all_dashboards(knative=args.knative):
            self._config_map(
                f"dashboard-{dashboard.name}",
                {f"{dashboard.name}.json": json.dumps(dashboard.document())},
                labels={DASHBOARD_LABEL: "1"},
            )
        match args.release:
            case MonitoringCharts():
                self._install_charts(args.release, configuration)
            case PlainMonitoring():
                self._install_workloads(args.release, configuration)
        with_grafana = isinstance(args.release, MonitoringCharts)
        self.access = self._namespace.apply(lambda namespace: _access(namespace, with_grafana=with_grafana))
        self.register_outputs({"access": self.access})

    def _config_map(
        self, name: str, data: dict[str, str], *, labels: dict[str, str] | None = None
    ) -> k8s.core.v1.ConfigMap:
        return k8s.core.v1.ConfigMap(
            name,
            metadata=k8s.meta.v1.ObjectMetaArgs(name=name, namespace=self._namespace, labels=labels),
            data=data,
            opts=self._inside,
        )

    def _install_charts(self, release: MonitoringCharts, configuration: k8s.core.v1.ConfigMap) -> None:
        charts = self._args.install.charts
        charts.workloads(
            PROMETHEUS_CHART,
            release.prometheus,
            namespace=self._namespace,
            values=merge_values(self._prometheus_values(), self._prometheus_images()),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[configuration]),
        )
        # As one release, because the chart generates a password, and only Helm keeps the one it generated before.
        charts.definitions(
            GRAFANA,
            release.grafana,
            namespace=self._namespace,
            values=merge_values(self._grafana_values(), self._grafana_images(), self._grafana_pull_secrets()),
            opts=self._inside,
        )

    def _prometheus_values(self) -> dict[str, Any]:
        settings, footprint = self._args.settings, self._args.install.footprint
        volume = {"enabled": settings.storage is not None}
        rule = {"apiGroups": ["serving.kserve.io"], "resources": ["inferenceservices"], "verbs": ["list", "watch"]}
        return {
            "alertmanager": {"enabled": False},
            "prometheus-node-exporter": {"enabled": False},
            "prometheus-pushgateway": {"enabled": False},
            "configmapReload": {"prometheus": {"enabled": False}},
            "server": {
                "fullnameOverride": SERVER,
                # The chart prepends the name of its release.
                "configMapOverrideName": CONFIG.removeprefix(f"{PROMETHEUS_CHART}-"),
                "configPath": f"{CONFIG_FOLDER}/{CONFIG_FILE}",
                "retention": f"{settings.retention}d",
                "extraFlags": [*RELOAD_FLAGS],
                "persistentVolume": volume | ({"size": settings.storage} if settings.storage else {}),
                **resource_values(footprint.prometheus),
            },
            "kube-state-metrics": {
                "fullnameOverride": KUBE_STATE,
                "collectors": [*COLLECTORS],
                "metricLabelsAllowlist": [LABELS],
                "customResourceState": {"enabled": True, "config": inference_service_metrics()},
                "rbac": {"extraRules": [rule]},
                **resource_values(footprint.kube_state_metrics),
            },
        }

    def _prometheus_images(self) -> dict[str, Any]:
        images = self._args.install.images
        if not images:
            return {}
        return {
            "server": {"image": {"repository": images.image("prometheus/prometheus")}},
            "kube-state-metrics": {"image": _split_image(images.image("kube-state-metrics/kube-state-metrics"))},
        }

    def _grafana_values(self) -> dict[str, Any]:
        source = {
            **DATA_SOURCE,
            "name": "Prometheus",
            "url": _url(SERVER, MONITORING_NAMESPACE),
            "access": "proxy",
            "isDefault": True,
            "jsonData": {"timeInterval": f"{self._args.settings.interval}s"},
        }
        return {
            "fullnameOverride": GRAFANA,
            "testFramework": {"enabled": False},
            "rbac": {"namespaced": True},
            "datasources": {"datasources.yaml": {"apiVersion": 1, "datasources": [source]}},
            "sidecar": {"dashboards": {"enabled": True, "label": DASHBOARD_LABEL, "labelValue": "1"}},
            "grafana.ini": {"analytics": {"check_for_updates": False, "reporting_enabled": False}},
            **resource_values(self._args.install.footprint.grafana),
        }

    def _grafana_images(self) -> dict[str, Any]:
        images = self._args.install.images
        if not images:
            return {}
        return {
            "image": _split_image(images.image("grafana/grafana")),
            "sidecar": {"image": _split_image(images.image("kiwigrid/k8s-sidecar"))},
        }

    def _grafana_pull_secrets(self) -> dict[str, Any]:
        references = self._args.install.pull_secrets.references
        return {"global": {"imagePullSecrets": references}} if references else {}

    def _install_workloads(self, release: PlainMonitoring, configuration: k8s.core.v1.ConfigMap) -> None:
        footprint = self._args.install.footprint
        custom_resources = self._config_map(KUBE_STATE, {CUSTOM_RESOURCES_FILE: _yaml(inference_service_metrics())})
        server = prometheus(
            SERVER,
            image=self._image("quay.io", f"prometheus/prometheus:{release.prometheus}"),
            resources=footprint.prometheus,
            config_map=configuration.metadata.name,
            retention=self._args.settings.retention,
            data=self._data_volume(),
            service_port=SERVICE_PORT,
        )
        kube_state = kube_state_metrics(
            KUBE_STATE,
            image=self._image("registry.k8s.io", f"kube-state-metrics/kube-state-metrics:{release.kube_state_metrics}"),
            resources=footprint.kube_state_metrics,
            config_map=custom_resources.metadata.name,
        )
        for workload in (server, kube_state):
            declare_workload(
                workload,
                namespace=self._namespace,
                pull_secrets=self._args.install.pull_secrets.names,
                opts=self._inside,
            )

    def _image(self, publisher: str, name: str) -> str:
        images = self._args.install.images
        return images.image(name) if images else f"{publisher}/{name}"

    def _data_volume(self) -> k8s.core.v1.VolumeArgs:
        """Return Prometheus's data volume: a PersistentVolumeClaim of the size in the settings, or an emptyDir."""
        size = self._args.settings.storage
        if size is None:
            return k8s.core.v1.VolumeArgs(name="data", empty_dir=k8s.core.v1.EmptyDirVolumeSourceArgs())
        claim = k8s.core.v1.PersistentVolumeClaim(
            SERVER,
            metadata=k8s.meta.v1.ObjectMetaArgs(name=SERVER, namespace=self._namespace),
            spec=k8s.core.v1.PersistentVolumeClaimSpecArgs(
                access_modes=["ReadWriteOnce"],
                resources=k8s.core.v1.VolumeResourceRequirementsArgs(requests={"storage": size}),
            ),
            opts=self._inside,
        )
        return k8s.core.v1.VolumeArgs(
            name="data",
            persistent_volume_claim=k8s.core.v1.PersistentVolumeClaimVolumeSourceArgs(claim_name=claim.metadata.name),
        )


class _Dumper(yaml.SafeDumper):
    """Repeats equal values, where YAML would have an anchor and references to it."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _yaml(document: Mapping[str, Any]) -> str:
    return yaml.dump(dict(document), Dumper=_Dumper, sort_keys=False)


def _url(service: str, namespace: str) -> str:
    return f"http://{service}.{namespace}.svc.cluster.local"


def _access(namespace: str, *, with_grafana: bool) -> dict[str, Any]:
    """Return the addresses inside the cluster, and the commands that open them on the user's machine.

    Neither is behind the gateway.
    """
    access = {"prometheus": _port_forward(SERVER, namespace, port=9090)}
    if with_grafana:
        password = f"kubectl -n {namespace} get secret {GRAFANA} -o jsonpath='{{.data.admin-password}}' | base64 -d"
        access["grafana"] = _port_forward(GRAFANA, namespace, port=3000) | {"user": "admin", "password": password}
    return access


def _port_forward(service: str, namespace: str, *, port: int) -> dict[str, str]:
    return {
        "url": _url(service, namespace),
        "command": f"kubectl -n {namespace} port-forward service/{service} {port}:{SERVICE_PORT}",
        "then": f"http://localhost:{port}",
    }


def _split_image(image: str) -> dict[str, str]:
    """Split an image's name, for charts that have separate values for the two parts."""
    registry, _, repository = image.partition("/")
    return {"registry": registry, "repository": repository}
