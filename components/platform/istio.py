"""Istio: the control plane, and the gateway that all requests from outside the cluster pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from components.charts.deploy import merge_values
from components.objects import custom_resource
from components.platform.context import InstallContext
from components.platform.existing import installed
from components.platform.gateway_api import GatewayAPI
from components.platform.gateway_service import (
    HTTP_PORT,
    ISTIO_GATEWAY,
    declare_gateway_service,
    gateway_address,
)
from components.settings.ingress import Ingress
from components.settings.resource_profiles import resource_values
from kube.connection import connect
from releases.namespaces import ISTIO_NAMESPACE
from releases.types import IstioRelease

# Helm release of Istio's definitions.
BASE = "istio-base"
ALLOWED_ROUTES = {"allowedRoutes": {"namespaces": {"from": "All"}}}
# ConfigMaps that istiod creates in every namespace and never deletes.
CA_CONFIG_MAPS = ("istio-ca-root-cert", "istio-ca-crl")
# GatewayClasses that istiod creates and never deletes, with their controllers; they go with Gateway API's definitions.
GATEWAY_CLASSES = {"istio": "istio.io/gateway-controller", "istio-remote": "istio.io/unmanaged-gateway"}


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
        gateway_address: the gateway's URL for clients, without a path; None where nothing leads to it from outside.

    """

    namespace: pulumi.Output[str]
    definitions: pulumi.Resource
    gateway_address: pulumi.Output[str | None]

    def __init__(self, name: str, *, args: IstioArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kserve-multi-model:platform:Istio", name, {}, opts)
        self._args = args
        charts, inside = args.install.charts, pulumi.ResourceOptions(parent=self)
        namespace, self.namespace = args.install.declare_namespace(ISTIO_NAMESPACE, opts=inside)
        base = charts.definitions(
            BASE,
            args.release.base,
            namespace=self.namespace,
            values={"defaultRevision": "default"},
            opts=inside,
        )
        args.install.guards.definitions(base, BASE, releases=(f"{ISTIO_NAMESPACE}/{BASE}",))
        self.definitions = base
        istiod = charts.workloads(
            "istiod",
            args.release.istiod,
            namespace=self.namespace,
            values=merge_values(self._istiod_values(), args.release.values),
            # Until its pods are gone, istiod creates its ConfigMaps again after they are deleted.
            await_deletion=True,
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[
                    base,
                    *(installed(args.gateway_api) or self._gateway_classes(namespace)),
                    *self._ca_config_maps(namespace),
                ],
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
        service = declare_gateway_service(
            args.ingress,
            namespace=self.namespace,
            # Of a stack from before, the Service stays as it is declared; it has its address.
            awaited=charts.mark.deployed_before,
            opts=inside,
        )
        self.gateway_address = gateway_address(
            service,
            ingress=args.ingress,
            connect=partial(connect, kubeconfig=charts.kubeconfig, context=charts.context),
        )
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

    def _gateway_classes(self, istio: pulumi.Resource) -> list[pulumi.Resource]:
        """Declare istiod's GatewayClasses, so that `pulumi destroy` deletes them where Gateway API stays."""
        return [
            k8s.apiextensions.CustomResource(
                f"gateway-class/{name}",
                api_version="gateway.networking.k8s.io/v1",
                kind="GatewayClass",
                metadata=k8s.meta.v1.ObjectMetaArgs(name=name),
                spec={"controllerName": controller},
                opts=pulumi.ResourceOptions(parent=self, depends_on=[istio]),
            )
            for name, controller in GATEWAY_CLASSES.items()
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


def http_listener(name: str) -> dict[str, Any]:
    """Return a listener of a Gateway for routes of all namespaces."""
    return {"name": name, "port": HTTP_PORT, "protocol": "HTTP", **ALLOWED_ROUTES}


def declare_gateway(
    name: str,
    *,
    class_name: str,
    istio: Istio | None,
    service: str,
    listeners: Sequence[dict[str, Any]],
    opts: pulumi.ResourceOptions,
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
            "gatewayClassName": class_name,
            "addresses": [{"type": "Hostname", "value": service}],
            "listeners": [*listeners],
        },
        ready="Programmed",
        opts=opts,
    )


def namespace_of(istio: Istio | None) -> pulumi.Input[str]:
    """Namespace of Istio; None means the one that is there already."""
    return istio.namespace if istio else ISTIO_NAMESPACE
