"""The Gateway of models in mode Standard, whose routes are HTTPRoutes of Gateway API."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.objects import retry_on_webhook_error
from components.platform.existing import installed
from components.platform.gateway_api import GatewayAPI
from components.platform.gateway_service import ISTIO_GATEWAY
from components.platform.istio import Istio, declare_gateway, http_listener
from components.settings.gateway_names import MODEL_GATEWAY


@dataclass(frozen=True, kw_only=True)
class ModelGatewayArgs:
    """Istio, whose gateway pods serve the routes, and the definition of a Gateway.

    Either is None where it is there already.

    Attributes:
        class_name: of the Gateway.

    """

    istio: Istio | None
    gateway_api: GatewayAPI | None
    class_name: str = "istio"


class ModelGateway(pulumi.ComponentResource):
    """A Gateway served by the pods of Istio's gateway, as Knative's Gateways are; done when Istio has set it up."""

    def __init__(self, name: str, *, args: ModelGatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kserve-multi-model:platform:ModelGateway", name, {}, opts)
        declare_gateway(
            MODEL_GATEWAY,
            class_name=args.class_name,
            istio=args.istio,
            service=ISTIO_GATEWAY,
            listeners=[http_listener("http")],
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=installed(args.istio, args.gateway_api),
                hooks=retry_on_webhook_error(f"{name}-webhooks"),
            ),
        )
        self.register_outputs({})
