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
    ReleaseImage,
    TagOfChart,
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


PROMETHEUS_CHART = _community_chart("prometheus", "29.27.0", organization="prometheus-community")
GRAFANA_CHART = _community_chart("grafana", "12.11.1", organization="grafana-community")
# As the manifests of Knative Serving and net-istio 1.21.1 name them, which the operator of that version brings along.
KNATIVE_DIGESTS = {
    "serving/cmd/activator": "cf8d126fc08e596b742025f6e53c97abf921f7bd6394d29c200e79c1c323dc6e",
    "serving/cmd/autoscaler": "35045ef7c35c6151f0565094cc5ec240a886ba2e5a844366b22a074342af3edf",
    "serving/cmd/autoscaler-hpa": "8493e55beff91d149d584ac193b25ad9439bf1098f6cee0d394e43f2a9a323ef",
    "serving/cmd/controller": "622546def05a9b181123d35ede4e4a6e60d7751ae558ea2c5306978b30c24d5c",
    "serving/cmd/queue": "40957d3ced3b185b7a78bbd771be69b0a13137dcbee5ff7f82ae738b56037d9c",
    "serving/cmd/webhook": "8754cefd1f1db905495de5ba707b37459cc212b830d40962162654986d264d74",
    "serving/pkg/cleanup/cmd/cleanup": "c7029681e28723a8ccae4c7a0054db87e8dc71f37868465d0a3c07ad39c2c948",
    "pkg/apiextensions/storageversion/cmd/migrate": "6106427387f7f50f672218d0d68668cd20a571684cccb40da6f3cf6ae048ea1c",
    "net-istio/cmd/controller": "915a3a9b8caea8cceb59258ca2b941c83f0ab230aef5c1dd3b9499574ac3f379",
    "net-istio/cmd/webhook": "4d9c50245aeafb269876d05ddb95d235372abfe2b2ac1c9d8c7cd3a2ccf2d6b7",
}
KNATIVE_PUBLISHER = "gcr.io/knative-releases/knative.dev"
# Images of serving runtimes whose tag is not KServe's version, as the chart of KServe 0.20.0 has them.
RUNTIME_TAGS = {
    "seldonio/mlserver": "1.5.0",
    "tensorflow/serving": "2.6.2",
    "pytorch/torchserve-kfs": "0.9.0",
    "nvidia/tritonserver": "23.05-py3",
    "vllm/vllm-openai": "latest",
}
PUBLISHERS = {"nvidia/tritonserver": "nvcr.io"}


def _published(publisher: str, tag: str | TagOfChart, *names: str, under: str) -> tuple[ReleaseImage, ...]:
    """Images that a mirror has below `under`, and the publisher below its own path, with the same last names."""
    return tuple(ReleaseImage(name=f"{under}/{n}", tag=tag, published=f"{publisher}/{n}") for n in names)


def _knative_image(path: str, digest: str) -> ReleaseImage:
    name = path.rpartition("/")[2]
    return ReleaseImage(
        name=f"knative/net-istio-{name}" if path.startswith("net-istio/") else f"knative/{name}",
        tag=f"v{KNATIVE}",
        published=f"{KNATIVE_PUBLISHER}/{path}",
        digest=f"sha256:{digest}",
    )


def _runtime_image(name: str, tag: str) -> ReleaseImage:
    return ReleaseImage(name=name, tag=tag, published=f"{PUBLISHERS.get(name, 'docker.io')}/{name}")


# What the values and charts name that this program knows; the charts of cert-manager and of the monitoring could not be
# read where this was written.
IMAGES = (
    *_published("quay.io/jetstack", CERT_MANAGER, "cert-manager-controller", under="cert-manager"),
    *_published("quay.io/jetstack", CERT_MANAGER, "cert-manager-webhook", under="cert-manager"),
    *_published("quay.io/jetstack", CERT_MANAGER, "cert-manager-cainjector", under="cert-manager"),
    *_published("docker.io/istio", ISTIO, "pilot", "proxyv2", under="istio"),
    *_published(f"{KNATIVE_PUBLISHER}/operator/cmd", f"v{KNATIVE}", "operator", "webhook", under="knative-operator"),
    *(_knative_image(path, digest) for path, digest in KNATIVE_DIGESTS.items()),
    *_published("docker.io/kserve", KSERVE, "kserve-controller", "agent", "router", under="kserve"),
    *_published("docker.io/kserve", KSERVE, "storage-initializer", under="kserve"),
    *_published("quay.io/brancz", "v0.18.0", "kube-rbac-proxy", under="brancz"),
    *(_runtime_image(r.image, RUNTIME_TAGS.get(r.image, KSERVE)) for r in KSERVE_0_20_RUNTIMES),
    _runtime_image("kserve/huggingfaceserver", f"{KSERVE}-gpu"),
    ReleaseImage(
        name="prometheus/prometheus",
        tag=TagOfChart(chart=PROMETHEUS_CHART, file="Chart.yaml", path=("appVersion",)),
        published="quay.io/prometheus/prometheus",
    ),
    ReleaseImage(
        name="kube-state-metrics/kube-state-metrics",
        tag=TagOfChart(
            chart=PROMETHEUS_CHART, file="charts/kube-state-metrics/Chart.yaml", path=("appVersion",), prefix="v"
        ),
        published="registry.k8s.io/kube-state-metrics/kube-state-metrics",
    ),
    ReleaseImage(
        name="grafana/grafana",
        tag=TagOfChart(chart=GRAFANA_CHART, file="Chart.yaml", path=("appVersion",)),
        published="docker.io/grafana/grafana",
    ),
    ReleaseImage(
        name="kiwigrid/k8s-sidecar",
        tag=TagOfChart(chart=GRAFANA_CHART, file="values.yaml", path=("sidecar", "image", "tag")),
        published="quay.io/kiwigrid/k8s-sidecar",
    ),
)

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
        prometheus=PROMETHEUS_CHART,
        grafana=GRAFANA_CHART,
    ),
    images=IMAGES,
)
