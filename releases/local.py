"""Release local: what the local cluster builds from source; `cluster/catalog.py` takes its versions from here."""

from __future__ import annotations

from releases.more_formats import MORE_FORMATS
from releases.runtimes import BANDIT_IMAGE, BANDIT_VERSION, KSERVE_0_20_RUNTIMES, LIGHTGBM, ONNX, SKLEARN, XGBOOST
from releases.types import (
    CertManagerRelease,
    IstioRelease,
    KnativeRelease,
    KServeRelease,
    KubernetesRange,
    MirroredChart,
    NetGatewayApi,
    PlainMonitoring,
    Release,
    ReleaseImage,
)

CERT_MANAGER = "v1.11.5"
GATEWAY_API = "1.5.1"
ISTIO = "1.31.0"
KNATIVE = "1.21.1"
NET_GATEWAY_API = "1.21.0"
KSERVE = "v0.20.0"
KUBE_RBAC_PROXY = "v0.18.0"
PROMETHEUS = "3.14.0"
KUBE_STATE_METRICS = "v2.18.0"

ON_DEMAND = {
    "prometheus/prometheus": "monitoring",
    "kube-state-metrics/kube-state-metrics": "monitoring",
    LIGHTGBM.image: "lightgbm",
    ONNX.image: "onnx",
    BANDIT_IMAGE.partition(":")[0]: "bandit",
    "examples/named-fields": "examples",
    "examples/feature-importance": "examples",
    "examples/custom-model": "examples",
    **{runtime.image: runtime.extra for runtime in MORE_FORMATS},
}
EXAMPLE = "v1"


def _images(tag: str, prefix: str, *names: str) -> tuple[ReleaseImage, ...]:
    return tuple(
        ReleaseImage(name=f"{prefix}{name}", tag=tag, is_optional=prefix + name in ON_DEMAND) for name in names
    )


# A unit test compares them with what the local cluster builds.
IMAGES = (
    *_images(CERT_MANAGER, "cert-manager/cert-manager-", "controller", "webhook", "cainjector"),
    *_images(ISTIO, "istio/", "pilot", "proxyv2"),
    *_images(f"v{KNATIVE}", "knative-operator/", "operator", "webhook"),
    *_images(f"v{KNATIVE}", "knative/", "controller", "webhook", "activator", "autoscaler", "autoscaler-hpa"),
    *_images(f"v{KNATIVE}", "knative/", "queue", "cleanup", "migrate"),
    *_images(f"v{NET_GATEWAY_API}", "knative/net-gateway-api-", "controller", "webhook"),
    *_images(KSERVE, "kserve/", "kserve-controller", "agent", "router", "storage-initializer"),
    *_images(KSERVE, "kserve/", "sklearnserver", "xgbserver", "lgbserver", "onnxserver"),
    *_images(KUBE_RBAC_PROXY, "", "brancz/kube-rbac-proxy"),
    *_images(f"v{PROMETHEUS}", "", "prometheus/prometheus"),
    *_images(KUBE_STATE_METRICS, "", "kube-state-metrics/kube-state-metrics"),
    *_images(BANDIT_VERSION, "", BANDIT_IMAGE.partition(":")[0]),
    *_images(EXAMPLE, "examples/", "named-fields", "feature-importance", "custom-model"),
    *(image for runtime in MORE_FORMATS for image in _images(runtime.tag, "", runtime.image)),
)
RUNTIMES = (SKLEARN, XGBOOST, LIGHTGBM, ONNX)

LOCAL = Release(
    name="local",
    kubernetes=KubernetesRange(oldest=(1, 32), oldest_with_knative=(1, 33), newest=(1, 34), tested=((1, 34),)),
    cert_manager=CertManagerRelease(
        chart=MirroredChart(name="cert-manager", version=CERT_MANAGER),
        values={"installCRDs": True},
    ),
    gateway_api=MirroredChart(name="gateway-api-crds", version=GATEWAY_API),
    istio=IstioRelease(
        version=ISTIO,
        base=MirroredChart(name="base", version=ISTIO),
        istiod=MirroredChart(name="istiod", version=ISTIO),
        gateway=MirroredChart(name="gateway", version=ISTIO),
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
        version=KNATIVE,
        operator=MirroredChart(name="knative-operator", version=f"v{KNATIVE}"),
        serving_crds=MirroredChart(name="knative-serving-crds", version=KNATIVE),
        ingress=NetGatewayApi(
            chart=MirroredChart(name="net-gateway-api", version=NET_GATEWAY_API), version=f"v{NET_GATEWAY_API}"
        ),
    ),
    kserve=KServeRelease(
        version=KSERVE,
        crds=MirroredChart(name="kserve-crd-minimal", version=KSERVE),
        resources=MirroredChart(name="kserve-resources", version=KSERVE),
        runtime_configs=MirroredChart(name="kserve-runtime-configs", version=KSERVE),
        rbac_proxy=KUBE_RBAC_PROXY,
        runtimes=RUNTIMES,
        disabled_runtimes=(
            *(r.values_key for r in KSERVE_0_20_RUNTIMES if r.values_key and r not in RUNTIMES),
            "huggingfaceserver_multinode",
        ),
    ),
    monitoring=PlainMonitoring(prometheus=f"v{PROMETHEUS}", kube_state_metrics=KUBE_STATE_METRICS),
    images=IMAGES,
    on_demand=ON_DEMAND,
    more_runtimes=MORE_FORMATS,
)
