"""Quantities: the notation of resource.Quantity, as exact numbers."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cijob_api.quantities import parse


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", "0"),
        ("2", "2"),
        ("0.5", "0.5"),
        ("100m", "0.1"),
        ("1k", "1000"),
        ("1M", "1000000"),
        ("1Ki", "1024"),
        ("1.5Gi", "1610612736"),
        ("1Ei", "1152921504606846976"),
    ],
)
def test_a_quantity_is_an_exact_number(text: str, number: str) -> None:
    assert parse(text) == Decimal(number)


@pytest.mark.parametrize("text", ["", "lots", "-1", "1 Gi", "1gi", "1K", "1e3", ".5", "1Gi "])
def test_what_is_no_quantity_is_named_with_a_way_out(text: str) -> None:
    with pytest.raises(ValueError, match="is no quantity; write it like 500m"):
        parse(text)


@given(st.integers(min_value=0, max_value=10**6))
def test_a_thousand_thousandths_are_one(count: int) -> None:
    assert parse(f"{count * 1000}m") == parse(str(count))


@given(st.integers(min_value=0, max_value=10**6), st.integers(min_value=0, max_value=10**6))
def test_quantities_compare_as_numbers_do(one: int, other: int) -> None:
    assert (parse(f"{one}Mi") < parse(f"{other}Mi")) == (one < other)
