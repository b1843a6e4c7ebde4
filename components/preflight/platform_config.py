"""Read what the parts of a platform that is there are configured with: their ConfigMaps, gateways and classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, TypeVar

import httpx2 as httpx
from pydantic import Field

from components.preflight.platform_facts import ask
from components.settings.gateway_names import GatewayNames
from kube.views.base import Conditions, Object, Strings, View, in_spec, in_status
from kube.views.gateways import Gateway

KSERVE_CONFIG = "inferenceservice-config"
Kind = TypeVar("Kind", bound=Object)


class _ConfigMap(Object):
    api: ClassVar[str] = "api/v1"
    plural: ClassVar[str] = "configmaps"

    data: Strings = Field({})


class GatewayClass(Object):
    """A class of Gateways of Gateway API, and the controller that serves them."""

    api: ClassVar[str] = "apis/gateway.networking.k8s.io/v1"
    plural: ClassVar[str] = "gatewayclasses"

    controller: str = Field("", validation_alias=in_spec("controllerName"))
    conditions: Conditions = Field((), validation_alias=in_status("conditions"))


class ClassedGateway(Gateway):
    """A Gateway of Gateway API, with the name of its class."""

    class_name: str = Field("", validation_alias=in_spec("gatewayClassName"))


class KServeIngress(View):
    """How KServe makes routes: the entry `ingress` of its configuration."""

    gateway: str = Field("", validation_alias="ingressGateway")
    gateway_api: bool = Field(False, validation_alias="enableGatewayApi")
    model_gateway: str = Field("", validation_alias="kserveIngressGateway")
    domain: str = Field("example.com", validation_alias="ingressDomain")
    template: str = Field("{{ .Name }}-{{ .Namespace }}.{{ .IngressDomain }}", validation_alias="domainTemplate")
    scheme: str = Field("http", validation_alias="urlScheme")
    without_routes: bool = Field(False, validation_alias="disableIngressCreation")
    without_virtual_services: bool = Field(False, validation_alias="disableIstioVirtualHost")

    @property
    def names(self) -> GatewayNames:
        """The gateways that it names."""
        return GatewayNames(standard=self.model_gateway, knative=self.gateway)


def read_config(client: httpx.Client, name: str, *, namespace: str, what: str) -> Mapping[str, str]:
    """The entries of a ConfigMap; none where it is not there. Raises UntoldError as `ask` does."""
    found = ask(client, _ConfigMap.path(namespace=namespace, name=name), _ConfigMap.model_validate, what=what)
    return found.data if found else {}


def read_named(client: httpx.Client, kind: type[Kind], name: str) -> Kind | None:
    """The object of this kind that is called `namespace/name`; None where there is none, or where that is no name."""
    namespace, _, own = name.partition("/")
    if not namespace or not own:
        return None
    return ask(client, kind.path(namespace=namespace, name=own), kind.model_validate, what=f"gateway {name!r}")


def read_class(client: httpx.Client, name: str) -> GatewayClass | None:
    """The GatewayClass of this name; None where there is none."""
    return ask(client, GatewayClass.path(name=name), GatewayClass.model_validate, what=f"GatewayClass {name!r}")
