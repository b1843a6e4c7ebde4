"""Gateways and routes: the Gateway API's and Istio's own."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from kube.views.base import Conditions, Object, Strings, View, in_spec, in_status


class Gateway(Object):
    """A gateway of the Gateway API."""

    api: ClassVar[str] = "apis/gateway.networking.k8s.io/v1"
    plural: ClassVar[str] = "gateways"

    conditions: Conditions = Field((), validation_alias=in_status("conditions"))
    addresses: tuple[Strings, ...] = Field((), validation_alias=in_status("addresses"))
    asked_addresses: tuple[Strings, ...] = Field((), validation_alias=in_spec("addresses"))

    @property
    def services(self) -> list[tuple[str, str]]:
        """The Services that its addresses name: `name` in its own namespace, or `name.namespace.svc…`.

        The host of a cloud's load balancer names none.
        """
        entries = [*self.addresses, *self.asked_addresses]
        hosts = [entry.get("value", "").split(".") for entry in entries if entry.get("type") == "Hostname"]
        named = [
            (parts[1] if parts[1:] else self.namespace, parts[0])
            for parts in hosts
            if len(parts) == 1 or parts[2:3] == ["svc"]
        ]
        return [*dict.fromkeys(named)]


class RouteParent(View):
    """What one of its gateways says about a route."""

    conditions: Conditions = ()


class HTTPRoute(Object):
    """A route of the Gateway API."""

    api: ClassVar[str] = "apis/gateway.networking.k8s.io/v1"
    plural: ClassVar[str] = "httproutes"

    hostnames: tuple[str, ...] = Field((), validation_alias=in_spec("hostnames"))
    parents: tuple[RouteParent, ...] = Field((), validation_alias=in_status("parents"))


class IstioGateway(Object):
    """A gateway of Istio's own API; it runs in the pods with the labels `selector`."""

    api: ClassVar[str] = "apis/networking.istio.io/v1"
    plural: ClassVar[str] = "gateways"

    selector: Strings = Field({}, validation_alias=in_spec("selector"))


class VirtualService(Object):
    """A route of Istio's own API."""

    api: ClassVar[str] = "apis/networking.istio.io/v1"
    plural: ClassVar[str] = "virtualservices"

    hosts: tuple[str, ...] = Field((), validation_alias=in_spec("hosts"))
