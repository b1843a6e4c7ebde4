"""What clients that others wrote get from the model servers: Triton's, and those of KServe's SDK."""

from __future__ import annotations

import json
import subprocess
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import requests

from .conftest import Demo
from .programs import Server, container_environment
from .test_predictions import DATATYPES, GOOD_ROW, MODELS

CLIENTS = Path(__file__).parents[3] / "other_clients.py"
FORMATS = ["sklearn", "xgboost", "lightgbm", "onnx"]


def ask(python: Path, questions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The clients' answers, in one process for all, which are of one family."""
    (family,) = {question["client"].partition("-")[0] for question in questions}
    done = subprocess.run(
        [python, CLIENTS, family],
        input=json.dumps(questions),
        env=container_environment({}),
        text=True,
        stdout=subprocess.PIPE,
        check=True,
    )
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers


def question(server: Server, client: str, rows: object, **more: Any) -> dict[str, Any]:
    port = server.grpc_port if client.endswith("grpc") else server.port
    to = {"address": f"127.0.0.1:{port}", "host": "model.example.com", "model": "model"}
    return {"client": client, "rows": rows, **to, **more}


@pytest.mark.feature("binary tensors, v2 over REST", mode="both", proof="value")
def test_tensors_in_binary_and_in_json(servers: dict[str, Server], demo: Demo, python: Path) -> None:
    cases = list(product(FORMATS, ("FP64", "FP32"), (True, False), (True, False)))
    answers = ask(
        python,
        [
            question(
                servers[folder],
                "triton-http",
                demo.instances,
                datatype=datatype,
                binary_in=binary_in,
                binary_out=binary_out,
            )
            for folder, datatype, binary_in, binary_out in cases
        ],
    )
    for (folder, *_, binary_out), answer in zip(cases, answers, strict=True):
        assert answer == {
            "predictions": pytest.approx(demo.predictions[MODELS[folder]], abs=1e-6),
            "datatype": DATATYPES[folder],
            "binary": binary_out,
        }


@pytest.mark.format("sklearn", "xgboost", "lightgbm", "onnx", server="ours", protocols=["grpc-v2"], proof="process")
def test_grpc_answers_what_training_recorded(servers: dict[str, Server], demo: Demo, python: Path) -> None:
    answers = ask(python, [question(servers[folder], "triton-grpc", demo.instances) for folder in FORMATS])
    for folder, answer in zip(FORMATS, answers, strict=True):
        assert answer == {
            "predictions": pytest.approx(demo.predictions[MODELS[folder]], abs=1e-6),
            "ready": True,
            "inputs": [["input-0", "FP64", [-1, 4]]],
        }


def test_the_clients_of_kserves_sdk(servers: dict[str, Server], demo: Demo, python: Path) -> None:
    cases: list[tuple[str, dict[str, Any]]] = [
        *((folder, {"client": client}) for folder in FORMATS for client in ("kserve-v1", "kserve-v2", "kserve-grpc")),
        *((folder, {"client": "kserve-v2", "binary_in": False, "binary_out": False}) for folder in FORMATS),
    ]
    answers = ask(python, [question(servers[folder], rows=demo.instances, **said) for folder, said in cases])
    for (folder, _), answer in zip(cases, answers, strict=True):
        assert answer["predictions"] == pytest.approx(demo.predictions[MODELS[folder]], abs=1e-6)


def test_labels_that_are_text_travel_in_binary(servers: dict[str, Server], demo: Demo, python: Path) -> None:
    answers = ask(python, [question(servers["names"], c, demo.instances) for c in ("triton-http", "triton-grpc")])
    assert [answer["predictions"] for answer in answers] == [["virginica", "versicolor"]] * 2


def test_grpc_refuses_with_a_status(servers: dict[str, Server], python: Path) -> None:
    cases: list[tuple[dict[str, Any], str, str]] = [
        ({"model": "other"}, "StatusCode.NOT_FOUND", "Model with name other does not exist."),
        ({"rows": [[1, 2]]}, "StatusCode.INVALID_ARGUMENT", "shape [rows, 4], got shape [1, 2]"),
        ({"tensors": 2}, "StatusCode.INVALID_ARGUMENT", "got 2 tensors"),
    ]
    asked = [{"rows": [GOOD_ROW]} | said for said, _, _ in cases]
    answers = ask(python, [question(servers["lightgbm"], "triton-grpc", **said) for said in asked])
    for (_, status, message), answer in zip(cases, answers, strict=True):
        assert answer["status"] == status
        assert message in answer["error"]


@pytest.mark.parametrize(
    ("body", "length", "message"),
    [
        (b"{}", "2", "KeyError: 'inputs'"),
        (b'{"inputs": [{"name": "a"}]}', "27", "KeyError: 'shape'"),
        (b'{"inputs": 5}', "13", "TypeError"),
        (b"{}", "two", "ValueError: invalid literal for int()"),
        (b"{", "1", "Unrecognized request format"),
        (
            b'{"inputs":[{"name":"a","shape":[1,4],"datatype":"FP64","parameters":{"binary_data_size":32}}]}'
            + b"\0" * 9,
            "94",
            "",
        ),
    ],
)
def test_broken_binary_bodies_are_refused(servers: dict[str, Server], body: bytes, length: str, message: str) -> None:
    answer = requests.post(
        f"{servers['sklearn'].url}/v2/models/model/infer",
        data=body,
        headers={"Inference-Header-Content-Length": length},
        timeout=10,
    )
    assert message in answer.json()["error"]
    assert answer.status_code == 400
