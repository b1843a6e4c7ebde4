"""The Gateway of models in mode Standard, whose routes are HTTPRoutes of Gateway API."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.objects import custom_resource, retry_on_webhook_error
from components.platform.gateway_api import GatewayAPI
from components.platform.istio import HTTP_PORT, ISTIO_GATEWAY, ISTIO_NAMESPACE, Istio

NAME = "kserve-gateway"
# Namespace and name, as KServe's configuration has it.
MODEL_GATEWAY = f"{ISTIO_NAMESPACE}/{NAME}"


@dataclass(frozen=True, kw_only=True)
class ModelGatewayArgs:
    """Istio, whose gateway pods serve the routes, and the definition of a Gateway."""

    istio: Istio
    gateway_api: GatewayAPI


class ModelGateway(pulumi.ComponentResource):
    """A Gateway served by the pods of Istio's gateway, as Knative's Gateways are; done when Istio has set it up."""

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
                parent=self, depends_on=[args.istio, args.gateway_api], hooks=retry_on_webhook_error(f"{name}-webhooks")
            ),
        )
        self.register_outputs({})
