"""The Services that lead to gateways, and their addresses for clients outside the cluster."""

from __future__ import annotations

from dataclasses import dataclass

from doctor.facts import Facts
from endpoints.endpoint import GatewayService
from kube.views.gateways import Gateway, IstioGateway
from kube.views.kubernetes import Deployment, EndpointSlice, Node, Port, Service

HTTP = 80
FROM_OUTSIDE = {"LoadBalancer", "NodePort"}
# Knative's own Service for requests from inside the cluster.
LOCAL_GATEWAY = "knative-local-gateway"


@dataclass(frozen=True, kw_only=True)
class Ingress:
    """A Service that requests from outside come through.

    Attributes:
        address: as `http://host:port`; empty if none is known.
        deployments: of the pods behind the Service.
        backends: how many of these pods are ready.

    """

    service: Service
    address: str
    deployments: tuple[Deployment, ...]
    backends: int

    @property
    def name(self) -> str:
        """The Service, as namespace/name."""
        return f"{self.service.namespace}/{self.service.name}"

    @property
    def gateway_service(self) -> GatewayService:
        """The Service and its port for HTTP, for a port-forward."""
        port = _http_port(self.service)
        return GatewayService(
            namespace=self.service.namespace, name=self.service.name, port=port.number if port else HTTP
        )


def ingresses(facts: Facts) -> tuple[Ingress, ...]:
    """Find the Services of Istio's and the Gateway API's gateways that requests from outside the cluster come through.

    Where none of them can be reached from outside, these are the others, to which a port-forward leads.
    """
    named = {name for gateway in facts.of(Gateway) for name in gateway.services}
    selectors = [gateway.selector for gateway in facts.of(IstioGateway) if gateway.selector]
    found = [
        service
        for service in facts.of(Service)
        if (service.namespace, service.name) in named or any(_selects(service, wanted) for wanted in selectors)
    ]
    reached = [service for service in found if service.type in FROM_OUTSIDE]
    others = [service for service in found if service.name != LOCAL_GATEWAY and _http_port(service)]
    return tuple(_ingress(service, facts) for service in reached or others)


def _ingress(service: Service, facts: Facts) -> Ingress:
    deployments = facts.of(Deployment, service.namespace)
    slices = [item for item in facts.of(EndpointSlice, service.namespace) if item.service == service.name]
    return Ingress(
        service=service,
        address=_address(service, facts),
        deployments=tuple(one for one in deployments if service.selector.items() <= one.pod_labels.items()),
        backends=sum(backend.ready for item in slices for backend in item.endpoints),
    )


def _selects(service: Service, labels: dict[str, str]) -> bool:
    return bool(service.selector) and labels.items() <= service.selector.items()


def _http_port(service: Service) -> Port | None:
    return next((port for port in service.ports if port.number == HTTP or port.name in {"http", "http2"}), None)


def _address(service: Service, facts: Facts) -> str:
    port = _http_port(service)
    if port is None:
        return ""
    suffix = "" if port.number == HTTP else f":{port.number}"
    balanced = [str(entry.get("ip") or entry.get("hostname") or "") for entry in service.balanced]
    for host in (*filter(None, balanced), *service.external):
        return f"http://{host}{suffix}"
    nodes = [node.address for node in facts.of(Node) if node.address]
    if service.type == "NodePort" and port.node and nodes:
        return f"http://{nodes[0]}:{port.node}"
    return ""
