"""What each part of the platform asks of its chart, for every way a stack can say it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from components.platform.context import Supply
from components.platform.platform import Platform, PlatformArgs
from components.settings.resource_profiles import FOOTPRINTS
from components.settings.stack import Ingress
from releases.local import LOCAL
from releases.official_0_20 import OFFICIAL_0_20
from releases.types import Release
from tests.unit.components.recording import Recording, record

NODE_PORT = Ingress(service_type="NodePort", address="192.0.2.1", node_port=31080)


def platform(supply: Supply, *, release: Release = LOCAL, ingress: Ingress = NODE_PORT) -> tuple[Recording, str]:
    """The platform, and the gateway's address."""
    addresses: list[str] = []

    args = PlatformArgs(
        supply=supply,
        release=release,
        ingress=ingress,
        has_knative=True,
        monitoring=None,
        foreign_namespaces=frozenset({"models"}),
    )
    recording = record(lambda: Platform("platform", args=args).gateway_address.apply(addresses.append))
    return recording, addresses[0]


def values(recording: Recording, name: str, kind: str = "Chart") -> Any:
    return recording.the(f":{kind}", name).plain["values"]


@pytest.fixture
def bare(supply: Supply) -> Supply:
    """Charts as they are: their own images, their own resources."""
    return replace(supply, images=None, footprint=FOOTPRINTS["default"])


def test_images_come_from_the_mirror(supply: Supply) -> None:
    recording, _ = platform(supply)
    host = "registry.example:5000"
    cert_manager = values(recording, "cert-manager", "Release")
    assert cert_manager["webhook"]["image"] == {"repository": f"{host}/cert-manager/cert-manager-webhook"}
    istiod = values(recording, "istiod")["global"]
    assert (istiod["hub"], istiod["tag"]) == (f"{host}/istio", "1.31.0")
    operator = values(recording, "knative-operator", "Release")["knative_operator"]
    assert operator["operator_webhook"]["image"] == f"{host}/knative-operator/webhook"
    assert values(recording, "net-gateway-api") == {
        "controller": {"image": f"{host}/knative/net-gateway-api-controller:v1.21.0"},
        "webhook": {"image": f"{host}/knative/net-gateway-api-webhook:v1.21.0"},
    }
    kserve = values(recording, "kserve")["kserve"]
    assert kserve["controller"]["rbacProxyImage"] == f"{host}/brancz/kube-rbac-proxy:v0.18.0"
    assert kserve["storage"]["image"] == f"{host}/kserve/storage-initializer"
    runtimes = values(recording, "kserve-runtimes")["kserve"]["servingruntime"]
    assert runtimes["sklearnserver"] == {"image": f"{host}/kserve/sklearnserver"}
    serving = recording.the(":KnativeServing", "knative-serving").plain["spec"]
    assert serving["registry"]["default"] == f"{host}/knative/${{NAME}}:v1.21.1"
    images = {"queue-sidecar-image": f"{host}/knative/queue:v1.21.1", "registries-skipping-tag-resolving": host}
    assert serving["config"]["deployment"].items() >= images.items()


def test_without_a_mirror_the_charts_images_are_left_alone(bare: Supply) -> None:
    recording, _ = platform(bare)
    for resource in recording.resources.values():
        assert "image" not in str(resource.plain.get("values", {})).lower().replace("imagepullpolicy", "")
    assert "registry" not in recording.the(":KnativeServing", "knative-serving").plain["spec"]


def test_a_runtime_the_release_does_not_have_is_off(supply: Supply) -> None:
    local, _ = platform(supply)
    off = {
        key
        for key, value in values(local, "kserve-runtimes")["kserve"]["servingruntime"].items()
        if value == {"disabled": True}
    }
    assert {"mlserver", "vllmserver", "huggingfaceserver_multinode"} <= off
    assert not off & {"sklearnserver", "xgbserver"}
    official, _ = platform(supply, release=OFFICIAL_0_20)
    assert "disabled" not in str(values(official, "kserve-runtimes"))


def test_a_runtime_that_the_chart_does_not_have_is_declared(supply: Supply) -> None:
    local, _ = platform(supply)
    runtime = local.the(":ClusterServingRuntime", "kserve-onnxserver")
    assert runtime.on_error
    assert local.waits_for(runtime, local.the(":Chart", "kserve"))
    spec = runtime.plain["spec"]
    (container,) = spec.pop("containers")
    assert spec == {
        "annotations": {"prometheus.kserve.io/port": "8080", "prometheus.kserve.io/path": "/metrics"},
        "protocolVersions": ["v1", "v2", "grpc-v2"],
        "supportedModelFormats": [{"name": "onnx", "version": "1", "autoSelect": True, "priority": 1}],
    }
    assert supply.images
    assert container["image"] == f"{supply.images.image('kserve/onnxserver')}:{LOCAL.kserve.version}"
    assert "--grpc_port=8081" in container["args"]
    assert container["securityContext"]["runAsNonRoot"] is True
    official, _ = platform(supply, release=OFFICIAL_0_20)
    assert not [name for name in official.names if "ClusterServingRuntime" in name]


def test_a_small_footprint(supply: Supply) -> None:
    recording, _ = platform(supply)
    assert values(recording, "istiod")["autoscaleEnabled"] is False
    assert values(recording, "istio-ingressgateway")["autoscaling"] == {"enabled": False}
    serving = recording.the(":KnativeServing", "knative-serving").plain["spec"]
    assert serving["high-availability"] == {"replicas": 1}
    assert {workload["name"] for workload in serving["workloads"]} == {
        *("activator", "autoscaler", "controller", "webhook")
    }
    assert values(recording, "kserve")["kserve"]["controller"]["resources"]["requests"]["cpu"] == "20m"
    assert serving["config"]["deployment"]["queue-sidecar-cpu-request"] == "10m"


def test_the_default_footprint_is_the_charts_own(bare: Supply) -> None:
    recording, _ = platform(bare)
    for resource in recording.resources.values():
        assert "requests" not in str(resource.plain.get("values", {}))
    serving = recording.the(":KnativeServing", "knative-serving").plain["spec"]
    assert "workloads" not in serving
    assert "high-availability" not in serving


@pytest.mark.parametrize(
    ("ingress", "address"),
    [
        (NODE_PORT, "http://192.0.2.1:31080"),
        (Ingress(), "http://192.0.2.7"),
        (Ingress(address="gateway.example.com"), "http://gateway.example.com"),
        (Ingress(address="2001:db8::1"), "http://[2001:db8::1]"),
        (Ingress(service_type="ClusterIP"), "http://istio-ingressgateway.istio-system.svc.cluster.local"),
    ],
)
def test_how_clients_reach_the_gateway(supply: Supply, ingress: Ingress, address: str) -> None:
    recording, found = platform(supply, ingress=ingress)
    assert found == address
    assert values(recording, "istio-ingressgateway")["service"] == {"type": "None"}
    service = recording.the(":Service", "istio-ingressgateway").plain
    assert service["spec"]["type"] == ingress.service_type
    ports = {port["name"]: port.get("nodePort") for port in service["spec"]["ports"]}
    assert ports == {"status-port": None, "http2": ingress.node_port, "https": None}
    # What balances the load is waited for: its address is the gateway's.
    waited_for = "pulumi.com/skipAwait" not in service["metadata"].get("annotations", {})
    assert waited_for == (ingress.service_type == "LoadBalancer")


def test_the_gateways_service_finds_the_charts_pods(supply: Supply) -> None:
    recording, _ = platform(supply)
    service = recording.the(":Service", "istio-ingressgateway").plain
    # The labels the chart gives to a release of this name.
    assert service["spec"]["selector"] == {"app": "istio-ingressgateway", "istio": "ingressgateway"}
    assert service["metadata"]["namespace"] == "istio-system"


def test_a_domain_reaches_routes_and_hosts(supply: Supply) -> None:
    recording, _ = platform(supply, ingress=Ingress(domain="models.example.org", address="192.0.2.1"))
    serving = recording.the(":KnativeServing", "knative-serving").plain["spec"]
    assert serving["config"]["domain"] == {"models.example.org": ""}
    gateway = values(recording, "kserve")["kserve"]["controller"]["gateway"]
    assert gateway["domain"] == "models.example.org"


def test_the_gateways_of_knative_and_kserve_are_one(supply: Supply) -> None:
    recording, _ = platform(supply)
    gateway = values(recording, "kserve")["kserve"]["controller"]["gateway"]
    ingress = recording.the("networking.istio.io/v1:Gateway", "istio-knative-ingress-gateway").plain
    local = recording.the("networking.istio.io/v1:Gateway", "istio-knative-local-gateway").plain
    for stated, found in ((gateway["ingressGateway"], ingress), (gateway["localGateway"], local)):
        assert stated["gateway"] == f"{found['metadata']['namespace']}/{found['metadata']['name']}"
    service = recording.the(":Service", "knative-local-gateway").plain
    assert service["spec"]["ports"][0]["targetPort"] == local["spec"]["servers"][0]["port"]["number"]
    assert gateway["localGateway"]["gatewayService"].startswith(service["metadata"]["name"] + ".")


def test_what_istio_leaves_behind_is_declared_where_it_outlives_istio(supply: Supply) -> None:
    recording, _ = platform(supply)
    left = {
        (r.plain["metadata"]["namespace"], r.plain["metadata"]["name"])
        for r in recording.resources.values()
        if r.name.endswith(("istio-ca-root-cert", "istio-ca-crl"))
    }
    assert left == {
        (namespace, name)
        for namespace in ("default", "kube-system", "models")
        for name in ("istio-ca-root-cert", "istio-ca-crl")
    }


def test_a_destroy_of_knatives_namespace_waits_for_its_pods_and_one_of_its_operator_does_not(supply: Supply) -> None:
    recording, _ = platform(supply)
    serving = recording.the(":KnativeServing", "knative-serving")
    assert serving.plain["metadata"]["annotations"]["pulumi.com/deletionPropagationPolicy"] == "background"
    end = recording.the(":TerminationWait", "knative-serving")
    assert end.plain["namespace"] == "knative-serving"
    assert "models" not in end.plain, "all of them"
    assert recording.waits_for(serving, end)
    assert recording.waits_for(end, recording.the(":Namespace", "knative-serving"))
    assert not recording.waits_for(end, recording.the(":Release", "knative-operator"))


def test_knative_is_told_which_ingress_it_has(supply: Supply) -> None:
    by_gateway_api, _ = platform(supply)
    spec = by_gateway_api.the(":KnativeServing", "knative-serving").plain["spec"]
    assert spec["ingress"] == {name: {"enabled": False} for name in ("istio", "kourier", "contour")}
    assert spec["config"]["network"] == {"ingress-class": "gateway-api.ingress.networking.knative.dev"}
    by_istio, _ = platform(supply, release=OFFICIAL_0_20)
    spec = by_istio.the(":KnativeServing", "knative-serving").plain["spec"]
    assert spec["ingress"]["istio"] == {"enabled": True}
    assert "network" not in spec["config"]


@pytest.mark.parametrize("release", [LOCAL, OFFICIAL_0_20], ids=lambda release: release.name)
def test_knative_takes_models_that_choose_their_nodes_and_requests_that_choose_a_version(
    supply: Supply, release: Release
) -> None:
    """It refuses the former otherwise: both fields are switched off when nothing is said."""
    recording, _ = platform(supply, release=release)
    assert recording.the(":KnativeServing", "knative-serving").plain["spec"]["config"]["features"] == {
        "kubernetes.podspec-nodeselector": "enabled",
        "kubernetes.podspec-tolerations": "enabled",
        "tag-header-based-routing": "enabled",
    }


@pytest.mark.parametrize("release", [LOCAL, OFFICIAL_0_20], ids=lambda release: release.name)
def test_no_version_but_the_releases(supply: Supply, release: Release) -> None:
    recording, _ = platform(supply, release=release)
    charts = {r.name: r.plain["chart"] for r in recording.resources.values() if "chart" in r.plain}
    expected = {
        "cert-manager": release.cert_manager.chart,
        "gateway-api": release.gateway_api,
        "istio-base": release.istio.base,
        "istiod": release.istio.istiod,
        "istio-ingressgateway": release.istio.gateway,
        "knative-operator": release.knative.operator,
        "knative-serving-crds": release.knative.serving_crds,
        "kserve-crd": release.kserve.crds,
        "kserve": release.kserve.resources,
        "kserve-runtimes": release.kserve.runtime_configs,
    }
    for name, source in expected.items():
        assert f"/{source.name}-{source.version}-" in charts[name]
    assert charts.keys() - expected.keys() <= {"net-gateway-api"}


@pytest.mark.parametrize("namespace", ["cert-manager", "istio-system", "knative-serving", "knative-operator", "kserve"])
def test_namespaces_go_last(supply: Supply, namespace: str) -> None:
    recording, _ = platform(supply)
    made = recording.the(":Namespace", namespace)
    inside = [
        resource
        for resource in recording.resources.values()
        if namespace in (resource.plain.get("namespace"), resource.plain.get("metadata", {}).get("namespace"))
    ]
    assert inside
    for resource in inside:
        assert recording.waits_for(resource, made), f"{resource.name} would be destroyed after its namespace"


def test_kserves_certificate_is_what_its_chart_would_have(supply: Supply) -> None:
    recording, _ = platform(supply)
    certificate = recording.the(":Certificate", "kserve-serving-cert").plain
    assert certificate["metadata"]["name"] == "serving-cert"  # the webhooks' CA is injected from it, by this name
    assert certificate["spec"]["dnsNames"] == ["kserve-webhook-server-service.kserve.svc"]
    assert certificate["spec"]["secretName"] == "kserve-webhook-server-cert"
    options = recording.the(":Chart", "kserve").plain["postRenderer"]["args"]
    assert {"--without=Certificate", "--without=Issuer"} <= set(options)
