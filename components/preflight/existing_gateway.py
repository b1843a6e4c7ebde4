"""Find the gateway that is there already, and check it: the one that the settings name, or else the usual one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import httpx2 as httpx
import pulumi

from components.platform.existing import HTTP_PORT, ExistingGateway
from components.platform.gateway_service import GATEWAY_SERVICE, ISTIO_GATEWAY
from components.preflight.platform_config import ClassedGateway, KServeIngress, read_class, read_named
from components.preflight.platform_facts import Controllers, ask
from components.settings.ingress import NamedGateway
from components.settings.stack import Settings
from kube.views.base import View, condition
from kube.views.gateways import IstioGateway
from kube.views.kubernetes import Deployment, Service
from releases.namespaces import ISTIO_NAMESPACE

# What Knative's Gateways, and those of models in mode Standard, select where this stack installs them.
GATEWAY_LABELS = {"istio": "ingressgateway"}
# Serves a Gateway of Gateway API with pods that its addresses name.
ISTIO_CONTROLLER = "istio.io/gateway-controller"
# Label of the pods that a controller of Gateway API starts for one Gateway.
GATEWAY_NAME_LABEL = "gateway.networking.k8s.io/gateway-name"


class _Services(View):
    items: tuple[Service, ...] = ()


class _GatewayError(Exception):
    """Why there is no gateway that can be used, as text for the user."""


def own_gateway_problems(settings: Settings) -> Iterator[str]:
    """Settings of a gateway that is there, for a stack that installs Istio itself."""
    ingress = settings.ingress
    for field, value in {"gateway": ingress.gateway, "class_name": ingress.class_name}.items():
        if value:
            yield (
                f"ingress.{field}: names what is there already, but this stack installs Istio itself, with the gateway "
                f"{GATEWAY_SERVICE}. Leave it out, or use an Istio that is there (platform.existing)"
            )


def check_class(client: httpx.Client, settings: Settings, *, kserve: KServeIngress | None) -> Iterator[str]:
    """Problems of the GatewayClass of models in mode Standard.

    `kserve` is the configuration of the KServe that is there; None where this stack installs KServe and its Gateway.
    """
    name = settings.ingress.class_name
    if name and kserve:
        gateway = read_named(client, ClassedGateway, kserve.model_gateway)
        if gateway and gateway.class_name != name:
            yield (
                f"ingress.class_name: is {name}, but the Gateway {kserve.model_gateway} that KServe's configuration "
                f"names is of the class {gateway.class_name}. Write that, or leave it out"
            )
            return
    wanted = name or "istio"
    found = read_class(client, wanted)
    if found is None:
        yield (
            f"ingress.class_name: there is no GatewayClass {name}. Write one that kubectl get gatewayclasses lists"
            if name
            else "Gateway API: there is no GatewayClass istio. Restart istiod, which makes it"
        )
        return
    accepted = condition(found.conditions, "Accepted")
    if accepted and accepted.status == "False":
        field = "ingress.class_name" if name else "Gateway API"
        yield f"{field}: the GatewayClass {wanted} is not accepted by its controller: {accepted}"
    if name and kserve is None and found.controller != ISTIO_CONTROLLER:
        yield (
            f"ingress.class_name: the GatewayClass {name} names the controller {found.controller or '-'}, but "
            f"this stack's Gateways need Istio's pods. Write a class of {ISTIO_CONTROLLER} "
            "(kubectl get gatewayclasses), or leave it out"
        )


def check_gateway(
    client: httpx.Client, settings: Settings, *, kserve: KServeIngress | None
) -> tuple[ExistingGateway | None, list[str]]:
    """The existing gateway, and what is wrong with it. Warns if it has no address for clients.

    `kserve` is the configuration of the KServe that is there, which names the Gateways; None where this stack installs
    KServe.

    Raises:
        UntoldError: the cluster does not tell.
    """
    istio = read_named(client, IstioGateway, kserve.gateway) if kserve and kserve.gateway else None
    wanted = istio.selector if istio else GATEWAY_LABELS
    try:
        if settings.ingress.gateway:
            service, port = _named(client, settings.ingress.gateway), settings.ingress.gateway.port
            pods = _pods_behind(client, service)
            modes = {served.mode for served in settings.served}
            if kserve and istio and "Knative" in modes:
                _require_labels(service, pods, kserve=kserve, istio=istio)
            if kserve and "Standard" in modes:
                _require_gateway(client, service, pods, kserve=kserve)
        else:
            service, port = _usual(client, selector=wanted), HTTP_PORT
    except _GatewayError as problem:
        return None, [str(problem)]
    gateway = _found(service, port=port)
    if kserve is None and str(gateway) != f"{ISTIO_NAMESPACE}/{ISTIO_GATEWAY}":
        field = "ingress.gateway" if settings.ingress.gateway else "Istio"
        return None, [
            f"{field}: the Service of its gateway is {gateway}; the routes of the KServe that this stack installs lead "
            f"to {ISTIO_NAMESPACE}/{ISTIO_GATEWAY}. Use a KServe that is there, too, or a Service of that name"
        ]
    if gateway.url(settings.ingress) is None:
        pulumi.log.warn(
            f"the Service of the gateway that is there, {gateway}, is of type {gateway.type} and has no address of a "
            "load balancer: `python -m predict` asks the models through a port-forward. For other clients, give the "
            "host or IP address that they use as ingress.address"
        )
    return gateway, []


def _usual(client: httpx.Client, *, selector: Mapping[str, str]) -> Service:
    """The Service of the gateway's pods, which have these labels; the one with Istio's usual name before others."""
    services = [
        service
        for service in _services(client, ISTIO_NAMESPACE)
        if _has_port(service, HTTP_PORT) and selector.items() <= service.selector.items()
    ]
    if not services:
        raise _GatewayError(
            f"Istio: there is no Service of its gateway with port {HTTP_PORT}: neither "
            f"{ISTIO_NAMESPACE}/{ISTIO_GATEWAY} nor another one in {ISTIO_NAMESPACE} selects pods with the labels "
            f"{_listed(selector)}. If it is elsewhere, name it: ingress.gateway"
        )
    # A ClusterIP Service, as Knative's for requests inside the cluster, comes last: clients outside cannot reach it.
    return min(services, key=lambda one: (one.name != ISTIO_GATEWAY, one.type == "ClusterIP", one.name))


def _named(client: httpx.Client, wanted: NamedGateway) -> Service:
    """The Service that the settings name, by its name, its pods' labels or both."""
    there = _services(client, wanted.namespace)
    selected = [one for one in there if wanted.selector.items() <= one.selector.items()]
    found = [one for one in selected if wanted.name in {None, one.name}]
    if wanted.name and not any(one.name == wanted.name for one in there):
        raise _GatewayError(
            f"ingress.gateway.name: there is no Service {wanted.name!r} in namespace {wanted.namespace!r}, which "
            f"has {_names(there)}. Correct the name or the namespace"
        )
    if not found:
        raise _GatewayError(
            f"ingress.gateway.selector: no such Service in namespace {wanted.namespace!r} selects pods with the "
            f"labels {_listed(wanted.selector)}. They have: "
            + ("; ".join(f"{one.name}: {_listed(one.selector) or 'none'}" for one in there) or "no Service is there")
        )
    with_port = [one for one in found if _has_port(one, wanted.port)]
    if not with_port:
        ports = "; ".join(f"{one.name}: {', '.join(str(port.number) for port in one.ports) or 'none'}" for one in found)
        raise _GatewayError(
            f"ingress.gateway.port: no Service of the gateway in namespace {wanted.namespace!r} has port "
            f"{wanted.port}. They have: {ports}. Name the port for HTTP"
        )
    if len(with_port) > 1:
        raise _GatewayError(
            f"ingress.gateway.selector: more than one Service in namespace {wanted.namespace!r} selects these pods "
            f"and has port {wanted.port}: {_names(with_port)}. Give the name of one, too"
        )
    if not with_port[0].selector:
        raise _GatewayError(
            f"ingress.gateway.name: the Service {with_port[0].name!r} in namespace {wanted.namespace!r} selects "
            "no pods. Name the Service of the gateway's pods"
        )
    return with_port[0]


def _require_labels(service: Service, pods: Mapping[str, str], *, kserve: KServeIngress, istio: IstioGateway) -> None:
    """Raise _GatewayError unless pods with these labels serve the Gateway of models in mode Knative."""
    if not istio.selector.items() <= pods.items():
        raise _GatewayError(
            f"ingress.gateway: the pods of the Service {service.namespace}/{service.name} have the labels "
            f"{_listed(pods)}, and do not serve the Gateway {kserve.gateway} that KServe's configuration names "
            f"(ingressGateway): its pods have {_listed(istio.selector)}. Name their Service"
        )


def _require_gateway(client: httpx.Client, service: Service, pods: Mapping[str, str], *, kserve: KServeIngress) -> None:
    """Raise _GatewayError unless pods with these labels serve the Gateway of models in mode Standard."""
    gateway = read_named(client, ClassedGateway, kserve.model_gateway)
    if gateway and not _serves(client, service, pods, gateway=gateway):
        places = [f"{namespace}/{name}" for namespace, name in gateway.services]
        served_by = f"the Service {' or '.join(places)}" if places else f"the label {GATEWAY_NAME_LABEL}={gateway.name}"
        raise _GatewayError(
            f"ingress.gateway: the pods of the Service {service.namespace}/{service.name} do not serve the Gateway "
            f"{kserve.model_gateway} that KServe's configuration names (kserveIngressGateway): its pods are those of "
            f"{served_by}. Name their Service"
        )


def _pods_behind(client: httpx.Client, service: Service) -> Mapping[str, str]:
    """Labels of the pods behind a Service, as its Deployment has them; those that it selects where there is none.

    Raises:
        _GatewayError: there is a Deployment, and none of its pods is available.
    """
    path = Deployment.path(namespace=service.namespace)
    listed = ask(client, path, Controllers.model_validate, what=f"gateway {service.namespace}/{service.name}")
    found = [one for one in (listed.items if listed else ()) if service.selector.items() <= one.pod_labels.items()]
    if found and not any(one.available for one in found):
        names = ", ".join(one.name for one in found)
        raise _GatewayError(
            f"ingress.gateway: no pod of the Service {service.namespace}/{service.name} is available (Deployment "
            f"{names}). Repair it, or name another one"
        )
    return found[0].pod_labels if found else service.selector


def _serves(client: httpx.Client, service: Service, pods: Mapping[str, str], *, gateway: ClassedGateway) -> bool:
    """Whether these pods serve a Gateway: it names a Service of theirs, or a controller started them for it."""
    if service.namespace == gateway.namespace and pods.get(GATEWAY_NAME_LABEL) == gateway.name:
        return True
    named = gateway.services
    if (service.namespace, service.name) in named:
        return True
    others = [one for namespace, name in named for one in _services(client, namespace) if one.name == name]
    return any(
        one.namespace == service.namespace and one.selector and one.selector.items() <= pods.items() for one in others
    )


def _services(client: httpx.Client, namespace: str) -> tuple[Service, ...]:
    listed = ask(client, Service.path(namespace=namespace), _Services.model_validate, what=f"gateway in {namespace}")
    return listed.items if listed else ()


def _has_port(service: Service, number: int) -> bool:
    return any(port.number == number for port in service.ports)


def _found(service: Service, *, port: int) -> ExistingGateway:
    balanced = (str(entry.get("hostname") or entry.get("ip") or "") for entry in service.balanced)
    return ExistingGateway(
        namespace=service.namespace,
        name=service.name,
        type=service.type,
        port=port,
        node_port=next(one.node for one in service.ports if one.number == port),
        addresses=(*filter(None, balanced), *service.external),
    )


def _listed(labels: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in labels.items())


def _names(services: tuple[Service, ...] | list[Service]) -> str:
    return ", ".join(one.name for one in services) or "no Service"
