"""InferenceGraphs: what is declared of a graph."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from components.rollout.hooks import PredecessorRemoval
from components.serving.context import ServingContext
from components.serving.inference_graph import InferenceGraph, InferenceGraphArgs
from components.settings.gateway_names import GatewayNames
from components.settings.resource_profiles import Footprint, PodResources
from endpoints.endpoint import Endpoint, GraphCheck
from tests.unit.components.recording import Recording, record
from tests.unit.components.settings.test_graph import graph, settings

ANNOTATION = "kserve-multi-model/declared"
OWN_GATEWAYS = GatewayNames()


def recorded(
    router: PodResources | None = None, gateways: GatewayNames = OWN_GATEWAYS, **fields: Any
) -> tuple[Recording, Any]:
    """What is declared of a graph, and the endpoint it gives."""
    stack = settings(graph(**fields))
    context = ServingContext(
        cluster=stack.cluster,
        owner="org/project/dev",
        domain="example.com",
        runtimes=(),
        footprint=Footprint(router=router),
        images=None,
        gateway_address=pulumi.Output.from_input("http://192.0.2.1"),
        gateways=gateways,
    )
    args = InferenceGraphArgs(graph=stack.graphs[0], models=stack.models, context=context)
    endpoints: list[Any] = []
    recording = record(lambda: InferenceGraph("both", args=args).endpoint.apply(endpoints.append))
    return recording, endpoints[0]


def declared(**fields: Any) -> Any:
    recording, _ = recorded(**fields)
    return recording.the("serving.kserve.io/v1alpha1:InferenceGraph", "both").plain


def nodes(**fields: Any) -> Any:
    return declared(**fields)["spec"]["nodes"]


LABELS = "http://labels-predictor.models.svc.cluster.local/v1/models/labels:predict"
ODDS = "http://odds-predictor.models.svc.cluster.local/v2/models/odds/infer"
WORDS = "http://words-transformer.models.svc.cluster.local/v1/models/words:predict"


@pytest.mark.feature("inference graph: ensemble", mode="both", proof="objects")
def test_graph_with_defaults() -> None:
    """Each model gets requests in its own protocol, through its transformer if it has one."""
    found = declared(ensemble=["labels", "odds", "words"])
    assert found["spec"] == {
        "minReplicas": 1,
        "maxReplicas": 1,
        "nodes": {
            "root": {
                "routerType": "Ensemble",
                "steps": [
                    {"name": "labels", "serviceUrl": LABELS, "dependency": "Hard"},
                    {"name": "odds", "serviceUrl": ODDS, "dependency": "Hard"},
                    {"name": "words", "serviceUrl": WORDS, "dependency": "Hard"},
                ],
            }
        },
    }
    annotations = found["metadata"].pop("annotations")
    assert found["metadata"] == {"name": "both", "namespace": "models"}
    assert set(annotations) == {
        *(ANNOTATION, "kserve-multi-model/stack", "pulumi.com/waitFor", "serving.knative.dev/progress-deadline"),
        "pulumi.com/deletionPropagationPolicy",
    }


@pytest.mark.feature("inference graph: sequence", mode="both", proof="objects")
def test_sequence_passes_predictions_on_as_instances() -> None:
    stages = ["labels", "words", {"to": "odds", "data": "$response"}]
    last = {"to": "http://log/x", "data": "$request", "condition": "predictions.#(==1)", "dependency": "soft"}
    assert nodes(sequence=[*stages, last])["root"] == {
        "routerType": "Sequence",
        "steps": [
            {"name": "labels", "serviceUrl": LABELS, "dependency": "Hard"},
            {
                "name": "words",
                "serviceUrl": WORDS,
                "dependency": "Hard",
                "data": "$response",
                "mapPredictionsToInstances": True,
            },
            {"name": "odds", "serviceUrl": ODDS, "dependency": "Hard", "data": "$response"},
            {
                "serviceUrl": "http://log/x",
                "dependency": "Soft",
                "data": "$request",
                "condition": "predictions.#(==1)",
            },
        ],
    }


@pytest.mark.feature("inference graph: switch", mode="both", proof="objects")
@pytest.mark.feature("inference graph: splitter", mode="both", proof="objects")
@pytest.mark.feature("inference graph: nested nodes", mode="both", proof="objects")
def test_nested_nodes() -> None:
    further = {"ab": {"splitter": [{"to": "labels", "weight": 80}, {"to": "odds", "weight": 20, "name": "b"}]}}
    assert nodes(switch=[{"to": "ab", "condition": "a.b"}, "words"], nodes=further) == {
        "root": {
            "routerType": "Switch",
            "steps": [
                {"name": "ab", "nodeName": "ab", "condition": "a.b"},
                {"name": "words", "serviceUrl": WORDS, "condition": "@this"},
            ],
        },
        "ab": {
            "routerType": "Splitter",
            "steps": [
                {"name": "labels", "serviceUrl": LABELS, "weight": 80},
                {"name": "b", "serviceUrl": ODDS, "weight": 20},
            ],
        },
    }


def test_graph_with_all_other_settings() -> None:
    found = declared(
        ensemble=["labels"],
        replicas={"min": 0, "max": 4},
        scale={"metric": "rps", "target": 20, "window": 6},
        request_timeout=20,
        resources={"requests": {"cpu": "2"}},
        node_selector={"pool": "a"},
        tolerations=[{"key": "team", "operator": "Exists"}],
        timeout=90,
    )
    spec = found["spec"]
    del spec["nodes"]
    assert spec == {
        "minReplicas": 0,
        "maxReplicas": 4,
        "scaleMetric": "rps",
        "scaleTarget": 20,
        "timeout": 20,
        "routerTimeouts": {"serverRead": 20, "serverWrite": 20, "serviceClient": 20},
        "resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "2"}},
        "nodeSelector": {"pool": "a"},
        "tolerations": [{"key": "team", "operator": "Exists"}],
    }
    noted = found["metadata"]["annotations"]
    assert noted["autoscaling.knative.dev/window"] == "6s"
    assert noted["serving.knative.dev/progress-deadline"] == "90s"


def test_graph_without_resources_gets_those_of_the_footprint() -> None:
    router = PodResources(requests={"cpu": "10m"}, limits={"cpu": "1"})
    assert declared(ensemble=["labels"], router=router)["spec"]["resources"] == router.values()


def test_hook_waits_for_the_graph() -> None:
    """A graph's status does not say which generation its Ready condition describes."""
    recording, _ = recorded(ensemble=["labels"], timeout=90)
    found = recording.the("serving.kserve.io/v1alpha1:InferenceGraph", "both")
    assert found.afterwards == (("graph-both-rollout",), ("graph-both-rollout",))
    assert found.on_error == ("graph-both-webhooks",)
    finish: Any = recording.afterwards["graph-both-rollout"].callback
    rollout = finish.__self__
    assert (rollout.scope.namespace, rollout.name, rollout.share, rollout.scope.timeout) == ("models", "both", 100, 150)
    noted = found.plain["metadata"]["annotations"]
    assert rollout.spec_hash == noted[ANNOTATION]
    assert noted["pulumi.com/waitFor"] == "condition=Ready"
    assert noted["kserve-multi-model/stack"] == "org/project/dev"


@pytest.mark.parametrize("mode", ["Standard", "Knative"])
def test_graph_is_deleted_before_its_children(mode: str) -> None:
    """Otherwise KServe would recreate the children while the deletion of the graph waits for them."""
    noted = declared(ensemble=["labels"], mode=mode)["metadata"]["annotations"]
    assert noted["pulumi.com/deletionPropagationPolicy"] == "background"


def test_graph_waits_for_leftovers_of_the_same_name() -> None:
    recording, _ = recorded(ensemble=["labels"])
    (hook,) = recording.the("serving.kserve.io/v1alpha1:InferenceGraph", "both").beforehand
    former: Any = recording.afterwards[hook].callback
    assert isinstance(former.__self__, PredecessorRemoval)
    leftovers = former.__self__.leftovers
    assert (leftovers.namespace, leftovers.models, leftovers.graphs) == ("models", None, ("both",))


@pytest.mark.parametrize(
    "change", [{"ensemble": ["odds"]}, {"timeout": 90}, {"scale": {"window": 6}}, {"replicas": {"max": 2}}], ids=str
)
def test_whatever_changes_reaches_knative(change: dict[str, Any]) -> None:
    def digest(**fields: Any) -> object:
        return declared(**fields)["metadata"]["annotations"][ANNOTATION]

    assert digest(**{"ensemble": ["labels"], **change}) != digest(ensemble=["labels"])
    assert digest(ensemble=["labels"], check={"request": 1, "response": 2}) == digest(ensemble=["labels"])


@pytest.mark.parametrize(
    ("gateways", "parent"),
    [
        (OWN_GATEWAYS, {"namespace": "istio-system", "name": "kserve-gateway"}),
        (
            GatewayNames(standard="kserve/kserve-ingress-gateway"),
            {"namespace": "kserve", "name": "kserve-ingress-gateway"},
        ),
    ],
)
def test_a_graphs_route_is_bound_to_the_gateway_of_models(gateways: GatewayNames, parent: dict[str, str]) -> None:
    """KServe makes none for a graph in mode Standard."""
    recording, _ = recorded(gateways=gateways, ensemble=["labels"], mode="Standard")
    route = recording.the(":HTTPRoute", "both-route").plain
    assert route["spec"]["parentRefs"] == [parent]


def test_endpoint_of_a_graph() -> None:
    check = {"request": {"instances": [1]}, "response": {"a": 1}}
    _, described = recorded(ensemble=["labels"], check=check)
    endpoint = Endpoint.model_validate(described)
    assert (endpoint.host, endpoint.url) == ("both.models.example.com", "http://both.models.example.com")
    assert (endpoint.predict_path, endpoint.metadata_path) == ("/", "/readyz")
    assert endpoint.is_a_graph
    assert endpoint.check == GraphCheck(**check)
