"""Asks models with clients that others wrote, KServe's SDK's and Triton's: run by the serving project's interpreter.

Reads a JSON list of questions on standard input, and prints the list of answers; see Question. One run is for the
clients of one of the two: they bring the same protobuf messages.
"""
# mypy: ignore-errors

import asyncio
import json
import sys
from dataclasses import dataclass, field

import numpy as np

if sys.argv[1] == "triton":
    import tritonclient.grpc as triton_grpc
    import tritonclient.http as triton_http
    import tritonclient.http.aio as triton_aio
    from tritonclient.utils import InferenceServerException as Refused
else:
    from grpc import RpcError as Refused
    from serving.sdk import InferRequest, stand_ins

    with stand_ins():
        from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput
        from kserve.inference_client import RESTConfig

DTYPES = {"FP64": np.float64, "FP32": np.float32, "INT32": np.int32, "BYTES": np.object_}


@dataclass(kw_only=True)
class Question:
    """One prediction.

    Attributes:
        address: host:port.
        output: name of the output tensor, for Triton's clients.
        tensors: how often the rows are sent.
        columns: name → datatype; the rows are sent as one tensor a column.
        compression: of the request's body.
    """

    client: str
    address: str
    host: str
    model: str
    rows: list[list[float]]
    datatype: str = "FP64"
    binary_in: bool = True
    binary_out: bool = True
    output: str = "output-0"
    tensors: int = 1
    columns: dict[str, str] = field(default_factory=dict)
    compression: str | None = None

    @property
    def arrays(self):
        """Name, datatype and values of each tensor."""
        if not self.columns:
            return [("input-0", self.datatype, np.array(self.rows, dtype=DTYPES[self.datatype]))] * self.tensors
        columns = zip(self.columns.items(), zip(*self.rows, strict=True), strict=True)
        return [(name, datatype, np.array(values, dtype=DTYPES[datatype])) for (name, datatype), values in columns]

    @property
    def parameters(self):
        return {"content_type": "pd"} if self.columns else None

    def inputs(self, kind):
        """The tensors, of a class that all of these clients have."""
        how = {} if self.client == "triton-grpc" else {"binary_data": self.binary_in}
        inputs = []
        for name, datatype, values in self.arrays:
            inputs.append(kind(name, list(values.shape), datatype))
            inputs[-1].set_data_from_numpy(values, **how)
        return inputs

    def ask(self):
        try:
            return getattr(self, self.client.replace("-", "_"))()
        except Refused as error:
            if sys.argv[1] == "triton":
                return {"status": error.status(), "error": error.message()}
            return {"status": str(error.code()), "error": error.details()}

    def triton_http(self):
        client = triton_http.InferenceServerClient(self.address)
        return self._triton_answer(client.infer(**self._triton_request()))

    def triton_aio(self):
        return asyncio.run(self._triton_aio())

    async def _triton_aio(self):
        async with triton_aio.InferenceServerClient(self.address) as client:
            return self._triton_answer(await client.infer(**self._triton_request()))

    def _triton_request(self):
        return {
            "model_name": self.model,
            "inputs": self.inputs(triton_http.InferInput),
            "outputs": [triton_http.InferRequestedOutput(self.output, binary_data=self.binary_out)],
            "headers": {"Host": self.host},
            "parameters": self.parameters,
            "request_compression_algorithm": self.compression,
        }

    def _triton_answer(self, answer):
        output = answer.get_output(self.output)
        return {
            "predictions": _plain(answer.as_numpy(self.output)),
            "datatype": output["datatype"],
            "binary": "binary_data_size" in (output["parameters"] or {}),
        }

    def triton_grpc(self):
        client = triton_grpc.InferenceServerClient(
            self.address, channel_args=[("grpc.default_authority", self.host), ("grpc.enable_http_proxy", 0)]
        )
        answer = client.infer(self.model, self.inputs(triton_grpc.InferInput), parameters=self.parameters)
        described = client.get_model_metadata(self.model).inputs
        return {
            "predictions": _plain(answer.as_numpy(self.output)),
            "ready": client.is_server_ready() and client.is_model_ready(self.model),
            "inputs": [[each.name, each.datatype, list(each.shape)] for each in described],
        }

    def kserve_v1(self):
        return asyncio.run(self._kserve_rest("v1", {"instances": self.rows}))

    def kserve_v2(self):
        return asyncio.run(self._kserve_rest("v2", self._kserve_request()))

    async def _kserve_rest(self, protocol, data):
        client = InferenceRESTClient(RESTConfig(protocol=protocol))
        answer = await client.infer(f"http://{self.address}", data, model_name=self.model, headers={"Host": self.host})
        return {
            "predictions": answer["predictions"] if protocol == "v1" else _plain(answer.outputs[0].as_numpy()),
        }

    def kserve_grpc(self):
        return asyncio.run(self._kserve_grpc())

    async def _kserve_grpc(self):
        options = [("grpc.default_authority", self.host), ("grpc.enable_http_proxy", 0)]
        async with InferenceGRPCClient(url=self.address, channel_args=options) as client:
            ready = await client.is_model_ready(self.model)
            answer = await client.infer(self._kserve_request())
        return {"predictions": _plain(answer.outputs[0].as_numpy()), "ready": ready}

    def _kserve_request(self):
        wanted = {"binary_data_output": True} if self.binary_out else {}
        inputs = self.inputs(InferInput)
        return InferRequest(model_name=self.model, infer_inputs=inputs, parameters=wanted | (self.parameters or {}))


def _plain(values):
    return [value.decode() if isinstance(value, bytes) else value for value in values.tolist()]


if __name__ == "__main__":
    print(json.dumps([Question(**question).ask() for question in json.load(sys.stdin)]))
