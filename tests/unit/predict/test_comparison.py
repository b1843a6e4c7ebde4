import copy
import json
import math
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from endpoints.failures import WrongShape, WrongValue
from endpoints.tensors import leaves
from predict.comparison import compare

NUMBERS = st.one_of(st.integers(), st.floats())
SCALARS = st.one_of(NUMBERS, st.text(max_size=5), st.booleans(), st.none())
PREDICTIONS = st.lists(
    st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4), max_leaves=12), min_size=1, max_size=5
)
MODERATE = st.floats(-1e6, 1e6)
MATRIX = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(MODERATE, min_size=width, max_size=width), min_size=1)
)


def compared(expected: Any, got: Any, tolerance: float = 1e-6) -> WrongShape | WrongValue | None:
    return compare(expected=expected, got=got, tolerance=tolerance)


@given(PREDICTIONS)
@example([math.nan, [math.nan, math.inf, -math.inf]])
@example([1, True, "1", None, []])
def test_anything_equals_itself_through_json(predictions: list[Any]) -> None:
    assert compared(predictions, json.loads(json.dumps(predictions)), tolerance=0) is None


@given(MATRIX, st.data(), st.floats(1e-9, 1e3), st.sampled_from([-1, 1]))
def test_one_number_beyond_the_tolerance_is_found(
    rows: list[Any], data: st.DataObject, tolerance: float, sign: int
) -> None:
    got = copy.deepcopy(rows)
    row = data.draw(st.integers(0, len(rows) - 1))
    column = data.draw(st.integers(0, len(rows[0]) - 1))
    got[row][column] += sign * 2 * tolerance
    assume(abs(got[row][column] - rows[row][column]) > tolerance)  # the sum may round the change away
    wrong = compared(rows, got, tolerance)
    assert isinstance(wrong, WrongValue)
    assert wrong.where == f"predictions[{row}][{column}]"


@given(MATRIX, st.floats(1e-3, 1e3))
def test_every_number_within_the_tolerance_passes(rows: list[Any], tolerance: float) -> None:
    assert compared(rows, [[number + tolerance / 2 for number in row] for row in rows], tolerance) is None


@given(PREDICTIONS, SCALARS)
def test_one_prediction_more_or_less_is_a_wrong_shape(predictions: list[Any], extra: Any) -> None:
    assert isinstance(compared(predictions, [*predictions, extra]), WrongShape)
    assert isinstance(compared([*predictions, extra], predictions), WrongShape)


@given(st.lists(st.integers(-(2**53), 2**53), min_size=1))
def test_integers_equal_floats_of_the_same_value(numbers: list[int]) -> None:
    assert compared(numbers, [float(number) for number in numbers], tolerance=0) is None


@given(PREDICTIONS, PREDICTIONS)
def test_equality_is_symmetric(left: list[Any], right: list[Any]) -> None:
    assert type(compared(left, right)) is type(compared(right, left))


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        ([1], [True]),
        ([0.0], [math.nan]),
        ([math.nan], [0.0]),
        ([math.inf], [-math.inf]),
        ([1e308], [10**400]),
        ([10**400], [10**400 + 1]),
        (["cat"], ["dog"]),
        (["1"], [1]),
        ([None], [0]),
        ([{"label": "cat", "score": 0.9}], [{"label": "cat", "score": 0.8}]),
    ],
)
def test_different_values(expected: list[Any], got: list[Any]) -> None:
    wrong = compared(expected, got, tolerance=1e-6)
    assert isinstance(wrong, WrongValue)
    assert wrong.expected == repr(expected) if len(repr(expected)) < 300 else wrong.expected.endswith("…")


@pytest.mark.parametrize(
    ("expected", "got", "shapes"),
    [
        ([1, 0], [1, 0, 1], ("2", "3")),
        ([1, 0], [[0.8, 0.2], [0.3, 0.7]], ("2", "2 × 2")),
        ([[0.8, 0.2]], [[0.5, 0.3, 0.2]], ("1 × 2", "1 × 3")),
        ([[1, 2], [3, 4]], [[1], [2, 3, 4]], ("2 × 2", "2 × ?")),
        ([[]], [[[]]], ("1 × 0", "1 × 1 × 0")),
        ([{"label": "cat"}], [{"name": "cat"}], ("1", "1")),
    ],
)
def test_different_shapes(expected: list[Any], got: list[Any], shapes: tuple[str, str]) -> None:
    wrong = compared(expected, got)
    assert isinstance(wrong, WrongShape)
    assert (wrong.expected_shape, wrong.got_shape) == shapes


def test_the_largest_difference_is_the_one_named() -> None:
    wrong = compared([0.823, 0.177], [0.822, 0.577])
    assert isinstance(wrong, WrongValue)
    assert (wrong.difference, wrong.where) == ("0.4", "predictions[1]")
    label = compared([1, "cat"], [2, "dog"])
    assert isinstance(label, WrongValue)
    assert label.difference == "'cat' ≠ 'dog'"


def test_leaf_order_does_not_hide_a_difference() -> None:
    assert [path for path, _ in leaves([[1], 2])] != [path for path, _ in leaves([1, [2]])]
    assert isinstance(compared([[1], 2], [1, [2]]), WrongShape)
