"""How clients reach the gateway."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from components.settings.errors import Location, refuse
from components.settings.fields import DOMAIN, Domain, Key, LabelValue, Name, ObjectName, Section
from kube.cluster_domain import USUAL
from releases.namespaces import ISTIO_NAMESPACE

NODE_PORTS = range(30000, 32768)
# Of annotations that this program and Pulumi set themselves.
RESERVED_PREFIXES = {"kserve-multi-model", "pulumi.com"}


def is_of_services(domain: str, *, cluster: str = USUAL) -> bool:
    """Whether hosts below a domain are as those of Services in a cluster with the domain `cluster`.

    For requests inside the cluster, Knative gives a model the hosts <name>.<namespace>.svc and <name>.<namespace>, too.
    A host below the cluster's domain itself gets that short one as well.
    """
    return f".{domain}".endswith(f".svc.{cluster}") or domain in {"svc", cluster}


class NamedGateway(Section):
    """The Service of a gateway of Istio that is there already, by its name, its selector or both."""

    namespace: Name = Field(default=ISTIO_NAMESPACE, description="its namespace")
    name: Name | None = Field(default=None, description="its name; where left out, `selector` finds it")
    selector: dict[Key, LabelValue] = Field(
        default_factory=dict, description="labels by which it selects the gateway's pods, as istio: ingressgateway"
    )
    port: int = Field(default=80, ge=1, le=65535, description="its port for HTTP")

    @model_validator(mode="after")
    def _is_named(self) -> Self:
        if not self.name and not self.selector:
            raise ValueError("names no Service; give its name, or the labels of its pods as selector")
        return self


class Ingress(Section):
    """How clients reach the gateway."""

    domain: Domain = Field(
        default="example.com",
        description="the host of a model is <name>.<namespace>.<domain>; not the cluster's own: svc, cluster.local or "
        "below svc.cluster.local",
    )
    service_type: Literal["LoadBalancer", "NodePort", "ClusterIP"] = Field(
        default="LoadBalancer", description="type of the gateway's Service"
    )
    address: str | None = Field(
        default=None,
        description="host or IP address that clients use; the load balancer's when left out. Without any address, "
        "`python -m predict` forwards a port through the API server",
    )
    node_port: int | None = Field(
        default=None,
        description="port of the nodes for HTTP; for service_type NodePort only; Kubernetes chooses one when left out",
    )
    client_port: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        description="port that clients use at the address, where it is not the Service's or the nodes': one that "
        "kind maps, or a router",
    )
    annotations: dict[str, str] = Field(
        default_factory=dict, description="annotations of the gateway's Service, as a cloud's load balancer needs them"
    )
    load_balancer_class: str | None = Field(
        default=None,
        min_length=1,
        description="which load balancer takes the Service, where the cluster has several; cannot be changed later",
    )
    gateway: NamedGateway | None = Field(
        default=None,
        description="a gateway that is there already, of an Istio that `platform.existing` uses; when left out, the "
        "Service in istio-system of the pods that KServe's configuration names",
    )
    class_name: ObjectName | None = Field(
        default=None,
        description="the GatewayClass of Gateways, of an Istio that `platform.existing` uses; when left out, `istio`, "
        "or the one of the Gateway that the configuration of a KServe there names",
    )

    @field_validator("domain")
    @classmethod
    def _is_outside_the_cluster(cls, domain: str) -> str:
        """Refuse the domain of Services: Knative and KServe give a host below it no route from the gateway."""
        if is_of_services(domain):
            raise ValueError(
                f"{domain!r} is the cluster's own domain, whose hosts the gateway does not serve; choose another, "
                "like models.example.com"
            )
        return domain

    @field_validator("address")
    @classmethod
    def _is_a_host(cls, address: str | None) -> str | None:
        if address is None or re.fullmatch(DOMAIN, address):
            return address
        try:
            ipaddress.ip_address(address)
        except ValueError:
            raise ValueError(
                f"{address!r} is not a host name or IP address; write it without scheme, port and path"
            ) from None
        return address

    @field_validator("annotations")
    @classmethod
    def _are_not_ours(cls, annotations: dict[str, str]) -> dict[str, str]:
        for key in annotations:
            if key.partition("/")[0] in RESERVED_PREFIXES:
                raise ValueError(f"{key!r} is reserved for this program; choose another")
        return annotations

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        refuse(self._beside_a_gateway if self.gateway else self._of_its_own_service)
        return self

    @property
    def _beside_a_gateway(self) -> Mapping[str | Location, str | None]:
        """Problems of what describes the Service that a stack makes, beside one that is there."""
        given = {
            "service_type": self.service_type != "LoadBalancer",
            "node_port": self.node_port,
            "annotations": self.annotations,
            "load_balancer_class": self.load_balancer_class,
        }
        why = "has no effect with ingress.gateway, whose Service is there already; drop it"
        return {field: why if value else None for field, value in given.items()}

    @property
    def _of_its_own_service(self) -> Mapping[str | Location, str | None]:
        """Problems of what does not fit the type of the Service that a stack makes."""
        is_balanced = self.service_type == "LoadBalancer"
        return {
            "node_port": self._node_port_problem,
            "client_port": "needs an address: it is the port that clients use there; add ingress.address"
            if self.client_port and not self.address and not is_balanced
            else None,
            "load_balancer_class": f"has no effect with service_type {self.service_type}; drop it"
            if self.load_balancer_class and not is_balanced
            else None,
        }

    @property
    def gateway_class(self) -> str:
        """The GatewayClass of Gateways that the stack makes."""
        return self.class_name or "istio"

    @property
    def _node_port_problem(self) -> str | None:
        if self.service_type != "NodePort":
            drop = f"has no effect with service_type {self.service_type}; drop it or use NodePort"
            return None if self.node_port is None else drop
        chosen_by_kubernetes = self.node_port is None and (self.address is None or self.client_port is not None)
        if chosen_by_kubernetes or self.node_port in NODE_PORTS:
            return None
        return f"must be a port from {NODE_PORTS[0]} to {NODE_PORTS[-1]} with service_type NodePort"

    def url(self, host: str) -> str:
        """URL of the gateway at this host, without a path."""
        port = self.client_port or self.node_port
        return f"http://{f'[{host}]' if ':' in host else host}{f':{port}' if port else ''}"
