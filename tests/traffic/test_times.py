"""Tables of iteration times against direct calls, for models of every kind; pieces against sums written out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from traffic.planted import Curved, Linear

from planner.configuration import Model, ReleasedModel, Run
from planner.costs.iteration import Iterations
from planner.hardware import find_hardware
from planner.hardware.few_rows import FewRows
from planner.parts.released import find_checkpoint
from planner.traffic.direct import Direct
from planner.traffic.iteration_time import FloatArray, IterationTime
from planner.traffic.pieces import Pieces, TooManyPieces, nodes
from planner.traffic.probes import RELATIVE_ERROR
from planner.traffic.times import times_of

H100 = find_hardware("h100-sxm")
TABLE = FewRows((1, 2, 3, 4, 16, 256), (1.0, 1.1, 1.3, 1.2, 1.25, 1.9))
TABLED = replace(H100, efficiency=replace(H100.efficiency, few_rows={"bf16": TABLE}, overlap=1.3, cache_overlap=1.5))
SEATS, BUDGET, LONGEST = 300, 2048, 3000


def of_checkpoint(name: str) -> Iterations:
    return Iterations(Model.of(find_checkpoint(name).llm, 0), Run.of("h100-sxm"))


KINDS: dict[str, IterationTime] = {
    "dense": Iterations(Model.of("Qwen3-8B", 36), Run.of("h100-sxm")),
    "fp8 on two GPUs": Iterations(Model.of("Qwen3-8B", 36), Run.of("h100-sxm", precision="fp8", tensor_parallel=2)),
    "few rows in a table": Iterations(Model.of("Qwen2.5-7B", 36), Run.of(TABLED)),
    "experts": of_checkpoint("Qwen/Qwen3-VL-30B-A3B-Instruct"),
    "recurrent layers": of_checkpoint("Qwen/Qwen3.5-4B"),
    "convolutions": of_checkpoint("LiquidAI/LFM2.5-VL-1.6B"),
    "windows": of_checkpoint("google/gemma-3-4b-it"),
    "released": Iterations(ReleasedModel.of_checkpoint("Qwen/Qwen2.5-VL-7B-Instruct", "448x448"), Run.of("h100-sxm")),
    "planted": Curved(step_s=5e-3, row_s=1e-5, context_s=1e-7, pair_s=1e-9, head_s=1e-6, image_s=2e-3),
}


@pytest.mark.parametrize("kind", KINDS)
def test_tables_are_direct_calls(kind: str) -> None:
    iteration = KINDS[kind]
    images = 2 if kind in ("released", "planted") else 0
    times, direct = times_of(iteration, SEATS, BUDGET, LONGEST, images), Direct(iteration)
    assert not isinstance(times, Direct)
    random = np.random.default_rng(7)
    for _ in range(40):
        b = int(random.integers(0, SEATS))
        context = int(b * random.uniform(2, LONGEST))
        sizes = random.integers(1, 250, random.integers(1, 6))
        before = random.integers(0, LONGEST - 250, sizes.size) * random.integers(0, 2)
        pairs = float(np.sum(sizes * (before + (sizes + 1) / 2)))
        heads = min(b + int(random.integers(0, sizes.size + 1)), SEATS)
        given = (b, context, int(sizes.sum()), pairs, heads, sizes.size, int(random.integers(0, images + 1)))
        # unlike prompts may stand for one another by less than half a token before them, which reads nothing
        assert times.mixed_s(*given) == pytest.approx(direct.mixed_s(*given), rel=3 * RELATIVE_ERROR)
        if b:
            assert times.decode_s(b, context) == pytest.approx(direct.decode_s(b, context), rel=RELATIVE_ERROR)


def test_short_contexts_bend_where_few_sequences_run() -> None:
    """Pieces of the context are looked for beside few sequences too: here those of seven have a node of their own."""
    short = Iterations(Model.of("Qwen1.5-1.8B", 144), Run.of("l40s"))
    times, direct = times_of(short, 256, 8192, 226), Direct(short)
    assert not isinstance(times, Direct)
    assert times.decode_s(7, 531) == pytest.approx(direct.decode_s(7, 531), rel=RELATIVE_ERROR)


@pytest.mark.parametrize("kind", ["dense", "few rows in a table", "windows", "planted"])
def test_a_leap_is_the_sum_of_its_iterations(kind: str) -> None:
    """Context bends where a window fills and where reading overlaps with a launch: the sum follows it."""
    times, direct = times_of(KINDS[kind], SEATS, BUDGET, LONGEST), Direct(KINDS[kind])
    random = np.random.default_rng(8)
    for _ in range(20):
        b, count = int(random.integers(1, SEATS)), int(random.integers(1, 900))
        context = int(b * random.uniform(2, LONGEST - 900))
        _, wanted = direct.until(b, context, count, np.inf)
        assert times.until(b, context, count, np.inf) == (count, pytest.approx(wanted, rel=RELATIVE_ERROR))
        limit = wanted * random.uniform(0, 1)
        found, seconds = times.until(b, context, count, limit)
        assert seconds >= limit
        assert found == direct.until(b, context, count, limit)[0] or seconds - limit < 1e-5 * limit


def test_whole_prompts_are_asked_for_ahead() -> None:
    """What is asked for in one go is what would be asked for one by one."""
    iteration, random = KINDS["windows"], np.random.default_rng(0)
    times, direct = times_of(iteration, SEATS, BUDGET, LONGEST), Direct(iteration)
    sizes, cached = random.integers(50, 1500, 30), random.integers(0, 1500, 30)
    times.foresee(sizes, cached)
    asked = len(times._alone._known)  # type: ignore[attr-defined]  # of its table
    pairs = sizes * (cached + (sizes + 1) / 2)
    for i in range(29):
        for n in (1, 2):
            given = (0, 0, int(sizes[i : i + n].sum()), float(pairs[i : i + n].sum()), n, n, 0)
            if given[2] <= BUDGET:
                assert times.mixed_s(*given) == pytest.approx(direct.mixed_s(*given), rel=1e-12)
    assert len(times._alone._known) == asked  # type: ignore[attr-defined]  # of its table


@dataclass(frozen=True)
class Jumps(Linear):
    """Takes longer from one context on, as a kernel that reads whole tiles."""

    def seconds(self, decodes: Any = 0.0, context_tokens: Any = 0.0, *rest: Any, **named: Any) -> FloatArray:
        tiles = np.ceil(np.asarray(context_tokens, float) / 64)
        return super().seconds(decodes, context_tokens, *rest, **named) + 1e-4 * tiles * (np.asarray(decodes) > 0)


@dataclass(frozen=True)
class Coupled(Linear):
    """Prompts and decode steps slow each other down."""

    def seconds(
        self, decodes: Any = 0.0, context_tokens: Any = 0.0, prefill_tokens: Any = 0.0, *rest: Any, **named: Any
    ) -> FloatArray:
        both = np.sqrt(np.asarray(decodes, float) * np.asarray(prefill_tokens, float))
        return super().seconds(decodes, context_tokens, prefill_tokens, *rest, **named) + 1e-4 * both


@pytest.mark.parametrize("odd", [Jumps(step_s=1e-3), Coupled(step_s=1e-3)])
def test_what_no_table_stands_for_is_asked_for(odd: Linear) -> None:
    times = times_of(odd, SEATS, BUDGET, LONGEST)
    assert isinstance(times, Direct)
    counted = [float(odd.seconds(3.0, 200.0 + 3 * j, 0.0, 0.0, 3.0)) for j in range(50)]
    assert times.until(3, 200, 50, np.inf) == (50, pytest.approx(sum(counted)))
    assert times.until(3, 200, 50, sum(counted[:20]) - 1e-9) == (20, pytest.approx(sum(counted[:20])))


# ---- pieces ------------------------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    st.lists(st.floats(0.01, 10), min_size=2, max_size=6),
    st.floats(0.0, 30.0),
    st.integers(1, 60),
    st.floats(0.0, 1.2),
)
def test_sums_over_pieces_are_sums(values: list[float], start: float, count: int, share: float) -> None:
    x = [float(7 * i) for i in range(len(values))]
    last = (values[-1] - values[-2]) / 7
    pieces = Pieces(x, values)
    wanted = np.interp(start + np.arange(count), x, values)
    beyond = np.maximum(start + np.arange(count) - x[-1], 0)
    wanted = wanted + last * beyond
    if np.any(wanted <= 1e-3):
        return  # no time
    assert pieces.until(start, count, np.inf) == (count, pytest.approx(float(wanted.sum())))
    limit = share * float(wanted.sum())
    ends = np.cumsum(wanted)
    steps = min(int(np.searchsorted(ends, limit * (1 - 1e-12))) + 1, count)
    found, total = pieces.until(start, count, limit)
    assert abs(found - steps) <= (abs(ends[min(steps, count) - 1] - limit) < 1e-9 * limit)
    assert total == pytest.approx(float(ends[found - 1]))


def test_nodes_keep_the_error() -> None:
    found = nodes(lambda x: np.sqrt(x * x + 1e4)[None], 1.0, 5000.0, 1e-6)
    x = np.linspace(1, 5000, 100_001)
    straight = np.interp(x, found, np.sqrt(found * found + 1e4))
    assert np.max(np.abs(straight / np.sqrt(x * x + 1e4) - 1)) < 1.1e-6
    assert found.size < 1500


def test_a_kink_is_found_wherever_it_stands() -> None:
    found = nodes(lambda x: (5 + np.maximum(x - 95.1, 0))[None], 1.0, 5000.0, 1e-7)
    assert np.min(np.abs(found - 95.1)) < 1e-4
    assert found.size < 60


def test_a_jump_has_no_pieces() -> None:
    with pytest.raises(TooManyPieces):
        nodes(lambda x: (1.0 + (x > 70.3))[None], 1.0, 5000.0, 1e-6)
