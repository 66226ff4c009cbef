"""Experts, convolutions and heads that matrix units round up: their times, and that nothing else of theirs changes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from planner.configuration import Run
from planner.costs.flops import walk_flops
from planner.costs.kernels import StageClock
from planner.costs.rates import Rates
from planner.costs.seconds import Clocks
from planner.costs.stage_time import StageTime
from planner.costs.uneven import tiled_rows
from planner.hardware import Hardware, find_hardware
from planner.parts.llms import Experts
from planner.parts.released import find_checkpoint
from planner.parts.walk import Attention, Matmul, Pass

H100 = find_hardware("h100-sxm")
SLOW = Hardware(
    name="slow",
    title="A slow card",
    flops_per_s={"bf16": 1e12, "fp32": 1e11},
    memory_bytes=1e11,
    bandwidth_bytes_per_s=1e15,
)
"""Computes so slowly, and moves so fast, that its times are those of computing."""


def seconds(card: Hardware, *kernels: Any) -> float:
    return float(Clocks.of(card, Run(card, "bf16")).time(kernels).seconds)


def stage(card: Hardware, precision: str, add: Any) -> StageTime:
    clock = StageClock(Rates.of(card, precision))
    add(clock)
    return clock.stage()


# ---- experts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("groups", "mean"), [(1, 300), (128, 100), (8, 1000)])
def test_rows_fill_whole_tiles_on_average(groups: int, mean: int) -> None:
    """Against a count of the tiles of every expert, over all places where its last tile may end."""
    counted = [groups * 64 * math.ceil((mean - 32 + offset) / 64) for offset in range(64)]
    assert tiled_rows(float(groups * mean), float(groups)) == pytest.approx(np.mean(counted), abs=groups)


@pytest.mark.parametrize(
    ("rows", "groups", "computed"),
    [
        (8, 8, 8 * 16),  # one row each: a low tile
        (160, 10, 160 + 80),  # 16 rows each: still low ones, half a tile more on average
        (170, 10, 10 * 64),  # more: high ones, a whole one each
        (131072, 128, 131072 + 128 * 32),
        (0, 0, 0),
    ],
)
def test_every_expert_that_is_met_computes_a_tile(rows: float, groups: float, computed: float) -> None:
    assert tiled_rows(rows, groups) == computed


def test_tiles_take_columns() -> None:
    found = tiled_rows(np.array([[8.0], [131072.0]]), np.array([8.0, 128.0]))
    assert np.asarray(found).tolist() == [[128.0, 128 * 16.0], [131072 + 256.0, 131072 + 128 * 32.0]]


def test_experts_are_timed_by_their_tiles_and_counted_by_their_rows() -> None:
    block = Experts(hidden_size=2048, width=768, experts=128, per_token=8)
    up, down = (one for one in block.walk(Pass(1, 64), 1) if isinstance(one, Matmul) and one.groups is not None)
    met = 128 * (1 - (1 - 8 / 128) ** 64)
    assert up.groups == down.groups == pytest.approx(met, rel=1e-12)
    flops = 2 * 64 * 8 * 3 * 2048 * 768
    assert walk_flops([up, down]) == flops
    computed = flops * (met * 16) / (64 * 8)  # four rows an expert: a tile of 16 each
    expected = computed / (1e12 * SLOW.efficiency.matmul_compute) + 2 * SLOW.efficiency.matmul_overhead_s
    assert seconds(SLOW, up, down) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("precision", ["bf16", "fp8", "int8", "int4", "fp32"])
def test_without_groups_it_is_the_dense_product(precision: str) -> None:
    """Two ways of timing the same product, one of them the one that dense models take."""
    kernel = Matmul(777.0, 4096, 1536, times=3.0)
    one = stage(H100, precision, lambda clock: clock.product(kernel))
    other = stage(H100, precision, lambda clock: clock.matmuls(777.0, [(3.0, 4096, 1536)]))
    for name in ("seconds", "bytes", "compute_s", "bandwidth_s", "overhead_s", "ideal_s"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-12), name


def test_experts_sort_their_tokens() -> None:
    """Three kernels more in each layer: the choice, the sort, the weighted sum."""
    llm = find_checkpoint("Qwen/Qwen3-VL-30B-A3B-Instruct").llm
    launched = sum(np.asarray(one.launches).item() for one in llm.walk(Pass(1, 8)) if hasattr(one, "launches"))
    assert launched == llm.num_layers * (3 + 3)


# ---- heads -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "computed"), [(64, 64), (72, 80), (80, 80), (88, 96), (96, 96), (128, 128), (None, 72)]
)
def test_a_head_is_computed_as_a_multiple_of_16(head: int | None, computed: int) -> None:
    wide = 16 * (head or 72)
    kernel = Attention.bidirectional(27, 1, 4096, wide, head)
    flops = 27 * 4 * 4096 * 4096 * wide
    assert walk_flops([kernel]) == flops
    reached = flops / (1e12 * SLOW.efficiency.attention_compute) * computed / (head or 72)
    expected = reached + 27 * SLOW.efficiency.attention_overhead_s
    assert seconds(SLOW, kernel) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("model", "head"),
    [
        ("Qwen/Qwen3-VL-8B-Instruct", 72),
        ("Qwen/Qwen3-VL-2B-Instruct", 64),
        ("google/gemma-4-31B-it", 72),
        ("Qwen/Qwen2.5-VL-7B-Instruct", 80),
    ],
)
def test_released_towers_know_their_heads(model: str, head: int) -> None:
    checkpoint = find_checkpoint(model)
    walk = list(checkpoint.encoder.tower_walk(checkpoint.rule.see(1024, 768), 1))
    sizes = {one.head_size for one in walk if isinstance(one, Attention)}
    assert sizes == {head}


# ---- convolutions ----------------------------------------------------------------------------------------------------


def test_a_depthwise_convolution_has_no_matrix_unit_and_reads_its_input_once() -> None:
    kernel = Matmul(1000.0, 49, 96, stored=4704, touched=4704, inputs=96.0, depthwise=True)
    flops = 2 * 1000 * 49 * 96
    assert walk_flops([kernel]) == flops
    efficiency = SLOW.efficiency
    expected = flops / (1e11 * efficiency.matmul_compute) + efficiency.matmul_overhead_s
    assert seconds(SLOW, kernel) == pytest.approx(expected, rel=1e-6)
    found = stage(H100, "bf16", lambda clock: clock.product(kernel))
    assert found.bytes == 2 * (1000 * (96 + 96) + 4704)


def test_recorded_towers_read_what_is_there() -> None:
    """FastViTHD's second kernel: 3 x 3 and stride 2 over 512 x 512 x 96, each value read once."""
    checkpoint = find_checkpoint("KamilaMila/FastVLM-0.5B")
    first, second = [
        one for one in checkpoint.encoder.tower_walk(checkpoint.rule.see(1024, 1024), 1) if isinstance(one, Matmul)
    ][:2]
    assert (first.rows * first.inputs, first.depthwise) == (1024 * 1024 * 3, False)
    assert (second.rows * second.inputs, second.depthwise) == (512 * 512 * 96, True)
