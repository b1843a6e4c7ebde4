"""KServe's serving runtimes, and the image of this project that runs beside models."""

from __future__ import annotations

from releases.types import GRPC_V2, OPENAI, ModelFormat, ServingRuntime

# The same in every release. Nobody publishes it: the local cluster's registry builds it.
BANDIT_VERSION = "0.1.0"
BANDIT_IMAGE = f"kserve-multi-model/bandit:{BANDIT_VERSION}"
# Of the servers on KServe's SDK, and of TensorFlow Serving.
NAME_ARGUMENT = "--model_name"


def _kserve_server(name: str, *formats: ModelFormat, grpc_port: int | None = 8081) -> ServingRuntime:
    """A server on KServe's SDK. It declares v1 and v2 to KServe and also serves gRPC."""
    return ServingRuntime(
        name=f"kserve-{name}",
        values_key=name,
        image=f"kserve/{name}",
        formats=formats,
        protocols=("v1", "v2"),
        grpc_port=grpc_port,
        reports_loaded=True,
        name_argument=NAME_ARGUMENT,
    )


def _format(name: str, *versions: str, auto_select: bool = True) -> tuple[ModelFormat, ...]:
    return tuple(ModelFormat(name=name, version=version, auto_select=auto_select) for version in versions)


SKLEARN = _kserve_server("sklearnserver", *_format("sklearn", "1"))
XGBOOST = _kserve_server("xgbserver", *_format("xgboost", "2"))
LIGHTGBM = _kserve_server("lgbserver", *_format("lightgbm", "4"))
# KServe serves ONNX with Triton; this runtime is the local cluster's own.
ONNX = ServingRuntime(
    name="kserve-onnxserver",
    values_key=None,
    image="kserve/onnxserver",
    formats=_format("onnx", "1"),
    protocols=("v1", "v2", GRPC_V2),
    grpc_port=8081,
    reports_loaded=True,
    name_argument=NAME_ARGUMENT,
)

# Every runtime in the chart of KServe 0.20 that serves one of the protocols, with the chart's own images.
KSERVE_0_20_RUNTIMES = (
    SKLEARN,
    XGBOOST,
    LIGHTGBM,
    ServingRuntime(
        name="kserve-mlserver",
        values_key="mlserver",
        image="seldonio/mlserver",
        formats=(
            *_format("sklearn", "0", "1"),
            *_format("xgboost", "1", "2"),
            *_format("lightgbm", "3", "4"),
            *_format("mlflow", "1", "2"),
        ),
        protocols=("v2",),
        reports_loaded=True,
    ),
    _kserve_server(
        "predictiveserver",
        *_format("sklearn", "1", auto_select=False),
        *_format("xgboost", "2", auto_select=False),
        *_format("lightgbm", "4", auto_select=False),
    ),
    _kserve_server("pmmlserver", *_format("pmml", "3", "4")),
    _kserve_server("paddleserver", *_format("paddle", "2")),
    _kserve_server("autogluonserver", *_format("autogluon", "1")),
    _kserve_server("huggingfaceserver", *_format("huggingface", "1"), grpc_port=None),
    # The runtime has probes of its own, and KServe has no name for its protocol.
    ServingRuntime(
        name="kserve-vllmserver",
        values_key="vllmserver",
        image="vllm/vllm-openai",
        formats=_format("vLLM", "1"),
        protocols=(OPENAI,),
        name_argument="--served-model-name",
    ),
    # The last three cannot tell whether a model is loaded: TensorFlow Serving reports success while it still loads, and
    # the other two know a model by the name of its folder, not by the InferenceService's name.
    ServingRuntime(
        name="kserve-tensorflow-serving",
        values_key="tensorflow",
        image="tensorflow/serving",
        formats=_format("tensorflow", "1", "2"),
        protocols=("v1", "grpc-v1"),
        name_argument=NAME_ARGUMENT,
    ),
    ServingRuntime(
        name="kserve-torchserve",
        values_key="torchserve",
        image="pytorch/torchserve-kfs",
        formats=_format("pytorch", "1"),
        protocols=("v1", "v2", GRPC_V2),
        grpc_port=8081,
    ),
    ServingRuntime(
        name="kserve-tritonserver",
        values_key="tritonserver",
        image="nvidia/tritonserver",
        formats=(
            *_format("tensorrt", "8"),
            *_format("tensorflow", "1", "2"),
            *_format("onnx", "1"),
            *_format("triton", "2"),
            *_format("pytorch", "1", auto_select=False),
        ),
        protocols=("v2", GRPC_V2),
        grpc_port=9000,
    ),
)
