"""The check of a graph: a request and an answer of any form."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import JsonValue

from endpoints.endpoint import Endpoint
from endpoints.failures import HttpError, PredictionRefused, WrongShape, WrongValue
from locales.language import CODES, load
from predict.check import EndpointCheck, Limits
from predict.comparison import within
from predict.outcome import Outcome
from predict.report import to_json
from predict.words import explain, explain_service
from tests.unit.predict.conftest import described
from tests.unit.predict.server import Reply, Server

HOST = "both.default.example.com"
REQUEST: JsonValue = {"instances": [[1.0, 2.0]], "ask": "all"}
ANSWER: JsonValue = {"labels": {"predictions": [1, 0]}, "odds": {"predictions": [0.83, 0.17]}}


def endpoint(gateway: Server, **changes: Any) -> Endpoint:
    graph = {"protocol": "graph", "predict_path": "/", "metadata_path": "/readyz"}
    check = {"request": REQUEST, "response": ANSWER, "tolerance": 0.001}
    return Endpoint.model_validate(described(gateway, "both", **graph, **{"check": check, **changes}))


def checked(gateway: Server, *replies: Reply, timeout: float = 10, **changes: Any) -> Outcome:
    gateway.on(HOST, "GET /readyz", Reply())
    gateway.on(HOST, "POST /", *replies)
    return EndpointCheck(endpoint(gateway, **changes), limits=Limits(timeout=timeout), notify=lambda _: None).run()


def test_the_answer_is_compared_by_value(gateway: Server) -> None:
    outcome = checked(gateway, Reply({"labels": {"predictions": [1, 0]}, "odds": {"predictions": [0.8304, 0.17]}}))
    assert (outcome.verdict, outcome.exit_code) == ("ok", 0)
    assert gateway.requests[-1].body == REQUEST
    assert '"got": {' in to_json([outcome], language=load("en"))


def test_fields_that_the_check_does_not_name_may_be_anything(gateway: Server) -> None:
    """A v2 model gives every answer a new id."""
    more = {"labels": {"predictions": [1, 0], "id": "8c1d"}, "odds": {"predictions": [0.83, 0.17]}, "third": None}
    assert checked(gateway, Reply(more)).verdict == "ok"


@pytest.mark.parametrize(
    ("answer", "where"),
    [
        ({"labels": {"predictions": [1, 1]}, "odds": {"predictions": [0.83, 0.17]}}, "response.labels.predictions[1]"),
        ({"labels": {"predictions": [1, 0]}, "odds": {"predictions": [0.9, 0.17]}}, "response.odds.predictions[0]"),
    ],
)
def test_another_value_is_wrong_and_told_where(gateway: Server, answer: object, where: str) -> None:
    outcome = checked(gateway, Reply(answer))
    assert isinstance(outcome.failure, WrongValue)
    assert outcome.failure.where == where
    assert outcome.exit_code == 1


@pytest.mark.parametrize(
    "answer",
    [
        {"labels": {"predictions": [1, 0]}},
        {"labels": {"predictions": [1]}, "odds": {"predictions": [0.83, 0.17]}},
        {"labels": {"error": "no"}, "odds": {"predictions": [0.83, 0.17]}},
        [],
        7,
    ],
    ids=str,
)
def test_another_form_is_wrong(gateway: Server, answer: object) -> None:
    outcome = checked(gateway, Reply(answer))
    assert isinstance(outcome.failure, WrongShape)
    said = explain(outcome.failure, outcome.endpoint, language=load("en"))
    assert "expected {labels, odds}, got" in said.meaning


@pytest.mark.parametrize("value", [7, "yes", None, [], {}, [{"a": 1}]], ids=repr)
def test_any_json_may_be_expected(gateway: Server, value: JsonValue) -> None:
    check = {"request": value, "response": value}
    assert checked(gateway, Reply(value), check=check).verdict == "ok"


def test_a_request_that_a_model_refuses(gateway: Server) -> None:
    outcome = checked(gateway, Reply({"error": "expected 4 features"}, status=400))
    assert outcome.failure == PredictionRefused(status=400, detail="expected 4 features")
    assert outcome.exit_code == 1


def test_a_model_that_is_not_ready_yet_is_waited_for(gateway: Server) -> None:
    """The router's readiness says nothing of the models behind it."""
    starting = Reply({"error": "Failed to process request", "cause": "connection refused"}, status=500)
    assert checked(gateway, starting, starting, Reply(ANSWER)).verdict == "ok"
    outcome = checked(gateway, starting, timeout=1)
    assert isinstance(outcome.failure, HttpError)
    assert outcome.exit_code == 2


def test_a_graph_without_a_check_is_only_asked_whether_it_is_there(gateway: Server) -> None:
    outcome = checked(gateway, Reply(ANSWER), check=None)
    assert (outcome.verdict, outcome.exit_code) == ("answered", 0)
    assert [request.method for request in gateway.requests] == ["GET"]


@pytest.mark.parametrize("code", CODES)
def test_advice_is_of_a_graph(gateway: Server, code: str) -> None:
    said = explain(PredictionRefused(status=400, detail="no"), endpoint(gateway), language=load(code))
    assert "-l serving.kserve.io/inferencegraph=both -c user-container" in said.advice


@pytest.mark.parametrize(
    "check", [{"instances": [1], "predictions": [1]}, {"request": 1}, {"request": 1, "response": 1, "tolerance": -1}]
)
def test_a_graph_takes_only_a_graphs_check(gateway: Server, check: object) -> None:
    with pytest.raises(ValueError, match=r"check\."):
        endpoint(gateway, check=check)


def test_a_model_does_not_take_a_graphs_check(gateway: Server) -> None:
    with pytest.raises(ValueError, match=r"check\.instances"):
        Endpoint.model_validate(described(gateway, check={"request": 1, "response": 1}))


def test_lists_are_compared_as_a_whole() -> None:
    assert within([{"a": 1}], [{"a": 1, "b": 2}]) == [{"a": 1}]
    assert within([1], [1, 2]) == [1, 2]
    assert within({"a": {}}, {"a": {"b": 1}, "c": 2}) == {"a": {}}
    assert within({"a": {}}, {"a": 1}) == {"a": 1}


def test_the_status_of_a_graph_is_read_from_its_inference_graph(gateway: Server, kubernetes: Server) -> None:
    path = "GET /apis/serving.kserve.io/v1alpha1/namespaces/default/inferencegraphs/both"
    status = {"conditions": [{"type": "Ready", "status": "False", "reason": "RevisionFailed"}]}
    document = {"apiVersion": "serving.kserve.io/v1alpha1", "kind": "InferenceGraph", "metadata": {"name": "both"}}
    kubernetes.on(kubernetes.address.removeprefix("http://"), path, Reply({**document, "status": status}))
    check = EndpointCheck(endpoint(gateway), limits=Limits(timeout=0.5), notify=lambda _: None)
    outcome = check.run()  # the gateway has no route for it
    said = explain_service(outcome.service, outcome.endpoint, language=load("en"))
    why = "Why: python -m predict doctor -n default"
    assert said == f"InferenceGraph default/both is not ready: Ready=False (RevisionFailed). {why}"
