"""Compares predictions by value: shape first, then every number within the tolerance, every label exactly."""

import math

from pydantic import JsonValue

from endpoints.failures import WrongShape, WrongValue, one_line
from endpoints.tensors import leaves, shape_of


def within(expected: JsonValue, got: JsonValue) -> JsonValue:
    """`got` without the fields of objects that `expected` does not have."""
    if isinstance(expected, dict) and isinstance(got, dict):
        return {name: within(expected[name], value) for name, value in got.items() if name in expected}
    if isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        return [within(want, answer) for want, answer in zip(expected, got, strict=True)]
    return got


def compare(
    *, expected: JsonValue, got: JsonValue, tolerance: float, what: str = "predictions"
) -> WrongShape | WrongValue | None:
    """How `got` differs from `expected`; None if each number is within `tolerance` (absolute), NaN matching NaN.

    An integer equals the float of the same value; a boolean equals only a boolean. `what` names the value in a failure.
    """
    wanted, answered = list(leaves(expected)), list(leaves(got))
    shown = {"expected": one_line(repr(expected)), "got": one_line(repr(got))}
    if [path for path, _ in wanted] != [path for path, _ in answered]:
        return WrongShape(expected_shape=_describe(expected), got_shape=_describe(got), **shown)
    distances = [_distance(want, answer) for (_, want), (_, answer) in zip(wanted, answered, strict=True)]
    worst = max(range(len(distances)), key=distances.__getitem__)
    if distances[worst] <= tolerance:
        return None
    where, want = wanted[worst]
    amount = f"{distances[worst]:.6g}" if math.isfinite(distances[worst]) else f"{want!r} ≠ {answered[worst][1]!r}"
    return WrongValue(difference=one_line(amount), where=f"{what}{where}", tolerance=tolerance, **shown)


def _distance(want: JsonValue, answer: JsonValue) -> float:
    """Distance of two leaves: 0 if equal, infinite if they are not both numbers."""
    if isinstance(want, bool) or isinstance(answer, bool):
        return 0.0 if want is answer else math.inf
    if not (isinstance(want, int | float) and isinstance(answer, int | float)):
        return 0.0 if want == answer else math.inf
    if want == answer:
        return 0.0
    try:
        if math.isnan(want) and math.isnan(answer):
            return 0.0
        distance = float(abs(want - answer))
    except OverflowError:  # integers beyond the range of a float
        return math.inf
    return math.inf if math.isnan(distance) else distance


def _describe(predictions: JsonValue) -> str:
    """Shape for a message: number of predictions × width of a row, `?` where rows differ; of an object, its fields."""
    if isinstance(predictions, dict):
        return f"{{{', '.join(sorted(predictions))}}}"
    if not isinstance(predictions, list):
        return "1"
    shape = shape_of(predictions)
    return f"{len(predictions)} × ?" if shape is None else " × ".join(map(str, shape))
