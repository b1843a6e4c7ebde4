"""Parts of the platform that the cluster has already, and that the stack uses as they are."""

from __future__ import annotations

from dataclasses import dataclass, field

import pulumi

from components.settings.gateway_names import GatewayNames
from components.settings.ingress import Ingress
from components.settings.platform_parts import Part
from endpoints.endpoint import GatewayService

HTTP_PORT = 80


@dataclass(frozen=True, kw_only=True)
class ExistingGateway:
    """The Service of a gateway that is there already.

    Attributes:
        type: of the Service.
        port: for HTTP.
        node_port: the same on every node; 0 for none.
        addresses: those that a load balancer gave it.

    """

    namespace: str
    name: str
    type: str
    port: int = HTTP_PORT
    node_port: int = 0
    addresses: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Namespace and name."""
        return f"{self.namespace}/{self.name}"

    @property
    def service(self) -> GatewayService:
        """The Service, for clients without an address."""
        return GatewayService(namespace=self.namespace, name=self.name, port=self.port)

    def url(self, ingress: Ingress) -> str | None:
        """The gateway's URL for clients, without a path; None where neither the settings nor the Service tell."""
        if ingress.address:
            own = self.node_port if self.type == "NodePort" else self.port
            return _url(ingress.address, port=ingress.client_port or ingress.node_port or own)
        if self.addresses:
            return _url(self.addresses[0], port=ingress.client_port or self.port)
        return None


@dataclass(frozen=True, kw_only=True)
class ExistingParts:
    """What the stack finds of its platform and does not declare.

    Attributes:
        namespaces: of these parts, and those of models that stay when the stack is destroyed.
        gateway_url: of the existing gateway, for clients; None where it has no address, and where this stack installs
            Istio.
        gateway_service: of the existing gateway; None where this stack installs Istio.
        gateways: those that routes are bound to.

    """

    parts: frozenset[Part] = field(default_factory=frozenset)
    namespaces: frozenset[str] = field(default_factory=frozenset)
    gateway_url: str | None = None
    gateway_service: GatewayService | None = None
    gateways: GatewayNames = field(default_factory=GatewayNames)


def installed(*parts: pulumi.Resource | None) -> list[pulumi.Resource]:
    """Those parts that this stack installs: what others of its parts wait for."""
    return [part for part in parts if part is not None]


def _url(host: str, *, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}{'' if port == HTTP_PORT else f':{port}'}"
