"""Graphs of models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import pulumi

from components.objects.custom_resource import custom_resource
from components.objects.owner import ANNOTATION as OWNER
from components.objects.webhooks import patient
from components.platform.istio import HTTP_PORT
from components.platform.model_gateway import GATEWAY as MODEL_GATEWAY
from components.rollout.server import ServerRollouts
from components.rollout.spec_hash import digest, said, toleration_spec
from components.rollout.wait import DECLARED
from components.serving.inference_service import MARGIN
from components.serving.mode_fields import MODE_ANNOTATION, scaling_annotations
from components.serving.model_paths import Paths
from components.settings.graph import Case, Graph, Node, Part, Share, Stage, Step
from components.settings.model import Model
from components.settings.resource_profiles import ROUTER, PodResources
from components.settings.stack import Cluster
from components.teardown.leftovers import FormerRemoval
from components.teardown.termination_wait import Served
from endpoints.endpoint import Endpoint, GraphCheck
from kube.connection import connect

# Matches every request that is JSON: of the switch's last step, where the stack gives it no condition.
ANYTHING = "@this"
# Where KServe's router says that it is there; everything else is a request to the graph.
READY_PATH = "/readyz"


@dataclass(frozen=True, kw_only=True)
class InferenceGraphArgs:
    """A graph and where it is served.

    Attributes:
        models: the stack's, by name.
        owner: the stack it is of.
        domain: of Knative's routes.
        resources: of a graph that says nothing itself; None for those of KServe's router.
        gateway_address: URL of the gateway, without a path.
        termination_wait: deleted after it, and waits until its pods are gone.
        changes_mode: whether it may run in another of KServe's modes now: then it is deleted before it is made anew.

    """

    graph: Graph
    models: Mapping[str, Model]
    cluster: Cluster
    owner: str
    domain: str
    resources: PodResources | None
    gateway_address: pulumi.Output[str]
    termination_wait: pulumi.Resource | None = None
    changes_mode: bool = False


class InferenceGraph(pulumi.ComponentResource):
    """Several models behind one address, done when it is ready.

    In mode Knative, its route is that of Knative's Service, which has its name; in mode Standard, one of ours.

    Attributes:
        endpoint: what a client needs to ask it, and what it should answer; known once it is ready.

    """

    endpoint: pulumi.Output[dict[str, Any]]

    def __init__(self, name: str, *, args: InferenceGraphArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kserve-multi-model:serving:InferenceGraph", name, {}, opts)
        graph, namespace = args.graph, args.cluster.namespace
        annotations = scaling_annotations(graph.mode, replicas=graph.replicas, scale=graph.scale, timeout=graph.timeout)
        spec = _spec(args)
        declared = digest([annotations, spec])
        servers = ServerRollouts(
            connect=partial(connect, kubeconfig=args.cluster.kubeconfig, context=args.cluster.context),
            mode=graph.mode,
            namespace=namespace,
            timeout=graph.timeout + MARGIN,
        )
        rollout = servers.of(graph.name, declared=declared, container=graph.name)
        finished = pulumi.ResourceHook(f"graph-{name}-rollout", rollout.finish)
        former = FormerRemoval(
            connect=servers.connect,
            place=(namespace, graph.name),
            timeout=servers.timeout,
            served=Served(graphs=(graph.name,)),
        )
        service = custom_resource(
            name,
            api_version="serving.kserve.io/v1alpha1",
            kind="InferenceGraph",
            name=graph.name,
            namespace=namespace,
            # KServe hands the graph's annotations on to its pods.
            annotations={**annotations, DECLARED: declared, OWNER: args.owner},
            spec=spec,
            # Which generation KServe has observed it does not say: the rollout finds out.
            ready="Ready",
            timeout=graph.timeout + MARGIN,
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=args.termination_wait,
                hooks=pulumi.ResourceHookBinding(
                    on_error=patient(f"graph-{name}-webhooks").on_error,
                    before_create=[pulumi.ResourceHook(f"graph-{name}-former", former.finish)],
                    after_create=[finished],
                    after_update=[finished],
                ),
                replace_on_changes=[f'metadata.annotations["{MODE_ANNOTATION}"]'],
                delete_before_replace=args.changes_mode or None,
            ),
        )
        served = service if graph.mode == "Knative" else self._route(service, args=args)
        self.endpoint = pulumi.Output.all(served.id, args.gateway_address).apply(
            lambda known: _endpoint(args, gateway_address=known[1])
        )
        self.register_outputs({"endpoint": self.endpoint})

    def _route(self, service: pulumi.Resource, *, args: InferenceGraphArgs) -> pulumi.CustomResource:
        """The way from the gateway, which in mode Standard KServe makes for models alone."""
        name = args.graph.name
        namespace, _, gateway = MODEL_GATEWAY.partition("/")
        accepted = '{.status.parents[0].conditions[?(@.type=="Accepted")].status}=True'
        return custom_resource(
            f"{name}-route",
            api_version="gateway.networking.k8s.io/v1",
            kind="HTTPRoute",
            name=name,
            namespace=args.cluster.namespace,
            annotations={"pulumi.com/waitFor": f"jsonpath={accepted}"},
            spec={
                "parentRefs": [{"name": gateway, "namespace": namespace}],
                "hostnames": [_host(args)],
                "rules": [{"backendRefs": [{"name": name, "port": HTTP_PORT}]}],
            },
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[service], hooks=patient(f"graph-{name}-route-webhooks")
            ),
        )


def _spec(args: InferenceGraphArgs) -> dict[str, Any]:
    graph, most = args.graph, args.graph.request_timeout
    resources = graph.resources.within(args.resources or ROUTER) if graph.resources else args.resources
    return said(
        {
            "nodes": {name: _router(args, node) for name, node in graph.all_nodes.items()},
            "minReplicas": graph.replicas.min,
            "maxReplicas": graph.replicas.max,
            "scaleMetric": graph.scale.metric,
            "scaleTarget": graph.scale.target,
            "timeout": most,
            # The router ends a request by itself, too, and much sooner.
            "routerTimeouts": {"serverRead": most, "serverWrite": most, "serviceClient": most} if most else None,
            "resources": resources.values() if resources else None,
            "nodeSelector": graph.node_selector or None,
            "tolerations": [toleration_spec(toleration) for toleration in graph.tolerations] or None,
        }
    )


def _router(args: InferenceGraphArgs, node: Node) -> dict[str, Any]:
    steps = [{**_step(args, step), **_special(step, index=index)} for index, step in enumerate(node.steps)]
    return {"routerType": node.kind.capitalize(), "steps": steps}


def _step(args: InferenceGraphArgs, step: Step) -> dict[str, Any]:
    target = {"nodeName": step.to} if step.to in args.graph.nodes else {"serviceUrl": _url(args, step)}
    return said({"name": step.label, **target})


def _url(args: InferenceGraphArgs, step: Step) -> str:
    """Where a step is asked, in either mode of KServe's.

    By a model's name alone, KServe would take the first protocol of its serving runtime, and look only once.
    """
    if step.is_a_url:
        return step.to
    model = args.models[step.to]
    asked = f"{model.name}-{'transformer' if model.transformer else 'predictor'}"
    return f"http://{asked}.{model.namespace or args.cluster.namespace}.svc.cluster.local{Paths.of(model).predict}"


def _special(step: Step, *, index: int) -> dict[str, Any]:
    """What only a step of this kind has."""
    match step:
        case Share():
            return {"weight": step.weight}
        case Case():
            return {"condition": step.condition or ANYTHING}
        case Part():
            return {"dependency": step.dependency.capitalize()}
        case Stage():
            data = step.data or "$predictions"
            mapped = data == "$predictions" and index > 0
            return said(
                {
                    "data": ("$response" if mapped else data) if index > 0 else None,
                    "mapPredictionsToInstances": mapped or None,
                    "condition": step.condition,
                    "dependency": step.dependency.capitalize(),
                }
            )
    raise TypeError(f"{type(step).__name__} is no kind of step")


def _host(args: InferenceGraphArgs) -> str:
    return f"{args.graph.name}.{args.cluster.namespace}.{args.domain}"


def _endpoint(args: InferenceGraphArgs, *, gateway_address: str) -> dict[str, Any]:
    graph, host = args.graph, _host(args)
    return Endpoint(
        name=graph.name,
        namespace=args.cluster.namespace,
        url=f"http://{host}",
        host=host,
        protocol="graph",
        predict_path="/",
        metadata_path=READY_PATH,
        gateway_address=gateway_address,
        context=args.cluster.context,
        check=GraphCheck(**graph.check.model_dump()) if graph.check else None,
    ).model_dump()
