"""The Service of our gateway: how it is declared, and the address that a load balancer gives it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import httpx2 as httpx
import pulumi
import pulumi_kubernetes as k8s

from components.settings.ingress import Ingress
from components.threads import in_own_thread
from endpoints.endpoint import GatewayService
from kube.kubeconfig import KubeconfigError
from kube.read import PASSING_ERRORS, ForbiddenError, get
from kube.views.kubernetes import Service
from releases.namespaces import ISTIO_NAMESPACE

ISTIO_GATEWAY = "istio-ingressgateway"
STATUS_PORT = 15021
HTTP_PORT = 80
HTTPS_PORT = 443
GATEWAY_SERVICE = GatewayService(namespace=ISTIO_NAMESPACE, name=ISTIO_GATEWAY, port=HTTP_PORT)
# A Service gets its address from a cloud's load balancer in one to three minutes, and in other clusters never.
ADDRESS_SECONDS = 180
POLL_SECONDS = 3
PROGRESS_SECONDS = 15
NO_ADDRESS = (
    f"the gateway's Service {GATEWAY_SERVICE} has no address of a load balancer: `python -m predict` asks the models "
    "through a port-forward. For an address, install a load balancer (MetalLB, kube-vip, cloud-provider-kind) and run "
    "`pulumi up` again, or set ingress.service_type: NodePort, with ingress.address and ingress.node_port"
)


def declare_gateway_service(
    ingress: Ingress, *, namespace: pulumi.Input[str], awaited: bool, opts: pulumi.ResourceOptions
) -> k8s.core.v1.Service:
    """Declare the gateway's Service.

    It is not in the gateway's chart, because its status has the load balancer's address. With `awaited`, Pulumi waits
    for this address, and fails without one.
    """
    selector = {"app": ISTIO_GATEWAY, "istio": ISTIO_GATEWAY.removeprefix("istio-")}
    ports = {"status-port": STATUS_PORT, "http2": HTTP_PORT, "https": HTTPS_PORT}
    node_ports = {"http2": ingress.node_port}
    own = {} if awaited and ingress.service_type == "LoadBalancer" else {"pulumi.com/skipAwait": "true"}
    return k8s.core.v1.Service(
        ISTIO_GATEWAY,
        metadata=k8s.meta.v1.ObjectMetaArgs(
            name=ISTIO_GATEWAY,
            namespace=namespace,
            labels=selector,
            annotations={**ingress.annotations, **own} or None,
        ),
        spec=k8s.core.v1.ServiceSpecArgs(
            type=ingress.service_type,
            load_balancer_class=ingress.load_balancer_class,
            selector=selector,
            ports=[
                k8s.core.v1.ServicePortArgs(
                    name=name, port=port, target_port=port, protocol="TCP", node_port=node_ports.get(name)
                )
                for name, port in ports.items()
            ],
        ),
        opts=opts,
    )


def gateway_address(
    service: k8s.core.v1.Service, *, ingress: Ingress, connect: Callable[[], httpx.Client]
) -> pulumi.Output[str | None]:
    """The gateway's URL for clients, without a path; None where nothing leads to it from outside the cluster."""
    if ingress.address:
        return pulumi.Output.from_input(ingress.url(ingress.address))
    if ingress.service_type != "LoadBalancer":
        return pulumi.Output.from_input(None)
    wait = LoadBalancerWait(connect=connect)

    async def url(status: k8s.core.v1.outputs.ServiceStatus | None) -> str | None:
        given = (status and status.load_balancer and status.load_balancer.ingress) or []
        host = _host([(point.hostname, point.ip) for point in given]) or await wait.host()
        return ingress.url(host) if host else None

    return service.status.apply(url)


@dataclass(frozen=True, kw_only=True)
class LoadBalancerWait:
    """Wait for the address that a load balancer gives to a new Service.

    An older Service is read once, since one that got no address in time never gets one.

    Attributes:
        connect: opens a client of the cluster.
        seconds: since the Service was created.

    """

    connect: Callable[[], httpx.Client]
    seconds: float = ADDRESS_SECONDS
    poll_seconds: float = POLL_SECONDS

    async def host(self) -> str:
        """Host or IP address of the load balancer; empty if there is none, which is said."""
        said = 0.0
        while True:
            host, age = await in_own_thread(self._read)
            if host or pulumi.runtime.is_dry_run():
                return host
            if age >= self.seconds:
                pulumi.log.warn(NO_ADDRESS)
                return ""
            if age >= said + PROGRESS_SECONDS:
                said = age
                text = f"waiting for the gateway's load balancer: {age:.0f} of at most {self.seconds:.0f} s"
                pulumi.log.info(text, ephemeral=True)
            await asyncio.sleep(self.poll_seconds)

    def _read(self) -> tuple[str, float]:
        """The Service's address, and its age in seconds by the cluster's clock."""
        path = Service.path(namespace=GATEWAY_SERVICE.namespace, name=GATEWAY_SERVICE.name)
        try:
            with self.connect() as client:
                answer = get(client, path).raise_for_status()
            service = Service.model_validate(answer.json())
            created, now = service.metadata.created, parsedate_to_datetime(answer.headers["date"])
        except ForbiddenError as problem:
            pulumi.log.warn(f"the gateway's Service cannot be read: {problem}")
            return "", self.seconds
        except (KubeconfigError, KeyError, *PASSING_ERRORS) as problem:
            pulumi.log.warn(f"the gateway's Service cannot be read: {type(problem).__name__}: {problem}")
            return "", self.seconds
        age = (now - created).total_seconds() if created else self.seconds
        return _host([(point.get("hostname"), point.get("ip")) for point in service.balanced]), age


def _host(points: Sequence[tuple[str | None, str | None]]) -> str:
    """Host name or address of the first point of a load balancer; empty without one."""
    return next((hostname or ip or "" for hostname, ip in points), "")
