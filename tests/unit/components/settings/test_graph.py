"""Settings of inference graphs."""

from __future__ import annotations

from typing import Any

import pytest

from components.settings.errors import SettingsError
from components.settings.graph import Graph
from components.settings.stack import Settings, parse

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


def graph(**graph_settings: Any) -> dict[str, Any]:
    return {"name": "both", **graph_settings}


INVALID: list[tuple[dict[str, Any], str]] = [
    (
        {},
        "graphs[0]: needs exactly one of sequence, ensemble, switch, splitter; it has none",
    ),
    (
        {"ensemble": ["labels"], "sequence": ["labels"]},
        "graphs[0]: needs exactly one of sequence, ensemble, switch, splitter; it has sequence and ensemble",
    ),
    ({"ensemble": []}, "graphs[0].ensemble: has no step; give it at least one"),
    ({"ensemble": "labels"}, "graphs[0].ensemble: must be a list: one `-` an item"),
    (
        {"ensemble": ["labels", "ods"]},
        "graphs[0].ensemble[1]: 'ods' is not a model of the stack, a node of the graph or a URL; did you mean 'odds'?",
    ),
    (
        {"ensemble": ["zzz"]},
        "graphs[0].ensemble[0]: 'zzz' is not a model of the stack, a node of the graph or a URL; "
        "known names: labels, odds, words",
    ),
    ({"ensemble": ["ftp://a/b"]}, "graphs[0].ensemble[0].to: 'ftp://a/b' is not an HTTP URL; write http://host"),
    (
        {"ensemble": ["labels", "labels"]},
        "graphs[0].ensemble[1].name: 'labels' is the name of an earlier step; give each step its own name",
    ),
    (
        {"ensemble": [{"to": "labels", "weight": 50}]},
        "graphs[0].ensemble[0].weight: unknown setting; the settings here are to, name, dependency",
    ),
    (
        {"splitter": [{"to": "labels", "condition": "a", "weight": 100}]},
        "graphs[0].splitter[0].condition: unknown setting",
    ),
    ({"splitter": ["labels"]}, "graphs[0].splitter[0].weight: is missing"),
    (
        {"splitter": [{"to": "labels", "weight": 30}, {"to": "odds", "weight": 60}]},
        "graphs[0].splitter: has weights that add up to 90; make them 100",
    ),
    (
        {"switch": ["labels", "odds"]},
        "graphs[0].switch[0].condition: is missing: without it, no step after this one gets a request",
    ),
    (
        {"sequence": [{"to": "labels", "condition": "a"}]},
        "graphs[0].sequence[0].condition: has no effect in the first step: there is no response yet; drop it",
    ),
    ({"sequence": [{"to": "labels", "data": "$response"}]}, "graphs[0].sequence[0].data: has no effect"),
    ({"sequence": ["labels", {"to": "odds", "data": "response"}]}, "graphs[0].sequence[1].data: must be '$pred"),
    ({"sequence": [{"to": "labels", "dependency": "Hard"}]}, "graphs[0].sequence[0].dependency: must be 'hard' or"),
    (
        {"sequence": ["a"], "nodes": {"a": {"ensemble": ["b"]}, "b": {"sequence": ["labels", "a"]}}},
        "graphs[0]: has a cycle of nodes: a → b → a",
    ),
    (
        {"sequence": ["labels"], "nodes": {"a": {"ensemble": ["labels"]}}},
        "graphs[0].nodes.a: is never reached: no path of steps from the first node leads to it; drop it",
    ),
    (
        {"sequence": ["a"], "nodes": {"a": {"ensemble": ["nobody"]}}},
        "graphs[0].nodes.a.ensemble[0]: 'nobody' is not a model of the stack",
    ),
    (
        {"sequence": ["labels"], "nodes": {"labels": {"ensemble": ["odds"]}}},
        "graphs[0].nodes.labels: is also the name of a model; give the node another name",
    ),
    (
        {"sequence": ["root"], "nodes": {"root": {"ensemble": ["odds"]}}},
        "graphs[0].nodes.root: root is KServe's name for the first node",
    ),
    ({"name": "labels", "ensemble": ["odds"]}, "graphs[0].name: 'labels' is also the name of a model and its address"),
    (
        {"name": "odds-predictor", "ensemble": ["odds"]},
        "graphs[0].name: 'odds-predictor' is KServe's name for a part of the model 'odds'; give the graph another name",
    ),
    ({"name": "Both", "ensemble": ["odds"]}, "graphs[0].name: 'Both' is not a valid graph name"),
    ({"name": "g" * 47, "ensemble": ["odds"]}, "graphs[0].name: "),
    ({"ensemble": ["odds"], "check": {"request": {}}}, "graphs[0].check.response: is missing"),
    ({"ensemble": ["odds"], "concurrency": 3}, "graphs[0].concurrency: unknown setting"),
]


@pytest.mark.feature("inference graph", mode="both", proof="refused")
@pytest.mark.parametrize(("graph_settings", "problem"), INVALID, ids=[problem for _, problem in INVALID])
def test_an_invalid_graph_is_refused_with_path_and_remedy(graph_settings: dict[str, Any], problem: str) -> None:
    (found,) = problems(graph(**graph_settings))
    assert found.startswith(problem)


def test_two_graphs_cannot_have_the_same_name() -> None:
    both = graph(ensemble=["labels"])
    assert problems(both, both) == ("graphs: 'both' is the name of more than one graph; give each its own name",)


def test_a_host_name_that_is_too_long_is_refused() -> None:
    domain = ".".join(["d" * 60] * 4)
    found = problems(graph(ensemble=["labels"]), models=MODELS[:1], ingress={"domain": domain})
    assert any(problem.startswith("graphs[0].name: makes a host name of 255 characters") for problem in found)


def test_a_graph_needs_knative_to_scale_to_zero() -> None:
    with pytest.raises(SettingsError, match="min 0 needs mode Knative: in mode Standard nothing scales to zero"):
        settings(graph(ensemble=["labels"], replicas={"min": 0}), mode="Standard")


def test_a_model_whose_protocol_the_router_does_not_support_is_refused() -> None:
    with_grpc = {**MODELS[0], "protocol": "grpc-v2"}
    found = problems(graph(ensemble=["labels"]), models=(with_grpc,))
    assert any("'labels' has protocol grpc-v2; KServe's router supports v1 and v2 only" in problem for problem in found)


def test_targets_are_checked_even_where_models_are_invalid() -> None:
    found = problems(graph(ensemble=["labels", "nobody"]), models=[{"name": "labels"}])
    assert any(problem.startswith("graphs[0].ensemble[1]: 'nobody' is not a model") for problem in found)
    assert not [problem for problem in problems(graph(ensemble=["nobody"]), models="x") if "nobody" in problem]


def test_targets_are_the_models_only() -> None:
    further = {"a": {"ensemble": ["odds", "http://elsewhere/x"]}}
    (found,) = settings(graph(sequence=["labels", "a"], nodes=further)).graphs
    assert isinstance(found, Graph)
    assert found.targets == {"labels", "odds"}


LATER = (
    {"name": "scores", "format": "xgboost", "storage_uri": "s3://a/b", "protocol": "v2", "runtime": "kserve-xgbserver"},
    {"name": "own", "container": {"image": "own:1"}},
    {**MODELS[1], "name": "mapped", "transformer": {"image": "maps:1"}},
)


def handed(giver: str, taker: str) -> str:
    return (
        f"hands the answer of {giver!r}, which has protocol v2, to {taker!r} as it is: KServe maps answers of v1 only; "
        "use `data: $request`, a transformer in either model, or a step between them to a URL that maps it"
    )


@pytest.mark.feature("inference graph", mode="both", proof="refused")
@pytest.mark.parametrize(
    ("shape", "place", "pair"),
    [
        ({"sequence": ["odds", "labels"]}, "sequence[1]", "odds labels"),
        ({"sequence": ["odds", "scores"]}, "sequence[1]", "odds scores"),
        ({"sequence": ["odds", {"to": "labels", "data": "$response"}]}, "sequence[1]", "odds labels"),
        ({"sequence": ["labels", "odds", "scores"]}, "sequence[2]", "odds scores"),
        ({"sequence": ["odds", "n"], "nodes": {"n": {"ensemble": ["words", "labels"]}}}, "sequence[1]", "odds labels"),
        (
            {"sequence": ["n", "labels"], "nodes": {"n": {"switch": [{"to": "words", "condition": "a"}, "odds"]}}},
            "sequence[1]",
            "odds labels",
        ),
        (
            {"sequence": ["n", "labels"], "nodes": {"n": {"sequence": ["odds", {"to": "own", "condition": "a"}]}}},
            "sequence[1]",
            "odds labels",
        ),
        (
            {"sequence": ["odds", "n"], "nodes": {"n": {"sequence": ["own", {"to": "labels", "data": "$request"}]}}},
            "sequence[1]",
            "odds labels",
        ),
        ({"ensemble": ["n"], "nodes": {"n": {"sequence": ["odds", "labels"]}}}, "nodes.n.sequence[1]", "odds labels"),
    ],
)
def test_a_v2_answer_is_not_handed_to_another_model(shape: dict[str, Any], place: str, pair: str) -> None:
    giver, taker = pair.split()
    assert problems(graph(**shape), models=(*MODELS, *LATER)) == (f"graphs[0].{place}: {handed(giver, taker)}",)


@pytest.mark.parametrize(
    "shape",
    [
        {"sequence": ["labels", "odds"]},
        {"sequence": ["odds", {"to": "labels", "data": "$request"}]},
        {"sequence": ["odds", "words"]},
        {"sequence": ["odds", "own"]},
        {"sequence": ["mapped", "labels"]},
        {"sequence": ["odds", "http://maps.example/", "labels"]},
        {"sequence": ["odds", "n"], "nodes": {"n": {"ensemble": ["words", "http://maps.example/"]}}},
        {"sequence": ["n", "own"], "nodes": {"n": {"ensemble": ["odds", "labels"]}}},
        {"ensemble": ["odds", "scores"]},
        {"splitter": [{"to": "odds", "weight": 50}, {"to": "labels", "weight": 50}]},
    ],
)
def test_other_ways_of_a_v2_answer_are_accepted(shape: dict[str, Any]) -> None:
    assert settings(graph(**shape), models=(*MODELS, *LATER)).graphs


@pytest.mark.feature("inference graph", mode="both", proof="refused")
@pytest.mark.parametrize(
    ("shape", "place", "taker"),
    [
        ({"sequence": ["n", "labels"], "nodes": {"n": {"ensemble": ["odds", "words"]}}}, "sequence[1]", "labels"),
        ({"sequence": ["n", "scores"], "nodes": {"n": {"ensemble": ["labels", "own"]}}}, "sequence[1]", "scores"),
        (
            {"sequence": ["m", "labels"], "nodes": {"m": {"sequence": ["n"]}, "n": {"ensemble": ["odds", "words"]}}},
            "sequence[1]",
            "labels",
        ),
        (
            {
                "sequence": ["labels", "m", {"to": "odds", "data": "$response"}],
                "nodes": {
                    "m": {"switch": [{"to": "own", "condition": "a"}, "n"]},
                    "n": {"ensemble": ["labels", "own"]},
                },
            },
            "sequence[2]",
            "odds",
        ),
    ],
)
def test_an_ensembles_answer_is_not_handed_to_a_model(shape: dict[str, Any], place: str, taker: str) -> None:
    assert problems(graph(**shape), models=(*MODELS, *LATER)) == (
        f"graphs[0].{place}: hands the answer of the ensemble 'n', which has the answers of its steps by their names, "
        f"to {taker!r} as it is, which reads no such request; use `data: $request`, a transformer in {taker!r}, or a "
        "step between them to a URL that maps it",
    )


@pytest.mark.parametrize(
    "later",
    [
        ["own"],
        ["mapped"],
        [{"to": "labels", "data": "$request"}],
        ["http://maps.example/", "labels"],
    ],
)
def test_other_ways_of_an_ensembles_answer_are_accepted(later: list[Any]) -> None:
    shape = {"sequence": ["n", *later], "nodes": {"n": {"ensemble": ["odds", "labels"]}}}
    assert settings(graph(**shape), models=(*MODELS, *LATER)).graphs


def test_nodes_that_lead_to_each_other_end() -> None:
    nodes = {"root": {"sequence": ["root", "a"]}, "a": {"sequence": ["b", "odds"]}, "b": {"sequence": ["a", "labels"]}}
    assert problems(graph(sequence=["odds"], nodes=nodes))
