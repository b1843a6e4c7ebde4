"""The v2 protocol (Open Inference Protocol) over REST: named tensors in and out."""

from pydantic import BaseModel, Field, JsonValue

from endpoints.tensors import leaves, reshape, shape_of
from predict.protocols.rest import RestProtocol


class _Output(BaseModel):
    shape: list[int]
    data: list[JsonValue]


class _Answer(BaseModel):
    outputs: list[_Output] = Field(min_length=1)


class V2(RestProtocol):
    """Sends the rows as one FP64 tensor `input-0`, reads the first output tensor."""

    @property
    def ready_path(self) -> str:
        """GET /v2/models/<model>/ready."""
        return f"{self._endpoint.metadata_path}/ready"

    def request(self, instances: list[JsonValue]) -> JsonValue:
        """Flatten the rows, row-major; that they are one tensor was checked when the endpoint was read."""
        shape: list[JsonValue] = list(shape_of(instances) or ())
        data = [leaf for _, leaf in leaves(instances)]
        return {"inputs": [{"name": "input-0", "shape": shape, "datatype": "FP64", "data": data}]}

    def predictions(self, answer: dict[str, JsonValue]) -> list[JsonValue]:
        """Nest the first output's data, flat or nested already, by its shape."""
        output = _Answer.model_validate(answer).outputs[0]
        nested = reshape([leaf for _, leaf in leaves(output.data) if leaf != []], output.shape)
        return nested if isinstance(nested, list) else [nested]
