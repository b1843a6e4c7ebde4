"""Transformers, explainers, graphs: one deployment of all kinds, one that changes and takes away, by value."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from releases.local import EXAMPLE
from tests.e2e.cluster_objects import kubectl
from tests.e2e.machine import GATEWAY, Deployment, need
from tests.e2e.models_on_platform import models_on_platform

NAMESPACE = "composition"
FIELDS = ("sepal_length", "sepal_width", "petal_length", "petal_width")
VIRGINICA, VERSICOLOR = [6.5, 3.0, 5.5, 2.0], [5.9, 2.8, 4.3, 1.3]
PROBABLY = pytest.approx([0.8319113, 0.1669796], abs=1e-5)
INCHES = [[value / 2.54 for value in row] for row in (VIRGINICA, VERSICOLOR)]
FLOWERS = [dict(zip(FIELDS, row, strict=True)) for row in (VIRGINICA, VERSICOLOR)]
# How much each feature, put at the baseline, takes from the probability.
EFFECTS = [[0, 0, 0.150954, 0.270580], [0, 0, 0, 0]]
LABELLED = {"predictions": [1, 0]}
NAMED = {"predictions": ["virginica", "versicolor"]}

TRANSFORMED = {
    "name": "iris",
    "format": "sklearn",
    "storage_uri": "s3://models/sklearn",
    "storage": "demo",
    "transformer": {"image": f"localhost:5000/examples/named-fields:{EXAMPLE}"},
    "check": {"instances": FLOWERS, **NAMED},
}
# A probability where the label is 1, else the label; and one of two models, for all requests.
CASCADE = {
    "sequence": ["sklearn-model", {"to": "xgboost-model", "data": "$request", "condition": "predictions.#(==1)"}]
}
ALWAYS_LABELS = {"splitter": [{"to": "sklearn-model", "weight": 100}, {"to": "xgboost-model", "weight": 0}]}
# The same as Deployments, and a graph beside them.
STANDARD = TRANSFORMED | {"name": "iris-standard", "mode": "Standard"}
BY_DEPLOYMENT = {
    "name": "by-deployment",
    "mode": "Standard",
    "switch": [
        {"to": "iris-standard", "condition": "instances.0.petal_width"},
        {"to": "cascade", "condition": 'ask.#(=="sure")'},
        {"to": "always-labels", "condition": "ask"},
        "everyone",
    ],
    "nodes": {
        "everyone": {"ensemble": ["sklearn-model", "xgboost-model"]},
        "cascade": CASCADE,
        "always-labels": ALWAYS_LABELS,
    },
    "check": {"request": {"instances": FLOWERS}, "response": NAMED},
}
EXPLAINED = {
    "name": "why",
    "format": "xgboost",
    "storage_uri": "s3://models/xgboost",
    "storage": "demo",
    "explainer": {
        "image": f"localhost:5000/examples/feature-importance:{EXAMPLE}",
        "args": ["--baseline=5.84,3.05,3.76,1.2"],
    },
    "check": {
        "instances": [VIRGINICA, VERSICOLOR],
        "predictions": [0.8319113, 0.1669796],
        "explanations": EFFECTS,
        "tolerance": 1e-5,
    },
}
EXPLAINED_STANDARD = EXPLAINED | {"name": "why-standard", "mode": "Standard"}
CENTIMETRES = {
    "name": "centimetres",
    "format": "sklearn",
    "storage_uri": "s3://models/centimetres",
    "storage": "demo",
    "check": {"instances": INCHES, "predictions": [VIRGINICA, VERSICOLOR]},
}
CHAIN = {
    "name": "chain",
    "sequence": ["centimetres", "xgboost-model"],
    "check": {
        "request": {"instances": INCHES},
        "response": {"predictions": [0.8319113, 0.1669796]},
        "tolerance": 1e-5,
    },
}
CHAIN_STANDARD = CHAIN | {"name": "chain-standard", "mode": "Standard"}
BY_REQUEST = {
    "name": "by-request",
    "switch": [
        {"to": "iris", "condition": "instances.0.petal_width"},
        {"to": "everyone", "condition": 'ask.#(=="all")'},
        {"to": "cascade", "condition": 'ask.#(=="sure")'},
        {"to": "always-labels", "condition": "ask"},
        "xgboost-model",
    ],
    "nodes": {
        "everyone": {"ensemble": ["sklearn-model", {"to": "xgboost-model", "name": "probability"}]},
        "cascade": CASCADE,
        "always-labels": ALWAYS_LABELS,
    },
}
EITHER = {
    "name": "either",
    "splitter": [{"to": "sklearn-model", "weight": 50}, {"to": "xgboost-model", "weight": 50}],
}


def ask(name: str, request: object, *, path: str = "/") -> requests.Response:
    host = f"{name}.{NAMESPACE}.example.com"
    return requests.post(f"{GATEWAY}{path}", json=request, headers={"Host": host}, timeout=60)


def answer(name: str, request: object, *, path: str = "/") -> Any:
    answered = ask(name, request, path=path)
    assert answered.status_code == 200, answered.text
    return answered.json()


def rows(*rows: list[float], **more: object) -> dict[str, object]:
    return {"instances": rows, **more}


@pytest.fixture(scope="module")
def composed(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """The demo's models and graph with a transformer, an explainer and graphs of all kinds."""
    need("examples")
    demo = deployment.settings
    with models_on_platform(
        NAMESPACE,
        *(*demo["models"], TRANSFORMED, STANDARD, EXPLAINED, EXPLAINED_STANDARD, CENTIMETRES),
        graphs=[*demo["graphs"], CHAIN, CHAIN_STANDARD, BY_REQUEST, EITHER, BY_DEPLOYMENT],
        directory=tmp_path_factory.mktemp("stack"),
        deployment=deployment,
    ) as composed:
        yield composed


@pytest.mark.feature("transformer", mode="both")
@pytest.mark.parametrize("name", ["iris", "iris-standard"])
def test_a_transformer_takes_named_fields_and_answers_with_names(composed: Deployment, name: str) -> None:
    path = f"/v1/models/{name}:predict"
    assert answer(name, {"instances": FLOWERS}, path=path) == NAMED
    refused = ask(name, rows(VIRGINICA), path=path)
    assert refused.status_code == 400
    assert "expected the fields sepal_length" in refused.text


@pytest.mark.feature("explainer", mode="both")
@pytest.mark.parametrize("name", ["why", "why-standard"])
def test_an_explainer_says_how_much_each_feature_counts(composed: Deployment, name: str) -> None:
    explained = answer(name, rows(VIRGINICA, VERSICOLOR), path=f"/v1/models/{name}:explain")
    assert explained == {"explanations": [pytest.approx(effects, abs=1e-5) for effects in EFFECTS]}
    refused = ask(name, rows(VIRGINICA[:3]), path=f"/v1/models/{name}:explain")
    assert refused.status_code == 400
    assert answer(name, rows(VIRGINICA, VERSICOLOR), path=f"/v1/models/{name}:predict") == {"predictions": PROBABLY}


@pytest.mark.feature("inference graph: ensemble")
def test_one_entry_for_both_models(composed: Deployment) -> None:
    both = answer("multi-model-service", rows(VIRGINICA, VERSICOLOR))
    assert both == {"sklearn-model": LABELLED, "xgboost-model": {"predictions": PROBABLY}}


@pytest.mark.feature("inference graph: ensemble", mode="Standard")
@pytest.mark.feature("inference graph: switch", mode="Standard")
@pytest.mark.feature("inference graph: nested nodes", mode="Standard")
def test_a_graph_without_knative(composed: Deployment) -> None:
    assert answer("by-deployment", {"instances": FLOWERS}) == NAMED
    both = answer("by-deployment", rows(VIRGINICA, VERSICOLOR))
    assert both == {"sklearn-model": LABELLED, "xgboost-model": {"predictions": PROBABLY}}


@pytest.mark.feature("inference graph: sequence")
def test_a_model_is_asked_with_the_answer_of_another(composed: Deployment) -> None:
    assert answer("chain", {"instances": INCHES}) == {"predictions": PROBABLY}
    broken = ask("chain", rows([1.0]))
    assert broken.status_code == 400
    assert "expected 4 features, got 1" in broken.text


@pytest.mark.feature("inference graph: switch")
@pytest.mark.feature("inference graph: nested nodes")
def test_the_request_decides_who_answers(composed: Deployment) -> None:
    assert answer("by-request", {"instances": FLOWERS}) == NAMED
    everyone = answer("by-request", rows(VIRGINICA, VERSICOLOR, ask=["all"]))
    assert everyone == {"sklearn-model": LABELLED, "probability": {"predictions": PROBABLY}}
    assert answer("by-request", rows(VIRGINICA, VERSICOLOR)) == {"predictions": PROBABLY}


@pytest.mark.feature("inference graph: sequence", mode="Standard")
@pytest.mark.feature("inference graph: sequence that ends early", mode="both")
@pytest.mark.parametrize("graph", ["by-request", "by-deployment"])
def test_a_condition_on_the_answer_ends_a_sequence(composed: Deployment, graph: str) -> None:
    sure = answer(graph, rows(VIRGINICA, ask=["sure"]))
    assert sure == {"predictions": pytest.approx([0.8319113], abs=1e-5)}
    assert answer(graph, rows(VERSICOLOR, ask=["sure"])) == {"predictions": [0]}


@pytest.mark.feature("inference graph: splitter", mode="both")
@pytest.mark.parametrize("graph", ["by-request", "by-deployment"])
def test_a_splitter_sends_no_request_where_it_may_not(composed: Deployment, graph: str) -> None:
    assert all(answer(graph, rows(VIRGINICA, ask=["?"])) == {"predictions": [1]} for _ in range(30))


@pytest.mark.feature("inference graph: splitter")
def test_a_splitter_divides_the_requests(composed: Deployment) -> None:
    labelled = sum(answer("either", rows(VIRGINICA)) == {"predictions": [1]} for _ in range(60))
    assert 10 <= labelled <= 50  # 60 throws of a coin: outside of it once in 60 million


@pytest.mark.feature("check of a transformer, an explainer and a graph", mode="both")
def test_the_checks_of_all_are_right(composed: Deployment) -> None:
    checked = composed.predict("--stack", composed.stack, "--lang", "en", timeout=300)
    assert checked.status == 0, checked.text
    assert "11 of 13 gave the expected answer" in checked.stdout  # two graphs declare no check
    assert "chain answered: {'predictions': [0.83" in checked.stdout


def test_a_refresh_finds_no_drift_in_them(composed: Deployment) -> None:
    again = composed.pulumi("up", "--yes", "--skip-preview", "--refresh", "--expect-no-changes")
    assert again.status == 0, again.text[-4000:]


@pytest.mark.feature("inference graph: change", mode="both")
@pytest.mark.feature("inference graph: removal", mode="both")
@pytest.mark.feature("explainer: removal", mode="both")
@pytest.mark.feature("transformer: change", mode="both")
@pytest.mark.feature("transformer: removal", mode="both")
def test_what_changes_and_what_goes_is_waited_for(composed: Deployment) -> None:
    companions = {"transformer": None, "explainer": None, "check": None}
    front = companions | {"transformer": TRANSFORMED["transformer"]}
    other = {"sequence": ["centimetres", "sklearn-model"], "check": None}
    changes: dict[str, dict[str, Any]] = {
        **dict.fromkeys(("iris", "iris-standard", "why"), companions),
        **dict.fromkeys(("xgboost-model", "why-standard"), front),
        **dict.fromkeys(("chain", "chain-standard"), other),
    }
    gone = (EITHER, BY_DEPLOYMENT)
    stated = composed.settings
    composed.configure(
        models=[model | changes.get(model["name"], {}) for model in stated["models"]],
        graphs=[graph | changes.get(graph["name"], {}) for graph in stated["graphs"] if graph not in gone],
    )
    composed.up()
    # At once: what `up` has ended with is what answers.
    for name in ("chain", "chain-standard"):
        assert answer(name, {"instances": INCHES}) == LABELLED
    # The model's own word.
    assert ask("why", rows(VIRGINICA), path="/v1/models/why:explain").status_code == 501
    for name in ("iris", "iris-standard"):
        assert answer(name, rows(VIRGINICA, VERSICOLOR), path=f"/v1/models/{name}:predict") == LABELLED
    for name in ("xgboost-model", "why-standard"):
        assert answer(name, {"instances": FLOWERS}, path=f"/v1/models/{name}:predict") == NAMED
    deadline = time.monotonic() + 60
    for graph in gone:
        while ask(str(graph["name"]), rows(VIRGINICA)).status_code != 404:
            assert time.monotonic() < deadline, "a graph that is gone still answers"
            time.sleep(1)
    services = kubectl(composed, "-n", NAMESPACE, "get", "services.serving.knative.dev")["items"]
    names = {item["metadata"]["name"] for item in services if "deletionTimestamp" not in item["metadata"]}
    assert {"xgboost-model-transformer", "chain"} <= names
    assert not names & {"iris-transformer", "why-explainer", "either"}
    deployments = kubectl(composed, "-n", NAMESPACE, "get", "deployments")["items"]
    gone_with_them = {"iris-standard-transformer", "why-standard-explainer", "by-deployment"}
    assert not {item["metadata"]["name"] for item in deployments} & gone_with_them
    routes = kubectl(composed, "-n", NAMESPACE, "get", "httproutes.gateway.networking.k8s.io")["items"]
    assert not {item["metadata"]["name"] for item in routes} & gone_with_them
