"""The v2 protocol over gRPC, against a small real gRPC server that stands where the gateway would."""

from __future__ import annotations

import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from endpoints import failures as f
from endpoints.endpoint import Endpoint
from predict.protocols.open_inference import SERVICE, classes_of
from tests.unit.predict.conftest import ROOT, ROWS, check, endpoint, words
from tests.unit.predict.server import Server

Handler = Callable[[Any, grpc.ServicerContext], Any]
METHODS = ("ModelReady", "ModelMetadata", "ModelInfer")


class Backend:
    """A healthy model that answers [1, 0]; a test changes what a method does, in `on`."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.authorities: set[str] = set()
        self.on: dict[str, Handler] = {
            "ModelReady": lambda _, __: {"ready": True},
            "ModelMetadata": lambda request, _: {
                "name": request.name,
                "platform": "tests",
                "inputs": [{"name": "input-0", "datatype": "FP64", "shape": [-1, 4]}],
            },
            "ModelInfer": lambda _, __: {"outputs": [output("INT64", [2], {"int64_contents": [1, 0]})]},
        }
        self.server = grpc.server(ThreadPoolExecutor(4))
        handlers = {method: self._handler(method) for method in METHODS}
        self.server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
        self.address = f"http://127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"
        self.server.start()

    def _handler(self, method: str) -> grpc.RpcMethodHandler[Any, Any]:
        request_class, response_class = classes_of(method)

        def answer(request: Any, context: grpc.ServicerContext) -> Any:
            self.requests.append(request)
            return response_class(**self.on[method](request, context))

        return grpc.unary_unary_rpc_method_handler(
            answer,
            request_deserializer=request_class.FromString,
            response_serializer=response_class.SerializeToString,
        )


@pytest.fixture
def backend() -> Iterator[Backend]:
    backend = Backend()
    yield backend
    backend.server.stop(0).wait()


def asked(address: str, **changes: Any) -> Endpoint:
    paths = {"predict_path": f"/{SERVICE}/ModelInfer", "metadata_path": f"/{SERVICE}/ModelMetadata"}
    return endpoint(address, protocol="grpc-v2", **paths, **changes)


def output(datatype: str, shape: list[int], contents: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"name": "output-0", "datatype": datatype, "shape": shape, **({"contents": contents} if contents else {})}


def abort(status: grpc.StatusCode, details: str) -> Handler:
    return lambda _, context: context.abort(status, details)


def answering(**answer: Any) -> Handler:
    return lambda _, __: answer


def test_a_model_that_answers_right(backend: Backend) -> None:
    outcome = check(asked(backend.address))
    assert outcome.verdict == "ok"
    assert outcome.prediction
    assert outcome.prediction.predictions == [1, 0]
    assert outcome.prediction.latency_ms > 0
    assert outcome.metadata == {
        "name": "sklearn-model",
        "versions": [],
        "platform": "tests",
        "inputs": [{"name": "input-0", "datatype": "FP64", "shape": [-1, 4]}],
        "outputs": [],
    }
    (tensor,) = backend.requests[-1].inputs
    assert (tensor.name, tensor.datatype, list(tensor.shape)) == ("input-0", "FP64", [2, 4])
    assert list(tensor.contents.fp64_contents) == [number for row in ROWS for number in row]


@pytest.mark.parametrize(
    ("tensor", "raw", "predictions"),
    [
        (output("FP32", [2], {"fp32_contents": [0.5, 0.25]}), None, [0.5, 0.25]),
        (output("FP64", [2, 1], {"fp64_contents": [0.5, 0.25]}), None, [[0.5], [0.25]]),
        (output("BOOL", [2], {"bool_contents": [True, False]}), None, [True, False]),
        (output("BYTES", [2], {"bytes_contents": [b"a", b"b"]}), None, ["a", "b"]),
        (output("FP32", [2]), struct.pack("<2f", 0.5, 0.25), [0.5, 0.25]),
        (output("FP16", [2]), struct.pack("<2e", 0.5, 0.25), [0.5, 0.25]),
        (output("INT64", [1, 2]), struct.pack("<2q", 1, -1), [[1, -1]]),
        (output("UINT8", [2]), b"\x01\xff", [1, 255]),
        (output("BYTES", [2]), b"\x01\0\0\0a\x02\0\0\0bc", ["a", "bc"]),
    ],
)
def test_every_datatype_is_understood(
    backend: Backend, tensor: dict[str, Any], raw: bytes | None, predictions: list[Any]
) -> None:
    more = {"raw_output_contents": [raw]} if raw else {}
    backend.on["ModelInfer"] = answering(outputs=[tensor], **more)
    outcome = check(asked(backend.address, check={"instances": ROWS, "predictions": predictions}))
    assert outcome.verdict == "ok", outcome.failure


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"outputs": [output("INT64", [3], {"int64_contents": [1, 0]})]},
        {"outputs": [output("NUMBER", [2], {"int64_contents": [1, 0]})]},
        {"outputs": [output("FP64", [2])], "raw_output_contents": [b"\0" * 9]},
        {"outputs": [output("BYTES", [1])], "raw_output_contents": [b"\x09\0\0\0a"]},
        {"outputs": [output("BYTES", [1])], "raw_output_contents": [b"\x09"]},
    ],
    ids=str,
)
def test_answers_without_predictions(backend: Backend, answer: dict[str, Any]) -> None:
    backend.on["ModelInfer"] = answering(**answer)
    outcome = check(asked(backend.address))
    assert (outcome.verdict, outcome.exit_code) == ("grpc-answer-unusable", 1)


def test_other_values(backend: Backend) -> None:
    backend.on["ModelInfer"] = answering(outputs=[output("INT64", [2], {"int64_contents": [0, 1]})])
    outcome = check(asked(backend.address))
    assert (outcome.verdict, outcome.exit_code) == ("wrong-value", 1)


@pytest.mark.parametrize(
    ("method", "handler", "verdict", "exit_code", "said"),
    [
        ("ModelReady", abort(grpc.StatusCode.NOT_FOUND, "no such model"), "no-model", 2, "'no such model'"),
        ("ModelReady", answering(ready=False), "no-model", 2, "'ready: false'"),
        ("ModelReady", abort(grpc.StatusCode.UNIMPLEMENTED, ""), "no-route", 2, "has no route for Host"),
        ("ModelReady", abort(grpc.StatusCode.UNIMPLEMENTED, "what?"), "grpc-error", 2, "status UNIMPLEMENTED for /inf"),
        ("ModelReady", abort(grpc.StatusCode.PERMISSION_DENIED, "RBAC"), "grpc-error", 2, "PERMISSION_DENIED for"),
        ("ModelInfer", abort(grpc.StatusCode.PERMISSION_DENIED, "RBAC"), "grpc-error", 2, "(authority sklearn-model."),
        (
            "ModelInfer",
            abort(grpc.StatusCode.INVALID_ARGUMENT, "5"),
            "grpc-prediction-refused",
            1,
            "INVALID_ARGUMENT: 5",
        ),
        ("ModelInfer", abort(grpc.StatusCode.INTERNAL, "oh"), "grpc-prediction-refused", 1, "status INTERNAL: oh"),
    ],
)
def test_statuses_are_told_apart(
    backend: Backend, method: str, handler: Handler, verdict: str, exit_code: int, said: str
) -> None:
    backend.on[method] = handler
    outcome = check(asked(backend.address))
    assert (outcome.verdict, outcome.exit_code) == (verdict, exit_code)
    assert said in words(outcome)


def test_a_gateway_without_running_pods(backend: Backend) -> None:
    """Envoy signs what it says itself; without its name, the connection is what failed."""

    def unavailable(_: Any, context: grpc.ServicerContext) -> Any:
        context.send_initial_metadata((("server", "istio-envoy"),))
        context.abort(grpc.StatusCode.UNAVAILABLE, "no healthy upstream")

    backend.on["ModelReady"] = unavailable
    failure = check(asked(backend.address)).failure
    assert failure == f.GrpcError(path=f"/{SERVICE}/ModelReady", status="UNAVAILABLE", detail="no healthy upstream")
    assert failure.passing


def test_a_refused_client_is_not_waited_for(backend: Backend) -> None:
    backend.on["ModelReady"] = abort(grpc.StatusCode.UNAUTHENTICATED, "Jwt is missing")
    outcome = check(asked(backend.address), timeout=60)
    assert outcome.verdict == "grpc-error"
    assert outcome.waited_s < 30


def test_a_model_that_comes_later_is_waited_for(backend: Backend) -> None:
    ready = backend.on["ModelReady"]
    backend.on["ModelReady"] = lambda request, context: (
        ready(request, context) if len(backend.requests) > 3 else context.abort(grpc.StatusCode.NOT_FOUND, "not yet")
    )
    assert check(asked(backend.address), timeout=60).verdict == "ok"


def test_no_answer_in_time(backend: Backend) -> None:
    def late(_: Any, __: grpc.ServicerContext) -> dict[str, Any]:
        time.sleep(5)
        return {}

    backend.on["ModelInfer"] = late
    outcome = check(asked(backend.address))
    assert outcome.verdict == "read-timeout"
    assert f"/{SERVICE}/ModelInfer" in words(outcome)


def test_nothing_listens() -> None:
    outcome = check(asked("http://127.0.0.1:1"))
    assert (outcome.verdict, outcome.exit_code) == ("connection-refused", 2)


def test_a_name_that_does_not_resolve() -> None:
    assert check(asked("http://nowhere.invalid:80")).verdict == "unknown-name"


def test_a_server_of_http_1(gateway: Server) -> None:
    outcome = check(asked(gateway.address))
    assert outcome.verdict == "disconnected"
    assert "grpcurl -v -plaintext" in words(outcome)


def test_a_run_without_grpc_does_not_import_it() -> None:
    code = "import sys, predict.__main__; sys.exit('grpc' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
