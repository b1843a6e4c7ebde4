"""Formats and protocols of the local cluster, and a container: asked by us, and by clients of others."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stack_files import parse
from tests.e2e.asking import INSTANCES
from tests.e2e.cluster_objects import kubectl
from tests.e2e.machine import NODE, ROOT, Deployment, need, run
from tests.e2e.models_on_platform import models_on_platform
from tests.unit.cluster.serving.programs import PROJECT, interpreter

NAMESPACE = "formats"
GATEWAY = f"{NODE}:31080"
STANDARD = "-standard"
# Model → format, protocol, and what it answers; those that end with STANDARD run in that mode.
OF_THE_DEMO: dict[str, tuple[str, str, list[float]]] = {
    "sklearn-v2": ("sklearn", "v2", [1, 0]),
    "xgboost-grpc": ("xgboost", "grpc-v2", [0.8319113, 0.1669796]),
    f"xgboost-grpc{STANDARD}": ("xgboost", "grpc-v2", [0.8319113, 0.1669796]),
}
MODELS = OF_THE_DEMO | {
    "lightgbm-v1": ("lightgbm", "v1", [0.8561997, 0.1443187]),
    "onnx-v2": ("onnx", "v2", [1, 0]),
    "onnx-grpc": ("onnx", "grpc-v2", [1, 0]),
    f"lightgbm-v1{STANDARD}": ("lightgbm", "v1", [0.8561997, 0.1443187]),
    f"onnx-v2{STANDARD}": ("onnx", "v2", [1, 0]),
}
HTTP = ("sklearn-v2", "onnx-v2", f"onnx-v2{STANDARD}")
TEXTS = ("text-length", f"text-length{STANDARD}")
EXAMPLE = ROOT / "examples" / "custom-model" / "README.md"


def mode_of(name: str) -> str:
    return "Standard" if name.endswith(STANDARD) else "Knative"


def texts() -> dict[str, Any]:
    """The model that the example's page shows, with the image that the local cluster has of it."""
    page = EXAMPLE.read_text()
    ((shown,),) = (parse(block) for block in re.findall(r"```yaml\n(.*?)\s*```", page, re.DOTALL))
    (image,) = re.findall(r"`(localhost:5000/\S+)`", page)
    return {**shown, "container": {"image": image}}


def model(name: str) -> dict[str, Any]:
    model_format, protocol, predictions = MODELS[name]
    return {
        "name": name,
        "format": model_format,
        "storage_uri": f"s3://models/{model_format}",
        "storage": "demo",
        "protocol": protocol,
        "mode": mode_of(name),
        "check": {"instances": INSTANCES, "predictions": predictions, "tolerance": 0.00001},
    }


@pytest.fixture(scope="module")
def served(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Models of the demo's formats by other protocols."""
    models, directory = map(model, OF_THE_DEMO), tmp_path_factory.mktemp("stack")
    with models_on_platform(NAMESPACE, *models, directory=directory, deployment=deployment) as served:
        yield served


@pytest.fixture(scope="module")
def all_served(served: Deployment) -> Deployment:
    """All formats, and a container."""
    need("lightgbm", "onnx", "examples")
    containers = [texts() | {"name": name, "mode": mode_of(name)} for name in TEXTS]
    served.configure(models=[*map(model, MODELS), *containers])
    served.up()
    return served


def ask(*questions: dict[str, Any]) -> list[dict[str, Any]]:
    """What the clients of one family get through the gateway."""
    (family,) = {question["client"].partition("-")[0] for question in questions}
    done = run(
        *(str(interpreter()), "tests/other_clients.py", family),
        env={"PYTHONPATH": str(PROJECT)},
        stdin=json.dumps(questions),
    )
    assert done.status == 0, done.text
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers


def question(client: str, model: str, **more: Any) -> dict[str, Any]:
    to = {"address": GATEWAY, "host": f"{model}.{NAMESPACE}.example.com", "model": model}
    return {"client": client, "rows": INSTANCES, **to, **more}


@pytest.mark.journey
@pytest.mark.feature("predictions, v2 over REST")
@pytest.mark.feature("predictions, v2 over gRPC", mode="both")
@pytest.mark.format("sklearn", server="ours", protocols=["v2"])
@pytest.mark.format("xgboost", server="ours", protocols=["grpc-v2"])
def test_v2_and_grpc_answer_by_value(served: Deployment) -> None:
    answers = answers_by_value(served)
    assert answers.keys() == OF_THE_DEMO.keys()


@pytest.mark.feature("LightGBM models", mode="both")
@pytest.mark.feature("ONNX models", mode="both")
@pytest.mark.feature("predictions, v1", mode="both")
@pytest.mark.feature("predictions, v2 over REST", mode="both")
@pytest.mark.feature("predictions, v2 over gRPC", mode="both")
@pytest.mark.feature("a container of your own", mode="both")
@pytest.mark.format("lightgbm", server="ours", protocols=["v1"])
@pytest.mark.format("onnx", server="ours", protocols=["v2", "grpc-v2"])
def test_every_format_and_protocol_answers_by_value(all_served: Deployment) -> None:
    answers = answers_by_value(all_served)
    assert answers.keys() == {*MODELS, *TEXTS}
    assert [answers[name] for name in TEXTS] == [[6, 16]] * 2


def answers_by_value(served: Deployment) -> dict[str, Any]:
    """What each model of the stack answers, which is what it should."""
    checked = served.predict("--stack", served.stack, "--json", timeout=300)
    assert checked.status == 0, checked.text
    report = {model["endpoint"]["name"]: model for model in json.loads(checked.stdout)["models"]}
    assert all(model["compared"] for model in report.values())
    for name in report.keys() & MODELS.keys():
        _, protocol, predictions = MODELS[name]
        assert report[name]["endpoint"]["protocol"] == protocol
        assert report[name]["got"] == pytest.approx(predictions, abs=1e-5)
    return {name: model["got"] for name, model in report.items()}


@pytest.mark.feature("binary tensors, v2 over REST", mode="both")
def test_tritons_clients_get_the_same_answers(all_served: Deployment) -> None:
    del all_served
    http = [
        question("triton-http", name, binary_in=binary, binary_out=binary) for name in HTTP for binary in (True, False)
    ]
    grpc = [question("triton-grpc", name) for name in ("xgboost-grpc", "onnx-grpc", f"xgboost-grpc{STANDARD}")]
    answers = ask(*http, *grpc)
    for asked, answer in zip((*http, *grpc), answers, strict=True):
        assert answer["predictions"] == pytest.approx(MODELS[asked["model"]][2], abs=1e-5)
    assert [answer["binary"] for answer in answers[: len(http)]] == [True, False] * len(HTTP)
    assert all(answer["ready"] for answer in answers[len(http) :])


def test_the_clients_of_kserves_sdk_get_the_same_answers(all_served: Deployment) -> None:
    del all_served
    questions = [
        *(question("kserve-v1", "lightgbm-v1"), question("kserve-v2", "onnx-v2")),
        *(question("kserve-grpc", name) for name in ("xgboost-grpc", "onnx-grpc", f"xgboost-grpc{STANDARD}")),
    ]
    for asked, answer in zip(questions, ask(*questions), strict=True):
        assert answer["predictions"] == pytest.approx(MODELS[asked["model"]][2], abs=1e-5)


def test_grpc_refuses_with_a_status(served: Deployment) -> None:
    del served
    answers = ask(question("triton-grpc", "xgboost-grpc", rows=[[1.0, 2.0]]))
    assert answers[0]["status"] == "StatusCode.INVALID_ARGUMENT"
    assert "expected one numeric tensor of shape [rows, 4], got shape [1, 2]" in answers[0]["error"]


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"host": f"nobody.{NAMESPACE}.example.com"}, "no-route"),
        ({"name": "nobody"}, "no-model"),
        ({"check": {"instances": [[1, 2]], "predictions": [1]}}, "grpc-prediction-refused"),
        ({"check": {"instances": INSTANCES, "predictions": [0, 1]}}, "wrong-value"),
    ],
    ids=str,
)
def test_failures_over_grpc_are_told_apart(
    served: Deployment, changes: dict[str, Any], verdict: str, tmp_path: Path
) -> None:
    endpoint = served.endpoints()["xgboost-grpc"] | changes
    file = tmp_path / "endpoints.json"
    file.write_text(json.dumps({endpoint["name"]: endpoint}))
    checked = served.predict("--file", str(file), "--json", "--timeout", "3")
    (told,) = json.loads(checked.stdout)["models"]
    assert told["verdict"] == verdict, checked.text


@pytest.mark.feature("readiness means that the model is loaded, v2 over gRPC", proof="value")
def test_a_server_of_grpc_is_asked_over_http_whether_it_is_loaded(all_served: Deployment) -> None:
    for name, path in (("xgboost-grpc", "/v2/models/xgboost-grpc/ready"), ("text-length", "/v1/models/text-length")):
        knative = kubectl(all_served, "-n", NAMESPACE, "get", "services.serving.knative.dev", f"{name}-predictor")
        (container,) = knative["spec"]["template"]["spec"]["containers"]
        assert container["readinessProbe"]["httpGet"] == {"path": path, "port": 8080}


def test_up_again_has_nothing_to_do(all_served: Deployment) -> None:
    again = all_served.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
    assert again.status == 0, again.text[-4000:]
