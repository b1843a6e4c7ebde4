"""JSON values as tensors of a signature, and tensors as JSON values, as TensorFlow Serving converts them."""

import base64
import binascii
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import RefusedError

Tensor = NDArray[Any]
# One path into a JSON value, as the indices of its lists.
At = Callable[[tuple[int, ...]], str]

WORDS = {
    "float32": "numbers",
    "float64": "numbers",
    **{f"{sign}int{bits}": "whole numbers" for sign in ("", "u") for bits in (8, 16, 32, 64)},
    "string": 'strings, or bytes as {"b64": "…"}',
    "bool": "true or false",
}
MAX_DIMENSIONS = 32
# The bytes of a tensor whose name ends so are written in base 64, and not as text.
BYTES_SUFFIX = "_bytes"


@dataclass(frozen=True, kw_only=True)
class TensorSpec:
    """One input or output of a signature.

    Attributes:
        tensor: its name in the graph.
        dtype: TensorFlow's name of its type, as `float32`.
        shape: None for a size that may vary; None in its place where even the number of dimensions may.
    """

    name: str
    tensor: str
    dtype: str
    shape: tuple[int | None, ...] | None

    def __str__(self) -> str:
        """The name, type and shape."""
        return f'"{self.name}" of {self.dtype} {shape_text(self.shape)}'


def shape_text(shape: tuple[int | None, ...] | None) -> str:
    """A shape for people: `[?, 4]`."""
    if shape is None:
        return "of any shape"
    return f"[{', '.join('?' if size is None else str(size) for size in shape)}]"


def is_base64(value: Any) -> bool:
    """Whether this is `{"b64": "…"}`, which is bytes, and no object of named tensors."""
    return isinstance(value, dict) and list(value) == ["b64"] and isinstance(value["b64"], str)


def read_rows(rows: Any, *, specs: Mapping[str, TensorSpec]) -> dict[str, Tensor]:
    """Read `instances`: a value a row for the only input, or an object a row with a value for each.

    :raises RefusedError: they are not that.
    """
    if not isinstance(rows, list) or not rows:
        raise RefusedError(f'"instances": expected a list with at least one row, got {rows!r:.80}')
    if not _is_object(rows[0]):
        if len(specs) > 1:
            raise RefusedError(f"instances[0]: expected an object with {_names(specs)}, got {rows[0]!r:.80}")
        for position, row in enumerate(rows):
            if _is_object(row):
                raise RefusedError(f"instances[{position}]: expected a value as in instances[0], got {row!r:.80}")
        (name,) = specs
        return {name: read_tensor(rows, spec=specs[name], at=lambda path: "instances" + _indices(path))}
    for position, row in enumerate(rows):
        if not _is_object(row) or set(row) != set(specs):
            raise RefusedError(f"instances[{position}]: expected an object with {_names(specs)}, got {row!r:.80}")
    return {name: _column(rows, spec=spec) for name, spec in specs.items()}


def _column(rows: list[dict[str, Any]], *, spec: TensorSpec) -> Tensor:
    """One input of rows that are objects."""

    def at(path: tuple[int, ...]) -> str:
        return f'instances[{path[0]}]["{spec.name}"]{_indices(path[1:])}' if path else "instances"

    return read_tensor([row[spec.name] for row in rows], spec=spec, at=at)


def read_columns(columns: Any, *, specs: Mapping[str, TensorSpec]) -> dict[str, Tensor]:
    """Read `inputs`: the value of the only input, or an object with the values of all.

    :raises RefusedError: they are not that.
    """
    if not _is_object(columns):
        if len(specs) > 1:
            raise RefusedError(f'"inputs": expected an object with {_names(specs)}, got {columns!r:.80}')
        (name,) = specs
        return {name: read_tensor(columns, spec=specs[name], at=lambda path: "inputs" + _indices(path))}
    missing = [name for name in specs if name not in columns]
    if missing:
        got = ", ".join(f'"{name}"' for name in columns) or "an empty object"
        raise RefusedError(f'"inputs": expected an object with {_names(specs)}, got {got}')
    return {
        name: read_tensor(
            columns[name],
            spec=spec,
            at=lambda path, name=name: f'inputs["{name}"]{_indices(path)}',  # type: ignore[misc]
        )
        for name, spec in specs.items()
    }


def read_tensor(value: Any, *, spec: TensorSpec, at: At) -> Tensor:
    """Read nested lists as a tensor.

    :param at: names a place in the request.
    :raises RefusedError: a value is of another type than the tensor, the lists are not of one length, or the shape does
        not fit the signature's.
    """
    if spec.dtype not in WORDS:
        raise RefusedError(
            f"input {spec}: JSON values cannot be converted to this type", status=HTTPStatus.NOT_IMPLEMENTED
        )
    sizes = _sizes(value)
    flat = list(_values(value, sizes=sizes, path=(), spec=spec, at=at))
    if not _fits(sizes, spec.shape):
        raise RefusedError(f"{at(())}: expected shape {shape_text(spec.shape)} for input {spec}, got {list(sizes)}")
    dtype = object if spec.dtype == "string" else np.dtype(spec.dtype)
    tensor = np.empty(len(flat), dtype=dtype)
    tensor[:] = flat
    return tensor.reshape(sizes)


def _sizes(value: Any) -> tuple[int, ...]:
    """The shape of nested lists, of which the first counts."""
    sizes: list[int] = []
    while isinstance(value, list) and len(sizes) < MAX_DIMENSIONS:
        sizes.append(len(value))
        value = value[0] if value else None
    return tuple(sizes)


def _fits(sizes: tuple[int, ...], shape: tuple[int | None, ...] | None) -> bool:
    """Whether a shape may be given to the graph.

    TensorFlow Serving leaves all of it to the graph, and a signature of shape [1] or [?, 1] is asked with [3]. But a
    graph may also stretch rows that are too short (broadcasting) and answer nonsense, so such a one is not given to it.
    """
    if shape is None or len(sizes) != len(shape):
        return True
    return all(wanted in (None, size) for size, wanted in zip(sizes[1:], shape[1:], strict=True))


def _values(value: Any, *, sizes: tuple[int, ...], path: tuple[int, ...], spec: TensorSpec, at: At) -> Iterator[Any]:
    """The values in nested lists, in order, each checked."""
    if len(path) == len(sizes):
        yield _scalar(value, spec=spec, where=lambda: at(path))
        return
    wanted = sizes[len(path)]
    if not isinstance(value, list) or len(value) != wanted:
        got = f"one of {len(value)}" if isinstance(value, list) else f"{value!r:.80}"
        raise RefusedError(
            f"{at(path)}: expected a list of {wanted}, as those before it; got {got}; input {spec} is one tensor"
        )
    for position, each in enumerate(value):
        yield from _values(each, sizes=sizes, path=(*path, position), spec=spec, at=at)


def _scalar(value: Any, *, spec: TensorSpec, where: Callable[[], str]) -> Any:
    """One value as numpy takes it for this type."""
    match spec.dtype:
        case "string" if isinstance(value, str):
            return value.encode("utf-8", "surrogatepass")
        case "string" if is_base64(value):
            return _decoded(value["b64"], where=where)
        case "bool" if isinstance(value, bool):
            return value
        case "float32" | "float64" if isinstance(value, int | float) and not isinstance(value, bool):
            if _is_exact(value, dtype=spec.dtype):
                return value
            raise RefusedError(
                f"{where()}: {value!r:.80} cannot be converted to {spec.dtype} without loss of precision"
            )
        case _ if "int" in spec.dtype and isinstance(value, int) and not isinstance(value, bool):
            limits = np.iinfo(spec.dtype)
            if limits.min <= value <= limits.max:
                return value
            raise RefusedError(f"{where()}: expected {limits.min} to {limits.max} for input {spec}, got {value!r:.80}")
    raise RefusedError(f"{where()}: expected {WORDS[spec.dtype]} for input {spec}, got {value!r:.80}")


def _is_exact(value: float, *, dtype: str) -> bool:
    """Whether a whole number has an exact float of this type, and another one is in its range."""
    limits = np.finfo(dtype)
    if isinstance(value, int):
        return abs(value) < 1 << (int(limits.nmant) + 1)
    return not math.isfinite(value) or abs(value) <= float(limits.max)


def _decoded(text: str, *, where: Callable[[], str]) -> bytes:
    """The bytes of base 64, which may have line breaks in it, and no padding."""
    text = "".join(text.split())
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise RefusedError(f'{where()}["b64"]: not base 64: {error}') from error


def rows_of(outputs: Mapping[str, Tensor]) -> list[Any]:
    """The `predictions`: a value a row for the only output, or an object a row.

    :raises RefusedError: the outputs are not of one number of rows.
    """
    counts = {name: len(tensor) if tensor.ndim else None for name, tensor in outputs.items()}
    if None in counts.values() or len(set(counts.values())) > 1:
        shapes = ", ".join(f'"{name}" {list(tensor.shape)}' for name, tensor in outputs.items())
        raise RefusedError(
            f'the outputs have no common number of rows: {shapes}; ask with "inputs" instead of "instances"'
        )
    columns = {name: json_value(tensor, name=name) for name, tensor in outputs.items()}
    if len(columns) == 1:
        (rows,) = columns.values()
        return list(rows)
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def columns_of(outputs: Mapping[str, Tensor]) -> Any:
    """The `outputs`: the value of the only output, or an object with all."""
    columns = {name: json_value(tensor, name=name) for name, tensor in outputs.items()}
    return next(iter(columns.values())) if len(columns) == 1 else columns


def json_value(tensor: Tensor, *, name: str) -> Any:
    """A tensor as nested lists.

    :raises RefusedError: its type has no JSON.
    """
    if tensor.dtype == np.float32:
        return _shortened(tensor).tolist()
    if tensor.dtype == object:
        write = _encoded if name.endswith(BYTES_SUFFIX) else _text
        texts = np.empty(tensor.shape, dtype=object)
        for position, each in np.ndenumerate(tensor):
            texts[position] = write(each)
        return texts.tolist()
    if tensor.dtype.name not in WORDS:
        raise RefusedError(f'output "{name}": a tensor of {tensor.dtype.name} cannot be written as JSON')
    return tensor.tolist()


def _shortened(tensor: NDArray[np.float32]) -> NDArray[np.float64]:
    """Floats as they are written: of six digits where these say it exactly, else of nine.

    As a double, 0.2 would be 0.20000000298023224.
    """
    short = np.array([float(f"{value:.6g}") for value in tensor.ravel().tolist()], dtype=np.float64)
    short = short.reshape(tensor.shape)
    inexact = np.isfinite(tensor) & (_as_float32(short) != tensor)
    short[inexact] = [float(f"{value:.9g}") for value in tensor[inexact].tolist()]
    return short


def _as_float32(values: NDArray[np.float64]) -> NDArray[np.float32]:
    # Six digits of the greatest float32 are more than it.
    with np.errstate(over="ignore"):
        return values.astype(np.float32)


def _text(value: bytes | str) -> str:
    # The bytes go out as they are, whatever their encoding.
    return value if isinstance(value, str) else value.decode("utf-8", "surrogateescape")


def _encoded(value: bytes | str) -> dict[str, str]:
    raw = value.encode() if isinstance(value, str) else value
    return {"b64": base64.b64encode(raw).decode()}


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and not is_base64(value)


def _names(specs: Mapping[str, TensorSpec]) -> str:
    return ", ".join(f'"{name}"' for name in sorted(specs))


def _indices(path: tuple[int, ...]) -> str:
    return "".join(f"[{index}]" for index in path)
