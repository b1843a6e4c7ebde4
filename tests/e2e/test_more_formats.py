"""Formats that KServe has no serving runtime for on the local cluster: each model gets one in its namespace."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.asking import INSTANCES
from tests.e2e.cluster_objects import kubectl
from tests.e2e.machine import Deployment, need
from tests.e2e.models_on_platform import models_on_platform

NAMESPACE = "more-formats"
STANDARD = "-standard"
# MLServer answers a column, TorchServe what the model's handler does.
COLUMN, LABELS = [[1], [0]], [1, 0]
PROBABILITIES = [0.9610391, 0.0330883]
SPECIES = [
    {"species": "virginica", "probability": PROBABILITIES[0]},
    {"species": "versicolor", "probability": PROBABILITIES[1]},
]
# Model → format, protocol, and what it answers; those that end with STANDARD run in that mode.
MODELS: dict[str, tuple[str, str, list[Any]]] = {
    "mlflow-v2": ("mlflow", "v2", COLUMN),
    "mlflow-grpc": ("mlflow", "grpc-v2", COLUMN),
    f"mlflow-v2{STANDARD}": ("mlflow", "v2", COLUMN),
    f"mlflow-grpc{STANDARD}": ("mlflow", "grpc-v2", COLUMN),
    "tensorflow-v1": ("tensorflow", "v1", PROBABILITIES),
    f"tensorflow-v1{STANDARD}": ("tensorflow", "v1", PROBABILITIES),
    "pmml-v1": ("pmml", "v1", SPECIES),
    f"pmml-v1{STANDARD}": ("pmml", "v1", SPECIES),
    "pytorch-v1": ("pytorch", "v1", LABELS),
    "pytorch-v2": ("pytorch", "v2", LABELS),
    f"pytorch-v1{STANDARD}": ("pytorch", "v1", LABELS),
    f"pytorch-v2{STANDARD}": ("pytorch", "v2", LABELS),
}
# Of those that take others than the demo's.
ROWS = {"pmml": [[*row, "spring"] for row in INSTANCES]}
# Readiness of each model, as its pods are asked.
READY = {
    name: f"/v1/models/{name}" if protocol == "v1" else f"/v2/models/{name}/ready"
    for name, (_, protocol, _) in MODELS.items()
}


def mode_of(name: str) -> str:
    return "Standard" if name.endswith(STANDARD) else "Knative"


def model(name: str) -> dict[str, Any]:
    model_format, protocol, predictions = MODELS[name]
    return {
        "name": name,
        "format": model_format,
        "storage_uri": f"s3://models/{model_format}",
        "storage": "demo",
        "protocol": protocol,
        "mode": mode_of(name),
        "check": {"instances": ROWS.get(model_format, INSTANCES), "predictions": predictions, "tolerance": 0.00001},
    }


@pytest.fixture(scope="module")
def served(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    need(*sorted({model_format for model_format, _, _ in MODELS.values()}))
    models, directory = map(model, MODELS), tmp_path_factory.mktemp("stack")
    with models_on_platform(NAMESPACE, *models, directory=directory, deployment=deployment) as served:
        yield served


@pytest.mark.feature("MLflow models", mode="both")
@pytest.mark.feature("TensorFlow models", mode="both")
@pytest.mark.feature("PMML models", mode="both")
@pytest.mark.format("mlflow", server="pypi", program="MLServer", protocols=["v2", "grpc-v2"])
@pytest.mark.format("tensorflow", "pmml", server="ours", protocols=["v1"])
@pytest.mark.feature("PyTorch models", mode="both")
@pytest.mark.format("pytorch", server="pypi", program="TorchServe", protocols=["v1", "v2"])
def test_every_format_answers_by_value(served: Deployment) -> None:
    checked = served.predict("--stack", served.stack, "--json", timeout=300)
    assert checked.status == 0, checked.text
    report = {model["endpoint"]["name"]: model for model in json.loads(checked.stdout)["models"]}
    assert report.keys() == MODELS.keys()
    for name, (_, protocol, predictions) in MODELS.items():
        assert report[name]["endpoint"]["protocol"] == protocol
        assert report[name]["compared"]
        for got, expected in zip(report[name]["got"], predictions, strict=True):
            assert got == pytest.approx(expected, abs=1e-5)


def test_the_runtimes_are_those_of_the_models_alone(served: Deployment) -> None:
    runtimes = kubectl(served, "-n", NAMESPACE, "get", "servingruntimes")["items"]
    assert {runtime["metadata"]["name"] for runtime in runtimes} == {f"{name}-{MODELS[name][0]}" for name in MODELS}
    for runtime in runtimes:
        assert not any(model_format["autoSelect"] for model_format in runtime["spec"]["supportedModelFormats"])
        assert runtime["metadata"]["annotations"]["kserve-multi-model/stack"]
    everywhere = kubectl(served, "get", "clusterservingruntimes")["items"]
    # Those of KServe's chart whose images the local cluster does not have are there, and disabled.
    assert {runtime["metadata"]["name"] for runtime in everywhere if not runtime["spec"].get("disabled")} == {
        *("kserve-sklearnserver", "kserve-xgbserver", "kserve-lgbserver", "kserve-onnxserver"),
    }


@pytest.mark.parametrize("name", MODELS)
def test_a_pod_is_ready_once_the_model_is_loaded(served: Deployment, name: str) -> None:
    pods = kubectl(served, "-n", NAMESPACE, "get", "pods", "-l", f"serving.kserve.io/inferenceservice={name}")["items"]
    (pod,) = pods
    containers = {container["name"]: container for container in pod["spec"]["containers"]}
    if mode_of(name) == "Standard":
        probe = containers["kserve-container"]["readinessProbe"]
    else:
        variables = {entry["name"]: entry.get("value", "") for entry in containers["queue-proxy"]["env"]}
        probe = json.loads(variables["SERVING_READINESS_PROBE"])
    assert probe["httpGet"]["path"] == READY[name]
    assert probe["httpGet"]["port"] == 8080


def test_up_again_has_nothing_to_do(served: Deployment) -> None:
    again = served.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
    assert again.status == 0, again.text[-4000:]
