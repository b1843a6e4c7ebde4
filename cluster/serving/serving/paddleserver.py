"""Serve a Paddle inference model: `python3 -m serving.paddleserver --model_name NAME --model_dir DIR`."""

import threading
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from .model_file import UnusableModelError, find_model_file
from .sdk import InferRequest, InferResponse, InvalidInput
from .server import serve, server_arguments
from .tabular_model import TabularModel

# It is of what compiles operators, which a server does not.
warnings.filterwarnings("ignore", message="No ccache found")
from paddle import inference  # noqa: E402
from paddle.base import core  # noqa: E402

# Dimensions of rows.
ROWS = 2
TYPES = {
    "float32": np.float32,
    "float64": np.float64,
    "int32": np.int32,
    "int64": np.int64,
}


class PaddleModel(TabularModel):
    """A model with one input, of rows of numbers or of any other shape, as images; its first output is the answer."""

    suffixes = (".pdiparams",)

    def __init__(self, name: str, model_dir: Path, *, nthread: int):
        super().__init__(name, model_dir)
        self.nthread = nthread

    def read(self, model_file: Path) -> None:
        """Read the weights, and the program beside them, which does not say what shape it takes."""
        program = _program(model_file.parent)
        config = inference.Config(str(program), str(model_file))
        config.disable_gpu()
        config.disable_glog_info()
        config.set_cpu_math_library_num_threads(self.nthread)
        self._predictor = inference.create_predictor(config)
        inputs = self._predictor.get_input_names()
        if len(inputs) != 1:
            raise UnusableModelError(
                f"{model_file}: takes {', '.join(inputs) or 'nothing'}; this server serves models of one input tensor, "
                "as KServe's does"
            )
        self._input = self._predictor.get_input_handle(inputs[0])
        self._output = self._predictor.get_output_handle(self._predictor.get_output_names()[0])
        kind = _input_type(program, inputs[0])
        if kind not in TYPES:
            raise UnusableModelError(f"{model_file}: its input is of {kind}; this server takes {', '.join(TYPES)}")
        self._type = TYPES[kind]
        # The handles are those of the one predictor, so that one request at a time uses them.
        self._lock = threading.Lock()

    def answer(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Run the program."""
        with np.errstate(invalid="ignore", over="ignore"):
            values = np.ascontiguousarray(rows, dtype=self._type)
        if values.dtype.kind == "i" and not np.array_equal(values, rows):
            raise ValueError(f"it takes whole numbers ({values.dtype})")
        if not values.size:  # Paddle would say `std::exception` and no more
            raise ValueError(f"expected at least one row, got shape {list(values.shape)}")
        with self._lock:
            self._input.copy_from_cpu(values)
            try:
                self._predictor.run()
            except (RuntimeError, ValueError) as error:
                raise ValueError(_reason(error)) from error
            predictions: NDArray[Any] = self._output.copy_to_cpu()
        return predictions

    def predict(self, payload: Any, headers: dict[str, str] | None = None) -> dict[str, Any] | InferResponse:
        """Answer as every model of rows does, and take tensors of more dimensions, too."""
        tensor = _v2_tensor(payload) if isinstance(payload, InferRequest) else _v1_tensor(payload)
        if tensor is None:
            return super().predict(payload, headers)
        try:
            predictions = self.answer(tensor)
        except ValueError as error:
            raise InvalidInput(f"the model does not take a tensor of shape {list(tensor.shape)}: {error}") from error
        answer: dict[str, Any] | InferResponse
        answer = self.respond(payload if isinstance(payload, InferRequest) else {}, predictions)
        return answer


def _program(folder: Path) -> Path:
    """The file of the graph: what Paddle 2 writes, or else what Paddle 3 does."""
    old = any(path.suffix == ".pdmodel" for path in folder.iterdir())
    return find_model_file(folder, suffixes=(".pdmodel",) if old else (".json",))


def _input_type(program: Path, name: str) -> str:
    """The name of an input's type, which its handle does not know before it has values; float32 if it is not said."""
    if program.suffix == ".pdmodel":
        variable = core.ProgramDesc(program.read_bytes()).block(0).find_var(name.encode())
        return str(variable.dtype()).rpartition(".")[2]
    regions = orjson.loads(program.read_bytes())["program"]["regions"]
    for operation in (each for region in regions for block in region["blocks"] for each in block["ops"]):
        attributes = [each for each in operation.get("A", ()) if isinstance(each, dict)]
        named = {each.get("N"): each.get("AT", {}).get("D") for each in attributes}
        if named.get("name") == name and "dtype" in named:
            return str(named["dtype"])
    return "float32"


def _v1_tensor(body: Any) -> NDArray[Any] | None:
    """The tensor of a v1 request; None for rows, and for what is no request."""
    try:
        document = orjson.loads(body) if isinstance(body, bytes) else body
    except orjson.JSONDecodeError:
        return None
    if not isinstance(document, dict):
        return None
    key = "inputs" if "inputs" in document else "instances"
    values, depth = document.get(key), 0
    while isinstance(values, list) and values:
        values, depth = values[0], depth + 1
    return _numbers(document[key], where=f'"{key}"') if depth > ROWS else None


def _v2_tensor(request: InferRequest) -> NDArray[Any] | None:
    """The tensor of a v2 request; None for rows, and for other than one tensor."""
    if len(request.inputs) != 1 or len(request.inputs[0].shape) <= ROWS:
        return None
    tensor = request.inputs[0]
    try:
        values = tensor.as_numpy()
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            f'inputs[0] "{tensor.name}": got shape {tensor.shape}, {tensor.datatype}: {error}'
        ) from error
    return _numbers(values, where=f'inputs[0] "{tensor.name}"')


def _numbers(values: Any, *, where: str) -> NDArray[Any]:
    try:
        tensor = np.asarray(values)
    except ValueError as error:  # lists of different lengths
        raise InvalidInput(f"{where}: expected a tensor of numbers, got lists of different lengths") from error
    if tensor.dtype.kind not in "biuf":
        raise InvalidInput(f"{where}: expected a tensor of numbers, got values that are not numbers")
    return tensor


def _reason(error: Exception) -> str:
    """The line of Paddle's report that says what is wrong."""
    lines = [line.strip() for line in str(error).splitlines() if "Error: " in line]
    return next(iter(lines), str(error).strip())


def main() -> None:
    """Run the server, with one process for HTTP: a predictor cannot be handed to another."""
    arguments = server_arguments(description="Serve a Paddle model by KServe's v1 and v2 protocols.", threads=True)
    serve(partial(PaddleModel, nthread=arguments.nthread), arguments=arguments, workers=1)


if __name__ == "__main__":
    main()
