"""The platform: everything a cluster needs before it can serve models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import pulumi

from components.platform.cert_manager import CertManager, CertManagerArgs
from components.platform.context import InstallContext
from components.platform.existing import ExistingParts, installed
from components.platform.gateway_api import GatewayAPI, GatewayAPIArgs
from components.platform.gateway_service import GATEWAY_SERVICE
from components.platform.istio import Istio, IstioArgs
from components.platform.knative import NAMESPACES, RELEASES, Knative, KnativeArgs
from components.platform.kserve import KServe, KServeArgs
from components.platform.model_gateway import ModelGateway, ModelGatewayArgs
from components.platform.monitoring.component import Monitoring, MonitoringArgs
from components.platform.monitoring.scraping import GATEWAY_STATISTICS
from components.settings.gateway_names import GatewayNames
from components.settings.ingress import Ingress
from components.settings.monitoring import MonitoringSettings
from components.settings.stack import Settings
from endpoints.endpoint import GatewayService
from releases.namespaces import MONITORING_NAMESPACE
from releases.types import Release


@dataclass(frozen=True, kw_only=True)
class PlatformArgs:
    """What the platform is installed with, its versions, and how clients reach its gateway.

    Attributes:
        has_knative: whether to install Knative.
        monitoring: settings of the monitoring; None to install none.
        foreign_namespaces: namespaces that exist before the stack and stay when it is destroyed.
        existing: parts that are there already. Where KServe is, nothing is installed but the monitoring.

    """

    install: InstallContext
    release: Release
    ingress: Ingress
    has_knative: bool
    monitoring: MonitoringSettings | None
    foreign_namespaces: frozenset[str]
    existing: ExistingParts = field(default_factory=ExistingParts)

    @classmethod
    def from_settings(cls, settings: Settings, *, install: InstallContext, existing: ExistingParts) -> Self:
        """Read from the settings what the platform is installed with."""
        return cls(
            install=install,
            release=settings.release,
            ingress=settings.ingress,
            has_knative=settings.needs_knative,
            monitoring=settings.monitoring,
            foreign_namespaces=existing.namespaces,
            existing=existing,
        )


class Platform(pulumi.ComponentResource):
    """cert-manager, Gateway API, Istio, Knative, KServe and monitoring.

    They are installed in parallel, except where one is given to another in its arguments. A part that is there already
    is None to the others.

    Attributes:
        gateway_address: the gateway's URL for clients, without a path; None where nothing leads to it from outside.
        gateway_service: the gateway's Service, for clients without an address.
        gateways: those that routes are bound to.
        resources: the component itself, with all that it declares.
        ready: the resources that models wait for.
        monitoring: how a user opens Prometheus, and Grafana where it is installed; None without monitoring.

    """

    gateway_address: pulumi.Output[str | None]
    gateway_service: GatewayService = GATEWAY_SERVICE
    gateways: GatewayNames = GatewayNames()
    resources: Sequence[pulumi.Resource]
    ready: Sequence[pulumi.Resource]
    monitoring: pulumi.Output[dict[str, Any]] | None = None

    def __init__(self, name: str, *, args: PlatformArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kserve-multi-model:platform:Platform", name, {}, opts)
        args = replace(args, install=args.install.guarded_by(self))
        install, release, inside = args.install, args.release, pulumi.ResourceOptions(parent=self)
        self.resources = [self]
        self.ready = () if "kserve" in args.existing.parts else self._install(args)
        if args.monitoring:
            monitoring = Monitoring(
                "monitoring",
                args=MonitoringArgs(
                    install=install, release=release.monitoring, settings=args.monitoring, knative=args.has_knative
                ),
                opts=inside,
            )
            self.monitoring = monitoring.access
            install.guards.part(monitoring, "monitoring", what="the monitoring", namespaces=(MONITORING_NAMESPACE,))

        self.gateways = args.existing.gateways
        if args.existing.gateway_service:
            self.gateway_service = args.existing.gateway_service
            self.gateway_address = pulumi.Output.from_input(args.existing.gateway_url)
        self.register_outputs({"gateway_address": self.gateway_address, "monitoring": self.monitoring})

    def _install(self, args: PlatformArgs) -> Sequence[pulumi.Resource]:
        """Install what is not there already; gives what models wait for."""
        install, release, inside = args.install, args.release, pulumi.ResourceOptions(parent=self)
        there = args.existing.parts
        cert_manager = gateway_api = istio = knative = None
        if "cert_manager" not in there:
            cert_manager = CertManager(
                "cert-manager", args=CertManagerArgs(install=install, release=release.cert_manager), opts=inside
            )
        if "gateway_api" not in there:
            gateway_api = GatewayAPI(
                "gateway-api", args=GatewayAPIArgs(install=install, definitions=release.gateway_api), opts=inside
            )
        if "istio" not in there:
            istio = Istio(
                "istio",
                args=IstioArgs(
                    install=install,
                    release=release.istio,
                    ingress=args.ingress,
                    foreign_namespaces=args.foreign_namespaces,
                    gateway_api=gateway_api,
                    statistics=GATEWAY_STATISTICS if args.monitoring else (),
                ),
                opts=inside,
            )
            self.gateway_address = istio.gateway_address
        if args.has_knative and "knative" not in there:
            knative = Knative(
                "knative",
                args=KnativeArgs(
                    install=install,
                    release=release.knative,
                    domain=args.ingress.domain,
                    istio=istio,
                    gateway_api=gateway_api,
                    class_name=args.ingress.gateway_class,
                    metrics=args.monitoring is not None,
                ),
                opts=inside,
            )
            install.guards.part(knative, "knative", what="Knative", namespaces=NAMESPACES, releases=RELEASES)
        model_gateway = ModelGateway(
            "model-gateway",
            args=ModelGatewayArgs(istio=istio, gateway_api=gateway_api, class_name=args.ingress.gateway_class),
            opts=inside,
        )
        kserve = KServe(
            "kserve",
            args=KServeArgs(
                install=install,
                release=release.kserve,
                domain=args.ingress.domain,
                has_knative=args.has_knative,
                cert_manager=cert_manager,
                gateway_api=gateway_api,
                istio=istio,
                knative=knative,
            ),
            opts=inside,
        )
        return installed(istio, knative, model_gateway, kserve)
