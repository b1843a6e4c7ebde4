"""Rows of named columns: by v1 as objects, by v2 as one tensor a column."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .sdk import InferRequest, InvalidInput

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Table:
    """Columns of one length, in the order in which the request has them. NaN is a missing value, None JSON's null.

    Attributes:
        source: which part of the request it was, for errors.
    """

    columns: dict[str, list[Any]]
    source: str

    def in_order(self, names: Sequence[str] | None, *, n_features: int) -> "Table":
        """The columns that the model was fitted on, in its order; a column that is missing has missing values.

        A model without column names takes as many columns as it has features, in the order of the request.

        :raises InvalidInput: none of the columns is one of the model's, or there are not as many as it takes.
        """
        if names is None:
            if len(self.columns) != n_features:
                raise self.unfit(
                    n_features, "the model has no column names: send all columns, in the order of training"
                )
            return self
        if not self.columns.keys() & set(names):
            raise self.unfit(n_features, f"the model's columns are {', '.join(names)}")
        missing = [math.nan] * self.length
        return Table(columns={name: self.columns.get(name, missing) for name in names}, source=self.source)

    def numbers(self) -> NDArray[np.float64]:
        """All columns as numbers. :raises InvalidInput: a value is not a number."""
        for name, values in self.columns.items():
            for value in values:
                if value is not None and not isinstance(value, int | float):
                    raise InvalidInput(f'{self.source}: column "{name}": expected numbers, got {value!r:.80}')
        return np.array(list(self.columns.values()), dtype=np.float64).T

    def renamed(self, names: Mapping[str, str]) -> "Table":
        """The same columns, those in `names` by their new name."""
        columns = {names.get(name, name): values for name, values in self.columns.items()}
        return Table(columns=columns, source=self.source)

    @property
    def length(self) -> int:
        """How many rows it has."""
        return len(next(iter(self.columns.values()), []))

    def unfit(self, n_features: int, why: str) -> InvalidInput:
        """The error for columns that the model does not take."""
        first = {name: next(iter(values), None) for name, values in self.columns.items()}
        return InvalidInput(f"{self.source}: expected rows of {n_features} numbers, got {first!r:.80} ({why})")


def has_columns(instances: Sequence[Any]) -> bool:
    """Whether rows of a v1 request are objects, or lists of objects."""
    first = instances[0]
    return isinstance(first, dict) or (isinstance(first, list) and bool(first) and isinstance(first[0], dict))


def v1_table(instances: Sequence[Any], *, key: str) -> Table:
    """Read rows that are objects, of values or of lists of values, or lists of objects with one column each."""
    rows = [row for position, each in enumerate(instances) for row in _rows(each, where=f"{key}[{position}]")]
    names = dict.fromkeys(name for row in rows for name in row)
    return Table(columns={name: [row.get(name, math.nan) for row in rows] for name in names}, source=f"{key}[0]")


def _rows(instance: Any, *, where: str) -> list[Row]:
    """The rows of one instance of a v1 request."""
    if isinstance(instance, dict):
        return _object_rows(instance, where=where)
    if not isinstance(instance, list) or not all(isinstance(part, dict) for part in instance):
        raise InvalidInput(f"{where}: expected an object, or a list of objects, got {instance!r:.80}")
    names = [name for part in instance for name in part]
    if all(len(part) == 1 for part in instance) and len(set(names)) == len(names):
        instance = [{name: value for part in instance for name, value in part.items()}]
    return [row for part in instance for row in _object_rows(part, where=where)]


def _object_rows(row: Mapping[str, Any], *, where: str) -> list[Row]:
    """The rows of an object, more than one where its values are lists."""
    columns = {name: list(value.values()) if isinstance(value, dict) else value for name, value in row.items()}
    lengths = {len(values) for values in columns.values() if isinstance(values, list)}
    if not lengths:
        return [dict(columns)]
    if len(lengths) > 1 or not all(isinstance(values, list) for values in columns.values()):
        raise InvalidInput(f"{where}: expected columns of one length, got {row!r:.80}")
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def v2_table(request: InferRequest) -> Table:
    """Read tensors of shape [rows] or [rows, 1], each a column with the tensor's name."""
    columns = {tensor.name: _column(tensor, where=f'inputs "{tensor.name}"') for tensor in request.inputs}
    lengths = {len(values) for values in columns.values()}
    if len(columns) != len(request.inputs) or len(lengths) != 1:
        shapes = ", ".join(f"{tensor.name} {list(tensor.shape)}" for tensor in request.inputs) or "none"
        raise InvalidInput(f"inputs: expected tensors of different names and one length, each a column, got {shapes}")
    return Table(columns=columns, source="inputs")


def is_table(request: InferRequest) -> bool:
    """Whether a v2 request says that its tensors are columns, as `content_type: pd`."""
    value = request.parameters.get("content_type") if request.parameters else None
    return getattr(value, "string_param", value) == "pd"  # by gRPC it is a message


def text_of(tensor: Any, *, where: str) -> list[str]:
    """The strings of a tensor, whatever its shape."""
    values = _texts(tensor, where=where)
    text = [value for value in values if value is not None]
    if len(text) < len(values):
        raise InvalidInput(f"{where}: expected text, got null")
    return text


def _texts(tensor: Any, *, where: str) -> list[str | None]:
    """The strings of a tensor, and JSON's nulls."""
    try:
        items = tensor.as_numpy().reshape(-1)
        return [item.decode() if isinstance(item, bytes) else None if item is None else str(item) for item in items]
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{where}: expected text in UTF-8, got shape {tensor.shape}: {error}") from error


def _column(tensor: Any, *, where: str) -> list[Any]:
    expected = "expected a column of shape [rows] or [rows, 1]"
    if len(tensor.shape) not in {1, 2} or list(tensor.shape[1:]) not in ([], [1]):
        raise InvalidInput(f"{where}: {expected}, got shape {list(tensor.shape)}")
    if tensor.datatype == "BYTES":
        return list(_texts(tensor, where=where))
    try:
        if tensor.data is None or not len(tensor.data):  # it came as bytes, or there is none
            return list(tensor.as_numpy().reshape(-1).tolist())
        # JSON's values stay what they are: numpy would make 5.7 an integer 5, refuse null there, and parse "5.1".
        values: list[Any] = np.asarray(tensor.data, dtype=np.object_).reshape(tensor.shape).reshape(-1).tolist()
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            f"{where}: {expected}, got shape {list(tensor.shape)}, datatype {tensor.datatype}: {error}"
        ) from error
    for value in values:
        if not isinstance(value, int | float | None):
            raise InvalidInput(f"{where}: expected {tensor.datatype}, got {value!r:.80}")
    return values
