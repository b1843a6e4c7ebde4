"""The platform's charts and objects for the settings that a stack can have."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml

from components.platform.context import InstallContext
from components.platform.existing import ExistingParts
from components.platform.platform import Platform, PlatformArgs
from components.settings.ingress import Ingress
from components.settings.platform_parts import Part
from components.settings.resource_profiles import FOOTPRINTS
from endpoints.endpoint import GatewayService
from releases.local import LOCAL
from releases.official_0_20 import OFFICIAL_0_20
from releases.types import Release
from tests.unit.components.recording import Recording, record

NODE_PORT = Ingress(service_type="NodePort", address="192.0.2.1", node_port=31080)


def platform(
    install: InstallContext, *, release: Release = LOCAL, ingress: Ingress = NODE_PORT
) -> tuple[Recording, str | None]:
    """Return the recorded platform and the gateway's address."""
    addresses: list[str | None] = []

    args = PlatformArgs(
        install=install,
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
def defaults(install: InstallContext) -> InstallContext:
    """Install with the images and resources that the charts have."""
    return replace(install, images=None, footprint=FOOTPRINTS["default"])


def test_images_come_from_the_mirror(install: InstallContext) -> None:
    recording, _ = platform(install)
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


def test_without_a_mirror_the_charts_have_their_own_images(defaults: InstallContext) -> None:
    recording, _ = platform(defaults)
    for resource in recording.resources.values():
        assert "image" not in str(resource.plain.get("values", {})).lower().replace("imagepullpolicy", "")
    assert "registry" not in recording.the(":KnativeServing", "knative-serving").plain["spec"]


def test_runtimes_that_the_release_does_not_have_are_disabled(install: InstallContext) -> None:
    local, _ = platform(install)
    disabled = {
        key
        for key, value in values(local, "kserve-runtimes")["kserve"]["servingruntime"].items()
        if value == {"disabled": True}
    }
    assert {"mlserver", "vllmserver", "huggingfaceserver_multinode"} <= disabled
    assert not disabled & {"sklearnserver", "xgbserver"}
    official, _ = platform(install, release=OFFICIAL_0_20)
    assert "disabled" not in str(values(official, "kserve-runtimes"))


def test_runtimes_that_the_chart_does_not_have_are_declared(install: InstallContext) -> None:
    local, _ = platform(install)
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
    assert install.images
    assert container["image"] == f"{install.images.image('kserve/onnxserver')}:{LOCAL.kserve.version}"
    assert "--grpc_port=8081" in container["args"]
    assert container["securityContext"]["runAsNonRoot"] is True
    official, _ = platform(install, release=OFFICIAL_0_20)
    assert not [name for name in official.names if "ClusterServingRuntime" in name]


def test_a_small_footprint(install: InstallContext) -> None:
    recording, _ = platform(install)
    assert values(recording, "istiod")["autoscaleEnabled"] is False
    assert values(recording, "istio-ingressgateway")["autoscaling"] == {"enabled": False}
    serving = recording.the(":KnativeServing", "knative-serving").plain["spec"]
    assert serving["high-availability"] == {"replicas": 1}
    assert {workload["name"] for workload in serving["workloads"]} == {
        *("activator", "autoscaler", "controller", "webhook")
    }
    assert values(recording, "kserve")["kserve"]["controller"]["resources"]["requests"]["cpu"] == "20m"
    assert serving["config"]["deployment"]["queue-sidecar-cpu-request"] == "10m"


def test_the_default_footprint_sets_no_requests(defaults: InstallContext) -> None:
    recording, _ = platform(defaults)
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
        (Ingress(client_port=8080), "http://192.0.2.7:8080"),
        (Ingress(service_type="ClusterIP"), None),
        (Ingress(service_type="ClusterIP", address="localhost", client_port=8080), "http://localhost:8080"),
        (Ingress(service_type="NodePort"), None),
        (
            Ingress(service_type="NodePort", address="127.0.0.1", node_port=31080, client_port=8080),
            "http://127.0.0.1:8080",
        ),
    ],
)
def test_the_gateways_service_and_address(install: InstallContext, ingress: Ingress, address: str | None) -> None:
    recording, found = platform(install, ingress=ingress)
    assert found == address
    assert values(recording, "istio-ingressgateway")["service"] == {"type": "None"}
    service = recording.the(":Service", "istio-ingressgateway").plain
    assert service["spec"]["type"] == ingress.service_type
    ports = {port["name"]: port.get("nodePort") for port in service["spec"]["ports"]}
    assert ports == {"status-port": None, "http2": ingress.node_port, "https": None}
    # Pulumi would wait for a load balancer for ten minutes, and then fail; a stack from before has its address.
    assert service["metadata"]["annotations"]["pulumi.com/skipAwait"] == "true"
    before = replace(install, charts=replace(install.charts, mark=replace(install.charts.mark, deployed_before=True)))
    recording, found = platform(before, ingress=ingress)
    assert found == address
    service = recording.the(":Service", "istio-ingressgateway").plain
    waited_for = "pulumi.com/skipAwait" not in service["metadata"].get("annotations", {})
    assert waited_for == (ingress.service_type == "LoadBalancer")


def test_the_gateways_service_has_what_a_load_balancer_needs(install: InstallContext) -> None:
    scheme = {"service.beta.kubernetes.io/aws-load-balancer-scheme": "internet-facing"}
    ingress = Ingress(annotations=scheme, load_balancer_class="service.k8s.aws/nlb")
    recording, _ = platform(install, ingress=ingress)
    service = recording.the(":Service", "istio-ingressgateway").plain
    assert service["metadata"]["annotations"].items() >= scheme.items()
    assert service["spec"]["loadBalancerClass"] == "service.k8s.aws/nlb"


def test_the_gateways_service_selects_the_charts_pods(install: InstallContext) -> None:
    recording, _ = platform(install)
    service = recording.the(":Service", "istio-ingressgateway").plain
    # The labels the chart gives to a release of this name.
    assert service["spec"]["selector"] == {"app": "istio-ingressgateway", "istio": "ingressgateway"}
    assert service["metadata"]["namespace"] == "istio-system"


def test_knative_and_kserve_get_the_domain(install: InstallContext) -> None:
    recording, _ = platform(install, ingress=Ingress(domain="models.example.org", address="192.0.2.1"))
    serving = recording.the(":KnativeServing", "knative-serving").plain["spec"]
    assert serving["config"]["domain"] == {"models.example.org": ""}
    gateway = values(recording, "kserve")["kserve"]["controller"]["gateway"]
    assert gateway["domain"] == "models.example.org"


def test_knative_and_kserve_use_the_same_gateways(install: InstallContext) -> None:
    recording, _ = platform(install)
    gateway = values(recording, "kserve")["kserve"]["controller"]["gateway"]
    ingress = recording.the("networking.istio.io/v1:Gateway", "istio-knative-ingress-gateway").plain
    local = recording.the("networking.istio.io/v1:Gateway", "istio-knative-local-gateway").plain
    for configured, declared in ((gateway["ingressGateway"], ingress), (gateway["localGateway"], local)):
        assert configured["gateway"] == f"{declared['metadata']['namespace']}/{declared['metadata']['name']}"
    service = recording.the(":Service", "knative-local-gateway").plain
    assert service["spec"]["ports"][0]["targetPort"] == local["spec"]["servers"][0]["port"]["number"]
    assert gateway["localGateway"]["gatewayService"].startswith(service["metadata"]["name"] + ".")


def test_istiods_config_maps_are_declared_in_the_namespaces_that_stay(install: InstallContext) -> None:
    recording, _ = platform(install)
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


def test_the_deletion_of_knatives_namespace_waits_for_its_pods_but_the_operators_does_not(
    install: InstallContext,
) -> None:
    recording, _ = platform(install)
    serving = recording.the(":KnativeServing", "knative-serving")
    assert serving.plain["metadata"]["annotations"]["pulumi.com/deletionPropagationPolicy"] == "background"
    wait = recording.the(":TerminationWait", "knative-serving")
    assert wait.plain["namespace"] == "knative-serving"
    assert "models" not in wait.plain, "it waits for all pods"
    assert recording.waits_for(serving, wait)
    assert recording.waits_for(wait, recording.the(":Namespace", "knative-serving"))
    assert not recording.waits_for(wait, recording.the(":Release", "knative-operator"))


def test_knatives_ingress_is_the_releases(install: InstallContext) -> None:
    by_gateway_api, _ = platform(install)
    spec = by_gateway_api.the(":KnativeServing", "knative-serving").plain["spec"]
    assert spec["ingress"] == {name: {"enabled": False} for name in ("istio", "kourier", "contour")}
    assert spec["config"]["network"] == {"ingress-class": "gateway-api.ingress.networking.knative.dev"}
    by_istio, _ = platform(install, release=OFFICIAL_0_20)
    spec = by_istio.the(":KnativeServing", "knative-serving").plain["spec"]
    assert spec["ingress"]["istio"] == {"enabled": True}
    assert "network" not in spec["config"]


@pytest.mark.parametrize("release", [LOCAL, OFFICIAL_0_20], ids=lambda release: release.name)
def test_knative_accepts_models_that_choose_nodes_and_requests_that_choose_a_version(
    install: InstallContext, release: Release
) -> None:
    """By default Knative refuses pods with a node selector or tolerations."""
    recording, _ = platform(install, release=release)
    assert recording.the(":KnativeServing", "knative-serving").plain["spec"]["config"]["features"] == {
        "kubernetes.podspec-nodeselector": "enabled",
        "kubernetes.podspec-tolerations": "enabled",
        "tag-header-based-routing": "enabled",
    }


@pytest.mark.feature("affinity, topology spread and priority", proof="objects")
@pytest.mark.feature("registries whose tags are not resolved", proof="objects")
def test_knative_accepts_what_the_models_need_and_leaves_tags_of_a_registry_alone(
    install: InstallContext, defaults: InstallContext
) -> None:
    features = ("podspec-affinity", "podspec-persistent-volume-claim")
    own = ("tags.example:5000", "nvcr.io")
    for context, registries in (
        (defaults, "nvcr.io,index.docker.io,tags.example:5000"),
        (install, f"{install.images and install.images.repository.partition('/')[0]},tags.example:5000,nvcr.io"),
    ):
        recording, _ = platform(replace(context, pod_features=features, unresolved_registries=own))
        config = recording.the(":KnativeServing", "knative-serving").plain["spec"]["config"]
        assert config["deployment"]["registries-skipping-tag-resolving"] == registries
        enabled = {name for name, flag in config["features"].items() if flag == "enabled"}
        assert enabled - {"kubernetes.podspec-nodeselector", "kubernetes.podspec-tolerations"} == {
            *(f"kubernetes.{feature}" for feature in features),
            "tag-header-based-routing",
        }


@pytest.mark.parametrize("release", [LOCAL, OFFICIAL_0_20], ids=lambda release: release.name)
def test_every_chart_has_the_releases_version(install: InstallContext, release: Release) -> None:
    recording, _ = platform(install, release=release)
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
def test_namespaces_are_destroyed_last(install: InstallContext, namespace: str) -> None:
    recording, _ = platform(install)
    declared = recording.the(":Namespace", namespace)
    inside = [
        resource
        for resource in recording.resources.values()
        if namespace in (resource.plain.get("namespace"), resource.plain.get("metadata", {}).get("namespace"))
    ]
    assert inside
    for resource in inside:
        assert recording.waits_for(resource, declared), f"{resource.name} would be destroyed after its namespace"


def test_kserves_certificate_is_like_the_one_in_its_chart(install: InstallContext) -> None:
    recording, _ = platform(install)
    certificate = recording.the(":Certificate", "kserve-serving-cert").plain
    assert (
        certificate["metadata"]["name"] == "serving-cert"
    )  # cert-manager injects the webhooks' CA from the certificate of this name
    assert certificate["spec"]["dnsNames"] == ["kserve-webhook-server-service.kserve.svc"]
    assert certificate["spec"]["secretName"] == "kserve-webhook-server-cert"
    options = recording.the(":Chart", "kserve").plain["postRenderer"]["args"]
    assert {"--without=Certificate", "--without=Issuer"} <= set(options)


def platform_with(
    install: InstallContext, *there: Part, release: Release = LOCAL, ingress: Ingress = NODE_PORT
) -> Recording:
    """Record a platform on a cluster that has these parts already."""
    namespaces = frozenset({"cert-manager"})
    existing = ExistingParts(
        parts=frozenset(there),
        namespaces=namespaces,
        gateway_url="http://192.0.2.9" if "istio" in there else None,
        gateway_service=GatewayService(namespace="istio-system", name="corp") if "istio" in there else None,
    )
    args = PlatformArgs(
        install=install,
        release=release,
        ingress=ingress,
        has_knative=True,
        monitoring=None,
        foreign_namespaces=existing.namespaces,
        existing=existing,
    )
    return record(lambda: Platform("platform", args=args))


PARTS_IN_ORDER: tuple[Part, ...] = ("cert_manager", "gateway_api", "istio", "knative")
COMPONENTS = {"cert_manager": "CertManager", "gateway_api": "GatewayAPI", "istio": "Istio", "knative": "Knative"}


@pytest.mark.parametrize("release", [LOCAL, OFFICIAL_0_20], ids=lambda release: release.name)
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_parts_that_are_there_are_not_declared_and_the_others_are(
    install: InstallContext, count: int, release: Release
) -> None:
    there = PARTS_IN_ORDER[:count]
    recording = platform_with(install, *there, release=release)
    types = {resource.type.rpartition(":")[2] for resource in recording.resources.values()}
    assert types & set(COMPONENTS.values()) == {COMPONENTS[part] for part in PARTS_IN_ORDER[count:]}
    assert {"KServe", "ModelGateway"} <= types
    assert values(recording, "kserve")["kserve"]["controller"]["deploymentMode"] == "Knative"
    model_gateway = recording.the(":Gateway", "gateway-api-kserve-gateway").plain
    assert model_gateway["metadata"]["namespace"] == "istio-system"
    names = {resource.name for resource in recording.resources.values() if resource.type.endswith(":Namespace")}
    assert ("istio-system" in names) == ("istio" not in there)
    # istiod makes this ConfigMap in namespaces that stay, too, and never deletes it.
    config_maps = {resource.name for resource in recording.resources.values() if resource.type.endswith(":ConfigMap")}
    assert ("cert-manager/istio-ca-root-cert" in config_maps) == ("istio" not in there)
    # And these, which go with Gateway API's definitions only where the stack has installed them.
    classes = {
        resource.plain["metadata"]["name"]
        for resource in recording.resources.values()
        if ":GatewayClass" in resource.type
    }
    assert classes == ({"istio", "istio-remote"} if "gateway_api" in there and "istio" not in there else set())


def test_gateways_on_an_istio_that_is_there_have_the_class_that_is_named(install: InstallContext) -> None:
    for ingress, name in ((Ingress(), "istio"), (Ingress(class_name="corp"), "corp")):
        recording = platform_with(install, "istio", ingress=ingress)
        gateways = [
            one.plain
            for one in recording.resources.values()
            if one.type == "kubernetes:gateway.networking.k8s.io/v1:Gateway"
        ]
        assert {one["spec"]["gatewayClassName"] for one in gateways} == {name}
        assert len(gateways) == 3
        config = recording.the(":ConfigMap", "config-gateway").plain["data"]
        assert [yaml.safe_load(entry)[0]["class"] for entry in config.values()] == [name, name]


def test_where_kserve_is_there_nothing_is_declared(install: InstallContext) -> None:
    recording = platform_with(install, *PARTS_IN_ORDER, "kserve")
    assert [resource.type.rpartition(":")[2] for resource in recording.resources.values()] == ["Platform"]
