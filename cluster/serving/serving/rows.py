"""A request's body as rows, or an InvalidInput (HTTP 400) that says what was expected and what came.

Rows of numbers are a float64 array of shape (rows, n_features), rows >= 1, or (rows,) where the model does not say how
many features it takes; true is 1, and JSON's null is NaN, a missing value. Rows of named columns are a Table, rows of
text a list of strings, and rows of several strings are Categories.
"""

from dataclasses import dataclass
from email.message import Message
from typing import Annotated, Any

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import Strict, TypeAdapter, ValidationError

from .sdk import InferRequest, InvalidInput
from .tables import Table, has_columns, is_table, text_of, v1_table, v2_table

Rows = NDArray[np.float64]

# Strict: "5.1" is no number; true is 1.
Number = Annotated[float, Strict()] | Annotated[bool, Strict()] | None
JSON_ROWS = TypeAdapter(list[list[Number]])


@dataclass(frozen=True, kw_only=True)
class Categories:
    """Rows of several strings, which only a model of categories takes.

    Attributes:
        values: of shape (rows, n_features).
        refusal: what to answer where the model does not take them.
    """

    values: NDArray[np.str_]
    refusal: InvalidInput


AnyRows = Rows | Table | list[str] | Categories


def v1_rows(body: Any, *, content_type: str | None, n_features: int | None) -> AnyRows:
    """Read `{"instances": [row, …]}`, the v1 protocol; `inputs` is its other name for `instances`.

    :param body: what the SDK made of the request: parsed where it took it for JSON, else the bytes that came.
    :param content_type: the request's Content-Type, None where it has none, as those of KServe's batcher.
    :param n_features: how many numbers a row has; None where the model does not say, which is where rows may be text.
    """
    if content_type is not None and isinstance(body, bytes) and not is_json(content_type):
        raise InvalidInput(f"Content-Type: expected application/json, got {content_type}")
    try:
        document = orjson.loads(body) if isinstance(body, bytes) else body
    except orjson.JSONDecodeError as syntax:
        raise InvalidInput(f"body: not JSON: {syntax}") from syntax
    if not isinstance(document, dict):
        raise InvalidInput(f'body: expected a JSON object with "instances", got {document!r:.80}')
    expected = f"rows of {n_features} numbers" if n_features is not None else "rows of text or numbers"
    key = next((key for key in ("inputs", "instances") if key in document), None)
    if key is None:
        keys = ", ".join(f'"{name}"' for name in document) or "an empty object"
        raise InvalidInput(f'"instances": missing, expected a list of {expected}; got {keys}')
    instances = document[key]
    if isinstance(instances, list) and instances:
        if has_columns(instances):
            return v1_table(instances, key=key)
        if n_features is None and all(isinstance(row, str) for row in instances):
            return instances
        if n_features is None and all(isinstance(row, int | float) for row in instances):
            return np.array(instances, dtype=np.float64)
    try:
        return _numbers(instances, key=key, expected=expected, n_features=n_features)
    except InvalidInput as refusal:
        if n_features is not None and _is_text(instances, n_features=n_features):
            return Categories(values=np.array(instances), refusal=refusal)
        raise


def _is_text(instances: Any, *, n_features: int) -> bool:
    """Whether these are rows, at least one, of `n_features` strings each."""
    if not isinstance(instances, list) or not instances:
        return False
    rows = all(isinstance(row, list) and len(row) == n_features for row in instances)
    return rows and all(isinstance(value, str) for row in instances for value in row)


def _numbers(instances: Any, *, key: str, expected: str, n_features: int | None) -> Rows:
    """Read rows that are lists of numbers, all of `n_features`, or else all as long as the first."""
    try:
        rows = JSON_ROWS.validate_python(instances)
    except ValidationError as errors:
        error = errors.errors(include_url=False)[0]
        where = key + "".join(f"[{part}]" for part in error["loc"] if isinstance(part, int))
        raise InvalidInput(f"{where}: expected {expected}, got {error['input']!r:.80} ({error['msg']})") from errors
    if not rows:
        raise InvalidInput(f'"{key}": expected at least one row{expected.removeprefix("rows")}, got none')
    wanted = n_features if n_features is not None else len(rows[0])
    for position, row in enumerate(rows):
        if len(row) != wanted:
            raise InvalidInput(f"{key}[{position}]: expected {wanted} features, got {len(row)}")
    return np.array(rows, dtype=np.float64)


def v2_rows(request: InferRequest, *, n_features: int | None) -> AnyRows:
    """Read a v2 (Open Inference Protocol) request: one numeric tensor of shape [rows, n_features], or named columns.

    A model without a number of features takes a tensor of text, too, and one of shape [rows].
    """
    if is_table(request):
        return v2_table(request)
    expected = f"expected one numeric tensor of shape [rows, {'columns' if n_features is None else n_features}]"
    if len(request.inputs) != 1:
        raise InvalidInput(
            f'inputs: {expected}, got {len(request.inputs)} tensors; for a tensor a column, say "parameters": '
            '{"content_type": "pd"}'
        )
    tensor = request.inputs[0]
    where = f'inputs[0] "{tensor.name}"'
    if tensor.datatype == "BYTES":
        text = text_of(tensor, where=where)
        if n_features is None:
            return text
        if list(tensor.shape) != [len(text) // n_features, n_features]:
            raise InvalidInput(f"{where}: {expected}, got datatype BYTES of shape {list(tensor.shape)}")
        refusal = InvalidInput(f"{where}: {expected}, got datatype BYTES with values that are not numbers")
        return Categories(values=np.array(text, dtype=np.str_).reshape(tensor.shape), refusal=refusal)
    try:
        # A tensor sent as JSON is read without its datatype first: with it, numpy would parse "5.1" as a number.
        plain = np.asarray(tensor.data) if tensor.data is not None else tensor.as_numpy()
        values = tensor.as_numpy()
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            f"{where}: {expected}, got shape {tensor.shape}, datatype {tensor.datatype}: {error}"
        ) from error
    if not all(array.dtype.kind in "iufb" for array in (_without_nulls(plain), values)):
        raise InvalidInput(f"{where}: {expected}, got datatype {tensor.datatype} with values that are not numbers")
    fits = values.ndim in {1, 2} if n_features is None else values.shape[1:] == (n_features,)
    if not fits:
        raise InvalidInput(f"{where}: {expected}, got shape {list(values.shape)}")
    return np.asarray(values, dtype=np.float64)


def _without_nulls(values: NDArray[Any]) -> NDArray[Any]:
    """What JSON has beside null, which makes an array one of objects."""
    return np.array([value for value in values.flat if value is not None]) if values.dtype.kind == "O" else values


def is_json(content_type: str | None) -> bool:
    """Whether a Content-Type is JSON, whatever parameters follow it (`application/json; charset=utf-8`)."""
    header = Message()
    header["Content-Type"] = content_type or ""
    return header.get_content_type() == "application/json"
