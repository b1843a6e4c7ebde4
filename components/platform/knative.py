"""Knative Serving: runs model servers, scales them with the number of requests, and routes between revisions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import yaml

from components.objects import BACKGROUND_DELETION, custom_resource, retry_on_webhook_error
from components.platform.context import InstallContext
from components.platform.existing import installed
from components.platform.gateway_api import GatewayAPI
from components.platform.gateway_service import HTTP_PORT, HTTPS_PORT, ISTIO_GATEWAY
from components.platform.istio import (
    ALLOWED_ROUTES,
    Istio,
    declare_gateway,
    http_listener,
    namespace_of,
)
from components.settings.gateway_names import KNATIVE_INGRESS_GATEWAY, KNATIVE_LOCAL_GATEWAY
from components.settings.resource_profiles import resource_values
from components.teardown.termination_wait import TerminationWait, TerminationWaitArgs
from releases.namespaces import ISTIO_NAMESPACE, KNATIVE_NAMESPACE, OPERATOR_NAMESPACE
from releases.types import KnativeRelease, NetGatewayApi

# Port of Istio's gateway pods for requests from inside the cluster.
LOCAL_PORT = 8081
SERVING_TIMEOUT = 600
SERVING_DEFINITIONS, OPERATOR = "knative-serving-crds", "knative-operator"
# Its namespaces.
NAMESPACES = (KNATIVE_NAMESPACE, OPERATOR_NAMESPACE)
# Helm releases that bring definitions.
RELEASES = (f"{KNATIVE_NAMESPACE}/{SERVING_DEFINITIONS}", f"{OPERATOR_NAMESPACE}/{OPERATOR}")
# Read by components/charts/release_postrender.py.
PULL_SECRETS_ANNOTATION = "kserve-multi-model/image-pull-secrets"
# Settings for the metrics of Knative's own workloads, and of the queue-proxies.
METRICS_PROTOCOLS = ("metrics-protocol", "request-metrics-protocol")
WORKLOADS = ("activator", "autoscaler", "controller", "webhook")
# Workloads with a HorizontalPodAutoscaler of the same name.
AUTOSCALED = ("activator", "webhook")
# Keeps the port open: a load balancer that loses the port and gets it back is unreachable for a while.
TLS_LISTENER = {"name": "tls", "port": HTTPS_PORT, "protocol": "TLS", "tls": {"mode": "Passthrough"}, **ALLOWED_ROUTES}


@dataclass(frozen=True, kw_only=True)
class KnativeArgs:
    """What Knative is installed with, its charts, and the gateway its routes go through; None for a part that is there.

    Attributes:
        domain: the host names of its routes end with it.
        class_name: of its Gateways of Gateway API.
        metrics: whether Prometheus can scrape it and the queue-proxies of the models.

    """

    install: InstallContext
    release: KnativeRelease
    domain: str
    istio: Istio | None
    gateway_api: GatewayAPI | None
    class_name: str = "istio"
    metrics: bool = False


class Knative(pulumi.ComponentResource):
    """Knative Serving, done when it routes requests through Istio's gateway.

    Attributes:
        namespace: the namespace it runs in.
        definitions: its CustomResourceDefinitions, which exist long before Knative is ready.

    """

    namespace: pulumi.Output[str]
    definitions: pulumi.Resource

    def __init__(self, name: str, *, args: KnativeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kserve-multi-model:platform:Knative", name, {}, opts)
        self._args = args
        self._retry = retry_on_webhook_error(f"{name}-webhooks")
        inside = pulumi.ResourceOptions(parent=self)
        install = args.install
        namespace, self.namespace = install.declare_namespace(KNATIVE_NAMESPACE, opts=inside)
        self.definitions = install.charts.definitions(
            SERVING_DEFINITIONS,
            args.release.serving_crds,
            namespace=self.namespace,
            values={},
            opts=inside,
        )
        _, operator_namespace = install.declare_namespace(OPERATOR_NAMESPACE, opts=inside)
        operator = install.charts.definitions(
            OPERATOR,
            args.release.operator,
            namespace=operator_namespace,
            values={"knative_operator": self._operator_values()},
            opts=inside,
        )
        for release, text in zip((self.definitions, operator), RELEASES, strict=True):
            install.guards.definitions(release, text.partition("/")[2], releases=(text,))
        # With net-istio, Serving has Gateways and so needs Istio. With net-gateway-api, only the routes need it.
        needed_first = [operator, self.definitions, self._termination_wait(namespace)]
        if not isinstance(args.release.ingress, NetGatewayApi):
            needed_first += installed(args.istio)
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
            opts=pulumi.ResourceOptions(parent=self, depends_on=needed_first, hooks=self._retry),
        )
        if not args.install.footprint.replicated:
            self._disable_scale_up(serving)
        if isinstance(args.release.ingress, NetGatewayApi):
            self._net_gateway_api(args.release.ingress, serving=serving)
        self.register_outputs({"namespace": self.namespace})

    def _termination_wait(self, namespace: k8s.core.v1.Namespace) -> pulumi.Resource:
        """Wait on destroy until Serving's pods are gone, before their namespace is deleted.

        They take 45 seconds to stop, or up to 600 with running requests. A namespace that still has such pods when it
        is deleted checks again only after half of that time.
        """
        charts = self._args.install.charts
        return TerminationWait(
            KNATIVE_NAMESPACE,
            args=TerminationWaitArgs(
                namespace=KNATIVE_NAMESPACE, own=True, kubeconfig=charts.kubeconfig, context=charts.context
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[namespace]),
        )

    def _operator_values(self) -> dict[str, Any]:
        """Values of the operator's chart, which has one section for the operator and one for its webhook."""
        footprint, images = self._args.install.footprint, self._args.install.images
        resources = resource_values(footprint.knative_operator)
        sections = {"knative_operator": "operator", "operator_webhook": "webhook"}
        # The chart has no value for pull secrets: the post-renderer reads their names in this annotation.
        names = ",".join(self._args.install.pull_secrets.names)
        annotations = {"podAnnotations": {PULL_SECRETS_ANNOTATION: names}} if names else {}
        tag = f"v{self._args.release.version}"
        return {
            key: {
                **resources,
                **annotations,
                **({"image": images.image(f"knative-operator/{image}"), "tag": tag} if images else {}),
            }
            for key, image in sections.items()
        }

    def _serving_spec(self) -> dict[str, Any]:
        args = self._args
        footprint, images, ingress = args.install.footprint, args.install.images, args.release.ingress
        by_gateway_api = isinstance(ingress, NetGatewayApi)
        spec: dict[str, Any] = {
            "version": args.release.version,
            # Each one is named, because the operator enables Istio's if it is not.
            "ingress": {
                "istio": {"enabled": not by_gateway_api},
                "kourier": {"enabled": False},
                "contour": {"enabled": False},
            },
            "config": {
                "domain": {args.domain: ""},
                "deployment": {"registries-skipping-tag-resolving": self._unresolved("nvcr.io", "index.docker.io")},
                "features": {
                    # Without these two, Knative refuses a model that chooses its nodes.
                    "kubernetes.podspec-nodeselector": "enabled",
                    "kubernetes.podspec-tolerations": "enabled",
                    **{f"kubernetes.{feature}": "enabled" for feature in args.install.pod_features},
                    # A header of the request can choose among a model's versions.
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
                # The operator's override does not apply to the pods of models.
                "queue-sidecar-image": queue,
                "registries-skipping-tag-resolving": self._unresolved(images.repository.partition("/")[0]),
            }
        if references := args.install.pull_secrets.references:
            spec.setdefault("registry", {})["imagePullSecrets"] = references
        if footprint.queue_proxy:
            spec["config"]["deployment"] |= {
                f"queue-sidecar-{name}-request": amount for name, amount in footprint.queue_proxy.requests.items()
            }
        workload: dict[str, Any] = {}
        if args.metrics:
            spec["config"]["observability"] = dict.fromkeys(METRICS_PROTOCOLS, "prometheus")
            # Knative reads that configuration only when it starts: a changed annotation restarts it.
            workload["annotations"] = {"kserve-multi-model/metrics": "prometheus"}
        if footprint.knative or workload:
            spec["workloads"] = [
                {
                    "name": name,
                    **workload,
                    **({"resources": [{"container": name, **footprint.knative.values()}]} if footprint.knative else {}),
                }
                for name in WORKLOADS
            ]
        if not footprint.replicated:
            spec["high-availability"] = {"replicas": 1}
        return spec

    def _unresolved(self, *registries: str) -> str:
        """These registries and those of the settings, each once."""
        return ",".join(dict.fromkeys([*registries, *self._args.install.unresolved_registries]))

    def _disable_scale_up(self, serving: pulumi.Resource) -> None:
        """Stop the HorizontalPodAutoscalers of Serving from adding pods.

        They compare a pod's usage with its requests, which are very low on a small footprint: moderate load would
        start 20 activators, whose requests would leave no room for models. The operator resets `maxReplicas` whenever
        it reconciles, but does not touch `behavior`, which its manifests do not set.
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
                # Serving's deletion deletes the autoscalers, and with them the patched field.
                opts=pulumi.ResourceOptions(parent=self, depends_on=[serving], deleted_with=serving),
            )

    def _net_gateway_api(self, ingress: NetGatewayApi, *, serving: pulumi.Resource) -> None:
        """Install Knative's ingress for Gateway API: its controller, and Gateways served by Istio's gateway pods."""
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
                "external-gateways": _gateway_entry(
                    "knative-gateway", class_name=args.class_name, service=ISTIO_GATEWAY
                ),
                "local-gateways": _gateway_entry(
                    KNATIVE_LOCAL_GATEWAY, class_name=args.class_name, service=KNATIVE_LOCAL_GATEWAY
                ),
            },
            opts=inside,
        )
        images = args.install.images
        args.install.charts.workloads(
            "net-gateway-api",
            ingress.chart,
            namespace=self.namespace,
            values={
                part: {"image": f"{images.image(f'knative/net-gateway-api-{part}')}:{ingress.version}"}
                for part in ("controller", "webhook")
                if images
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[serving, gateways, *installed(args.gateway_api)]),
        )
        local_service = k8s.core.v1.Service(
            KNATIVE_LOCAL_GATEWAY,
            metadata=k8s.meta.v1.ObjectMetaArgs(
                name=KNATIVE_LOCAL_GATEWAY,
                namespace=namespace_of(args.istio),
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
        after_istio = pulumi.ResourceOptions(
            parent=self, depends_on=[*installed(args.istio, args.gateway_api), local_service], hooks=self._retry
        )
        http = http_listener("default")
        for gateway, service, listeners in (
            ("knative-gateway", ISTIO_GATEWAY, [http, TLS_LISTENER]),
            (KNATIVE_LOCAL_GATEWAY, KNATIVE_LOCAL_GATEWAY, [http]),
        ):
            declare_gateway(
                gateway,
                class_name=args.class_name,
                istio=args.istio,
                service=service,
                listeners=listeners,
                opts=after_istio,
            )
        for gateway, port in ((KNATIVE_INGRESS_GATEWAY, HTTP_PORT), (KNATIVE_LOCAL_GATEWAY, LOCAL_PORT)):
            self._istio_gateway(gateway, port=port)

    def _istio_gateway(self, name: str, *, port: int) -> None:
        """Declare an Istio Gateway for the VirtualServices that KServe creates; net-istio would bring one like it."""
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
            opts=pulumi.ResourceOptions(parent=self, depends_on=installed(self._args.istio), hooks=self._retry),
        )


def _gateway_entry(gateway: str, *, class_name: str, service: str) -> str:
    """One Gateway in net-gateway-api's configuration, which is YAML in a string."""
    entry = {
        "class": class_name,
        "gateway": f"{ISTIO_NAMESPACE}/{gateway}",
        "service": f"{ISTIO_NAMESPACE}/{service}",
        "supported-features": ["HTTPRouteRequestTimeout"],
    }
    return yaml.safe_dump([entry], sort_keys=False)
