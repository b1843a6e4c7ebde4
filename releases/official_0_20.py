"""Release 0.20: KServe 0.20 and what it was tested with, all from their publishers."""

from __future__ import annotations

from releases.runtimes import KSERVE_0_20_RUNTIMES
from releases.types import (
    CertManagerRelease,
    ChartArchive,
    IstioRelease,
    KnativeRelease,
    KServeRelease,
    KubernetesRange,
    Manifest,
    MonitoringCharts,
    NetIstio,
    OciChart,
    Release,
)

CERT_MANAGER = "v1.17.0"
GATEWAY_API = "1.5.1"
ISTIO = "1.27.1"
KNATIVE = "1.21.1"
KSERVE = "v0.20.0"


def _istio_chart(name: str) -> ChartArchive:
    url = f"https://istio-release.storage.googleapis.com/charts/{name}-{ISTIO}.tgz"
    return ChartArchive(name=name, version=ISTIO, url=url)


def _community_chart(name: str, version: str, *, organization: str) -> ChartArchive:
    folder = f"https://github.com/{organization}/helm-charts/releases/download/{name}-{version}"
    return ChartArchive(name=name, version=version, url=f"{folder}/{name}-{version}.tgz")


def _kserve_chart(name: str) -> OciChart:
    return OciChart(name=name, version=KSERVE, repository="ghcr.io/kserve/charts")


OFFICIAL_0_20 = Release(
    name="0.20",
    kubernetes=KubernetesRange(oldest=(1, 32), oldest_with_knative=(1, 33), newest=(1, 34)),
    cert_manager=CertManagerRelease(
        chart=ChartArchive(
            name="cert-manager",
            version=CERT_MANAGER,
            url=f"https://charts.jetstack.io/charts/cert-manager-{CERT_MANAGER}.tgz",
        ),
        values={"crds": {"enabled": True, "keep": False}},
    ),
    gateway_api=Manifest(
        name="gateway-api-crds",
        version=GATEWAY_API,
        url=f"https://github.com/kubernetes-sigs/gateway-api/releases/download/v{GATEWAY_API}/standard-install.yaml",
    ),
    istio=IstioRelease(
        version=ISTIO,
        base=_istio_chart("base"),
        istiod=_istio_chart("istiod"),
        gateway=_istio_chart("gateway"),
    ),
    knative=KnativeRelease(
        version=KNATIVE,
        operator=ChartArchive(
            name="knative-operator",
            version=f"v{KNATIVE}",
            url=f"https://github.com/knative/operator/releases/download/knative-v{KNATIVE}/knative-operator-v{KNATIVE}.tgz",
        ),
        serving_crds=Manifest(
            name="knative-serving-crds",
            version=KNATIVE,
            url=f"https://github.com/knative/serving/releases/download/knative-v{KNATIVE}/serving-crds.yaml",
        ),
        ingress=NetIstio(),
    ),
    kserve=KServeRelease(
        version=KSERVE,
        # The charts with full schemas are megabytes large, and the controller's webhooks check the same.
        crds=_kserve_chart("kserve-crd-minimal"),
        resources=_kserve_chart("kserve-resources"),
        runtime_configs=_kserve_chart("kserve-runtime-configs"),
        rbac_proxy="v0.18.0",
        runtimes=KSERVE_0_20_RUNTIMES,
    ),
    monitoring=MonitoringCharts(
        prometheus=_community_chart("prometheus", "29.27.0", organization="prometheus-community"),
        grafana=_community_chart("grafana", "12.11.1", organization="grafana-community"),
    ),
)
