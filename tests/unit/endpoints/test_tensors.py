import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from endpoints.tensors import leaves, reshape, shape_of


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        (3, ()),
        ("cat", ()),
        ([], (0,)),
        ([1, 2], (2,)),
        ([[1, 2, 3], [4, 5, 6]], (2, 3)),
        ([[1], [2, 3]], None),
        ([1, [2]], None),
    ],
)
def test_shape(value: JsonValue, shape: tuple[int, ...] | None) -> None:
    assert shape_of(value) == shape


def test_leaves_carry_their_path() -> None:
    assert list(leaves([[1, 2], {"b": [], "a": "x"}])) == [("[0][0]", 1), ("[0][1]", 2), ("[1].a", "x"), ("[1].b", [])]


@given(st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple), st.data())
def test_reshape_inverts_flattening(shape: tuple[int, ...], data: st.DataObject) -> None:
    size = 1
    for length in shape:
        size *= length
    flat = data.draw(st.lists(st.integers(), min_size=size, max_size=size))
    nested = reshape(flat, shape)
    assert shape_of(nested) == shape
    assert [leaf for _, leaf in leaves(nested)] == flat


def test_reshape_refuses_what_does_not_fill_the_shape() -> None:
    with pytest.raises(ValueError, match=r"3 values do not fill the shape \[2, 2\]"):
        reshape([1, 2, 3], [2, 2])
