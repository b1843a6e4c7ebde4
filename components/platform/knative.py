"""Knative Serving: runs model servers, scales them with the requests, and routes between revisions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import yaml

from components.objects.custom_resource import BACKGROUND_DELETION, custom_resource
from components.objects.webhooks import patient
from components.platform.context import Supply
from components.platform.gateway_api import GatewayAPI
from components.platform.istio import GATEWAY, HTTP_PORT, HTTPS_PORT, Istio
from components.platform.istio import NAMESPACE as ISTIO_NAMESPACE
from components.teardown.termination_wait import TerminationWait, TerminationWaitArgs
from releases.types import KnativeRelease, NetGatewayApi

NAMESPACE = "knative-serving"
OPERATOR_NAMESPACE = "knative-operator"
INGRESS_GATEWAY = "knative-ingress-gateway"
LOCAL_GATEWAY = "knative-local-gateway"
# The gateway's port for requests from inside the cluster.
LOCAL_PORT = 8081
SERVING_TIMEOUT = 600
# Of Knative itself, and of the queue-proxies.
METRICS = ("metrics-protocol", "request-metrics-protocol")
WORKLOADS = ("activator", "autoscaler", "controller", "webhook")
# Those that come with a HorizontalPodAutoscaler of the same name.
AUTOSCALED = ("activator", "webhook")


@dataclass(frozen=True, kw_only=True)
class KnativeArgs:
    """The version and where it comes from, the domain of its routes, and the gateway they go through.

    Attributes:
        metrics: whether it offers its metrics, and those of the models' requests, to Prometheus.

    """

    supply: Supply
    release: KnativeRelease
    domain: str
    istio: Istio
    gateway_api: GatewayAPI
    metrics: bool = False


class Knative(pulumi.ComponentResource):
    """Knative Serving, done when it routes requests through Istio's gateway.

    Attributes:
        namespace: where it runs.
        definitions: its CustomResourceDefinitions, long before Knative is ready.

    """

    namespace: pulumi.Output[str]
    definitions: pulumi.Resource

    def __init__(self, name: str, *, args: KnativeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kserve-multi-model:platform:Knative", name, {}, opts)
        self._args = args
        self._patience = patient(f"{name}-webhooks")
        namespace = self._namespace(NAMESPACE)
        self.namespace = namespace.metadata.name
        self.definitions = args.supply.charts.definitions(
            "knative-serving-crds",
            args.release.serving_crds,
            namespace=self.namespace,
            values={},
            opts=pulumi.ResourceOptions(parent=self),
        )
        operator = args.supply.charts.definitions(
            "knative-operator",
            args.release.operator,
            namespace=self._namespace(OPERATOR_NAMESPACE).metadata.name,
            values={"knative_operator": self._operator_values()},
            opts=pulumi.ResourceOptions(parent=self),
        )
        # By Gateway API, only the routes need Istio; net-istio's own gateways are part of Serving.
        by_gateway_api = isinstance(args.release.ingress, NetGatewayApi)
        serving = custom_resource(
            "knative-serving",
            api_version="operator.knative.dev/v1beta1",
            kind="KnativeServing",
            name="knative-serving",
            namespace=self.namespace,
            annotations=BACKGROUND_DELETION,
            spec=self._serving_spec(),
            ready="Ready",
            timeout=SERVING_TIMEOUT,
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[
                    *(operator, self.definitions, self._termination_wait(namespace)),
                    *([] if by_gateway_api else [args.istio]),
                ],
                hooks=self._patience,
            ),
        )
        if not args.supply.footprint.replicated:
            self._never_scale_up(serving)
        if isinstance(args.release.ingress, NetGatewayApi):
            self._net_gateway_api(args.release.ingress, serving=serving)
        self.register_outputs({"namespace": self.namespace})

    def _namespace(self, name: str) -> k8s.core.v1.Namespace:
        inside = pulumi.ResourceOptions(parent=self)
        return k8s.core.v1.Namespace(name, metadata=k8s.meta.v1.ObjectMetaArgs(name=name), opts=inside)

    def _termination_wait(self, namespace: k8s.core.v1.Namespace) -> pulumi.Resource:
        """Serving's pods are gone before their namespace is deleted.

        They take 45 s or, with requests, up to 600 s to end, and a namespace that finds such pods looks again only
        after half of that.
        """
        charts = self._args.supply.charts
        return TerminationWait(
            NAMESPACE,
            args=TerminationWaitArgs(
                namespace=NAMESPACE, served=None, own=True, kubeconfig=charts.kubeconfig, context=charts.context
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[namespace]),
        )

    def _operator_values(self) -> dict[str, Any]:
        """The chart keeps the operator and its webhook side by side."""
        footprint, images = self._args.supply.footprint, self._args.supply.images
        resources = {"resources": footprint.knative_operator.values()} if footprint.knative_operator else {}
        parts = {"knative_operator": "operator", "operator_webhook": "webhook"}
        tag = f"v{self._args.release.version}"
        return {
            part: {**resources, **({"image": images.image(f"knative-operator/{image}"), "tag": tag} if images else {})}
            for part, image in parts.items()
        }

    def _serving_spec(self) -> dict[str, Any]:
        args = self._args
        footprint, images, ingress = args.supply.footprint, args.supply.images, args.release.ingress
        by_gateway_api = isinstance(ingress, NetGatewayApi)
        spec: dict[str, Any] = {
            "version": args.release.version,
            # One that is not named is taken for enabled when it is Istio's.
            "ingress": {
                "istio": {"enabled": not by_gateway_api},
                "kourier": {"enabled": False},
                "contour": {"enabled": False},
            },
            "config": {
                "domain": {args.domain: ""},
                "deployment": {"registries-skipping-tag-resolving": "nvcr.io,index.docker.io"},
                "features": {
                    # Else it refuses the pods of a model that says which nodes it wants.
                    "kubernetes.podspec-nodeselector": "enabled",
                    "kubernetes.podspec-tolerations": "enabled",
                    # Lets a header of the request choose among a model's versions.
                    "tag-header-based-routing": "enabled",
                },
            },
        }
        if by_gateway_api:
            spec["config"]["network"] = {"ingress-class": "gateway-api.ingress.networking.knative.dev"}
        if images:
            tag = f"v{args.release.version}"
            queue = f"{images.image('knative/queue')}:{tag}"
            spec["registry"] = {
                "default": f"{images.image('knative')}/${{NAME}}:{tag}",
                "override": {
                    "queue-proxy": queue,
                    "net-istio-controller/controller": f"{images.image('knative/net-istio-controller')}:{tag}",
                    "net-istio-webhook/webhook": f"{images.image('knative/net-istio-webhook')}:{tag}",
                },
            }
            spec["config"]["deployment"] = {
                # The operator's override does not reach the pods of models.
                "queue-sidecar-image": queue,
                "registries-skipping-tag-resolving": images.repository.partition("/")[0],
            }
        if footprint.queue_proxy:
            spec["config"]["deployment"] |= {
                f"queue-sidecar-{name}-request": amount for name, amount in footprint.queue_proxy.requests.items()
            }
        workload: dict[str, Any] = {}
        if args.metrics:
            spec["config"]["observability"] = dict.fromkeys(METRICS, "prometheus")
            # Knative reads this when it starts.
            workload["annotations"] = {"kserve-multi-model/metrics": "prometheus"}
        if footprint.knative or workload:
            spec["workloads"] = [
                {
                    "name": part,
                    **workload,
                    **({"resources": [{"container": part, **footprint.knative.values()}]} if footprint.knative else {}),
                }
                for part in WORKLOADS
            ]
        if not footprint.replicated:
            spec["high-availability"] = {"replicas": 1}
        return spec

    def _never_scale_up(self, serving: pulumi.Resource) -> None:
        """Keep the autoscalers of Serving's pods from adding any.

        They compare what a pod uses with what it requests, which is very little here: moderate load would bring 20
        activators, and their requests would leave no room for models. The operator resets `maxReplicas` whenever it
        reconciles, but leaves `behavior` alone, which its manifests do not mention.
        """
        for autoscaler in AUTOSCALED:
            k8s.autoscaling.v2.HorizontalPodAutoscalerPatch(
                f"knative-{autoscaler}",
                metadata=k8s.meta.v1.ObjectMetaPatchArgs(name=autoscaler, namespace=self.namespace),
                spec=k8s.autoscaling.v2.HorizontalPodAutoscalerSpecPatchArgs(
                    behavior=k8s.autoscaling.v2.HorizontalPodAutoscalerBehaviorPatchArgs(
                        scale_up=k8s.autoscaling.v2.HPAScalingRulesPatchArgs(select_policy="Disabled")
                    )
                ),
                # Without Serving there is no autoscaler to give the field back to.
                opts=pulumi.ResourceOptions(parent=self, depends_on=[serving], deleted_with=serving),
            )

    def _net_gateway_api(self, ingress: NetGatewayApi, *, serving: pulumi.Resource) -> None:
        """Knative's ingress by Gateway API: its controller, and gateways bound to the pods Istio's gateway has."""
        args = self._args
        inside = pulumi.ResourceOptions(parent=self)
        gateways = k8s.core.v1.ConfigMap(
            "config-gateway",
            metadata=k8s.meta.v1.ObjectMetaArgs(
                name="config-gateway",
                namespace=self.namespace,
                labels={
                    "networking.knative.dev/ingress-provider": "net-gateway-api",
                    "app.kubernetes.io/component": "net-gateway-api",
                    "app.kubernetes.io/name": "knative-serving",
                },
            ),
            data={
                "external-gateways": _gateway_entry(gateway="knative-gateway", service=GATEWAY),
                "local-gateways": _gateway_entry(gateway=LOCAL_GATEWAY, service=LOCAL_GATEWAY),
            },
            opts=inside,
        )
        images = args.supply.images
        args.supply.charts.workloads(
            "net-gateway-api",
            ingress.chart,
            namespace=self.namespace,
            values={
                part: {"image": f"{images.image(f'knative/net-gateway-api-{part}')}:{ingress.version}"}
                for part in ("controller", "webhook")
                if images
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[serving, gateways, args.gateway_api]),
        )
        local_service = k8s.core.v1.Service(
            LOCAL_GATEWAY,
            metadata=k8s.meta.v1.ObjectMetaArgs(
                name=LOCAL_GATEWAY,
                namespace=args.istio.namespace,
                labels={"experimental.istio.io/disable-gateway-port-translation": "true"},
                annotations={"pulumi.com/skipAwait": "true"},
            ),
            spec=k8s.core.v1.ServiceSpecArgs(
                type="ClusterIP",
                selector={"istio": "ingressgateway"},
                ports=[k8s.core.v1.ServicePortArgs(name="http2", port=HTTP_PORT, target_port=LOCAL_PORT)],
            ),
            opts=inside,
        )
        routed = pulumi.ResourceOptions(
            parent=self, depends_on=[args.istio, args.gateway_api, local_service], hooks=self._patience
        )
        self._gateway("knative-gateway", host=GATEWAY, listeners=[_http_listener(), _tls_listener()], opts=routed)
        self._gateway(LOCAL_GATEWAY, host=LOCAL_GATEWAY, listeners=[_http_listener()], opts=routed)
        for gateway, port in ((INGRESS_GATEWAY, HTTP_PORT), (LOCAL_GATEWAY, LOCAL_PORT)):
            self._istio_gateway(gateway, port=port)

    def _gateway(self, name: str, *, host: str, listeners: list[dict[str, Any]], opts: pulumi.ResourceOptions) -> None:
        custom_resource(
            f"gateway-api-{name}",
            api_version="gateway.networking.k8s.io/v1",
            kind="Gateway",
            name=name,
            namespace=self._args.istio.namespace,
            spec={
                "gatewayClassName": "istio",
                "addresses": [{"type": "Hostname", "value": host}],
                "listeners": listeners,
            },
            ready="Programmed",
            opts=opts,
        )

    def _istio_gateway(self, name: str, *, port: int) -> None:
        """The gateway that the VirtualServices KServe makes are bound to; net-istio would bring its like."""
        custom_resource(
            f"istio-{name}",
            api_version="networking.istio.io/v1",
            kind="Gateway",
            name=name,
            namespace=self.namespace,
            spec={
                "selector": {"istio": "ingressgateway"},
                "servers": [{"port": {"number": port, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}],
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self._args.istio], hooks=self._patience),
        )


def _gateway_entry(*, gateway: str, service: str) -> str:
    """One gateway in net-gateway-api's configuration, which is a document in a text."""
    entry = {
        "class": "istio",
        "gateway": f"{ISTIO_NAMESPACE}/{gateway}",
        "service": f"{ISTIO_NAMESPACE}/{service}",
        "supported-features": ["HTTPRouteRequestTimeout"],
    }
    return yaml.safe_dump([entry], sort_keys=False)


def _http_listener() -> dict[str, Any]:
    return {"name": "default", "port": HTTP_PORT, "protocol": "HTTP", **_FROM_EVERYWHERE}


def _tls_listener() -> dict[str, Any]:
    """Holds the port: a load balancer that loses and regains it is away for a while."""
    return {"name": "tls", "port": HTTPS_PORT, "protocol": "TLS", "tls": {"mode": "Passthrough"}, **_FROM_EVERYWHERE}


_FROM_EVERYWHERE = {"allowedRoutes": {"namespaces": {"from": "All"}}}
