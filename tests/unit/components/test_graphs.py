"""Graphs of models: what a stack may say of them, and what is declared."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from components.footprint import PodResources
from components.graph_settings import Graph
from components.inference_graph import InferenceGraph, InferenceGraphArgs
from components.problems import SettingsError
from components.served import Served
from components.settings import Settings, parse
from components.teardown.leftovers import FormerRemoval
from predict.endpoints import Endpoint, GraphCheck
from tests.unit.components.recording import Recording, record

ANNOTATION = "kserve-multi-model/declared"
MODELS: tuple[dict[str, Any], ...] = (
    {"name": "labels", "format": "sklearn", "storage_uri": "s3://a/b"},
    {"name": "odds", "format": "xgboost", "storage_uri": "s3://a/b", "protocol": "v2", "runtime": "kserve-xgbserver"},
    {"name": "words", "format": "sklearn", "storage_uri": "s3://a/b", "transformer": {"image": "words:1"}},
)


def settings(*graphs: object, models: object = MODELS, **more: object) -> Settings:
    document = {"release": "0.20", "ingress": {"service_type": "ClusterIP"}, "cluster": {"namespace": "models"}}
    return parse(
        {**document, "models": list(models) if isinstance(models, tuple) else models, "graphs": [*graphs], **more}
    )


def problems(*graphs: object, **more: Any) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as refused:
        settings(*graphs, **more)
    return refused.value.problems


def graph(**stated: Any) -> dict[str, Any]:
    return {"name": "both", **stated}


def recorded(footprint: PodResources | None = None, **stated: Any) -> tuple[Recording, Any]:
    """What is declared of a graph, and the endpoint it gives."""
    stack = settings(graph(**stated))
    args = InferenceGraphArgs(
        graph=stack.graphs[0],
        models={model.name: model for model in stack.models},
        cluster=stack.cluster,
        owner="org/project/dev",
        domain="example.com",
        resources=footprint,
        gateway_address=pulumi.Output.from_input("http://192.0.2.1"),
    )
    endpoints: list[Any] = []
    recording = record(lambda: InferenceGraph("both", args=args).endpoint.apply(endpoints.append))
    return recording, endpoints[0]


def declared(**stated: Any) -> Any:
    recording, _ = recorded(**stated)
    return recording.the("serving.kserve.io/v1alpha1:InferenceGraph", "both").plain


def nodes(**stated: Any) -> Any:
    return declared(**stated)["spec"]["nodes"]


LABELS = "http://labels-predictor.models.svc.cluster.local/v1/models/labels:predict"
ODDS = "http://odds-predictor.models.svc.cluster.local/v2/models/odds/infer"
WORDS = "http://words-transformer.models.svc.cluster.local/v1/models/words:predict"


@pytest.mark.feature("inference graph: ensemble", mode="both", proof="objects")
def test_a_graph_in_its_fewest_words() -> None:
    """Each model is asked by its own protocol, and by its transformer where it has one."""
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
def test_a_sequence_hands_predictions_on_as_instances() -> None:
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
def test_nodes_lead_to_nodes() -> None:
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


def test_everything_else_a_graph_can_say() -> None:
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


def test_a_graph_that_says_nothing_has_the_footprints_resources() -> None:
    footprint = PodResources(requests={"cpu": "10m"}, limits={"cpu": "1"})
    assert declared(ensemble=["labels"], footprint=footprint)["spec"]["resources"] == footprint.values()


def test_a_graph_is_followed_into_knative() -> None:
    """KServe does not say which generation its Ready is of."""
    recording, _ = recorded(ensemble=["labels"], timeout=90)
    found = recording.the("serving.kserve.io/v1alpha1:InferenceGraph", "both")
    assert found.afterwards == (("graph-both-rollout",), ("graph-both-rollout",))
    assert found.on_error == ("graph-both-webhooks",)
    finish: Any = recording.afterwards["graph-both-rollout"].callback
    rollout = finish.__self__
    assert (rollout.place, rollout.share, rollout.timeout) == (("models", "both"), 100, 150)
    noted = found.plain["metadata"]["annotations"]
    assert rollout.declared == noted[ANNOTATION]
    assert noted["pulumi.com/waitFor"] == "condition=Ready"
    assert noted["kserve-multi-model/stack"] == "org/project/dev"


@pytest.mark.parametrize("mode", ["Standard", "Knative"])
def test_a_graph_is_gone_before_what_is_made_of_it(mode: str) -> None:
    """Else KServe makes that again for as long as the graph waits for its end."""
    noted = declared(ensemble=["labels"], mode=mode)["metadata"]["annotations"]
    assert noted["pulumi.com/deletionPropagationPolicy"] == "background"


def test_a_graph_waits_for_the_objects_of_one_before() -> None:
    recording, _ = recorded(ensemble=["labels"])
    (hook,) = recording.the("serving.kserve.io/v1alpha1:InferenceGraph", "both").beforehand
    former: Any = recording.afterwards[hook].callback
    assert isinstance(former.__self__, FormerRemoval)
    assert (former.__self__.place[0], former.__self__.served) == ("models", Served(graphs=("both",)))


@pytest.mark.parametrize(
    "change", [{"ensemble": ["odds"]}, {"timeout": 90}, {"scale": {"window": 6}}, {"replicas": {"max": 2}}], ids=str
)
def test_whatever_changes_reaches_knative(change: dict[str, Any]) -> None:
    def digest(**stated: Any) -> object:
        return declared(**stated)["metadata"]["annotations"][ANNOTATION]

    assert digest(**{"ensemble": ["labels"], **change}) != digest(ensemble=["labels"])
    assert digest(ensemble=["labels"], check={"request": 1, "response": 2}) == digest(ensemble=["labels"])


def test_where_a_graph_answers() -> None:
    check = {"request": {"instances": [1]}, "response": {"a": 1}}
    _, described = recorded(ensemble=["labels"], check=check)
    endpoint = Endpoint.model_validate(described)
    assert (endpoint.host, endpoint.url) == ("both.models.example.com", "http://both.models.example.com")
    assert (endpoint.predict_path, endpoint.metadata_path) == ("/", "/readyz")
    assert endpoint.is_a_graph
    assert endpoint.check == GraphCheck(**check)


REFUSED: list[tuple[dict[str, Any], str]] = [
    (
        {},
        "graphs[0]: needs exactly one of sequence, ensemble, switch, splitter; it has none",
    ),
    (
        {"ensemble": ["labels"], "sequence": ["labels"]},
        "graphs[0]: needs exactly one of sequence, ensemble, switch, splitter; it has sequence and ensemble",
    ),
    ({"ensemble": []}, "graphs[0].ensemble: has no step; give it one at least"),
    ({"ensemble": "labels"}, "graphs[0].ensemble: must be a list: one `-` an item"),
    (
        {"ensemble": ["labels", "ods"]},
        "graphs[0].ensemble[1]: 'ods' is no model of the stack, no node of the graph and no URL; did you mean 'odds'?",
    ),
    (
        {"ensemble": ["zzz"]},
        "graphs[0].ensemble[0]: 'zzz' is no model of the stack, no node of the graph and no URL; "
        "there are labels, odds, words",
    ),
    ({"ensemble": ["ftp://a/b"]}, "graphs[0].ensemble[0].to: 'ftp://a/b' is no URL to post to; write http://host"),
    (
        {"ensemble": ["labels", "labels"]},
        "graphs[0].ensemble[1].name: 'labels' is there before; give each step a name of its own",
    ),
    (
        {"ensemble": [{"to": "labels", "weight": 50}]},
        "graphs[0].ensemble[0].weight: is no setting; there are to, name, dependency",
    ),
    (
        {"splitter": [{"to": "labels", "condition": "a", "weight": 100}]},
        "graphs[0].splitter[0].condition: is no setting",
    ),
    ({"splitter": ["labels"]}, "graphs[0].splitter[0].weight: is missing"),
    (
        {"splitter": [{"to": "labels", "weight": 30}, {"to": "odds", "weight": 60}]},
        "graphs[0].splitter: has weights that make 90; make them 100",
    ),
    (
        {"switch": ["labels", "odds"]},
        "graphs[0].switch[0].condition: is missing: without one, no step after it gets a request",
    ),
    (
        {"sequence": [{"to": "labels", "condition": "a"}]},
        "graphs[0].sequence[0].condition: has no effect on the first step: no answer is there yet; drop it",
    ),
    ({"sequence": [{"to": "labels", "data": "$response"}]}, "graphs[0].sequence[0].data: has no effect"),
    ({"sequence": ["labels", {"to": "odds", "data": "response"}]}, "graphs[0].sequence[1].data: must be '$pred"),
    ({"sequence": [{"to": "labels", "dependency": "Hard"}]}, "graphs[0].sequence[0].dependency: must be 'hard' or"),
    (
        {"sequence": ["a"], "nodes": {"a": {"ensemble": ["b"]}, "b": {"sequence": ["labels", "a"]}}},
        "graphs[0]: has nodes in a circle: a → b → a",
    ),
    (
        {"sequence": ["labels"], "nodes": {"a": {"ensemble": ["labels"]}}},
        "graphs[0].nodes.a: is never reached: no step on the way from the first node leads to it; drop it",
    ),
    (
        {"sequence": ["a"], "nodes": {"a": {"ensemble": ["nobody"]}}},
        "graphs[0].nodes.a.ensemble[0]: 'nobody' is no model of the stack",
    ),
    (
        {"sequence": ["labels"], "nodes": {"labels": {"ensemble": ["odds"]}}},
        "graphs[0].nodes.labels: is a model's name, too; give the node another",
    ),
    (
        {"sequence": ["root"], "nodes": {"root": {"ensemble": ["odds"]}}},
        "graphs[0].nodes.root: root is KServe's name for the first node",
    ),
    ({"name": "labels", "ensemble": ["odds"]}, "graphs[0].name: 'labels' is a model's, too, and would be at the same"),
    (
        {"name": "odds-predictor", "ensemble": ["odds"]},
        "graphs[0].name: 'odds-predictor' is what KServe calls a part of the model 'odds'; give the graph another",
    ),
    ({"name": "Both", "ensemble": ["odds"]}, "graphs[0].name: 'Both' is no graph name"),
    ({"name": "g" * 47, "ensemble": ["odds"]}, "graphs[0].name: "),
    ({"ensemble": ["odds"], "check": {"request": {}}}, "graphs[0].check.response: is missing"),
    ({"ensemble": ["odds"], "concurrency": 3}, "graphs[0].concurrency: is no setting"),
]


@pytest.mark.feature("inference graph", mode="both", proof="refused")
@pytest.mark.parametrize(("stated", "problem"), REFUSED, ids=[problem for _, problem in REFUSED])
def test_what_a_graph_may_not_say(stated: dict[str, Any], problem: str) -> None:
    (found,) = problems(graph(**stated))
    assert found.startswith(problem)


def test_graphs_have_their_own_names() -> None:
    both = graph(ensemble=["labels"])
    assert problems(both, both) == ("graphs: 'both' is there more than once; give each graph its own name",)


def test_a_host_name_may_become_too_long() -> None:
    domain = ".".join(["d" * 60] * 4)
    found = problems(graph(ensemble=["labels"]), models=MODELS[:1], ingress={"domain": domain})
    assert any(problem.startswith("graphs[0].name: makes a host name of 255 characters") for problem in found)


def test_a_graph_needs_knative_to_sleep() -> None:
    with pytest.raises(SettingsError, match="min 0 needs mode Knative: in mode Standard nothing scales to zero"):
        settings(graph(ensemble=["labels"], replicas={"min": 0}), mode="Standard")


def test_a_protocol_that_the_router_does_not_speak_is_refused() -> None:
    spoken = {**MODELS[0], "protocol": "grpc-v2"}
    found = problems(graph(ensemble=["labels"]), models=(spoken,))
    assert any("'labels' speaks grpc-v2; KServe's router asks with v1 or v2 alone" in problem for problem in found)


def test_graphs_are_checked_against_models_that_are_wrong_themselves() -> None:
    found = problems(graph(ensemble=["labels", "nobody"]), models=[{"name": "labels"}])
    assert any(problem.startswith("graphs[0].ensemble[1]: 'nobody' is no model") for problem in found)
    assert not [problem for problem in problems(graph(ensemble=["nobody"]), models="x") if "nobody" in problem]


def test_targets_are_the_models_alone() -> None:
    further = {"a": {"ensemble": ["odds", "http://elsewhere/x"]}}
    (found,) = settings(graph(sequence=["labels", "a"], nodes=further)).graphs
    assert isinstance(found, Graph)
    assert found.targets == {"labels", "odds"}
