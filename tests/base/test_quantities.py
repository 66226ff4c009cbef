"""Numbers with units: known answers both ways, and the round trip."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.base.errors import QuantityError
from planner.base.quantities import (
    format_bandwidth,
    format_bytes,
    format_factor,
    format_flop_rate,
    format_flops,
    format_fraction,
    format_params,
    format_percent,
    format_seconds,
    format_significant,
    format_tokens,
    parse_bytes,
    parse_flops,
    parse_params,
    parse_seconds,
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


@pytest.mark.parametrize(
    "text", ["1e9999999T", "1e" + "9" * 30, "0e" + "9" * 30, "1e-9999999T", "1e-" + "9" * 30, "9" * 400 + "B", "0.0e5"]
)
def test_what_no_float_can_hold_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(QuantityError) as caught:
        parse_params(text)
    sentence = 'llm_params: expected a positive number of parameters such as "7B" or 7e9, got '
    assert str(caught.value) == sentence + shown(text)


@pytest.mark.parametrize(
    "value", [10**5000, Fraction(10**5000), Fraction(10**400, 3)], ids=["whole", "whole fraction", "fraction"]
)
def test_a_number_beyond_all_floats_is_refused_in_one_sentence(value: Any) -> None:
    with pytest.raises(QuantityError, match=r"^budget: expected a positive number of FLOPs .* got .{1,60}$"):
        parse_flops(value)
    with pytest.raises(QuantityError, match=r"^images: expected a whole number of at least 1, got .{1,60}$"):
        whole_number(-value, "images", 1)


def test_many_digits_keep_their_value() -> None:
    assert parse_params("9" * 100 + "e-90") == 1e10


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


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("100 ms", 0.1),
        ("0.1 s", 0.1),
        ("0.1", 0.1),
        (0.1, 0.1),
        ("2 min", 120.0),
        ("1.5 h", 5400.0),
        ("3 hours", 10800.0),
        ("250us", 250e-6),
        ("250 µs", 250e-6),
        ("250 μs", 250e-6),
        ("40 ns", 40e-9),
        ("1 second", 1.0),
        ("8.51 ms", 8.51e-3),
        ("100 MS", 0.1),
    ],
)
def test_parse_seconds(value: Any, seconds: float) -> None:
    assert parse_seconds(value) == seconds


@pytest.mark.parametrize(
    ("value", "count"),
    [
        ("24 GiB", 24 * 2**30),
        ("24GB", 24e9),
        ("500 MB", 5e8),
        ("80 gib", 80 * 2**30),
        ("1.5 TiB", 1.5 * 2**40),
        ("2 TB", 2e12),
        ("640 KiB", 640 * 1024),
        ("1 kB", 1e3),
        ("512 MiB", 512 * 2**20),
        ("100 bytes", 100.0),
        ("7 B", 7.0),
        (24e9, 24e9),
        (2**35, 2.0**35),
    ],
)
def test_parse_bytes(value: Any, count: float) -> None:
    assert parse_bytes(value) == count


SECONDS = 'latency: expected a positive number of seconds such as "100 ms" or 0.1, got '
BYTES = 'memory: expected a positive number of bytes such as "24 GiB" or 24e9, got '


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("100 msec", "'100 msec': the unit 'msec' is not known, did you mean 'ms'?"),
        ("5 minuts", "'5 minuts': the unit 'minuts' is not known, did you mean 'minutes'?"),
        ("2 days", "'2 days': the unit 'days' is not known"),
        ("-1 s", "'-1 s'"),
        (0, "0"),
        (None, "None"),
        (True, "True"),
        ("fast", "'fast'"),
    ],
)
def test_a_time_that_cannot_be_read(value: Any, complaint: str) -> None:
    with pytest.raises(QuantityError) as caught:
        parse_seconds(value, "latency")
    assert str(caught.value) == SECONDS + complaint


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("24 G", "'24 G': the unit 'G' is not known, did you mean 'GB'?"),  # of 10^9 or of 2^30? it must be said
        ("24 GiBs", "'24 GiBs': the unit 'GiBs' is not known, did you mean 'GiB'?"),
        ("24 GB/s", "'24 GB/s': 'GB/s' is a rate, memory is a number of bytes"),
        ("inf", "'inf'"),
        (-1, "-1"),
    ],
)
def test_a_size_of_memory_that_cannot_be_read(value: Any, complaint: str) -> None:
    with pytest.raises(QuantityError) as caught:
        parse_bytes(value)
    assert str(caught.value) == BYTES + complaint


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (8.51e-3, "8.51 ms"),
        (0.1, "100 ms"),
        (0.99949, "999 ms"),
        (0.9997, "1 s"),
        (1.234, "1.23 s"),
        (120, "120 s"),
        (999.7, "16.7 min"),
        (3700, "61.7 min"),
        (1e6, "278 h"),
        (3.5e-6, "3.5 µs"),
        (2e-8, "20 ns"),
        (0, "0 s"),
    ],
)
def test_format_seconds(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (81559 * 2**20, "79.6 GiB"),
        (24 * 2**30, "24 GiB"),
        (15.2e9, "14.2 GiB"),
        (1010 * 2**20, "1010 MiB"),
        (1023.9 * 2**20, "1 GiB"),
        (2 * 2**40, "2 TiB"),
        (4e15, "3638 TiB"),
        (512, "512 B"),
        (0, "0 B"),
    ],
)
def test_format_bytes(count: float, text: str) -> None:
    assert format_bytes(count) == text


def test_format_rates() -> None:
    assert format_flop_rate(989.4e12) == "989 TFLOP/s"
    assert format_flop_rate(2.25e15) == "2.25 PFLOP/s"
    assert format_bandwidth(3.35e12) == "3.35 TB/s"
    assert format_bandwidth(864e9) == "864 GB/s"


@settings(max_examples=300, deadline=None)
@given(st.floats(min_value=1e-9, max_value=1e6))
def test_a_formatted_time_reads_back_to_three_digits(seconds: float) -> None:
    assert parse_seconds(format_seconds(seconds)) == pytest.approx(seconds, rel=HALF_OF_THE_THIRD_DIGIT)
    assert format_seconds(parse_seconds(format_seconds(seconds))) == format_seconds(seconds)


@settings(max_examples=300, deadline=None)
@given(st.floats(min_value=1, max_value=1e15))
def test_a_formatted_size_of_memory_reads_back_to_three_digits(count: float) -> None:
    assert parse_bytes(format_bytes(count)) == pytest.approx(count, rel=HALF_OF_THE_THIRD_DIGIT)
    assert format_bytes(parse_bytes(format_bytes(count))) == format_bytes(count)


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 99_999))
def test_a_small_unit_means_the_same_number_as_its_exponent(thousandths: int) -> None:
    digits = f"{thousandths / 1000:g}"
    assert parse_seconds(f"{digits} ms") == float(f"{digits}e-3")
    assert parse_seconds(f"{digits} us") == float(f"{digits}e-6")


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
