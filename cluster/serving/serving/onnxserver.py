"""Serve an ONNX model: `python3 -m serving.onnxserver --model_name NAME --model_dir DIR`.

With ONNX_OUTPUT=<name> in the environment, predictions are that output instead of the first one.
"""

import os
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as errors

from .model_file import UnusableModelError
from .rows import Rows
from .server import serve, server_arguments
from .tabular_model import TabularModel

NUMBERS = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
}


class OnnxModel(TabularModel):
    """A graph with one input, rows of numbers."""

    suffixes = (".onnx",)

    def __init__(self, name: str, model_dir: Path, *, nthread: int, output: str | None):
        super().__init__(name, model_dir)
        self.nthread = nthread
        self.output = output

    def read(self, model_file: Path) -> int:
        """Read the graph, and see that rows of numbers can go in and a tensor comes out."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.nthread
        self._session = onnxruntime.InferenceSession(str(model_file), options, providers=["CPUExecutionProvider"])
        n_features = self._input(model_file)
        outputs = {output.name: output.type for output in self._session.get_outputs()}
        self._output = self.output or next(iter(outputs))
        if self._output not in outputs:
            raise UnusableModelError(f"{model_file}: has no output {self._output!r}; it has {', '.join(outputs)}")
        if not outputs[self._output].startswith("tensor("):
            raise UnusableModelError(
                f"{model_file}: its output {self._output!r} is a {outputs[self._output]}, no tensor; "
                "name another in ONNX_OUTPUT, or save the model with tensors alone (skl2onnx: zipmap=False)"
            )
        return n_features

    def _input(self, model_file: Path) -> int:
        """Note the input's name and type; return how many columns it has."""
        inputs = self._session.get_inputs()
        shape = inputs[0].shape if len(inputs) == 1 else []
        if len(shape) != 2 or not isinstance(shape[1], int) or inputs[0].type not in NUMBERS:
            taken = ", ".join(f"{each.name} {each.type} {each.shape}" for each in inputs)
            raise UnusableModelError(
                f"{model_file}: takes {taken}; this server serves models of one tensor of numbers, [rows, a fixed "
                "number of columns]"
            )
        self._name, self._type = inputs[0].name, NUMBERS[inputs[0].type]
        return shape[1]

    def __getstate__(self) -> dict[str, Any]:
        """Leave the session out: the processes of --workers get the model pickled, and read the file themselves."""
        return {name: value for name, value in self.__dict__.items() if name != "_session"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Read the model again."""
        self.__dict__.update(state)
        self.load()

    def answer(self, rows: Rows) -> NDArray[Any]:
        """Return the output, of the shape the graph gives it."""
        try:
            (predictions,) = self._session.run([self._output], {self._name: rows.astype(self._type)})
        except (errors.InvalidArgument, errors.Fail, errors.RuntimeException) as error:
            raise ValueError(str(error)) from error
        return np.asarray(predictions)


def main() -> None:
    """Run the server."""
    arguments = server_arguments(description="Serve an ONNX model by KServe's v1 and v2 protocols.", threads=True)
    build = partial(OnnxModel, nthread=arguments.nthread, output=os.environ.get("ONNX_OUTPUT"))
    serve(build, arguments=arguments)


if __name__ == "__main__":
    main()
