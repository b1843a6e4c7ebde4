"""The example of an explainer, beside real model servers and beside one that records what it is asked: by value."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.running_server import run_server

from .conftest import Demo
from .programs import Program, Server, companion, path_of

BASELINE = [5.84, 3.05, 3.76, 1.2]


def beside(predictor: str, *, python: Path, log: Path) -> AbstractContextManager[Server]:
    baseline = f"--baseline={','.join(map(str, BASELINE))}"
    return companion("feature-importance", baseline, predictor=predictor, python=python, log=log)


def explain(server: Server, body: object, **headers: str) -> requests.Response:
    return requests.post(f"{server.url}/v1/models/model:explain", json=body, headers=headers, timeout=10)


class Predictor(ThreadingHTTPServer):
    """A model that adds up each row, or answers as told; with what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[Any] = []
        self.authorizations: list[str | None] = []
        self.answer: tuple[int, object] | None = None


class Handler(BaseHTTPRequestHandler):
    server: Predictor

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(body)
        self.server.authorizations.append(self.headers["Authorization"])
        sums = {"predictions": [sum(row) for row in body["instances"]]}
        status, answer = self.server.answer or (200, sums)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@pytest.fixture(scope="module")
def running_predictor() -> Iterator[Predictor]:
    with run_server(Predictor()) as server:
        yield server


@pytest.fixture
def predictor(running_predictor: Predictor) -> Predictor:
    running_predictor.asked.clear()
    running_predictor.authorizations.clear()
    running_predictor.answer = None
    return running_predictor


@pytest.fixture(scope="module")
def explainer(running_predictor: Predictor, python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("explainer") / "log"
    with beside(f"127.0.0.1:{running_predictor.server_port}", python=python, log=log) as server:
        yield server


@pytest.mark.parametrize("name", ["xgboost", "sklearn"])
def test_the_effects_are_of_the_models_own_answers(
    name: str, servers: dict[str, Server], demo: Demo, python: Path, tmp_path: Path
) -> None:
    model = servers[name]
    with beside(model.url.removeprefix("http://"), python=python, log=tmp_path / "log") as server:
        answer = explain(server, {"instances": demo.instances})
        assert server.predict(demo.instances).json() == model.predict(demo.instances).json()
    assert answer.status_code == 200, answer.text
    effects = []
    for row in demo.instances:
        rows = [row, *([*row[:at], value, *row[at + 1 :]] for at, value in enumerate(BASELINE))]
        whole, *without = model.predict(rows).json()["predictions"]
        effects.append([whole - each for each in without])
    assert answer.json() == {"explanations": effects}
    if name == "xgboost":
        assert effects == [pytest.approx([0, 0, 0.1509545, 0.2705799]), [0, 0, 0, 0]]


@pytest.mark.parametrize("name", ["softprob", "names"])
def test_a_model_of_classes_cannot_be_explained(
    name: str, servers: dict[str, Server], demo: Demo, python: Path, tmp_path: Path
) -> None:
    with beside(servers[name].url.removeprefix("http://"), python=python, log=tmp_path / "log") as server:
        answer = explain(server, {"instances": demo.instances})
    assert answer.status_code == 500
    assert answer.json()["error"].startswith("expected 10 numbers of the model, one a row, got {'predictions': [")


def test_the_model_is_asked_once_for_all_rows(explainer: Server, predictor: Predictor) -> None:
    answer = explain(explainer, {"instances": [[6.84, 3.05, 1.76, 2.2], [0, 0, 0, 0]]})
    assert answer.status_code == 200, answer.text
    first, second = answer.json()["explanations"]
    assert first == pytest.approx([1, 0, -2, 1])
    assert second == pytest.approx([-value for value in BASELINE])
    [asked] = predictor.asked
    assert asked["instances"] == [
        [6.84, 3.05, 1.76, 2.2],
        [5.84, 3.05, 1.76, 2.2],
        [6.84, 3.05, 1.76, 2.2],
        [6.84, 3.05, 3.76, 2.2],
        [6.84, 3.05, 1.76, 1.2],
        [0, 0, 0, 0],
        [5.84, 0, 0, 0],
        [0, 3.05, 0, 0],
        [0, 0, 3.76, 0],
        [0, 0, 0, 1.2],
    ]


def test_who_asks_is_told_to_the_model_and_not_sent_back(explainer: Server, predictor: Predictor) -> None:
    answer = explain(explainer, {"instances": [BASELINE]}, Authorization="Bearer token")
    assert answer.json() == {"explanations": [[0, 0, 0, 0]]}
    assert predictor.authorizations == ["Bearer token"]
    assert "Authorization" not in answer.headers


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ([6.5, 3.0, 5.5], "instances[1]: expected 4 numbers, got [6.5, 3.0, 5.5]"),
        ([6.5, 3.0, 5.5, 2.0, 1.0], "instances[1]: expected 4 numbers"),
        ({"sepal_length": 6.5}, "instances[1]: expected 4 numbers"),
        (6.5, "instances[1]: expected 4 numbers, got 6.5"),
        ([6.5, 3.0, "5.5", 2.0], "instances[1][2]: expected a number, got '5.5'"),
        ([6.5, True, 5.5, 2.0], "instances[1][1]: expected a number, got True"),
        ([6.5, 3.0, 5.5, None], "instances[1][3]: expected a number, got None"),
        ([[6.5], 3.0, 5.5, 2.0], "instances[1][0]: expected a number, got [6.5]"),
    ],
    ids=["a number less", "a number more", "an object", "no list", "text", "a boolean", "null", "a list"],
)
def test_what_is_no_row_is_refused(explainer: Server, predictor: Predictor, row: object, problem: str) -> None:
    answer = explain(explainer, {"instances": [BASELINE, row]})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(problem)
    assert not predictor.asked


@pytest.mark.parametrize("body", [{"instances": []}, {"instances": {}}, {"rows": [BASELINE]}, [BASELINE]])
def test_a_request_without_rows_is_refused(explainer: Server, predictor: Predictor, body: object) -> None:
    answer = explain(explainer, body)
    assert answer.status_code == 400
    assert "instances" in answer.json()["error"]
    assert not predictor.asked


@pytest.mark.parametrize(
    ("predictions", "got"),
    [
        ({"predictions": [1, 2, 3, 4]}, "{'predictions': [1, 2, 3, 4]}"),
        ({"predictions": [1, 2, 3, 4, True]}, "{'predictions': [1, 2, 3, 4, True]}"),
        ({"predictions": [1, 2, 3, 4, None]}, "{'predictions': [1, 2, 3, 4, None]}"),
        ({"predictions": 5}, "{'predictions': 5}"),
        ({"outputs": []}, "{'outputs': []}"),
        ([1, 2, 3, 4, 5], "[1, 2, 3, 4, 5]"),
    ],
    ids=["a row less", "a boolean", "null", "one number", "no predictions", "a list"],
)
def test_a_model_that_answers_something_else_is_an_error(
    explainer: Server, predictor: Predictor, predictions: object, got: str
) -> None:
    predictor.answer = (200, predictions)
    answer = explain(explainer, {"instances": [BASELINE]})
    assert answer.status_code == 500
    assert answer.json() == {"error": f"expected 5 numbers of the model, one a row, got {got}"}


def test_an_error_of_the_model_is_told(explainer: Server, predictor: Predictor) -> None:
    predictor.answer = (400, {"error": "expected 3 features"})
    answer = explain(explainer, {"instances": [BASELINE]})
    assert answer.status_code == 500
    assert "expected 3 features" in answer.json()["error"]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "the following arguments are required: --baseline"),
        (
            ["--baseline=5.84,wide"],
            "argument --baseline: expected a number a feature, as in 5.84,3.05,3.76,1.2, got '5.84,w",
        ),
        (["--baseline=5.84,nan"], "argument --baseline: expected a number a feature"),
        (["--baseline="], "argument --baseline: expected a number a feature"),
    ],
    ids=["none", "text", "nan", "empty"],
)
def test_it_does_not_start_without_a_baseline(python: Path, arguments: list[str], problem: str) -> None:
    ended = Program(python, "serving.with_sdk").run(
        "feature_importance", *arguments, environment=path_of("feature-importance")
    )
    assert ended.returncode == 2
    assert problem in ended.stderr
