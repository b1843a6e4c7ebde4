"""MLServer with models in MLflow's format, by value, and what it says of one that does not load."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from cluster.catalog import MLSERVER_PROJECT, SERVING_PROJECT
from tests.unit.cluster.serving.programs import container_environment, interpreter
from tests.unit.cluster.serving.test_clients import ask
from tests.workers import made_once

from .programs import MODEL, Server, command, environment, started

# A model whose code waits until the file `go` is there.
WAITING_MODEL = """\
flavors:
  python_function:
    loader_module: waiting
    code: code
"""
WAITING_CODE = """\
import time
from pathlib import Path


class Answers:
    def predict(self, data, params=None):
        return (data["a"] * 2).to_numpy()


def _load_pyfunc(folder):
    folder = Path(folder)
    (folder / "loading").touch()
    while not (folder / "go").exists():
        time.sleep(0.05)
    return Answers()
"""


@pytest.fixture(scope="session")
def python() -> Path:
    return interpreter(MLSERVER_PROJECT)


@pytest.fixture(scope="session")
def trained(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    def train(out: Path) -> None:
        script = SERVING_PROJECT / "train_demo.py"
        subprocess.run([python, script, "--out", out, "mlflow"], check=True, stdout=subprocess.DEVNULL, timeout=300)

    return made_once("mlflow-demo", train, factory=tmp_path_factory)


@pytest.fixture(scope="session")
def recorded(trained: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((trained / "expected.json").read_text())
    return found


@pytest.fixture(scope="session")
def server(python: Path, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with started(python, trained / "mlflow", log=tmp_path_factory.mktemp("logs") / "mlserver.log") as running:
        running.wait_ready()
        yield running


def infer(server: Server, *tensors: dict[str, Any], **more: Any) -> requests.Response:
    return requests.post(server.url(f"v2/models/{MODEL}/infer"), json={"inputs": list(tensors), **more}, timeout=60)


@pytest.mark.format("mlflow", server="pypi", program="MLServer", protocols=["v2"], proof="process")
def test_v2_answers_what_training_recorded(server: Server, recorded: dict[str, Any]) -> None:
    rows = recorded["instances"]
    tensor = {"name": "input-0", "shape": [len(rows), 4], "datatype": "FP64", "data": rows}
    answer = infer(server, tensor)
    assert answer.status_code == 200, server.log.read_text()
    (output,) = answer.json()["outputs"]
    assert (output["datatype"], output["shape"], output["data"]) == ("INT64", [2, 1], [1, 0])
    assert recorded["mlflow-model"] == {"predictions": [[1], [0]]}


@pytest.mark.format("mlflow", server="pypi", program="MLServer", protocols=["grpc-v2"], proof="process")
def test_tritons_clients_get_the_same_answers(server: Server, recorded: dict[str, Any], python: Path) -> None:
    # MLServer takes and gives JSON alone over HTTP.
    common = {
        "binary_in": False,
        "host": "model.example.com",
        "model": MODEL,
        "rows": recorded["instances"],
        "output": "output-1",
    }
    questions = [
        {"client": client, "address": f"127.0.0.1:{port}", **common}
        for client, port in (("triton-http", server.port), ("triton-grpc", server.grpc_port))
    ]
    by_http, by_grpc = ask(python, questions)
    assert by_http == {"predictions": [[1], [0]], "datatype": "INT64", "binary": False}
    assert by_grpc == {"predictions": [[1], [0]], "ready": True, "inputs": [["input-0", "FP64", [-1, 4]]]}


def test_metrics_are_at_the_port_of_their_own(server: Server) -> None:
    assert (
        "model_infer_request_success"
        in requests.get(f"http://127.0.0.1:{server.metrics_port}/metrics", timeout=10).text
    )


def test_a_model_that_is_not_there_is_refused(server: Server) -> None:
    answer = requests.get(server.url("v2/models/nobody/ready"), timeout=10)
    assert answer.status_code == 404
    assert "nobody" in answer.json()["error"]


@pytest.mark.feature("readiness means that the model is loaded, MLServer", proof="value")
def test_it_is_ready_only_once_the_model_is_loaded(python: Path, tmp_path: Path) -> None:
    folder = tmp_path / "waiting"
    (folder / "code").mkdir(parents=True)
    (folder / "MLmodel").write_text(WAITING_MODEL)
    (folder / "code" / "waiting.py").write_text(WAITING_CODE)
    with started(python, folder, log=tmp_path / "log") as server:
        deadline = time.monotonic() + 120
        while not (folder / "loading").exists():
            assert not server.is_ready()
            assert time.monotonic() < deadline, server.log.read_text()
            time.sleep(0.1)
        for _ in range(5):
            assert not server.is_ready()
        (folder / "go").touch()
        server.wait_ready()
        column = {"name": "a", "shape": [2, 1], "datatype": "INT64", "data": [3, 4]}
        answer = infer(server, column, parameters={"content_type": "pd"})
        assert answer.status_code == 200, answer.text
        assert answer.json()["outputs"][0]["data"] == [6, 8]


def test_the_image_has_the_libraries_of_boosters(python: Path, tmp_path: Path) -> None:
    script = Path(__file__).with_name("flavors.py")
    variables = container_environment({"PYTHONPATH": str(SERVING_PROJECT)})
    done = subprocess.run(
        [python, script, tmp_path], env=variables, stdout=subprocess.PIPE, text=True, check=True, timeout=300
    )
    assert json.loads(done.stdout) == {
        "xgboost": pytest.approx([0.8319113, 0.1669796], abs=1e-6),
        "lightgbm": pytest.approx([0.8561997, 0.1443187], abs=1e-6),
    }


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, 'MlflowException: Could not find an "MLmodel" configuration file'),
        ({"MLmodel": "flavors:\n  python_function:\n    loader_module: mlflow.pytorch\n"}, "No module named 'torch'"),
    ],
    ids=["nothing there", "a library that the image does not have"],
)
def test_a_model_that_does_not_load_ends_it_with_the_reason(
    python: Path, tmp_path: Path, files: dict[str, str], said: str
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    message = tmp_path / "termination-log"
    message.touch()
    variables = environment(tmp_path, TERMINATION_MESSAGE_PATH=str(message), MLSERVER_METRICS_ENDPOINT="")
    ended = subprocess.run(
        command(python, tmp_path), env=variables, capture_output=True, text=True, timeout=300, check=False
    )
    assert ended.returncode == 1, ended.stdout + ended.stderr
    (reason,) = message.read_text().splitlines()
    assert reason.startswith("the model cannot be loaded: ")
    assert said in reason
    assert ended.stderr.splitlines()[-1] == f"ERROR {reason}"
