"""Istio: the control plane and the gateway all requests come in by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from components.charts.deploy import merged
from components.platform.context import Supply
from components.platform.gateway_api import GatewayAPI
from components.settings.stack import Ingress
from releases.types import IstioRelease

NAMESPACE = "istio-system"
GATEWAY = "istio-ingressgateway"
STATUS_PORT = 15021
HTTP_PORT = 80
HTTPS_PORT = 443
# istiod writes these into every namespace and leaves them there.
CA_CONFIG_MAPS = ("istio-ca-root-cert", "istio-ca-crl")


@dataclass(frozen=True, kw_only=True)
class IstioArgs:
    """The version and where it comes from, how clients reach the gateway, and what Istio looks for at its start.

    Attributes:
        foreign_namespaces: those of models that it outlives.
        statistics: regular expressions of what the gateway's Envoy counts besides what it needs itself.

    """

    supply: Supply
    release: IstioRelease
    ingress: Ingress
    foreign_namespaces: frozenset[str]
    gateway_api: GatewayAPI
    statistics: tuple[str, ...] = ()


class Istio(pulumi.ComponentResource):
    """Istio, done when the gateway is ready.

    Attributes:
        namespace: where it runs.
        definitions: its CustomResourceDefinitions, long before Istio is ready.
        gateway_address: URL of the gateway for clients, without a path.

    """

    namespace: pulumi.Output[str]
    definitions: pulumi.Resource
    gateway_address: pulumi.Output[str]

    def __init__(self, name: str, *, args: IstioArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kserve-multi-model:platform:Istio", name, {}, opts)
        self._args = args
        charts, inside = args.supply.charts, pulumi.ResourceOptions(parent=self)
        namespace = k8s.core.v1.Namespace(NAMESPACE, metadata=k8s.meta.v1.ObjectMetaArgs(name=NAMESPACE), opts=inside)
        self.namespace = namespace.metadata.name
        base = charts.definitions(
            "istio-base",
            args.release.base,
            namespace=self.namespace,
            values={"defaultRevision": "default"},
            opts=inside,
        )
        self.definitions = base
        istiod = charts.workloads(
            "istiod",
            args.release.istiod,
            namespace=self.namespace,
            values=merged(self._istiod_values(), args.release.values),
            # Until then it makes again what it leaves.
            end_awaited=True,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[base, args.gateway_api, *self._what_istiod_leaves()]),
        )
        charts.workloads(
            GATEWAY,
            args.release.gateway,
            namespace=self.namespace,
            values=self._gateway_values(),
            drains=True,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[istiod]),
        )
        self.gateway_address = self._address(self._gateway_service())
        self.register_outputs({"namespace": self.namespace, "gateway_address": self.gateway_address})

    def _what_istiod_leaves(self) -> list[pulumi.Resource]:
        """Its ConfigMaps in the namespaces that are there before and after; what is declared is also destroyed."""
        return [
            k8s.core.v1.ConfigMap(
                f"{namespace}/{name}",
                metadata=k8s.meta.v1.ObjectMetaArgs(name=name, namespace=namespace, labels={"istio.io/config": "true"}),
                opts=pulumi.ResourceOptions(parent=self),
            )
            for namespace in sorted({"default", "kube-system"} | self._args.foreign_namespaces)
            for name in CA_CONFIG_MAPS
        ]

    def _istiod_values(self) -> dict[str, Any]:
        footprint, images = self._args.supply.footprint, self._args.supply.images
        return merged(
            {"autoscaleEnabled": footprint.replicated},
            {"resources": footprint.istiod.values()} if footprint.istiod else {},
            {"global": {"proxy": {"resources": footprint.gateway.values()}}} if footprint.gateway else {},
            {"global": {"hub": images.image("istio"), "tag": self._args.release.version}} if images else {},
        )

    def _gateway_values(self) -> dict[str, Any]:
        footprint, statistics = self._args.supply.footprint, self._args.statistics
        counted = {"sidecar.istio.io/statsInclusionRegexps": ",".join(statistics)}
        return merged(
            {"service": {"type": "None"}, "autoscaling": {"enabled": footprint.replicated}},
            {"podAnnotations": counted} if statistics else {},
            {"resources": footprint.gateway.values()} if footprint.gateway else {},
        )

    def _gateway_service(self) -> k8s.core.v1.Service:
        """The gateway's Service, declared here and not by the chart: its status has a load balancer's address."""
        ingress = self._args.ingress
        selector = {"app": GATEWAY, "istio": GATEWAY.removeprefix("istio-")}
        ports = {"status-port": STATUS_PORT, "http2": HTTP_PORT, "https": HTTPS_PORT}
        node_ports = {"http2": ingress.node_port}
        # A load balancer is waited for; else it is the gateway's pods that are.
        unawaited = None if ingress.service_type == "LoadBalancer" else {"pulumi.com/skipAwait": "true"}
        return k8s.core.v1.Service(
            GATEWAY,
            metadata=k8s.meta.v1.ObjectMetaArgs(
                name=GATEWAY, namespace=self.namespace, labels=selector, annotations=unawaited
            ),
            spec=k8s.core.v1.ServiceSpecArgs(
                type=ingress.service_type,
                selector=selector,
                ports=[
                    k8s.core.v1.ServicePortArgs(
                        name=name, port=port, target_port=port, protocol="TCP", node_port=node_ports.get(name)
                    )
                    for name, port in ports.items()
                ],
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _address(self, service: k8s.core.v1.Service) -> pulumi.Output[str]:
        ingress = self._args.ingress
        if ingress.address:
            return pulumi.Output.from_input(_url(ingress.address, port=ingress.node_port))
        if ingress.service_type == "ClusterIP":
            return pulumi.Output.from_input(_url(f"{GATEWAY}.{NAMESPACE}.svc.cluster.local"))
        return service.status.apply(_balanced)


def _url(host: str, *, port: int | None = None) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}{f':{port}' if port else ''}"


def _balanced(status: k8s.core.v1.outputs.ServiceStatus | None) -> str:
    points = (status and status.load_balancer and status.load_balancer.ingress) or []
    if points:
        return _url(points[0].hostname or points[0].ip or "")
    if pulumi.runtime.is_dry_run():  # of a Service that gets its load balancer only now
        return "http://<the load balancer's address>"
    raise pulumi.RunError("the gateway's Service has no load balancer yet; set ingress.address, or try again later")
