"""Serving runtimes for the formats that KServe has no runtime for in the release local.

Each has the name of KServe's own runtime in other releases, so that a stack that names it works with either.
"""

from __future__ import annotations

from releases.runtimes import NAME_ARGUMENT
from releases.types import DeclaredRuntime, ModelFormat

MODEL_FOLDER = "/mnt/models"

# Its variables are those that KServe gives its own runtime of this name, and that no process of its own runs the model:
# that would double the memory, and answer no more than one request at a time, either.
MLSERVER = DeclaredRuntime(
    name="kserve-mlserver",
    extra="mlflow",
    image="seldonio/mlserver",
    tag="1.7.1",
    formats=tuple(ModelFormat(name="mlflow", version=version) for version in ("1", "2")),
    protocols=("v2",),
    grpc_port=9000,
    reports_loaded=True,
    arguments=("start", MODEL_FOLDER),
    environment=(
        ("MLSERVER_MODEL_IMPLEMENTATION", "mlserver_mlflow.MLflowRuntime"),
        ("MLSERVER_MODEL_NAME", "{{.Name}}"),
        ("MLSERVER_MODEL_URI", MODEL_FOLDER),
        ("MLSERVER_HTTP_PORT", "8080"),
        ("MLSERVER_GRPC_PORT", "9000"),
        ("MLSERVER_PARALLEL_WORKERS", "0"),
    ),
    metrics_port=8082,
)

# A program of this project, as no registry of packages has TensorFlow Serving. Its arguments are those of KServe's own
# runtime of this name.
TENSORFLOW = DeclaredRuntime(
    name="kserve-tensorflow-serving",
    extra="tensorflow",
    image="kserve-multi-model/tfserving",
    tag="0.1.0",
    formats=tuple(ModelFormat(name="tensorflow", version=version) for version in ("1", "2")),
    protocols=("v1",),
    # Its port opens when the model is loaded.
    reports_loaded=True,
    name_argument=NAME_ARGUMENT,
    arguments=(
        "--model_name={{.Name}}",
        "--port=9000",
        "--rest_api_port=8080",
        f"--model_base_path={MODEL_FOLDER}",
        "--rest_api_timeout_in_ms=60000",
    ),
)

# Its variable is the one that KServe gives its own runtime of this name. The program that answers for TorchServe is in
# `cluster/torchserve`.
TORCHSERVE = DeclaredRuntime(
    name="kserve-torchserve",
    extra="pytorch",
    image="pytorch/torchserve-kfs",
    tag="0.12.0",
    formats=(ModelFormat(name="pytorch", version="1"),),
    protocols=("v1", "v2"),
    reports_loaded=True,
    name_argument=NAME_ARGUMENT,
    arguments=(f"{NAME_ARGUMENT}={{{{.Name}}}}", f"--model_dir={MODEL_FOLDER}"),
    protocol_variable="PROTOCOL_VERSION",
    metrics_port=8082,
)

# A program of this project on the library of KServe's own server, whose arguments it takes.
PMML = DeclaredRuntime(
    name="kserve-pmmlserver",
    extra="pmml",
    image="kserve/pmmlserver",
    tag="v0.20.0",
    formats=tuple(ModelFormat(name="pmml", version=version) for version in ("3", "4")),
    protocols=("v1", "v2"),
    grpc_port=8081,
    reports_loaded=True,
    name_argument=NAME_ARGUMENT,
    arguments=("--model_name={{.Name}}", f"--model_dir={MODEL_FOLDER}", "--http_port=8080"),
    metrics_port=8080,
)

MORE_FORMATS = (MLSERVER, TENSORFLOW, TORCHSERVE, PMML)
