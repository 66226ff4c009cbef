"""Products of few rows: a card with a table against the same sums written out, and a card without one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from planner.configuration import Model, Run
from planner.costs.kernels import StageClock
from planner.costs.latency import latency
from planner.costs.rates import Rates
from planner.costs.seconds import Clocks
from planner.costs.stages import Workload
from planner.hardware import Hardware
from planner.hardware.efficiency import Efficiency
from planner.hardware.few_rows import FewRows
from planner.parts.catalog import find_llms
from planner.parts.walk import Matmul

TABLE = FewRows((1, 2, 3, 4, 8, 32), (1.0, 2.1, 3.2, 2.0, 2.4, 5.0))
PLAIN = Hardware(
    name="slow",
    title="Slow",
    flops_per_s={"fp32": 2e11, "bf16": 4e11, "fp8": 8e11},
    memory_bytes=2**36,
    bandwidth_bytes_per_s=4e10,
    efficiency=Efficiency(overlap=1.0),
)
CARD = replace(PLAIN, efficiency=replace(PLAIN.efficiency, few_rows={"fp32": TABLE}))
SHAPES = ((2.0, 512.0, 1024.0), (1.0, 2048.0, 512.0))


def seconds(card: Hardware, rows: object, shapes: tuple[tuple[float, ...], ...] = SHAPES) -> np.ndarray:
    clock = StageClock(Rates.of(card, "fp32"))
    clock.matmuls(np.asarray(rows, float), shapes)
    return np.asarray(clock.stage().seconds)


def test_few_rows_take_what_the_table_says() -> None:
    e = CARD.efficiency
    weights = sum(times * k * n for times, k, n in SHAPES) * 4
    read = weights / (4e10 * e.matmul_bandwidth)
    for rows, growth in zip((1, 2, 3, 4, 6, 8, 32), (1.0, 2.1, 3.2, 2.0, 2.2, 2.4, 5.0), strict=True):
        assert seconds(CARD, rows) == pytest.approx(growth * read + 3 * e.matmul_overhead_s, rel=1e-12)
    assert seconds(CARD, 3) > seconds(CARD, 4)


def test_beyond_the_table_the_roofline_goes_on_without_a_step() -> None:
    last, behind = seconds(CARD, 32), seconds(CARD, 32 + 1e-9)
    assert behind == pytest.approx(last, rel=1e-9)
    grown = seconds(CARD, [64, 500]) - last
    assert grown == pytest.approx(seconds(PLAIN, [64, 500]) - seconds(PLAIN, 32), rel=1e-9)


def test_nothing_is_faster_than_its_computing() -> None:
    """A table that ends far below the roofline does not make large products faster than the peak."""
    low = FewRows((1, 64), (1.0, 1.001))
    card = replace(PLAIN, efficiency=replace(PLAIN.efficiency, few_rows={"fp32": low}))
    flops = sum(2 * times * k * n for times, k, n in SHAPES)
    assert seconds(card, 4096) >= 4096 * flops / (2e11 * card.efficiency.matmul_compute)


def test_an_array_of_rows_is_timed_as_each_of_them() -> None:
    rows = np.array([[1.0, 2.5, 7.0], [32.0, 33.0, 4000.0]])
    each = [[float(seconds(CARD, one)) for one in line] for line in rows]
    assert seconds(CARD, rows) == pytest.approx(np.array(each), rel=1e-12)


def test_a_card_without_a_table_and_other_precisions_stay_as_they_were() -> None:
    model, run = Model.of("Qwen2.5-0.5B", 36), Run(CARD, "bf16", batch=3)
    load = Workload(50, 16)
    assert latency(model, load, run).tpot_s == latency(model, load, replace(run, hardware=PLAIN)).tpot_s
    own, plain = (latency(model, load, Run(card, "fp32", batch=3)) for card in (CARD, PLAIN))
    assert own.tpot_s > plain.tpot_s
    assert own.decode_step.bytes == plain.decode_step.bytes
    assert own.decode_step.ideal_s == plain.decode_step.ideal_s


def test_borrowed_weights_are_no_matter_of_the_table() -> None:
    borrowed = ((3.0, 512.0, 4.0, 0.0),)
    assert seconds(CARD, 3, borrowed) == seconds(PLAIN, 3, borrowed)
    both = (*SHAPES, *borrowed)
    assert seconds(CARD, 3, both) == pytest.approx(seconds(CARD, 3) + seconds(PLAIN, 3, borrowed), rel=1e-12)


def test_each_expert_has_rows_of_its_own() -> None:
    """24 rows over 8 experts are 3 each: what the table says of three rows, for the weights of 8 experts."""
    e, kernel = CARD.efficiency, Matmul(24.0, 512.0, 256.0, times=5.0, touched=8 * 512.0 * 256.0, groups=8.0)
    clock = StageClock(Rates.of(CARD, "fp32"))
    clock.product(kernel)
    read = 5 * 8 * 512 * 256 * 4 / (4e10 * e.matmul_bandwidth)
    assert clock.stage().seconds == pytest.approx(3.2 * read + 5 * e.matmul_overhead_s, rel=1e-12)
    far, near = StageClock(Rates.of(CARD, "fp32")), StageClock(Rates.of(PLAIN, "fp32"))
    for one in (far, near):
        one.product(replace(kernel, rows=8 * 5000.0))
    assert far.stage().seconds == pytest.approx(float(near.stage().seconds), rel=0.05)


def test_convolutions_have_no_table() -> None:
    kernel = Matmul(9.0, 27.0, 64.0, inputs=3.0)
    for one, other in ((StageClock(Rates.of(CARD, "fp32")), StageClock(Rates.of(PLAIN, "fp32"))),):
        one.product(kernel)
        other.product(kernel)
        assert one.stage() == other.stage()


def test_candidates_side_by_side_take_what_each_takes() -> None:
    from planner.parts.llms.base import stacked
    from planner.parts.walk import Pass

    llms = find_llms(["Qwen2.5-0.5B", "Qwen2.5-7B"])
    batch = np.array([1.0, 3.0, 40.0])
    clocks = Clocks.of(CARD, Run(CARD, "fp32"))
    todo = Pass(batch, 1.0, 100.0, logits=True, step=True)
    found = np.asarray(clocks.time(stacked(llms).walk(todo)).seconds)
    for place, llm in enumerate(llms):
        for column, one in enumerate(batch):
            alone = clocks.time(llm.walk(replace(todo, sequences=float(one)))).seconds
            assert found[place, column] == pytest.approx(float(alone), rel=1e-12)
