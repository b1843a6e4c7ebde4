"""The InferenceGraph of a graph of models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi

from components.objects import STACK_ANNOTATION, custom_resource, retry_on_webhook_error
from components.platform.gateway_service import HTTP_PORT
from components.rollout.hooks import graph_hooks
from components.serving.context import ServingContext
from components.serving.modes import SERVING_MODES
from components.serving.paths import Paths
from components.serving.pod_spec import drop_none, toleration_spec
from components.serving.spec import spec_hash
from components.settings.graph import Graph
from components.settings.graph_nodes import Case, Node, Part, Share, Stage, Step
from components.settings.model import Model
from components.settings.resource_profiles import ROUTER
from endpoints.endpoint import Endpoint, GraphCheck
from kube.views.kserve import MODE_ANNOTATION, SPEC_HASH_ANNOTATION

# Condition that every JSON request meets, for the last step of a switch when its settings give none.
MATCH_ALL = "@this"
# Path at which KServe's router says that it is ready. It takes all others as requests to the graph.
READY_PATH = "/readyz"
ROUTER_TIMEOUTS = ("serverRead", "serverWrite", "serviceClient")


@dataclass(frozen=True, kw_only=True)
class InferenceGraphArgs:
    """A graph, the models of the stack, and what all of them share."""

    graph: Graph
    models: tuple[Model, ...]
    context: ServingContext

    @property
    def namespace(self) -> str:
        """Namespace of the graph."""
        return self.context.cluster.namespace


class InferenceGraph(pulumi.ComponentResource):
    """Several models behind one address. It is done when its new version gets the requests.

    In mode Knative its route is that of Knative's Service of the same name; in mode Standard this program declares one.

    Attributes:
        endpoint: what a client needs to reach it, and what it should answer; known once it is ready.

    """

    endpoint: pulumi.Output[dict[str, Any]]

    def __init__(self, name: str, *, args: InferenceGraphArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kserve-multi-model:serving:InferenceGraph", name, {}, opts)
        graph, context = args.graph, args.context
        mode = SERVING_MODES[graph.mode]
        annotations = mode.annotations(replicas=graph.replicas, scale=graph.scale, timeout=graph.timeout)
        spec = _spec(args)
        declared = spec_hash([annotations, spec])
        servers = context.servers(graph.mode, namespace=args.namespace, timeout=graph.timeout)
        service = custom_resource(
            name,
            api_version="serving.kserve.io/v1alpha1",
            kind="InferenceGraph",
            name=graph.name,
            namespace=args.namespace,
            # KServe copies the graph's annotations to its pods.
            annotations={**annotations, SPEC_HASH_ANNOTATION: declared, STACK_ANNOTATION: context.owner},
            spec=spec,
            # A graph's status does not say which generation it describes, so the hooks wait as well.
            ready="Ready",
            timeout=servers.timeout,
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=context.termination_waits.get(args.namespace),
                hooks=graph_hooks(graph.name, servers=servers, spec_hash=declared),
                replace_on_changes=[f'metadata.annotations["{MODE_ANNOTATION}"]'],
                delete_before_replace=graph.name in context.changing_mode or None,
            ),
        )
        routed = service if mode.routes_graphs else self._route(service, args=args)
        self.endpoint = pulumi.Output.all(routed.id, context.gateway_address).apply(
            lambda known: _endpoint(args, gateway_address=known[1])
        )
        self.register_outputs({"endpoint": self.endpoint})

    def _route(self, service: pulumi.Resource, *, args: InferenceGraphArgs) -> pulumi.CustomResource:
        """Route from the gateway. In mode Standard, KServe makes routes only for models."""
        name = args.graph.name
        namespace, _, gateway = args.context.gateways.standard.partition("/")
        accepted = '{.status.parents[0].conditions[?(@.type=="Accepted")].status}=True'
        return custom_resource(
            f"{name}-route",
            api_version="gateway.networking.k8s.io/v1",
            kind="HTTPRoute",
            name=name,
            namespace=args.namespace,
            annotations={"pulumi.com/waitFor": f"jsonpath={accepted}"},
            spec={
                "parentRefs": [{"name": gateway, "namespace": namespace}],
                "hostnames": [_host(args)],
                "rules": [{"backendRefs": [{"name": name, "port": HTTP_PORT}]}],
            },
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[service], hooks=retry_on_webhook_error(f"graph-{name}-route-webhooks")
            ),
        )


def _spec(args: InferenceGraphArgs) -> dict[str, Any]:
    graph, timeout, default = args.graph, args.graph.request_timeout, args.context.footprint.router
    resources = graph.resources.within(default or ROUTER) if graph.resources else default
    return drop_none(
        {
            "nodes": {name: _router(args, node) for name, node in graph.all_nodes.items()},
            "minReplicas": graph.replicas.min,
            "maxReplicas": graph.replicas.max,
            "scaleMetric": graph.scale.metric,
            "scaleTarget": graph.scale.target,
            "timeout": timeout,
            # The router has timeouts of its own, which are much shorter by default.
            "routerTimeouts": dict.fromkeys(ROUTER_TIMEOUTS, timeout) if timeout else None,
            "resources": resources.values() if resources else None,
            "nodeSelector": graph.node_selector or None,
            "tolerations": [toleration_spec(toleration) for toleration in graph.tolerations] or None,
        }
    )


def _router(args: InferenceGraphArgs, node: Node) -> dict[str, Any]:
    steps = [{**_step(args, step), **_fields_of_kind(step, index=index)} for index, step in enumerate(node.steps)]
    return {"routerType": node.kind.capitalize(), "steps": steps}


def _step(args: InferenceGraphArgs, step: Step) -> dict[str, Any]:
    target = {"nodeName": step.to} if step.to in args.graph.nodes else {"serviceUrl": _url(args, step)}
    return drop_none({"name": step.label, **target})


def _url(args: InferenceGraphArgs, step: Step) -> str:
    """URL that the router sends a step's requests to, the same in both modes.

    From a model's name alone, KServe would take the first protocol of its serving runtime, and resolve it only once.
    """
    if step.is_a_url:
        return step.to
    model = next(model for model in args.models if model.name == step.to)
    first = f"{model.service}-{'transformer' if model.transformer else 'predictor'}"
    return f"http://{first}.{model.namespace or args.namespace}.svc.cluster.local{Paths.of(model).predict}"


def _fields_of_kind(step: Step, *, index: int) -> dict[str, Any]:
    """Fields that only a step of its kind has."""
    match step:
        case Share():
            return {"weight": step.weight}
        case Case():
            return {"condition": step.condition or MATCH_ALL}
        case Part():
            return {"dependency": step.dependency.capitalize()}
        case Stage():
            data = step.data or "$predictions"
            mapped = data == "$predictions" and index > 0
            return drop_none(
                {
                    "data": ("$response" if mapped else data) if index > 0 else None,
                    "mapPredictionsToInstances": mapped or None,
                    "condition": step.condition,
                    "dependency": step.dependency.capitalize(),
                }
            )
    raise TypeError(f"{type(step).__name__} is not a kind of step")


def _host(args: InferenceGraphArgs) -> str:
    return args.context.host(args.graph.name, namespace=args.namespace)


def _endpoint(args: InferenceGraphArgs, *, gateway_address: str | None) -> dict[str, Any]:
    graph, host = args.graph, _host(args)
    return Endpoint(
        name=graph.name,
        namespace=args.namespace,
        url=f"http://{host}",
        host=host,
        protocol="graph",
        predict_path="/",
        metadata_path=READY_PATH,
        gateway_address=gateway_address,
        gateway_service=args.context.gateway_service,
        context=args.context.cluster.context,
        check=GraphCheck(**graph.check.model_dump()) if graph.check else None,
    ).model_dump()
