"""Numbers with units: known answers both ways, and the round trip."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.errors import QuantityError
from planner.quantities import (
    format_factor,
    format_flops,
    format_fraction,
    format_params,
    format_percent,
    format_significant,
    format_tokens,
    parse_flops,
    parse_params,
    shown,
    whole_number,
)

HALF_OF_THE_THIRD_DIGIT = 5.001e-3  # relative; 1.00 against 1.005

positive = st.floats(min_value=1e-3, max_value=1e24, allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("value", "flops"),
    [
        ("2 TFLOPs", 2e12),
        ("500 GFLOPs", 5e11),
        ("1.5 PFLOPs", 1.5e15),
        ("3 EFLOPs", 3e18),
        ("7 MFLOPs", 7e6),
        ("9 kFLOPs", 9e3),
        ("12 FLOPs", 12.0),
        ("1 FLOP", 1.0),
        ("2T", 2e12),
        ("2e12", 2e12),
        ("1.5e3 GFLOPs", 1.5e12),
        ("1E", 1e18),
        ("1E3", 1e3),
        (".5 TFLOPs", 5e11),
        ("5. GFLOPs", 5e9),
        ("+2 GFLOPs", 2e9),
        ("1_000 GFLOPs", 1e12),
        (2e12, 2e12),
        (2, 2.0),
        (Fraction(1, 2), 0.5),
        (np.float32(0.5), 0.5),
        (np.int64(7), 7.0),
    ],
)
def test_parse_flops(value: Any, flops: float) -> None:
    parsed = parse_flops(value)
    assert parsed == flops
    assert type(parsed) is float


@pytest.mark.parametrize(
    ("value", "params"),
    [
        ("7B", 7e9),
        ("0.5B", 5e8),
        ("135M", 1.35e8),
        ("500k", 5e5),
        ("1.2T", 1.2e12),
        ("7 BParams", 7e9),
        ("135 MParams", 1.35e8),
        ("70000 kparams", 7e7),
        ("7e9", 7e9),
        ("7000000000 params", 7e9),
        (7e9, 7e9),
        (7_000_000_000, 7e9),
    ],
)
def test_parse_params(value: Any, params: float) -> None:
    assert parse_params(value) == params


@pytest.mark.parametrize("text", ["2 tflops", "2 TFLOPS", "2 tFlOpS", "2TFLOP", "2t", "  2   TFLOPs  ", "\t2 T\n"])
def test_case_and_spaces_make_no_difference(text: str) -> None:
    assert parse_flops(text) == 2e12


@pytest.mark.parametrize("text", ["7b", "7B", " 7 B", "7bparams", "7 BPARAMS "])
def test_case_and_spaces_make_no_difference_to_parameters(text: str) -> None:
    assert parse_params(text) == 7e9


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 99_999))
def test_a_unit_means_the_same_number_as_its_exponent(thousandths: int) -> None:
    digits = f"{thousandths / 1000:g}"
    assert parse_params(f"{digits}B") == float(f"{digits}e9")
    assert parse_params(f"{digits}M") == float(f"{digits}e6")
    assert parse_flops(f"{digits} TFLOPs") == float(f"{digits}e12")


@pytest.mark.parametrize(
    ("flops", "text"),
    [
        (1.94e12, "1.94 TFLOPs"),
        (2e12, "2 TFLOPs"),
        (5.004e11, "500 GFLOPs"),
        (9.994e11, "999 GFLOPs"),
        (9.997e11, "1 TFLOPs"),
        (12.0, "12 FLOPs"),
        (3.2e18, "3.2 EFLOPs"),
        (0.0, "0 FLOPs"),
    ],
)
def test_format_flops(flops: float, text: str) -> None:
    assert format_flops(flops) == text


@pytest.mark.parametrize(
    ("params", "text"),
    [
        (7e9, "7B"),
        (5e8, "0.5B"),
        (1.35e8, "135M"),
        (4.94e8, "494M"),
        (7.24e10, "72.4B"),
        (1.2e12, "1.2T"),
        (5e4, "50k"),
        (7.0, "7"),
    ],
)
def test_format_params(params: float, text: str) -> None:
    assert format_params(params) == text


@settings(max_examples=300, deadline=None)
@given(positive)
def test_formatted_flops_read_back_to_three_digits(flops: float) -> None:
    assert parse_flops(format_flops(flops)) == pytest.approx(flops, rel=HALF_OF_THE_THIRD_DIGIT)


@settings(max_examples=300, deadline=None)
@given(positive)
def test_formatted_parameters_read_back_to_three_digits(params: float) -> None:
    assert parse_params(format_params(params)) == pytest.approx(params, rel=HALF_OF_THE_THIRD_DIGIT)


@settings(max_examples=300, deadline=None)
@given(positive)
def test_formatting_twice_changes_nothing_more(number: float) -> None:
    assert format_flops(parse_flops(format_flops(number))) == format_flops(number)
    assert format_params(parse_params(format_params(number))) == format_params(number)


@pytest.mark.parametrize(("value", "whole"), [(0, 0), (576, 576), (3.0, 3), (np.int64(4), 4), (np.float64(5.0), 5)])
def test_whole_number_takes_what_is_whole(value: Any, whole: int) -> None:
    found = whole_number(value, "tokens")
    assert found == whole
    assert type(found) is int


@pytest.mark.parametrize("value", [-1, 2.5, True, False, "3", None, math.nan, math.inf, [1], np.bool_(True)])
def test_whole_number_refuses_what_is_not(value: Any) -> None:
    with pytest.raises(QuantityError, match=r"^tokens: expected a whole number of at least 0, got "):
        whole_number(value, "tokens")


def test_whole_number_keeps_its_minimum() -> None:
    assert whole_number(1, "images", minimum=1) == 1
    with pytest.raises(QuantityError) as caught:
        whole_number(0, "images", minimum=1)
    assert str(caught.value) == "images: expected a whole number of at least 1, got 0"
    assert caught.value.value == 0


@pytest.mark.parametrize(("tokens", "text"), [(576, "576"), (576.0, "576"), (12.14, "12.1"), (0, "0")])
def test_format_tokens(tokens: float, text: str) -> None:
    assert format_tokens(tokens) == text


def test_format_fraction() -> None:
    assert format_fraction(0.47926) == "0.4793"


@pytest.mark.parametrize(
    ("number", "text"), [(0.10106, "0.1011"), (3.1676e-4, "3.168e-04"), (-2e-5, "-2.000e-05"), (0.0, "0"), (1.0, "1")]
)
def test_format_significant(number: float, text: str) -> None:
    assert format_significant(number) == text


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(12, 100, "12 %"), (0.4, 100, "0.4 %"), (0, 100, "0 %"), (1, 1, "100 %"), (3, 2, "150 %"), (0, 0, "0 %")],
)
def test_format_percent(part: float, whole: float, text: str) -> None:
    assert format_percent(part, whole) == text


@pytest.mark.parametrize(("ratio", "text"), [(4.62, "4.6"), (28.8, "29"), (9.94, "9.9"), (9.96, "10")])
def test_format_factor(ratio: float, text: str) -> None:
    assert format_factor(ratio) == text


def test_a_long_foreign_text_is_cut_and_stays_on_one_line() -> None:
    text = shown("x\n" * 1000)
    assert len(text) == 60
    assert text.startswith("'x\\nx\\n")
    assert text.endswith("...")
    assert "\n" not in text


@pytest.mark.parametrize(("value", "text"), [(np.float64(-1.0), "-1.0"), (np.int64(-1), "-1"), ("a", "'a'")])
def test_a_foreign_number_is_shown_without_its_type(value: Any, text: str) -> None:
    assert shown(value) == text
