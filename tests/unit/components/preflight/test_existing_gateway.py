"""Which gateway that is there already serves the stack, by the settings and by KServe's configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import httpx2 as httpx
import pulumi
import pytest

from components.ownership.stack_identity import ClusterIdentity, Identity
from components.platform.existing import ExistingParts
from components.preflight.existing_platform import ExistingPlatformError, find_existing
from components.preflight.platform_facts import UntoldError
from components.settings.gateway_names import GatewayNames
from components.settings.platform_parts import PARTS
from components.settings.stack import parse
from endpoints.endpoint import GatewayService
from tests.unit.components.preflight.cluster_with_platform import PlatformServer
from tests.unit.predict.server import serving

LABELS = {"istio": "corp", "app": "corp"}
MODEL = {"name": "iris", "format": "sklearn", "storage_uri": "gs://models/iris"}
STANDARD: dict[str, Any] = {"models": [MODEL | {"mode": "Standard"}], "mode": "Standard"}
ISTIO_GATEWAY = "/apis/networking.istio.io/v1/namespaces/knative-serving/gateways/knative-ingress-gateway"
GATEWAYS = "/apis/gateway.networking.k8s.io/v1/namespaces/istio-system/gateways/kserve-gateway"
CLASSES = "/apis/gateway.networking.k8s.io/v1/gatewayclasses"


@pytest.fixture(autouse=True)
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(pulumi.log, "info", lambda text, **_: lines.append(text))
    monkeypatch.setattr(pulumi.log, "warn", lambda text: lines.append(f"warning: {text}"))
    return lines


@pytest.fixture
def api() -> Iterator[PlatformServer]:
    """A platform whose gateway is the Service `web` in the namespace `ingress`."""
    with serving() as server:
        platform = PlatformServer(server, *PARTS)
        platform.services("istio-system")
        platform.services("ingress", service("web", nodePort=30080))
        platform.answer(ISTIO_GATEWAY, {"metadata": {"name": "g"}, "spec": {"selector": {"istio": "corp"}}})
        has_gateway(platform, "web.ingress.svc.cluster.local")
        yield platform


def service(name: str, *, port: int = 80, kind: str = "NodePort", **changes: Any) -> dict[str, Any]:
    spec = {"type": kind, "selector": changes.pop("selector", LABELS), "ports": [{"port": port, **changes}]}
    return {"metadata": {"name": name}, "spec": spec}


def has_gateway(api: PlatformServer, *hosts: str, class_name: str = "istio") -> None:
    """Have the Gateway of models in mode Standard, with these addresses."""
    addresses = [{"type": "Hostname", "value": host} for host in hosts]
    spec = {"gatewayClassName": class_name, "addresses": addresses}
    api.answer(GATEWAYS, {"metadata": {"name": "kserve-gateway", "namespace": "istio-system"}, "spec": spec})


def has_pods(api: PlatformServer, labels: Mapping[str, str], *, available: int = 1, namespace: str = "ingress") -> None:
    metadata = {"name": "web", "namespace": namespace}
    one = {"metadata": metadata, "spec": {"template": {"metadata": {"labels": dict(labels)}}}}
    items = [one | {"status": {"availableReplicas": available}}]
    api.answer(f"/apis/apps/v1/namespaces/{namespace}/deployments", {"items": items})


def look(api: PlatformServer, ingress: Mapping[str, Any], *, existing: object = "all", **more: Any) -> ExistingParts:
    document = {"release": "0.20", "models": [MODEL], "platform": {"existing": existing}, "ingress": ingress, **more}
    identity = Identity(text="o/p/s:1", deployed_before=False, cluster=ClusterIdentity(uid="u", name="here"))
    with httpx.Client(base_url=api.server.address) as client:
        return find_existing(client, parse(document), identity=identity, namespace="default")


def the_problem(api: PlatformServer, ingress: Mapping[str, Any], **more: Any) -> str:
    with pytest.raises(ExistingPlatformError) as refused:
        look(api, ingress, **more)
    _, problem = str(refused.value).split("\n  ")
    return problem


@pytest.mark.parametrize(
    "gateway",
    [{"name": "web"}, {"selector": {"istio": "corp"}}, {"name": "web", "selector": LABELS, "port": 80}],
)
@pytest.mark.parametrize("mode", ["Knative", "Standard"])
def test_the_gateway_is_the_one_that_the_settings_name(api: PlatformServer, gateway: dict[str, Any], mode: str) -> None:
    ingress = {"gateway": {"namespace": "ingress", **gateway}, "address": "192.0.2.1"}
    found = look(api, ingress, **(STANDARD if mode == "Standard" else {}))
    assert found.gateway_service == GatewayService(namespace="ingress", name="web", port=80)
    assert found.gateway_url == "http://192.0.2.1:30080"


def test_its_port_is_the_one_that_clients_use(api: PlatformServer) -> None:
    api.services("ingress", service("web", port=8080, kind="LoadBalancer"))
    found = look(api, {"gateway": {"namespace": "ingress", "name": "web", "port": 8080}, "address": "models.example"})
    assert found.gateway_service == GatewayService(namespace="ingress", name="web", port=8080)
    assert found.gateway_url == "http://models.example:8080"


def test_without_the_setting_a_gateway_elsewhere_is_refused_with_it(api: PlatformServer) -> None:
    problem = the_problem(api, {})
    assert problem.startswith("Istio: there is no Service of its gateway with port 80: ")
    assert problem.endswith("labels istio=corp. If it is elsewhere, name it: ingress.gateway")


@pytest.mark.parametrize(
    ("gateway", "problem"),
    [
        (
            {"namespace": "ingres", "name": "web"},
            "ingress.gateway.name: there is no Service 'web' in namespace 'ingres', which has no Service. Correct the",
        ),
        (
            {"namespace": "ingress", "name": "wep"},
            "ingress.gateway.name: there is no Service 'wep' in namespace 'ingress', which has web, none, other.",
        ),
        (
            {"namespace": "ingress", "selector": {"istio": "ingress"}},
            "ingress.gateway.selector: no such Service in namespace 'ingress' selects pods with the labels "
            "istio=ingress. They have: web: istio=corp,app=corp; none: none; other: app=other",
        ),
        (
            {"namespace": "ingress", "name": "web", "selector": {"istio": "ingress"}},
            "ingress.gateway.selector: no such Service in namespace 'ingress' selects pods with the labels istio=",
        ),
        (
            {"namespace": "ingress", "name": "web", "port": 8080},
            "ingress.gateway.port: no Service of the gateway in namespace 'ingress' has port 8080. They have: web: 80.",
        ),
        (
            {"namespace": "ingress", "name": "none"},
            "ingress.gateway.name: the Service 'none' in namespace 'ingress' selects no pods.",
        ),
        (
            {"namespace": "ingress", "name": "other"},
            "ingress.gateway: the pods of the Service ingress/other have the labels app=other, and do not serve the "
            "Gateway knative-serving/knative-ingress-gateway that KServe's configuration names (ingressGateway): its "
            "pods have istio=corp. Name their Service",
        ),
    ],
)
def test_a_gateway_that_is_not_there_is_refused_with_what_is(
    api: PlatformServer, gateway: dict[str, Any], problem: str
) -> None:
    no_pods = service("none", selector={})
    api.services("ingress", service("web"), no_pods, service("other", selector={"app": "other"}))
    assert the_problem(api, {"gateway": gateway}).startswith(problem)


def test_one_of_several_services_has_to_be_named(api: PlatformServer) -> None:
    api.services("ingress", service("web"), service("web-internal"))
    gateway = {"namespace": "ingress", "selector": {"istio": "corp"}}
    assert the_problem(api, {"gateway": gateway}) == (
        "ingress.gateway.selector: more than one Service in namespace 'ingress' selects these pods and has port 80: "
        "web, web-internal. Give the name of one, too"
    )
    found = look(api, {"gateway": gateway | {"name": "web-internal"}})
    assert str(found.gateway_service) == "ingress/web-internal"


def test_the_labels_of_its_pods_count_and_that_some_pod_is_available(api: PlatformServer) -> None:
    api.services("ingress", service("web", selector={"app": "corp"}))
    gateway = {"gateway": {"namespace": "ingress", "name": "web"}}
    assert "do not serve the Gateway" in the_problem(api, gateway)
    has_pods(api, LABELS | {"more": "of them"})
    assert str(look(api, gateway).gateway_service) == "ingress/web"
    has_pods(api, LABELS, available=0)
    assert the_problem(api, gateway) == (
        "ingress.gateway: no pod of the Service ingress/web is available (Deployment web). Repair it, or name another "
        "one"
    )


def test_models_in_mode_standard_need_a_service_of_their_gateways_pods(api: PlatformServer) -> None:
    ingress = {"gateway": {"namespace": "ingress", "name": "web"}}
    has_gateway(api, "istio-ingressgateway")
    problem = the_problem(api, ingress, **STANDARD)
    assert problem.startswith("ingress.gateway: the pods of the Service ingress/web do not serve the Gateway istio-")
    assert problem.endswith("its pods are those of the Service istio-system/istio-ingressgateway. Name their Service")
    # Another Service of the same pods.
    api.services("ingress", service("web"), service("other", selector={"istio": "corp"}))
    has_gateway(api, "other.ingress.svc.cluster.local")
    assert str(look(api, ingress, **STANDARD).gateway_service) == "ingress/web"
    # Pods that Istio started for the Gateway, whose address is the one of a cloud's load balancer.
    has_gateway(api, "a1b2.elb.eu-west-1.amazonaws.com")
    assert "gateway.networking.k8s.io/gateway-name=kserve-gateway" in the_problem(api, ingress, **STANDARD)
    started = service("kserve-gateway-istio", selector={"gateway.networking.k8s.io/gateway-name": "kserve-gateway"})
    api.services("istio-system", started)
    assert str(look(api, {"gateway": {"name": "kserve-gateway-istio"}}, **STANDARD).gateway_service) == (
        "istio-system/kserve-gateway-istio"
    )


def test_routes_of_this_stacks_own_kserve_lead_to_istios_usual_service(api: PlatformServer) -> None:
    """So another one that is named would get no request that they route."""
    api.answer("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/services.serving.knative.dev", {}, status=404)
    api.answer(
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/inferenceservices.serving.kserve.io", {}, status=404
    )
    api.controllers("knative")
    api.controllers("kserve")
    parts = ["cert_manager", "gateway_api", "istio"]
    gateway = {"namespace": "ingress", "name": "web"}
    more = {"existing": parts, "mirror": {"charts": "oci://c.example", "images": "i.example"}}
    assert the_problem(api, {"gateway": gateway}, **more).startswith(
        "ingress.gateway: the Service of its gateway is ingress/web; the routes of the KServe that this stack installs "
        "lead to istio-system/istio-ingressgateway"
    )
    api.gateway()
    found = look(api, {"gateway": {"name": "istio-ingressgateway"}}, **more)
    assert found.gateways == GatewayNames()
    # The class of the Gateways that the stack makes.
    missing = "ingress.class_name: there is no GatewayClass corp. Write one that kubectl get gatewayclasses lists"
    assert the_problem(api, {"class_name": "corp"}, **more) == missing
    api.answer(f"{CLASSES}/corp", {"metadata": {"name": "corp"}, "spec": {"controllerName": "example.com/envoy"}})
    assert "names the controller example.com/envoy, but" in the_problem(api, {"class_name": "corp"}, **more)
    refused = {"conditions": [{"type": "Accepted", "status": "False", "reason": "Waiting"}]}
    by_istio = {"metadata": {"name": "corp"}, "spec": {"controllerName": "istio.io/gateway-controller"}}
    api.answer(f"{CLASSES}/corp", by_istio | {"status": refused})
    assert "is not accepted by its controller: Accepted=False (Waiting)" in the_problem(
        api, {"class_name": "corp"}, **more
    )
    api.answer(f"{CLASSES}/corp", by_istio)
    assert look(api, {"class_name": "corp"}, **more).parts == {*parts}


def test_the_class_is_the_one_of_kserves_gateway(api: PlatformServer) -> None:
    gateway = {"namespace": "ingress", "name": "web"}
    assert look(api, {"gateway": gateway, "class_name": "istio"}, **STANDARD).parts == {*PARTS}
    assert the_problem(api, {"gateway": gateway, "class_name": "corp"}, **STANDARD) == (
        "ingress.class_name: is corp, but the Gateway istio-system/kserve-gateway that KServe's configuration names is "
        "of the class istio. Write that, or leave it out"
    )


def test_routes_are_bound_to_the_gateways_that_kserve_names(api: PlatformServer) -> None:
    """KServe's own default for mode Standard is another one than this program's."""
    api.answer(
        "/apis/gateway.networking.k8s.io/v1/namespaces/kserve/gateways/kserve-ingress-gateway",
        {"metadata": {"name": "kserve-ingress-gateway", "namespace": "kserve"}, "spec": {"gatewayClassName": "istio"}},
    )
    api.configure_kserve(kserveIngressGateway="kserve/kserve-ingress-gateway")
    found = look(api, {"gateway": {"namespace": "ingress", "name": "web"}})
    assert found.gateways == GatewayNames(
        standard="kserve/kserve-ingress-gateway", knative="knative-serving/knative-ingress-gateway"
    )


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/namespaces/ingress/services",
        "/apis/apps/v1/namespaces/ingress/deployments",
        ISTIO_GATEWAY,
        GATEWAYS,
        f"{CLASSES}/istio",
    ],
)
def test_a_cluster_that_does_not_tell_stops_the_run(api: PlatformServer, path: str, status: int) -> None:
    api.answer(path, {"message": "not now"}, status=status)
    both = {"models": [MODEL, *({**one, "name": "b"} for one in STANDARD["models"])]}
    with pytest.raises(UntoldError, match=rf"the cluster does not tell .*: not now \(status {status}\)"):
        look(api, {"gateway": {"namespace": "ingress", "name": "web"}, "class_name": "istio"}, **both)


@pytest.mark.parametrize("field", ["gateway", "class_name"])
def test_where_the_stack_installs_istio_there_is_no_gateway_to_name(field: str) -> None:
    value = {"name": "web"} if field == "gateway" else "corp"
    with serving() as server, pytest.raises(ExistingPlatformError) as refused:
        look(PlatformServer(server), {field: value}, existing="auto")
    assert f"ingress.{field}: names what is there already, but this stack installs Istio itself" in str(refused.value)
