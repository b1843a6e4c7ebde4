"""Releases: versions that work together, where their charts are published, and what differs between them.

Nothing else in the program mentions a version.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from components.charts.sources import ChartArchive, Manifest, Mirrored, OciChart, Source

# Of this project, in every release; published nowhere but in the local cluster's registry.
BANDIT_IMAGE = "kserve-multi-model/bandit:0.1.0"
GRPC_V2 = "grpc-v2"
OPENAI = "openai"

# Values of a Helm chart that a release adds to those every release gets.
Values = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class KubernetesRange:
    """The Kubernetes versions a release was tested on, (major, minor), both ends included."""

    oldest: tuple[int, int]
    newest: tuple[int, int]

    def __contains__(self, version: tuple[int, int]) -> bool:
        return self.oldest <= version <= self.newest

    def __str__(self) -> str:
        return " to ".join(f"{major}.{minor}" for major, minor in (self.oldest, self.newest))


@dataclass(frozen=True, kw_only=True)
class ModelFormat:
    """A model format in a version, as a serving runtime states it; only an auto-selected one needs no `runtime`."""

    name: str
    version: str
    auto_select: bool = True


@dataclass(frozen=True, kw_only=True)
class ServingRuntime:
    """A ClusterServingRuntime.

    Attributes:
        values_key: names it in the values of KServe's chart; None for one that the program declares itself.
        image: its name in a mirror.
        protocols: those it states to KServe; `openai` stands for none.
        grpc_port: where it serves grpc-v2, stated or not; None where it does not.
        tells_loaded: whether the path that v1 or v2 has for a model's readiness, with the InferenceService's name in
            it, is answered with an error until that model is loaded.

    """

    name: str
    values_key: str | None
    image: str
    formats: tuple[ModelFormat, ...]
    protocols: tuple[str, ...]
    grpc_port: int | None = None
    tells_loaded: bool = False

    @property
    def spoken(self) -> tuple[str, ...]:
        """The protocols that it can be asked by."""
        unstated = self.grpc_port is not None and GRPC_V2 not in self.protocols
        return (*self.protocols, *([GRPC_V2] if unstated else []))

    def stated(self, protocol: str) -> str | None:
        """What an InferenceService has to say for a protocol: KServe compares it with what the runtime states."""
        if protocol == OPENAI:
            return None
        return protocol if protocol in self.protocols else "v2"

    def serves(self, *, format_name: str, version: str | None, protocol: str) -> bool:
        """Whether it can serve such a model, chosen by name."""
        return protocol in self.spoken and any(
            f.name == format_name and version in {None, f.version} for f in self.formats
        )

    def chosen_for(self, *, format_name: str, version: str | None, protocol: str) -> bool:
        """Whether it may be chosen for such a model that names none."""
        return protocol in self.spoken and any(
            f.name == format_name and version in {None, f.version} and f.auto_select for f in self.formats
        )


@dataclass(frozen=True, kw_only=True)
class CertManagerRelease:
    """cert-manager's chart, CRDs included."""

    chart: Source
    values: Values


@dataclass(frozen=True, kw_only=True)
class IstioRelease:
    """Istio's charts; `values` are istiod's."""

    version: str
    base: Source
    istiod: Source
    gateway: Source
    values: Values = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class NetIstio:
    """Knative's ingress by Istio's own objects; the Knative operator installs it."""


@dataclass(frozen=True, kw_only=True)
class NetGatewayApi:
    """Knative's ingress by Gateway API objects, which Istio implements."""

    chart: Source
    version: str


@dataclass(frozen=True, kw_only=True)
class KnativeRelease:
    """The Knative operator, the Serving it installs (`version`), and Serving's CRDs on their own."""

    version: str
    operator: Source
    serving_crds: Source
    ingress: NetIstio | NetGatewayApi


@dataclass(frozen=True, kw_only=True)
class KServeRelease:
    """KServe's charts and serving runtimes.

    Attributes:
        rbac_proxy: tag of the image of kube-rbac-proxy.
        left_out: keys of the runtimes in the chart's values that the release does not have.

    """

    version: str
    crds: Source
    resources: Source
    runtime_configs: Source
    rbac_proxy: str
    runtimes: tuple[ServingRuntime, ...]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class MonitoringCharts:
    """Prometheus, kube-state-metrics with it, and Grafana by their charts."""

    prometheus: Source
    grafana: Source


@dataclass(frozen=True, kw_only=True)
class PlainMonitoring:
    """Prometheus and kube-state-metrics without a chart, by the tags of their images; no Grafana."""

    prometheus: str
    kube_state_metrics: str


@dataclass(frozen=True, kw_only=True)
class Release:
    """A named, tested set of versions.

    Attributes:
        on_demand: images that its mirror has once somebody needs them, with what `python -m cluster add` calls them.
    """

    name: str
    kubernetes: KubernetesRange
    cert_manager: CertManagerRelease
    gateway_api: Source
    istio: IstioRelease
    knative: KnativeRelease
    kserve: KServeRelease
    monitoring: MonitoringCharts | PlainMonitoring
    on_demand: Mapping[str, str] = field(default_factory=dict)

    @property
    def runtimes(self) -> tuple[ServingRuntime, ...]:
        """The serving runtimes KServe offers."""
        return self.kserve.runtimes

    @property
    def needs_mirror(self) -> bool:
        """Whether some chart is published nowhere but in a mirror."""
        return any(isinstance(source, Mirrored) for source in self._sources())

    def _sources(self) -> Iterator[Source]:
        yield from (self.cert_manager.chart, self.gateway_api)
        yield from (self.istio.base, self.istio.istiod, self.istio.gateway)
        yield from (self.knative.operator, self.knative.serving_crds)
        yield from (self.kserve.crds, self.kserve.resources, self.kserve.runtime_configs)
        if isinstance(self.monitoring, MonitoringCharts):
            yield from (self.monitoring.prometheus, self.monitoring.grafana)


def _formats(*pairs: tuple[str, str]) -> tuple[ModelFormat, ...]:
    return tuple(ModelFormat(name=name, version=version) for name, version in pairs)


SKLEARN = ServingRuntime(
    name="kserve-sklearnserver",
    values_key="sklearnserver",
    image="kserve/sklearnserver",
    formats=_formats(("sklearn", "1")),
    protocols=("v1", "v2"),
    grpc_port=8081,
    tells_loaded=True,
)
XGBOOST = ServingRuntime(
    name="kserve-xgbserver",
    values_key="xgbserver",
    image="kserve/xgbserver",
    formats=_formats(("xgboost", "2")),
    protocols=("v1", "v2"),
    grpc_port=8081,
    tells_loaded=True,
)
LIGHTGBM = ServingRuntime(
    name="kserve-lgbserver",
    values_key="lgbserver",
    image="kserve/lgbserver",
    formats=_formats(("lightgbm", "4")),
    protocols=("v1", "v2"),
    grpc_port=8081,
    tells_loaded=True,
)
# KServe serves ONNX with Triton; this one is the local cluster's own.
ONNX = ServingRuntime(
    name="kserve-onnxserver",
    values_key=None,
    image="kserve/onnxserver",
    formats=_formats(("onnx", "1")),
    protocols=("v1", "v2", GRPC_V2),
    grpc_port=8081,
    tells_loaded=True,
)

# Every runtime in KServe 0.20's chart that serves one of the protocols; the chart's own images. KServe's own servers
# state v1 and v2, and serve gRPC beside them.
KSERVE_0_20_RUNTIMES = (
    SKLEARN,
    XGBOOST,
    LIGHTGBM,
    ServingRuntime(
        name="kserve-mlserver",
        values_key="mlserver",
        image="seldonio/mlserver",
        formats=_formats(
            *(("sklearn", "0"), ("sklearn", "1"), ("xgboost", "1"), ("xgboost", "2")),
            *(("lightgbm", "3"), ("lightgbm", "4"), ("mlflow", "1"), ("mlflow", "2")),
        ),
        protocols=("v2",),
        tells_loaded=True,
    ),
    ServingRuntime(
        name="kserve-predictiveserver",
        values_key="predictiveserver",
        image="kserve/predictiveserver",
        formats=tuple(
            ModelFormat(name=name, version=version, auto_select=False)
            for name, version in (("sklearn", "1"), ("xgboost", "2"), ("lightgbm", "4"))
        ),
        protocols=("v1", "v2"),
        grpc_port=8081,
        tells_loaded=True,
    ),
    ServingRuntime(
        name="kserve-pmmlserver",
        values_key="pmmlserver",
        image="kserve/pmmlserver",
        formats=_formats(("pmml", "3"), ("pmml", "4")),
        protocols=("v1", "v2"),
        grpc_port=8081,
        tells_loaded=True,
    ),
    ServingRuntime(
        name="kserve-paddleserver",
        values_key="paddleserver",
        image="kserve/paddleserver",
        formats=_formats(("paddle", "2")),
        protocols=("v1", "v2"),
        grpc_port=8081,
        tells_loaded=True,
    ),
    ServingRuntime(
        name="kserve-autogluonserver",
        values_key="autogluonserver",
        image="kserve/autogluonserver",
        formats=_formats(("autogluon", "1")),
        protocols=("v1", "v2"),
        grpc_port=8081,
        tells_loaded=True,
    ),
    ServingRuntime(
        name="kserve-huggingfaceserver",
        values_key="huggingfaceserver",
        image="kserve/huggingfaceserver",
        formats=_formats(("huggingface", "1")),
        protocols=("v1", "v2"),
        tells_loaded=True,
    ),
    # Its probes are its own; KServe has no word for what it speaks.
    ServingRuntime(
        name="kserve-vllmserver",
        values_key="vllmserver",
        image="vllm/vllm-openai",
        formats=_formats(("vLLM", "1")),
        protocols=(OPENAI,),
    ),
    # Whether a model of the last three is loaded cannot be asked: TensorFlow Serving reports success while it still
    # loads, and the other two know their models by the names in the folder, not by the InferenceService's.
    ServingRuntime(
        name="kserve-tensorflow-serving",
        values_key="tensorflow",
        image="tensorflow/serving",
        formats=_formats(("tensorflow", "1"), ("tensorflow", "2")),
        protocols=("v1", "grpc-v1"),
    ),
    ServingRuntime(
        name="kserve-torchserve",
        values_key="torchserve",
        image="pytorch/torchserve-kfs",
        formats=_formats(("pytorch", "1")),
        protocols=("v1", "v2", GRPC_V2),
        grpc_port=8081,
    ),
    ServingRuntime(
        name="kserve-tritonserver",
        values_key="tritonserver",
        image="nvidia/tritonserver",
        formats=(
            *_formats(("tensorrt", "8"), ("tensorflow", "1"), ("tensorflow", "2"), ("onnx", "1"), ("triton", "2")),
            ModelFormat(name="pytorch", version="1", auto_select=False),
        ),
        protocols=("v2", GRPC_V2),
        grpc_port=9000,
    ),
)
LOCAL_RUNTIMES = (SKLEARN, XGBOOST, LIGHTGBM, ONNX)


def _istio_chart(name: str, version: str) -> ChartArchive:
    return ChartArchive(
        name=name,
        version=version,
        url=f"https://istio-release.storage.googleapis.com/charts/{name}-{version}.tgz",
    )


def _community_chart(name: str, version: str, *, organization: str) -> ChartArchive:
    return ChartArchive(
        name=name,
        version=version,
        url=f"https://github.com/{organization}/helm-charts/releases/download/{name}-{version}/{name}-{version}.tgz",
    )


def _kserve_chart(name: str) -> OciChart:
    return OciChart(name=name, version="v0.20.0", repository="ghcr.io/kserve/charts")


OFFICIAL_0_20 = Release(
    name="0.20",
    kubernetes=KubernetesRange(oldest=(1, 32), newest=(1, 34)),
    cert_manager=CertManagerRelease(
        chart=ChartArchive(
            name="cert-manager",
            version="v1.17.0",
            url="https://charts.jetstack.io/charts/cert-manager-v1.17.0.tgz",
        ),
        values={"crds": {"enabled": True, "keep": False}},
    ),
    gateway_api=Manifest(
        name="gateway-api-crds",
        version="1.5.1",
        url="https://github.com/kubernetes-sigs/gateway-api/releases/download/v1.5.1/standard-install.yaml",
    ),
    istio=IstioRelease(
        version="1.27.1",
        base=_istio_chart("base", "1.27.1"),
        istiod=_istio_chart("istiod", "1.27.1"),
        gateway=_istio_chart("gateway", "1.27.1"),
    ),
    knative=KnativeRelease(
        version="1.21.1",
        operator=ChartArchive(
            name="knative-operator",
            version="v1.21.1",
            url="https://github.com/knative/operator/releases/download/knative-v1.21.1/knative-operator-v1.21.1.tgz",
        ),
        serving_crds=Manifest(
            name="knative-serving-crds",
            version="1.21.1",
            url="https://github.com/knative/serving/releases/download/knative-v1.21.1/serving-crds.yaml",
        ),
        ingress=NetIstio(),
    ),
    kserve=KServeRelease(
        version="v0.20.0",
        # The full schemas are megabytes and the controller's webhooks check the same.
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

LOCAL = Release(
    name="local",
    kubernetes=KubernetesRange(oldest=(1, 32), newest=(1, 34)),
    cert_manager=CertManagerRelease(
        chart=Mirrored(name="cert-manager", version="v1.11.5"),
        values={"installCRDs": True},
    ),
    gateway_api=Mirrored(name="gateway-api-crds", version="1.5.1"),
    istio=IstioRelease(
        version="1.31.0",
        base=Mirrored(name="base", version="1.31.0"),
        istiod=Mirrored(name="istiod", version="1.31.0"),
        gateway=Mirrored(name="gateway", version="1.31.0"),
        # Its Envoy is the upstream one, which refuses a configuration that names Istio's own filters.
        values={
            "telemetry": {"enabled": False},
            "env": {
                "PILOT_ENABLE_METADATA_EXCHANGE": "false",
                "PILOT_ENABLE_ALPN_FILTER": "false",
                "PILOT_DISABLE_MX_ALPN": "true",
            },
            "meshConfig": {"enablePrometheusMerge": False},
        },
    ),
    knative=KnativeRelease(
        version="1.21.1",
        operator=Mirrored(name="knative-operator", version="v1.21.1"),
        serving_crds=Mirrored(name="knative-serving-crds", version="1.21.1"),
        ingress=NetGatewayApi(chart=Mirrored(name="net-gateway-api", version="1.21.0"), version="v1.21.0"),
    ),
    kserve=KServeRelease(
        version="v0.20.0",
        crds=Mirrored(name="kserve-crd-minimal", version="v0.20.0"),
        resources=Mirrored(name="kserve-resources", version="v0.20.0"),
        runtime_configs=Mirrored(name="kserve-runtime-configs", version="v0.20.0"),
        rbac_proxy="v0.18.0",
        runtimes=LOCAL_RUNTIMES,
        left_out=(
            *(r.values_key for r in KSERVE_0_20_RUNTIMES if r.values_key and r not in LOCAL_RUNTIMES),
            "huggingfaceserver_multinode",
        ),
    ),
    monitoring=PlainMonitoring(prometheus="v3.14.0", kube_state_metrics="v2.18.0"),
    on_demand={
        "prometheus/prometheus": "monitoring",
        "kube-state-metrics/kube-state-metrics": "monitoring",
        LIGHTGBM.image: "lightgbm",
        ONNX.image: "onnx",
        BANDIT_IMAGE.partition(":")[0]: "bandit",
        "examples/named-fields": "examples",
        "examples/feature-importance": "examples",
        "examples/custom-model": "examples",
    },
)

RELEASES: Mapping[str, Release] = {release.name: release for release in (OFFICIAL_0_20, LOCAL)}
