"""Kubernetes quantities."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.settings.fields import parse_quantity


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        *(("500m", "0.5"), ("2", "2"), ("1.5", "1.5"), (".5", "0.5"), ("1.", "1"), ("0", "0")),
        *(("1k", "1000"), ("1Ki", "1024"), ("2Gi", "2147483648"), ("1e3", "1000"), ("12E", "12e18"), ("1E2", "100")),
    ],
)
def test_a_quantity_is_read_in_whole_units(text: str, amount: str) -> None:
    assert parse_quantity(text) == Decimal(amount)


@pytest.mark.parametrize("text", ["", "lots", "-1", "1 Gi", "1GiB", "1mm", "e3", ".", "1e", "+1", "0x10", "1,5"])
def test_other_text_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="is not a Kubernetes quantity; write an amount like 500m"):
        parse_quantity(text)


@given(st.integers(0, 10**9), st.sampled_from(["Ki", "Mi", "Gi"]))
def test_binary_suffixes_are_powers_of_1024(number: int, suffix: str) -> None:
    power = ("Ki", "Mi", "Gi").index(suffix) + 1
    assert parse_quantity(f"{number}{suffix}") == number * 1024**power
