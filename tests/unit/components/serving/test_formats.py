"""Formats, protocols and containers: the fields that KServe and Knative read."""

from __future__ import annotations

from typing import Any

import pytest

from components.settings.resource_profiles import SERVING_RUNTIME
from releases.local import LOCAL
from releases.official_0_20 import OFFICIAL_0_20
from tests.unit.components.serving.test_inference_service import predictor, probe, served

H2C_8081 = [{"name": "h2c", "containerPort": 8081, "protocol": "TCP"}]
H2C_9000 = [{"name": "h2c", "containerPort": 9000, "protocol": "TCP"}]
# Settings, and what the InferenceService then has: protocolVersion, runtime, ports.
FORMATS: list[tuple[dict[str, Any], str | None, str | None, Any]] = [
    ({"format": "pytorch"}, "v1", None, None),
    ({"format": "pytorch", "protocol": "v2"}, "v2", None, None),
    ({"format": "pytorch", "protocol": "grpc-v2"}, "grpc-v2", "kserve-torchserve", H2C_8081),
    (
        {"format": "pytorch", "protocol": "grpc-v2", "runtime": "kserve-tritonserver"},
        *("grpc-v2", "kserve-tritonserver", H2C_9000),
    ),
    ({"format": "tensorflow", "version": "2"}, "v1", None, None),
    ({"format": "tensorflow", "protocol": "v2"}, "v2", None, None),
    ({"format": "tensorflow", "protocol": "grpc-v2"}, "grpc-v2", "kserve-tritonserver", H2C_9000),
    ({"format": "onnx", "protocol": "v2"}, "v2", None, None),
    ({"format": "onnx", "protocol": "grpc-v2"}, "grpc-v2", "kserve-tritonserver", H2C_9000),
    ({"format": "huggingface"}, "v1", None, None),
    ({"format": "huggingface", "protocol": "v2", "gpus": 1}, "v2", None, None),
    ({"format": "mlflow", "protocol": "v2"}, "v2", None, None),
    ({"format": "pmml", "version": "4"}, "v1", None, None),
    ({"format": "pmml", "protocol": "grpc-v2"}, "v2", "kserve-pmmlserver", H2C_8081),
    ({"format": "paddle", "protocol": "v2"}, "v2", None, None),
    ({"format": "paddle", "protocol": "grpc-v2"}, "v2", "kserve-paddleserver", H2C_8081),
    ({"format": "lightgbm"}, "v1", None, None),
    ({"format": "sklearn", "protocol": "grpc-v2"}, "v2", "kserve-sklearnserver", H2C_8081),
    ({"format": "vLLM", "protocol": "openai", "gpus": 1}, None, None, None),
]


def of_official_image(settings: dict[str, Any]) -> pytest.MarkDecorator:
    """What the table of formats says of a format and its protocol."""
    protocol = settings.get("protocol", "v1")
    return pytest.mark.format(settings["format"], server="image", protocols=[protocol], proof="objects")


@pytest.mark.feature("PyTorch models", mode="both", proof="objects")
@pytest.mark.feature("TensorFlow models", mode="both", proof="objects")
@pytest.mark.feature("Hugging Face models", mode="both", proof="objects")
@pytest.mark.feature("MLflow models", mode="both", proof="objects")
@pytest.mark.feature("PMML models", mode="both", proof="objects")
@pytest.mark.feature("Paddle models", mode="both", proof="objects")
@pytest.mark.feature("vLLM models", mode="both", proof="objects")
@pytest.mark.parametrize(
    ("settings", "protocol", "runtime", "ports"),
    [pytest.param(*case, marks=of_official_image(case[0])) for case in FORMATS],
    ids=lambda value: str(value)[:60],
)
def test_fields_of_each_format(settings: dict[str, Any], protocol: str | None, runtime: str | None, ports: Any) -> None:
    model = predictor(release=OFFICIAL_0_20, **settings)["model"]
    assert model["modelFormat"] == {
        k: settings[s] for k, s in (("name", "format"), ("version", "version")) if s in settings
    }
    assert model["storageUri"] == "s3://models/iris/"
    assert (model.get("protocolVersion"), model.get("runtime"), model.get("ports")) == (protocol, runtime, ports)


@pytest.mark.parametrize("model_format", ["sklearn", "xgboost", "lightgbm", "onnx"])
@pytest.mark.parametrize("protocol", ["v1", "v2", "grpc-v2"])
def test_local_release_has_every_protocol_of_every_format(model_format: str, protocol: str) -> None:
    model = predictor(release=LOCAL, format=model_format, protocol=protocol)["model"]
    path = "/v1/models/iris" if protocol == "v1" else "/v2/models/iris/ready"
    assert model["readinessProbe"] == probe(path)
    assert model.get("ports") == (H2C_8081 if protocol == "grpc-v2" else None)


def container(image: str = "registry.example/server:v1", *, storage_uri: str | None = None, **settings: Any) -> Any:
    own = {key: settings.pop(key) for key in ("command", "args", "port", "ready_path") if key in settings}
    declared = predictor(storage_uri=storage_uri, container={"image": image, **own}, **settings)
    assert "model" not in declared
    (only,) = declared["containers"]
    return only


def test_container_with_defaults() -> None:
    assert container() == {
        "name": "kserve-container",
        "image": "registry.example/server:v1",
        "ports": [{"containerPort": 8080, "protocol": "TCP"}],
        "readinessProbe": probe("/v1/models/iris"),
    }


@pytest.mark.feature("a container of your own", mode="both", proof="objects")
def test_container_with_all_settings() -> None:
    assert container(
        command=["python"],
        args=["serve.py", "--fast"],
        port=5000,
        ready_path="/up",
        storage_uri="s3://models/iris",
        resources={"requests": {"cpu": "1"}},
        gpus=1,
        environment={"A": "b"},
        protocol="v2",
    ) == {
        "name": "kserve-container",
        "image": "registry.example/server:v1",
        "command": ["python"],
        "args": ["serve.py", "--fast"],
        "ports": [{"containerPort": 5000, "protocol": "TCP"}],
        "env": [{"name": "A", "value": "b"}, {"name": "STORAGE_URI", "value": "s3://models/iris/"}],
        "resources": {
            "requests": {"cpu": "1", "nvidia.com/gpu": "1"},
            "limits": {"cpu": "1", "nvidia.com/gpu": "1"},
        },
        "readinessProbe": {**probe("/up"), "httpGet": {"path": "/up", "port": 5000}},
    }
    assert SERVING_RUNTIME.requests["cpu"] == "1"


def test_container_with_grpc() -> None:
    silent = container(protocol="grpc-v2")
    assert silent["ports"] == H2C_8081
    assert "readinessProbe" not in silent
    assert container(protocol="grpc-v2", ready_path="/up", port=9000)["readinessProbe"] == probe("/up")


def test_container_with_settings_of_the_model() -> None:
    declared = predictor(
        storage_uri=None,
        container={"image": "a"},
        replicas={"min": 0, "max": 3},
        canary={"traffic": 30},
        node_selector={"pool": "a"},
    )
    assert (declared["minReplicas"], declared["maxReplicas"], declared["canaryTrafficPercent"]) == (0, 3, 30)
    assert declared["nodeSelector"] == {"pool": "a"}


def test_endpoint_of_a_grpc_model() -> None:
    _, endpoint = served(protocol="grpc-v2")
    assert endpoint["gateway_address"] == "http://192.0.2.1:31080"
    assert endpoint["host"] == "iris.models.example.com"
