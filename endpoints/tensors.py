"""Nested lists as tensors: their shape, their leaves, and back from flat data."""

from collections.abc import Iterator, Sequence
from math import prod

from pydantic import JsonValue


def shape_of(value: JsonValue) -> tuple[int, ...] | None:
    """Lengths of the nested lists from the outside in (`()` for a scalar), or None if they are ragged."""
    if not isinstance(value, list):
        return ()
    inner = {shape_of(item) for item in value}
    if len(inner) > 1 or None in inner:
        return None
    return (len(value), *(inner.pop() or ())) if inner else (0,)


def is_numeric_tensor(value: JsonValue) -> bool:
    """Whether it is a number, or nested lists of numbers that are not ragged or empty."""
    return shape_of(value) is not None and all(type(leaf) in (int, float) for _, leaf in leaves(value))


def leaves(value: JsonValue, path: str = "") -> Iterator[tuple[str, JsonValue]]:
    """Walk through lists and objects: (path, scalar) pairs in row-major order; an empty list or object is a leaf."""
    if isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from leaves(item, f"{path}[{index}]")
    elif isinstance(value, dict) and value:
        for key in sorted(value):
            yield from leaves(value[key], f"{path}.{key}")
    else:
        yield path, value


def reshape(flat: Sequence[JsonValue], shape: Sequence[int]) -> JsonValue:
    """Nest row-major `flat` into `shape`.

    Raises:
        ValueError: the number of items does not fit the shape.

    """
    if len(flat) != prod(shape):
        raise ValueError(f"{len(flat)} values do not fill the shape {list(shape)}")
    if not shape:
        return flat[0]
    width = prod(shape[1:])
    return [reshape(flat[row * width : (row + 1) * width], shape[1:]) for row in range(shape[0])]
