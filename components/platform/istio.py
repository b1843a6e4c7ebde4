"""Istio: the control plane, and the gateway that all requests from outside the cluster pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from components.charts.deploy import merge_values
from components.objects import custom_resource, declare_namespace
from components.platform.context import InstallContext
from components.platform.existing import installed
from components.platform.gateway_api import GatewayAPI
from components.settings.resource_profiles import resource_values
from components.settings.stack import Ingress
from releases.namespaces import ISTIO_NAMESPACE
from releases.types import IstioRelease

ISTIO_GATEWAY = "istio-ingressgateway"
STATUS_PORT = 15021
HTTP_PORT = 80
HTTPS_PORT = 443
ALLOWED_ROUTES = {"allowedRoutes": {"namespaces": {"from": "All"}}}
# ConfigMaps that istiod creates in every namespace and never deletes.
CA_CONFIG_MAPS = ("istio-ca-root-cert", "istio-ca-crl")


@dataclass(frozen=True, kw_only=True)
class IstioArgs:
    """What Istio is installed with, its charts, and how clients reach its gateway.

    Attributes:
        foreign_namespaces: namespaces of models that exist before the stack and stay when it is destroyed.
        gateway_api: istiod looks for these definitions when it starts; None where they are there already.
        statistics: regular expressions of additional statistics that the gateway's Envoy keeps.

    """

    install: InstallContext
    release: IstioRelease
    ingress: Ingress
    foreign_namespaces: frozenset[str]
    gateway_api: GatewayAPI | None
    statistics: tuple[str, ...] = ()


class Istio(pulumi.ComponentResource):
    """Istio, done when the gateway is ready.

    Attributes:
        namespace: the namespace it runs in.
        definitions: its CustomResourceDefinitions, which exist long before Istio is ready.
        gateway_address: the gateway's URL for clients, without a path.

    """

    namespace: pulumi.Output[str]
    definitions: pulumi.Resource
    gateway_address: pulumi.Output[str]

    def __init__(self, name: str, *, args: IstioArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kserve-multi-model:platform:Istio", name, {}, opts)
        self._args = args
        charts, inside = args.install.charts, pulumi.ResourceOptions(parent=self)
        namespace = declare_namespace(ISTIO_NAMESPACE, opts=inside)
        self.namespace = args.install.pull_secrets.put_into(namespace, opts=inside)
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
            values=merge_values(self._istiod_values(), args.release.values),
            # Until its pods are gone, istiod creates its ConfigMaps again after they are deleted.
            await_deletion=True,
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[base, *installed(args.gateway_api), *self._ca_config_maps(namespace)]
            ),
        )
        charts.workloads(
            ISTIO_GATEWAY,
            args.release.gateway,
            namespace=self.namespace,
            values=self._gateway_values(),
            graceful_shutdown=True,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[istiod]),
        )
        self.gateway_address = self._address(self._gateway_service())
        self.register_outputs({"namespace": self.namespace, "gateway_address": self.gateway_address})

    def _ca_config_maps(self, istio: pulumi.Resource) -> list[pulumi.Resource]:
        """Declare istiod's ConfigMaps in the namespaces that stay, so that `pulumi destroy` deletes them.

        In a namespace that comes later they exist already. So they depend on Istio's namespace, which this stack does
        not get on a cluster where they are of somebody else's istiod.
        """
        return [
            k8s.core.v1.ConfigMap(
                f"{namespace}/{name}",
                metadata=k8s.meta.v1.ObjectMetaArgs(name=name, namespace=namespace, labels={"istio.io/config": "true"}),
                opts=pulumi.ResourceOptions(parent=self, depends_on=[istio]),
            )
            for namespace in sorted({"default", "kube-system"} | self._args.foreign_namespaces)
            for name in CA_CONFIG_MAPS
        ]

    def _istiod_values(self) -> dict[str, Any]:
        footprint, images = self._args.install.footprint, self._args.install.images
        return merge_values(
            {"autoscaleEnabled": footprint.replicated},
            resource_values(footprint.istiod),
            {"global": {"proxy": resource_values(footprint.gateway)}} if footprint.gateway else {},
            {"global": {"hub": images.image("istio"), "tag": self._args.release.version}} if images else {},
        )

    def _gateway_values(self) -> dict[str, Any]:
        footprint, statistics = self._args.install.footprint, self._args.statistics
        annotations = {"sidecar.istio.io/statsInclusionRegexps": ",".join(statistics)}
        return merge_values(
            {"service": {"type": "None"}, "autoscaling": {"enabled": footprint.replicated}},
            {"podAnnotations": annotations} if statistics else {},
            resource_values(footprint.gateway),
        )

    def _gateway_service(self) -> k8s.core.v1.Service:
        """Declare the gateway's Service outside the chart, because its status has the load balancer's address."""
        ingress = self._args.ingress
        selector = {"app": ISTIO_GATEWAY, "istio": ISTIO_GATEWAY.removeprefix("istio-")}
        ports = {"status-port": STATUS_PORT, "http2": HTTP_PORT, "https": HTTPS_PORT}
        node_ports = {"http2": ingress.node_port}
        # Wait for a load balancer's address. Any other Service needs no wait: the chart waits for the gateway's pods.
        annotations = None if ingress.service_type == "LoadBalancer" else {"pulumi.com/skipAwait": "true"}
        return k8s.core.v1.Service(
            ISTIO_GATEWAY,
            metadata=k8s.meta.v1.ObjectMetaArgs(
                name=ISTIO_GATEWAY, namespace=self.namespace, labels=selector, annotations=annotations
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
            return pulumi.Output.from_input(_url(f"{ISTIO_GATEWAY}.{ISTIO_NAMESPACE}.svc.cluster.local"))
        return service.status.apply(_load_balancer_url)


def http_listener(name: str) -> dict[str, Any]:
    """Return a listener of a Gateway for routes of all namespaces."""
    return {"name": name, "port": HTTP_PORT, "protocol": "HTTP", **ALLOWED_ROUTES}


def declare_gateway(
    name: str, *, istio: Istio | None, service: str, listeners: Sequence[dict[str, Any]], opts: pulumi.ResourceOptions
) -> None:
    """Declare a Gateway of Gateway API that is served by Istio's gateway pods; done when Istio has set it up.

    `service` is a Service of these pods, in Istio's namespace. `istio` is None where it is there already.
    """
    custom_resource(
        f"gateway-api-{name}",
        api_version="gateway.networking.k8s.io/v1",
        kind="Gateway",
        name=name,
        namespace=namespace_of(istio),
        spec={
            "gatewayClassName": "istio",
            "addresses": [{"type": "Hostname", "value": service}],
            "listeners": [*listeners],
        },
        ready="Programmed",
        opts=opts,
    )


def namespace_of(istio: Istio | None) -> pulumi.Input[str]:
    """Namespace of Istio; None means the one that is there already."""
    return istio.namespace if istio else ISTIO_NAMESPACE


def _url(host: str, *, port: int | None = None) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}{f':{port}' if port else ''}"


def _load_balancer_url(status: k8s.core.v1.outputs.ServiceStatus | None) -> str:
    addresses = (status and status.load_balancer and status.load_balancer.ingress) or []
    if addresses:
        return _url(addresses[0].hostname or addresses[0].ip or "")
    if pulumi.runtime.is_dry_run():  # the update after this preview creates the load balancer
        return "http://<the load balancer's address>"
    raise pulumi.RunError("the gateway's Service has no load balancer yet; set ingress.address, or try again later")
