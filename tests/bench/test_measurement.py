"""What follows from a measurement, by hand, and its file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from bench.parts import made_up

from planner.base.errors import InputError, OutputExistsError
from planner.bench.measurement import Measurement, Method
from planner.bench.samples import Samples


def test_derived_numbers_by_hand() -> None:
    one = made_up({"prefill": 2.0, "decode_step": 0.5, "request": 4.0}, batch=8, flops={"prefill": 10**12})
    assert one.requests_per_second == 2.0
    assert one.mfu("prefill") == pytest.approx(8e12 / (2.0 * 1e12))
    assert one.mfu("prefill", peak_flops_per_s=8e12) == pytest.approx(0.5)
    assert one.mfu("query_pass") == 0.0
    assert replace(one, samples={}).mfu("prefill") is None
    one = replace(one, memory=replace(one.memory, decode_read_bytes=10**10))
    assert one.decode_mbu() == pytest.approx(1e10 / (0.5 * 1e11))
    assert one.tpot_s == 2e-3 and one.ttft_s == 1e-2


def test_time_per_token_of_a_request_that_has_no_further_one() -> None:
    one = made_up({"decode_step": 7e-3})
    assert replace(one, samples={k: v for k, v in one.samples.items() if k != "tpot"}).tpot_s == 7e-3


def test_noise_of_preprocessing_is_not_held_against_the_model() -> None:
    noisy = Samples((1.0, 9.0) * 5)
    one = made_up()
    assert replace(one, samples={**one.samples, "preprocess": noisy}).stable
    disturbed = replace(one, samples={**one.samples, "prefill": noisy})
    assert not disturbed.stable and list(disturbed.complaints) == ["prefill"]


def test_round_trip_through_a_file(tmp_path: Path) -> None:
    one = replace(made_up(), slices=(made_up(layers=4), made_up(layers=8)), notes=("said",))
    one.save(tmp_path / "m.json")
    assert Measurement.load(tmp_path / "m.json") == one
    with pytest.raises(OutputExistsError):
        one.save(tmp_path / "m.json")


def test_method_in_words() -> None:
    assert Method(layers=24, layers_measured=(24,)).text == "the whole model, 24 decoder layers, ran"
    assert "4 and 8 decoder layers ran" in Method("slices", 80, (4, 8)).text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": "something"}, "is not a measurement"),
        ({"format_version": 9}, "has format version 9, this vlm-planner reads up to 1: update vlm-planner"),
        ({"samples": {"prefill": {"seconds": []}}}, "samples"),
        ({"workload": {"query_tokens": 1}}, "is damaged"),
        ({"model": None}, "is damaged"),
        ({"batch": "many"}, "is damaged"),
        ({"environment": {"torch": "2.13.0"}}, "environment.device: expected the name of the device, got None"),
    ],
)
def test_damaged_files(tmp_path: Path, change: dict[str, object], said: str) -> None:
    file = tmp_path / "m.json"
    file.write_text(json.dumps(made_up().to_dict() | change))
    with pytest.raises(InputError, match=said):
        Measurement.load(file)


@pytest.mark.parametrize("text", ["", "{", "[]", "3"])
def test_files_that_are_no_measurement(tmp_path: Path, text: str) -> None:
    (tmp_path / "m.json").write_text(text)
    with pytest.raises(InputError):
        Measurement.load(tmp_path / "m.json")
    with pytest.raises(InputError, match="cannot read"):
        Measurement.load(tmp_path / "none.json")
