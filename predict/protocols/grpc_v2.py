"""The v2 protocol (Open Inference Protocol) over gRPC: named tensors in and out."""

import struct
import time
from collections.abc import Iterator
from typing import Any

from pydantic import JsonValue

from endpoints.endpoint import Endpoint
from endpoints.failures import (
    CheckFailed,
    GrpcAnswerUnusable,
    GrpcError,
    GrpcPredictionRefused,
    NoModel,
    one_line,
)
from endpoints.gateway import GatewayClient
from endpoints.tensors import leaves, reshape, shape_of
from predict.protocols.grpc_gateway import GrpcGatewayClient
from predict.protocols.interface import InferenceProtocol, Prediction

READY_SECONDS = 10.0
PREDICT_SECONDS = float("inf")  # the gateway's deadline bounds it
# Statuses that come from the gateway or its policies, or from model servers that are not ready yet.
GATEWAY_STATUSES = {"UNAUTHENTICATED", "PERMISSION_DENIED", "UNAVAILABLE", "RESOURCE_EXHAUSTED", "CANCELLED"}
# Datatype → its field in contents, and struct's letter for one value in raw contents.
TYPES = {
    "BOOL": ("bool_contents", "?"),
    "INT8": ("int_contents", "b"),
    "INT16": ("int_contents", "h"),
    "INT32": ("int_contents", "i"),
    "INT64": ("int64_contents", "q"),
    "UINT8": ("uint_contents", "B"),
    "UINT16": ("uint_contents", "H"),
    "UINT32": ("uint_contents", "I"),
    "UINT64": ("uint64_contents", "Q"),
    "FP16": ("", "e"),
    "FP32": ("fp32_contents", "f"),
    "FP64": ("fp64_contents", "d"),
    "BYTES": ("bytes_contents", ""),
}


class GrpcV2(InferenceProtocol):
    """Sends the rows as one FP64 tensor `input-0`, reads the first output tensor."""

    def __init__(self, *, endpoint: Endpoint, gateway: GatewayClient) -> None:
        self._endpoint = endpoint
        self._gateway = GrpcGatewayClient(gateway)

    def ready(self) -> None:
        """Return if the model is ready; raise CheckFailed(NoModel) if a server answers that does not have it ready."""
        try:
            answer = self._gateway.call("ModelReady", seconds=READY_SECONDS, name=self._endpoint.served_name)
        except CheckFailed as problem:
            error = problem.failure
            if isinstance(error, GrpcError) and error.status == "NOT_FOUND":
                raise CheckFailed(NoModel(detail=error.detail, serves="?")) from problem
            raise
        if not answer.ready:
            raise CheckFailed(NoModel(detail="ready: false", serves="?"))

    def metadata(self) -> JsonValue:
        """The server's metadata of the model, in the form of v2 over HTTP."""
        answer = self._gateway.call("ModelMetadata", seconds=READY_SECONDS, name=self._endpoint.served_name)

        def tensors(described: Any) -> list[JsonValue]:
            return [{"name": one.name, "datatype": one.datatype, "shape": list(one.shape)} for one in described]

        return {
            "name": answer.name,
            "versions": list(answer.versions),
            "platform": answer.platform,
            "inputs": tensors(answer.inputs),
            "outputs": tensors(answer.outputs),
        }

    def predict(self, sent: JsonValue) -> Prediction:
        """Ask for one prediction for each instance; that they are one tensor was checked when the endpoint was read."""
        data = [float(str(leaf)) for _, leaf in leaves(sent)]
        shape = list(shape_of(sent) or ())
        tensor = {"name": "input-0", "datatype": "FP64", "shape": shape, "contents": {"fp64_contents": data}}
        began = time.monotonic()
        try:
            answer = self._gateway.call(
                "ModelInfer", seconds=PREDICT_SECONDS, model_name=self._endpoint.served_name, inputs=[tensor]
            )
        except CheckFailed as problem:
            error = problem.failure
            if isinstance(error, GrpcError) and error.status not in GATEWAY_STATUSES:
                raise CheckFailed(GrpcPredictionRefused(status=error.status, detail=error.detail)) from problem
            raise
        latency_ms = (time.monotonic() - began) * 1000
        try:
            return Prediction(predictions=_predictions(answer), latency_ms=latency_ms)
        except (LookupError, ValueError, struct.error) as problem:
            detail = one_line(f"{type(problem).__name__} {problem}: {answer}")
            raise CheckFailed(GrpcAnswerUnusable(detail=detail)) from problem


def _predictions(answer: Any) -> list[JsonValue]:
    """Nest the first output's values by its shape."""
    output = answer.outputs[0]
    field, letter = TYPES[output.datatype]
    if answer.raw_output_contents:
        raw = answer.raw_output_contents[0]
        values = (
            list(_texts(raw)) if output.datatype == "BYTES" else [v for (v,) in struct.iter_unpack(f"<{letter}", raw)]
        )
    else:
        values = list(getattr(output.contents, field))
    plain = [value.decode(errors="replace") if isinstance(value, bytes) else value for value in values]
    nested = reshape(plain, list(output.shape))
    return nested if isinstance(nested, list) else [nested]


def _texts(raw: bytes) -> Iterator[bytes]:
    """Split BYTES: each text has its length before it, in four bytes."""
    start = 0
    while start < len(raw):
        (length,) = struct.unpack_from("<I", raw, start)
        start += 4 + length
        if start > len(raw):
            raise ValueError("a text ends beyond the tensor")
        yield raw[start - length : start]
