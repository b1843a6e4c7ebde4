"""Monitoring: Prometheus, kube-state-metrics, alerts, and Grafana with its dashboards."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import yaml
from pulumi_kubernetes.core.v1 import ConfigMap

from components.charts.deploy import merged
from components.platform.context import Supply
from components.platform.monitoring import plain
from components.platform.monitoring.alerts import alert_rules
from components.platform.monitoring.dashboards import DATA_SOURCE, all_dashboards
from components.platform.monitoring.kube_state import COLLECTORS, CUSTOM_RESOURCES, LABELS, inference_service_states
from components.platform.monitoring.scraping import ALERTS_FILE, CONFIG_FILE, CONFIG_FOLDER, prometheus_configuration
from components.settings.monitoring import MonitoringSettings
from components.settings.resource_profiles import PodResources
from releases.types import MonitoringCharts, PlainMonitoring

NAMESPACE = "monitoring"
# The names that Prometheus's chart gives, when it is called this.
CHART = "prometheus"
SERVER = f"{CHART}-server"
KUBE_STATE = f"{CHART}-kube-state-metrics"
CONFIG = f"{CHART}-config"
GRAFANA = "grafana"
HTTP_PORT = 80
DASHBOARD_LABEL = "grafana_dashboard"


@dataclass(frozen=True, kw_only=True)
class MonitoringArgs:
    """What is installed, what the settings say of it, and whether Knative runs the models."""

    supply: Supply
    release: MonitoringCharts | PlainMonitoring
    settings: MonitoringSettings
    knative: bool


class Monitoring(pulumi.ComponentResource):
    """Prometheus, done when it answers; it finds everything else by itself, before or after.

    Attributes:
        access: how a user gets to Prometheus, and to Grafana where there is one.

    """

    access: pulumi.Output[dict[str, Any]]

    def __init__(self, name: str, *, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kserve-multi-model:platform:Monitoring", name, {}, opts)
        self._args = args
        self._inside = pulumi.ResourceOptions(parent=self)
        namespace = k8s.core.v1.Namespace(
            NAMESPACE, metadata=k8s.meta.v1.ObjectMetaArgs(name=NAMESPACE), opts=self._inside
        )
        self._namespace = namespace.metadata.name
        configuration = self._config_map(
            CONFIG,
            {
                CONFIG_FILE: yaml.safe_dump(
                    dict(prometheus_configuration(interval=args.settings.interval)), sort_keys=False
                ),
                ALERTS_FILE: yaml.safe_dump(dict(alert_rules(args.settings.alerts)), sort_keys=False),
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
                self._charts(args.release, configuration)
            case PlainMonitoring():
                self._plain(args.release, configuration)
        with_grafana = isinstance(args.release, MonitoringCharts)
        self.access = self._namespace.apply(lambda namespace: _access(namespace, with_grafana=with_grafana))
        self.register_outputs({"access": self.access})

    def _config_map(self, name: str, data: dict[str, str], *, labels: dict[str, str] | None = None) -> ConfigMap:
        return ConfigMap(
            name,
            metadata=k8s.meta.v1.ObjectMetaArgs(name=name, namespace=self._namespace, labels=labels),
            data=data,
            opts=self._inside,
        )

    def _charts(self, release: MonitoringCharts, configuration: ConfigMap) -> None:
        charts = self._args.supply.charts
        charts.workloads(
            CHART,
            release.prometheus,
            namespace=self._namespace,
            values=merged(self._prometheus_values(), self._prometheus_images()),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[configuration]),
        )
        # One resource: the chart makes a password up, and Helm alone finds the one it made up before.
        charts.definitions(
            GRAFANA,
            release.grafana,
            namespace=self._namespace,
            values=merged(self._grafana_values(), self._grafana_images()),
            opts=self._inside,
        )

    def _prometheus_values(self) -> dict[str, Any]:
        settings, footprint = self._args.settings, self._args.supply.footprint
        volume = {"enabled": settings.storage is not None}
        group, resources = CUSTOM_RESOURCES
        return {
            "alertmanager": {"enabled": False},
            "prometheus-node-exporter": {"enabled": False},
            "prometheus-pushgateway": {"enabled": False},
            "configmapReload": {"prometheus": {"enabled": False}},
            "server": {
                "fullnameOverride": SERVER,
                # The chart puts its release's name before it.
                "configMapOverrideName": CONFIG.removeprefix(f"{CHART}-"),
                "configPath": f"{CONFIG_FOLDER}/{CONFIG_FILE}",
                "retention": f"{settings.retention}d",
                "extraFlags": [*plain.RELOADING],
                "persistentVolume": volume | ({"size": settings.storage} if settings.storage else {}),
                **_resources(footprint.prometheus),
            },
            "kube-state-metrics": {
                "fullnameOverride": KUBE_STATE,
                "collectors": [*COLLECTORS],
                "metricLabelsAllowlist": [LABELS],
                "customResourceState": {"enabled": True, "config": inference_service_states()},
                "rbac": {"extraRules": [{"apiGroups": [group], "resources": [*resources], "verbs": ["list", "watch"]}]},
                **_resources(footprint.kube_state_metrics),
            },
        }

    def _prometheus_images(self) -> dict[str, Any]:
        images = self._args.supply.images
        if not images:
            return {}
        return {
            "server": {"image": {"repository": images.image("prometheus/prometheus")}},
            "kube-state-metrics": {"image": _split(images.image("kube-state-metrics/kube-state-metrics"))},
        }

    def _grafana_values(self) -> dict[str, Any]:
        source = {
            **DATA_SOURCE,
            "name": "Prometheus",
            "url": _url(SERVER, NAMESPACE),
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
            **_resources(self._args.supply.footprint.grafana),
        }

    def _grafana_images(self) -> dict[str, Any]:
        images = self._args.supply.images
        if not images:
            return {}
        return {
            "image": _split(images.image("grafana/grafana")),
            "sidecar": {"image": _split(images.image("kiwigrid/k8s-sidecar"))},
        }

    def _plain(self, release: PlainMonitoring, configuration: ConfigMap) -> None:
        settings, footprint = self._args.settings, self._args.supply.footprint
        states = self._config_map(
            KUBE_STATE,
            {plain.KUBE_STATE_CONFIG_FILE: yaml.safe_dump(inference_service_states(), sort_keys=False)},
        )
        plain.run(
            plain.Workload(
                name=SERVER,
                part="prometheus",
                image=self._image("quay.io", f"prometheus/prometheus:{release.prometheus}"),
                arguments=plain.prometheus_arguments(retention=settings.retention),
                port=plain.PROMETHEUS_PORT,
                ready_path="/-/ready",
                resources=footprint.prometheus,
                folders={CONFIG_FOLDER: configuration.metadata.name},
                rules=plain.PROMETHEUS_RULES,
                urls=("/metrics",),
                data=self._volume(),
            ),
            namespace=self._namespace,
            service_port=HTTP_PORT,
            parent=self,
        )
        plain.run(
            plain.Workload(
                name=KUBE_STATE,
                part="kube-state-metrics",
                image=self._image(
                    "registry.k8s.io", f"kube-state-metrics/kube-state-metrics:{release.kube_state_metrics}"
                ),
                arguments=plain.kube_state_arguments(),
                port=plain.KUBE_STATE_PORT,
                ready_path="/healthz",
                resources=footprint.kube_state_metrics,
                folders={plain.KUBE_STATE_CONFIG_FOLDER: states.metadata.name},
                rules=plain.KUBE_STATE_RULES,
            ),
            namespace=self._namespace,
            service_port=plain.KUBE_STATE_PORT,
            parent=self,
        )

    def _image(self, publisher: str, name: str) -> str:
        images = self._args.supply.images
        return images.image(name) if images else f"{publisher}/{name}"

    def _volume(self) -> k8s.core.v1.VolumeArgs:
        """Where Prometheus keeps what it saw: in a volume of the size the settings say, or with its pod."""
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


def _url(service: str, namespace: str) -> str:
    return f"http://{service}.{namespace}.svc.cluster.local"


def _access(namespace: str, *, with_grafana: bool) -> dict[str, Any]:
    """Addresses inside the cluster, and commands that open them on the own machine; neither is behind the gateway."""
    access = {"prometheus": _opened(SERVER, namespace, port=9090)}
    if with_grafana:
        password = f"kubectl -n {namespace} get secret {GRAFANA} -o jsonpath='{{.data.admin-password}}' | base64 -d"
        access["grafana"] = _opened(GRAFANA, namespace, port=3000) | {"user": "admin", "password": password}
    return access


def _opened(service: str, namespace: str, *, port: int) -> dict[str, str]:
    return {
        "url": _url(service, namespace),
        "command": f"kubectl -n {namespace} port-forward service/{service} {port}:{HTTP_PORT}",
        "then": f"http://localhost:{port}",
    }


def _split(image: str) -> dict[str, str]:
    """An image's name as charts want it that put the two together again."""
    registry, _, repository = image.partition("/")
    return {"registry": registry, "repository": repository}


def _resources(resources: PodResources | None) -> dict[str, Any]:
    return {"resources": resources.values()} if resources else {}
