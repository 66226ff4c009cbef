"""Measurements before and after a change: planted ratios come back, what differs is named, gates and files hold."""

from __future__ import annotations

import csv
import json
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench.parts import made_up
from support import Run

import planner
from planner.base.errors import InputError, UnknownNameError
from planner.bench.comparing import bootstrap_medians, compare_measurements, ratio_interval
from planner.bench.comparison import SAME
from planner.bench.measurement import Measurement
from planner.bench.samples import Samples
from planner.bench.tidy import COLUMNS, csv_text


def noisy(factor: float = 1.0, seed: int = 0, noise: float = 0.02, count: int = 15, **changes: Any) -> Measurement:
    """A measurement whose every time is so many times as long, each sample with log-normal noise of its own."""
    random = np.random.default_rng(seed)
    one = made_up(**changes)
    samples = {
        name: Samples(tuple(factor * own.median_s * np.exp(noise * random.standard_normal(count))))
        for name, own in one.samples.items()
    }
    return replace(one, samples=samples)


# ---- the interval ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 5, 7, 8, 20])
def test_medians_are_drawn_as_by_resampling(count: int) -> None:
    """Against the literal bootstrap: the same distribution, by quantiles, of 20,000 draws."""
    random = np.random.default_rng(3)
    samples = np.exp(random.standard_normal(count))
    literal = np.median(random.choice(samples, (20_000, count)), axis=1)
    drawn = bootstrap_medians(tuple(samples), random, 20_000)
    for share in (0.025, 0.25, 0.5, 0.75, 0.975):
        here = np.mean(drawn <= np.quantile(literal, share))
        there = np.mean(literal <= np.quantile(literal, share))
        assert here == pytest.approx(there, abs=0.02)  # four standard errors of a share of 20,000


@pytest.mark.parametrize(("count", "least"), [(7, 0.9), (15, 0.93), (50, 0.93)])
def test_the_interval_holds_the_planted_ratio_as_often_as_it_says(count: int, least: float) -> None:
    random = np.random.default_rng(11)
    held = 0
    for _ in range(300):
        before, after = (np.exp(0.05 * random.standard_normal(count)) for _ in range(2))
        low, high = ratio_interval([before], [1.1 * after], random, 2_000)
        held += low <= 1.1 <= high
    assert held / 300 >= least


def test_runs_that_differ_widen_the_interval() -> None:
    """Within a run 0.1 % noise, between runs 3 %: one run knows nothing of it, several do."""
    random = np.random.default_rng(5)

    def runs(count: int) -> list[Any]:
        return [np.exp(0.03 * random.standard_normal() + 0.001 * random.standard_normal(15)) for _ in range(count)]

    one, several = (ratio_interval(runs(count), runs(count), random) for count in (1, 5))
    assert one[1] / one[0] < 1.004
    assert 1.01 < several[1] / several[0] < 1.15
    held = 0
    for _ in range(100):
        low, high = ratio_interval(runs(5), runs(5), random, 1_000)
        held += low <= 1 <= high
    assert held >= 80  # resampling five runs is known to be somewhat narrow


# ---- what is compared ------------------------------------------------------------------------------------------------


def test_planted_ratios_come_back() -> None:
    before, after = noisy(), noisy(1.1, seed=1)
    slower = replace(after.samples["prefill"], seconds=tuple(2 * x for x in after.samples["prefill"].seconds))
    after = replace(after, samples={**after.samples, "prefill": slower}, memory=replace(after.memory, peak_bytes=250))
    (shape,) = compare_measurements(before, after).shapes
    assert shape.title == "Qwen2.5-0.5B with 4 visual tokens, batch 1, 12 query + 3 system + 5 answer tokens"
    for name, planted in (("ttft_s", 1.1), ("tpot_s", 1.1), ("prefill_s", 2.2), ("encoder_s", 1.1)):
        one = shape.change(name)
        assert one.low is not None and one.high is not None
        assert one.low <= planted <= one.high and one.ratio == pytest.approx(planted, rel=0.03)
        assert one.word == "slower" and one.above(0.05) and not one.above(planted)
        assert one.before == before.samples[name.removesuffix("_s")].median_s
    peak = shape.change("peak_memory_bytes")
    assert (peak.ratio, peak.low, peak.word) == (1.25, None, "more") and peak.above(0.2) and not peak.above(0.25)
    back = compare_measurements(after, before).shapes[0].change("prefill_s")
    assert back.word == "faster" and not back.above(0.0)
    with pytest.raises(KeyError, match="nothing is called 'speed'; there are: encoder_s"):
        shape.change("speed")


def test_the_same_is_no_difference_and_memory_is_equal() -> None:
    (shape,) = compare_measurements(noisy(), noisy(seed=1)).shapes
    assert {one.word for one in shape.changes if one.name != "peak_memory_bytes"} == {SAME}
    assert shape.change("peak_memory_bytes").ratio == 1.0
    assert {one.name for one in shape.changes} >= {"ttft_s", "tpot_s", "request_s", "decode_step_s"}


def test_what_is_not_the_same_is_named() -> None:
    before = noisy(environment={"torch": "2.13.0", "threads": 2, "measured_at": "a"})
    after = noisy(
        environment={"torch": "2.14.0", "threads": 1, "measured_at": "b", "cuda": "13"}, model={"precision": "fp32"}
    )
    found = compare_measurements(before, replace(after, mode="compile"))
    told = {one.name: (one.before, one.after) for one in found.unlike}
    assert told == {
        "precision": ("bf16", "fp32"), "mode": ("eager", "compile"), "torch": ("2.13.0", "2.14.0"),
        "threads": ("2", "1"), "cuda": ("None", "13"),
    }  # fmt: skip


def test_only_shared_shapes_are_compared_and_none_is_refused() -> None:
    shared, alone = noisy(batch=8), noisy(model={"visual_tokens": 9})
    found = compare_measurements([shared, alone], noisy(batch=8))
    assert len(found.shapes) == 1 and found.left_out == (
        "only before: Qwen2.5-0.5B with 9 visual tokens, batch 1, 12 query + 3 system + 5 answer tokens",
    )
    said = "before has Qwen2.5-0.5B with 9 .* after has Qwen2.5-0.5B with 4 .*: expected at least one shape in both"
    for other in ({"llm": "Qwen2.5-7B"}, {"compressor": "average-pool"}, {"tensor_parallel": 2}):
        with pytest.raises(InputError, match="expected at least one shape in both"):
            compare_measurements(noisy(), noisy(model=other))
    with pytest.raises(InputError, match=said):
        compare_measurements(alone, noisy())
    with pytest.raises(InputError, match="after: expected measurements, got none"):
        compare_measurements(alone, [])
    with pytest.raises(UnknownNameError, match="ttft_s"):
        compare_measurements(shared, shared, only=["ttft"])


def test_another_precision_is_compared_only_where_that_is_not_ambiguous() -> None:
    both = [noisy(model={"precision": name}) for name in ("bf16", "fp32")]
    assert [one.unlike for one in [compare_measurements(both, both)]] == [()]
    half = noisy(model={"precision": "fp16"})
    assert compare_measurements(both[0], half).unlike[0].name == "precision"
    with pytest.raises(InputError, match="expected at least one shape in both"):
        compare_measurements(both, half)


# ---- on the command line ---------------------------------------------------------------------------------------------


def saved(place: Path, **measured: Measurement) -> list[Path]:
    return [one.save(place / f"{name}.json") for name, one in measured.items()]


def test_the_gate_fails_where_the_lower_end_is_beyond_it(run: Run, tmp_path: Path) -> None:
    before, slow, wide = saved(tmp_path, a=noisy(), b=noisy(1.1, 1), c=noisy(1.06, 2, noise=0.05))
    done = run("compare-measurements", before, slow, "--fail-above", "5%")
    assert done.code == 1
    assert max(map(len, done.out.splitlines())) <= 80
    assert "│ TTFT " in done.out and "slower │" in done.out and "failed: Qwen2.5-0.5B with 4 visual tokens" in done.out
    assert run("compare-measurements", before, slow, "--fail-above", "20%").code == 0
    assert run("compare-measurements", before, slow).code == 0
    found = run("compare-measurements", before, wide, "--fail-above", ".05", "--only", "ttft_s", "--json")
    assert found.code == 0 and found.json["failed"] is False  # 6 % slower, and not beyond doubt
    (only,) = found.json["shapes"][0]["changes"]
    assert only["name"] == "ttft_s" and only["low"] < 1.05 < only["high"]
    assert run("compare-measurements", before, slow, "--fail-above", "much").complaint == (
        "--fail-above: expected a share up to 100, as .15 or 15%, got 'much'"
    )


def test_what_was_not_stable_cannot_fail_the_gate(run: Run, tmp_path: Path) -> None:
    unstable = noisy(1.5, 1)
    hit = replace(unstable.samples["ttft"], waited=0.5)
    before, after = saved(tmp_path, a=noisy(), b=replace(unstable, samples={**unstable.samples, "ttft": hit}))
    done = run("compare-measurements", before, after, "--fail-above", "5%")
    assert done.code == 3 and "advice: after: other programs use the cores" in done.out
    assert "times were unstable, so that nothing is proved" in done.out
    disturbed = replace(unstable, samples={**unstable.samples, "ttft": hit})
    heavy = tmp_path / "heavy.json"  # bytes are exact in any weather
    replace(disturbed, memory=replace(disturbed.memory, peak_bytes=400)).save(heavy)
    done = run("compare-measurements", before, heavy, "--fail-above", "5%", "--junit", tmp_path / "j.xml")
    assert done.code == 1 and "times were unstable, so that the times prove nothing" in done.out
    root = ElementTree.parse(tmp_path / "j.xml").getroot()
    assert [one.get("name") for one in root.iter("testcase") if one.find("failure") is not None] == [
        "peak_memory_bytes"
    ]
    errors = {one.get("name"): one.find("error") for one in root.iter("testcase") if one.find("error") is not None}
    assert "ttft_s" in errors and root.get("errors") == str(len(errors)) and root.get("failures") == "1"
    assert "not measured steadily" in str(errors["ttft_s"].get("message"))  # type: ignore[union-attr]


def test_folders_are_compared_shape_by_shape(run: Run, tmp_path: Path) -> None:
    for side, factor in (("a", 1.0), ("b", 1.2)):
        (tmp_path / side).mkdir()
        for batch in (1, 8):
            noisy(factor, seed=batch, batch=batch).save(tmp_path / side / f"{batch}.json")
    found = run("compare-measurements", tmp_path / "a", tmp_path / "b", "--json").json
    assert [one["title"].split(", ")[1] for one in found["shapes"]] == ["batch 1", "batch 8"]
    law = tmp_path / "law.json"
    planner.load_law("reasoning", "additive").save(law)
    assert "law.json holds no measurement" in run("compare-measurements", law, tmp_path / "a").complaint


def test_junit_says_what_failed(run: Run, tmp_path: Path) -> None:
    before, after = saved(tmp_path, a=noisy(environment={"torch": "1"}), b=noisy(1.1, 1, environment={"torch": "<2>"}))
    file = tmp_path / "junit.xml"
    assert run("compare-measurements", before, after, "--fail-above", "5%", "--junit", file).code == 1
    root = ElementTree.parse(file).getroot()
    (suite,) = root.findall("testsuite")
    cases = suite.findall("testcase")
    failed = [one.get("name") for one in cases if one.find("failure") is not None]
    assert root.get("failures") == suite.get("failures") == str(len(failed)) and int(suite.get("tests", 0)) == len(
        cases
    )
    assert "ttft_s" in failed and "peak_memory_bytes" not in failed
    (version,) = (one for one in suite.iter("property") if one.get("name") == "torch")
    assert version.get("value") == "1 -> <2>"
    assert "already exists" in run("compare-measurements", before, after, "--junit", file).complaint


# ---- CSV -------------------------------------------------------------------------------------------------------------


def test_every_sample_is_a_row_of_the_csv() -> None:
    one, other = noisy(), noisy(batch=8, environment={"threads": 2})
    rows = list(csv.DictReader(csv_text([one, other]).splitlines()))
    assert tuple(rows[0]) == COLUMNS
    prefill = [float(row["value"]) for row in rows if row["quantity"] == "prefill_s" and row["batch"] == "8"]
    assert tuple(prefill) == other.samples["prefill"].seconds
    (peak,) = (row for row in rows if row["quantity"] == "peak_memory_bytes" and row["batch"] == "1")
    assert (float(peak["value"]), peak["sample"], peak["llm"]) == (200.0, "", "Qwen2.5-0.5B")
    timed = sum(len(samples.seconds) for samples in one.samples.values())
    assert sum(row["sample"] != "" for row in rows) == 2 * timed
    assert {row["threads"] for row in rows} == {"", "2"}
    assert json.loads(json.dumps(rows[0]))["query_tokens"] == "12"
