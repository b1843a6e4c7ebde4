"""The platform: everything a cluster needs before it serves models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from components.platform.cert_manager import CertManager, CertManagerArgs
from components.platform.context import Supply
from components.platform.gateway_api import GatewayAPI, GatewayAPIArgs
from components.platform.istio import Istio, IstioArgs
from components.platform.knative import Knative, KnativeArgs
from components.platform.kserve import KServe, KServeArgs
from components.platform.model_gateway import ModelGateway, ModelGatewayArgs
from components.platform.monitoring.component import Monitoring, MonitoringArgs
from components.platform.monitoring.scraping import GATEWAY_STATISTICS
from components.settings.monitoring import MonitoringSettings
from components.settings.stack import Ingress
from releases.types import Release


@dataclass(frozen=True, kw_only=True)
class PlatformArgs:
    """The versions and where they come from, and how clients reach the gateway.

    Attributes:
        has_knative: whether models may run behind Knative.
        monitoring: None to do without.
        foreign_namespaces: those of models that were there before, and will be afterwards.

    """

    supply: Supply
    release: Release
    ingress: Ingress
    has_knative: bool
    monitoring: MonitoringSettings | None
    foreign_namespaces: frozenset[str]


class Platform(pulumi.ComponentResource):
    """cert-manager, Gateway API, Istio, Knative if need be, KServe and monitoring, as parallel as they allow.

    Attributes:
        gateway_address: URL of the gateway for clients, without a path.
        ready: what models wait for.
        monitoring: how a user gets to Prometheus, and to Grafana where there is one; None without.

    """

    gateway_address: pulumi.Output[str]
    ready: Sequence[pulumi.Resource]
    monitoring: pulumi.Output[dict[str, Any]] | None = None

    def __init__(self, name: str, *, args: PlatformArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kserve-multi-model:platform:Platform", name, {}, opts)
        supply, release, ingress = args.supply, args.release, args.ingress
        inside = pulumi.ResourceOptions(parent=self)
        cert_manager = CertManager(
            "cert-manager", args=CertManagerArgs(supply=supply, release=release.cert_manager), opts=inside
        )
        gateway_api = GatewayAPI(
            "gateway-api", args=GatewayAPIArgs(supply=supply, definitions=release.gateway_api), opts=inside
        )
        istio = Istio(
            "istio",
            args=IstioArgs(
                supply=supply,
                release=release.istio,
                ingress=ingress,
                foreign_namespaces=args.foreign_namespaces,
                gateway_api=gateway_api,
                statistics=GATEWAY_STATISTICS if args.monitoring else (),
            ),
            opts=inside,
        )
        knative = None
        if args.has_knative:
            knative = Knative(
                "knative",
                args=KnativeArgs(
                    supply=supply,
                    release=release.knative,
                    domain=ingress.domain,
                    istio=istio,
                    gateway_api=gateway_api,
                    metrics=args.monitoring is not None,
                ),
                opts=inside,
            )
        model_gateway = ModelGateway(
            "model-gateway", args=ModelGatewayArgs(istio=istio, gateway_api=gateway_api), opts=inside
        )
        kserve = KServe(
            "kserve",
            args=KServeArgs(
                supply=supply,
                release=release.kserve,
                domain=ingress.domain,
                cert_manager=cert_manager,
                gateway_api=gateway_api,
                istio=istio,
                knative=knative,
            ),
            opts=inside,
        )
        if args.monitoring:
            self.monitoring = Monitoring(
                "monitoring",
                args=MonitoringArgs(
                    supply=supply, release=release.monitoring, settings=args.monitoring, knative=args.has_knative
                ),
                opts=inside,
            ).access
        self.gateway_address = istio.gateway_address
        self.ready = [kserve, istio, model_gateway, *([knative] if knative else [])]
        self.register_outputs({"gateway_address": self.gateway_address})
