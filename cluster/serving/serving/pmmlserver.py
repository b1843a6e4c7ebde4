"""Serve a PMML model: `python3 -m serving.pmmlserver --model_name NAME --model_dir DIR`.

The model is evaluated by JPMML, a library of Java, in a process of its own that ends with this one.
"""

import os
import subprocess
import threading
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from jpmml_evaluator import JavaError, make_evaluator
from jpmml_evaluator.py4j import Py4JBackend, _classpath
from numpy.typing import NDArray
from py4j.java_gateway import JavaGateway
from py4j.protocol import Py4JJavaError

from .container import report
from .model_file import UnusableModelError
from .rows import Rows
from .sdk import InferOutput, InferRequest, InferResponse, InvalidInput, from_np_dtype
from .server import serve, server_arguments
from .tables import Table
from .tabular_model import Predictions, TabularModel

NUMBERS = ("double", "float")
# PMML's types of fields, and those of v2's tensors for them; every other one is text.
TENSORS = {"double": "FP64", "float": "FP32", "integer": "INT64", "boolean": "BOOL"}


class PmmlModel(TabularModel):
    """A model in PMML, whose answer to a row is an object: the targets, and the fields of its Output."""

    suffixes = (".pmml",)

    @cached_property
    def _backend(self) -> Py4JBackend:
        """The Java process, started."""
        gateway = JavaGateway.launch_gateway(classpath=os.pathsep.join(_classpath([])), die_on_exit=True)
        threading.Thread(target=_end_with, args=(gateway.java_process,), daemon=True).start()
        return Py4JBackend(gateway)

    def read(self, model_file: Path) -> int:
        """Read the model, and let it verify itself where it says how."""
        try:
            self._evaluator = make_evaluator(str(model_file), self._backend).verify()
        except (JavaError, Py4JJavaError) as error:
            raise UnusableModelError(f"{model_file}: JPMML cannot read it: {_reason(error)}") from error
        self._types = {field.getName(): field.getDataType() for field in self._evaluator.getInputFields()}
        self.feature_names = list(self._types)
        return len(self._types)

    def predict(self, payload: Any, headers: dict[str, str] | None = None) -> dict[str, Any] | InferResponse:
        """Answer as every model does; rows by v1 may mix numbers and text."""
        return super().predict(payload if isinstance(payload, InferRequest) else self._named(payload), headers)

    def _named(self, body: Any) -> Any:
        """A v1 request with each row as an object, where its rows are lists that fit; else what came."""
        try:
            document = orjson.loads(body) if isinstance(body, bytes) else body
        except orjson.JSONDecodeError:
            return body
        if not isinstance(document, dict):
            return body
        key = "inputs" if "inputs" in document else "instances"
        rows = document.get(key)
        if not isinstance(rows, list) or not rows or not all(_is_row(row) for row in rows):
            return body
        for position, row in enumerate(rows):
            if len(row) != len(self._types):
                names = ", ".join(self._types)
                raise InvalidInput(f"{key}[{position}]: expected {len(self._types)} values ({names}), got {row!r:.80}")
        return {key: [dict(zip(self._types, row, strict=True)) for row in rows]}

    def answer(self, rows: Rows) -> NDArray[Any]:
        """Evaluate rows of numbers."""
        return self._evaluate(rows.tolist())

    def answer_text(self, rows: list[str] | NDArray[np.str_]) -> NDArray[Any]:
        """Evaluate rows of text, of which JPMML reads the numbers."""
        return self._evaluate(np.asarray(rows).tolist())

    def answer_table(self, table: Table) -> NDArray[Any]:
        """Evaluate columns of numbers and text."""
        return self._evaluate(zip(*table.columns.values(), strict=True))

    def _evaluate(self, rows: Iterable[Iterable[Any]]) -> NDArray[Any]:
        """An object a row. :raises ValueError: JPMML does not take a value."""
        results = [self._result(row) for row in rows]
        objects = np.empty(len(results), dtype=np.object_)
        objects[:] = results
        return objects

    def _result(self, row: Iterable[Any]) -> dict[str, Any]:
        arguments = {
            name: _as_of(value, data_type) for (name, data_type), value in zip(self._types.items(), row, strict=True)
        }
        try:
            result: dict[str, Any] = self._evaluator.evaluate(arguments)
        except JavaError as error:
            raise ValueError(_reason(error)) from error
        return result

    def respond(self, payload: InferRequest | dict[str, Any], predictions: Predictions) -> Any:
        """Answer a v1 request with the objects, a v2 request with a tensor a field."""
        if not isinstance(payload, InferRequest) or isinstance(predictions, list):
            return super().respond(payload, predictions)
        outputs = []
        for name in next(iter(predictions), ()):
            values = _column([result.get(name) for result in predictions], name=name)
            output = InferOutput(name=name, shape=list(values.shape), datatype=from_np_dtype(values.dtype))
            output.set_data_from_numpy(values, binary_data=payload.use_binary_outputs)
            outputs.append(output)
        response: InferResponse = super().respond(payload, np.zeros(len(predictions)))
        response.outputs = outputs
        return response

    def get_input_types(self) -> list[dict[str, Any]]:
        """Describe the input for v2 metadata: a column a field, as rows of one tensor are all numbers or all text."""
        types = {name: TENSORS.get(data_type, "BYTES") for name, data_type in self._types.items()}
        return [{"name": name, "datatype": datatype, "shape": [-1]} for name, datatype in types.items()]


def _column(results: list[Any], *, name: str) -> NDArray[Any]:
    """The results of one field as a tensor. :raises InvalidInput: a text is missing, which no tensor can say."""
    there = [result for result in results if result is not None]
    if there and all(isinstance(result, bool | int | float) for result in there):
        return np.array([np.nan if result is None else result for result in results])
    if None in results:
        raise InvalidInput(
            f'row {results.index(None)}: the model has no "{name}" for it, as a value is missing; by v1 it answers null'
        )
    return np.array([str(result) for result in results], dtype=np.object_)


def _is_row(row: Any) -> bool:
    return isinstance(row, list) and all(isinstance(value, str | int | float | None) for value in row)


def _as_of(value: Any, data_type: str) -> Any:
    """A whole number as such where the field is no decimal: 3.0 is not the category 3."""
    if isinstance(value, float) and data_type not in NUMBERS and value.is_integer():
        return int(value)
    return value


def _reason(error: JavaError | Py4JJavaError) -> str:
    """What JPMML says, without the names of Java's packages; of an error with causes, the first of them."""
    if isinstance(error, JavaError):
        return f"{error.className.rpartition('.')[2]}: {error.message}"
    causes = [line for line in str(error).splitlines() if line.startswith(("Caused by: ", ": "))]
    name, _, words = causes[-1].removeprefix("Caused by").removeprefix(": ").partition("; ")
    return f"{name.rpartition('.')[2]}: {words}" if words else name


def _end_with(java: subprocess.Popen[bytes]) -> None:
    """End the server when Java ends: it can answer nothing without."""
    code = java.wait()
    reason = f"Java, which evaluates the model, ended with code {code}; it may need more memory (resources.limits)"
    report(reason)
    os._exit(1)


def main() -> None:
    """Run the server, which has one process for HTTP: the others would each need Java."""
    arguments = server_arguments(description="Serve a PMML model by KServe's v1 and v2 protocols.")
    serve(PmmlModel, arguments=arguments, workers=1)


if __name__ == "__main__":
    main()
