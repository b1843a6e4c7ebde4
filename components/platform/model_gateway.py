"""The gateway of models in mode Standard: their routes are Gateway API's, bound to Istio's pods."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.objects.custom_resource import custom_resource
from components.objects.webhooks import patient
from components.platform.gateway_api import GatewayAPI
from components.platform.istio import GATEWAY as ISTIO_GATEWAY
from components.platform.istio import HTTP_PORT, NAMESPACE, Istio

NAME = "kserve-gateway"
# As KServe's configuration names it.
GATEWAY = f"{NAMESPACE}/{NAME}"


@dataclass(frozen=True, kw_only=True)
class ModelGatewayArgs:
    """Whose pods the gateway is, and what defines it."""

    istio: Istio
    gateway_api: GatewayAPI


class ModelGateway(pulumi.ComponentResource):
    """A Gateway at the address that Istio's gateway has, beside Knative's, done when Istio has set it up."""

    def __init__(self, name: str, *, args: ModelGatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kserve-multi-model:platform:ModelGateway", name, {}, opts)
        listener = {
            "name": "http",
            "port": HTTP_PORT,
            "protocol": "HTTP",
            "allowedRoutes": {"namespaces": {"from": "All"}},
        }
        custom_resource(
            f"gateway-api-{NAME}",
            api_version="gateway.networking.k8s.io/v1",
            kind="Gateway",
            name=NAME,
            namespace=args.istio.namespace,
            spec={
                "gatewayClassName": "istio",
                "addresses": [{"type": "Hostname", "value": ISTIO_GATEWAY}],
                "listeners": [listener],
            },
            ready="Programmed",
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[args.istio, args.gateway_api], hooks=patient(f"{name}-webhooks")
            ),
        )
        self.register_outputs({})
