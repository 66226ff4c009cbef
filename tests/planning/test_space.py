"""The table of all candidates against costs of one candidate at a time, and its Pareto front against brute force."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planning.one_at_a_time import Setting, Way, way_of, ways_of_table

from planner.base.errors import InputError
from planner.configuration import PROMPT_ORDERS
from planner.costs.stages import Workload
from planner.laws.fitted import FittedLaw
from planner.laws.shipped import load_law
from planner.parts.catalog import llm_catalog
from planner.planning.request import Budget
from planner.planning.result import Plan
from planner.planning.search import plan
from planner.planning.table import CandidateTable

WIDE = Setting(
    llms=("Qwen2.5-0.5B", "Qwen2.5-7B", "Phi-2"),
    compressors=("quecc", "average-pool", "none"),
    towers=("CLIP-ViT-L/14-336", "SigLIP-B/16-224"),
    prompt_orders=PROMPT_ORDERS,
    precisions=("bf16", "int4"),
    tensor_parallel=(1, 2),
    batches=(1, 8),
    visual_tokens=None,
    gpus=4,
    exponents=(0.1, 0.08, 0.05),
)
EVERYTHING = {"flops": 1e18}


@pytest.mark.parametrize(
    "setting",
    [
        WIDE,
        replace(WIDE, hardware="h100-sxm", workload=Workload(30, 1, 200, 12, 2), gpus=None, kv_precision="fp8"),
        replace(WIDE, hardware="t4", precisions=("fp16", "int8"), convention="torch", price_per_hour=None),
        replace(WIDE, hardware=None, convention="paper", price_per_hour=None, gpus=None, workload=Workload(9, 0)),
    ],
    ids=["l4", "h100 and long requests", "t4 and torch count", "no hardware"],
)
def test_every_quantity_is_that_of_the_candidate_alone(setting: Setting) -> None:
    result = setting.plan(EVERYTHING)
    table = result.table
    alone = {row.way: row for row in setting.rows()}
    found = ways_of_table(result)
    assert len(found) == len(alone) == result.candidates_count
    assert set(found) == set(alone)
    names = next(iter(alone.values())).quantities
    assert set(table.quantities) == set(names)
    for name, column in table.quantities.items():
        np.testing.assert_allclose(column, [alone[way].quantities[name] for way in found], rtol=1e-12, err_msg=name)
    np.testing.assert_allclose(table.predicted_error, [alone[way].error for way in found], rtol=1e-12)


def test_a_candidate_holds_the_numbers_of_its_row() -> None:
    result = WIDE.plan(EVERYTHING | {"requests_per_second": 1.0})
    rows = {way: row for row, way in enumerate(ways_of_table(result))}
    for one in (result.best, *result.runners_up, *result.frontier, *result.best_of_each):
        row = rows[way_of(one)]
        assert one.predicted_error == result.table.predicted_error[row]
        assert dict(one.quantities) == {name: column[row] for name, column in result.table.quantities.items()}
        assert one.total_flops == one.quantities["total_flops"]
        assert one.memory.peak == one.quantities["peak_memory_bytes"]
        assert one.latency is not None
        assert one.latency.ttft_s == pytest.approx(one.quantities["ttft_s"], rel=1e-14)
        assert one.latency.batch == one.batch
        assert result.table.fits[row]


def test_frame_has_a_row_for_each_candidate_best_first() -> None:
    result = WIDE.plan({"ttft_s": 0.4, "requests_per_second": 3.0})
    frame = result.to_frame()
    fits = frame["fits"].to_numpy()
    assert len(frame) == len(result.table)
    assert 0 < fits.sum() == result.fitting_count < len(frame)
    assert fits.tolist() == sorted(fits, reverse=True)
    for part in (frame[fits], frame[~fits]):
        assert part["predicted_error"].is_monotonic_increasing
    assert frame["predicted_error"].iloc[0] == result.best.predicted_error
    ways = ["llm", "visual_tokens", "compressor", "vision", "prompt_order", "precision", "tensor_parallel", "batch"]
    assert {Way(*row) for row in frame[ways].itertuples(index=False)} == set(ways_of_table(result))
    table_ways = ways_of_table(result)
    assert [Way(*row) for row in frame[ways].itertuples(index=False)] == [table_ways[row] for row in frame.index]
    assert frame["visual_tokens"].dtype.kind == "i"
    assert set(frame["llm_params"]) == {llm_catalog()[name].nominal_params for name in WIDE.llms}


def test_first_row_of_the_frame_is_the_pick() -> None:
    result = WIDE.plan({"ttft_s": 0.4, "requests_per_second": 3.0})
    ways = ["llm", "visual_tokens", "compressor", "vision", "prompt_order", "precision", "tensor_parallel", "batch"]
    assert Way(*result.to_frame()[ways].iloc[0]) == way_of(result.best)


def test_gpus_are_shared_out_in_whole_replicas() -> None:
    setting = replace(WIDE, tensor_parallel=(1, 2, 4, 8), gpus=6)
    result = setting.plan(EVERYTHING)
    table = result.table
    assert set(table.tensor_parallel) == {1, 2, 4}  # 8 are not there
    rates, seconds = table.quantities["requests_per_second"], table.quantities["request_s"]
    for gpus, replicas in ((1, 6), (2, 3), (4, 1)):
        rows = table.tensor_parallel == gpus
        np.testing.assert_allclose(rates[rows], replicas * table.batch[rows] / seconds[rows], rtol=1e-12)


def test_heads_that_cannot_be_shared_are_never_picked() -> None:
    """Qwen2.5-0.5B has 14 heads, Qwen2.5-7B 28: four GPUs can share the second."""
    setting = Setting(llms=("Qwen2.5-0.5B", "Qwen2.5-7B"), tensor_parallel=(4,))
    result = setting.plan(EVERYTHING)
    assert {result.table.llms[i].name for i in result.table.llm_index[result.table.fits]} == {"Qwen2.5-7B"}
    assert not result.table.fits[result.table.llm_index == 0].any()


# ---- laws by compressor ------------------------------------------------------------------------------------------


def test_each_compressor_has_its_own_law() -> None:
    setting = Setting(llms=("Qwen2.5-3B",), compressors=("quecc", "average-pool"), exponents=(0.05, 0.2))
    result = setting.plan(EVERYTHING)
    errors = dict(zip(ways_of_table(result), result.table.predicted_error, strict=True))
    for way, error in errors.items():
        law = setting.law(way.compressor)
        assert error == pytest.approx(float(law.predict(3e9, way.visual_tokens)), rel=1e-12)
    assert result.best.compressor.name == "average-pool"
    assert result.law == setting.law("average-pool")
    assert [one.compressor.name for one in result.best_of_each] == ["average-pool", "quecc"]


def test_a_law_for_a_compressor_that_is_not_tried_is_not_asked_for() -> None:
    setting = Setting(llms=("Qwen2.5-3B",), compressors=("quecc", "average-pool"))
    laws = {name: setting.law(name) for name in setting.compressors}
    options = {"budget": "9 TFLOPs", "query_tokens": 50, "generated_tokens": 32, "llms": "Qwen2.5-3B"}
    result = plan(laws, compressor="average-pool", **options)
    assert result.law == laws["average-pool"]
    assert result.best.compressor.name == "average-pool"
    assert result.best_of_each == ()


def test_laws_may_be_shipped_ones_by_name() -> None:
    result = plan(
        {"QueCC": "reasoning", "average-pool": "ocr"},
        budget="2 TFLOPs",
        query_tokens=50,
        generated_tokens=32,
        compressor=["quecc", "average-pool"],
    )
    assert {one.compressor.name for one in result.best_of_each} == {"quecc", "average-pool"}
    assert result.law.name in ("reasoning", "ocr")


def test_a_plan_holds_the_law_of_each_compressor() -> None:
    law = FittedLaw.given("log-linear", {"c0": 0.6, "c1": 0.04, "c2": 0.01}, llms=("Qwen2.5-7B",))
    own = {"quecc": "reasoning", "none": "ocr", "average-pool": law, "tokenpacker": "ocr"}
    several = plan(own, budget="9 TFLOPs", query_tokens=50, generated_tokens=32, compressor=["quecc", "average-pool"])
    assert list(several.laws) == ["quecc", "average-pool"]
    assert several.laws["quecc"].name == "reasoning"
    assert several.laws["average-pool"] is law
    assert several.law is several.laws[several.best.compressor.name]
    content = several.to_dict()
    assert content["law_files"] == {name: one.to_dict() for name, one in several.laws.items()}
    assert content["law_file"] == several.law.to_dict()
    assert content["inputs"]["one_law"] is False


def test_equal_laws_are_one_law() -> None:
    """Two laws are compared as if their runs were independent; two copies of one have the same runs."""
    law = load_law("ocr")
    options = {"query_tokens": 50, "generated_tokens": 32, "compressor": ["quecc", "average-pool"]}
    one = plan(law, budget="4 TFLOPs", **options)
    copies = plan({"quecc": replace(law), "average-pool": replace(law)}, budget="4 TFLOPs", **options)
    assert copies.laws["quecc"] is copies.laws["average-pool"]
    assert copies.to_dict() == one.to_dict()
    assert len(one.tied) > 1
    assert one.to_dict()["inputs"]["one_law"] is True
    assert "law_files" not in one.to_dict()


def test_a_compressor_without_a_law_is_refused() -> None:
    law = FittedLaw.given("log-linear", {"c0": 0.6, "c1": 0.04, "c2": 0.01}, llms=("Qwen2.5-7B",))
    with pytest.raises(InputError) as caught:
        plan(
            {"quecc": law},
            budget="2 TFLOPs",
            query_tokens=50,
            generated_tokens=32,
            compressor=["quecc", "none", "tokenpacker"],
        )
    assert str(caught.value) == "law: laws are given for quecc, none for the compressor none, tokenpacker"


# ---- axes --------------------------------------------------------------------------------------------------------


def refused(**options: object) -> str:
    with pytest.raises(InputError) as caught:
        plan(budget="2 TFLOPs", query_tokens=50, generated_tokens=32, **options)
    return str(caught.value)


def test_of_several_compressors_each_takes_the_visual_tokens_that_it_can_make() -> None:
    setting = Setting(llms=("Qwen2.5-3B",), compressors=("quecc", "none"), visual_tokens=(16, 576))
    found = {(way.compressor, way.visual_tokens) for way in ways_of_table(setting.plan(EVERYTHING))}
    assert found == {("quecc", 16), ("quecc", 576), ("none", 576)}


def test_visual_tokens_of_no_compressor_or_tower_are_refused() -> None:
    assert refused(visual_tokens=[16, 25], compressor=["quecc", "average-pool"]) == (
        "QueCC cannot make 25 visual tokens from the 24 x 24 patches of CLIP-ViT-L/14-336; "
        "it can make 1, 4, 9, 16, 36, 64, 144, 576"
    )
    assert refused(visual_tokens=[16], compressor=["quecc", "none"]) == (
        "none can make none of the visual tokens asked for from CLIP-ViT-L/14-336; it makes 576"
    )


def test_one_of_each_way_to_run_is_listed_among_the_runners_up() -> None:
    result = WIDE.plan(EVERYTHING)
    models = [(one.compressor.name, one.vision.name, one.llm.name, one.visual_tokens) for one in result.runners_up]
    models.append(
        (result.best.compressor.name, result.best.vision.name, result.best.llm.name, result.best.visual_tokens)
    )
    assert len(set(models)) == len(models) == 6


@pytest.mark.parametrize("axis", ["compressor", "vision", "prompt_order"])
def test_an_empty_choice_is_refused(axis: str) -> None:
    assert axis in refused(llms="qwen1.5", **{axis: []})


# ---- Pareto front of several quantities --------------------------------------------------------------------------


def table_of(points: np.ndarray, names: tuple[str, ...], fits: np.ndarray) -> CandidateTable:
    """A table whose last column of points is the error."""
    rows = len(points)
    zeros = np.zeros(rows, int)
    return CandidateTable(
        llms=(llm_catalog()["Phi-2"],),
        llm_index=zeros,
        visual_tokens=np.ones(rows),
        predicted_error=points[:, -1],
        fits=fits,
        quantities={name: points[:, i] for i, name in enumerate(names)},
        setups=({"compressor": "quecc"},),
        setup_index=zeros,
        tensor_parallel=zeros + 1,
        batch=zeros + 1,
    )


def dominated(points: np.ndarray, row: int, rows: list[int]) -> bool:
    """Whether another row equals or beats it in everything; of exact twins the first stays."""
    for other in rows:
        if other != row and (points[other] <= points[row]).all():
            twin = (points[other] == points[row]).all()
            if not twin or other < row:
                return True
    return False


@settings(deadline=None, max_examples=150)
@given(
    st.integers(1, 3).flatmap(
        lambda width: st.lists(st.tuples(*[st.integers(0, 5)] * (width + 1), st.booleans()), min_size=1, max_size=40)
    ),
    st.booleans(),
)
def test_pareto_equals_brute_force(rows: list[tuple[int, ...]], rate: bool) -> None:
    points = np.array([row[:-1] for row in rows], float)
    fits = np.array([row[-1] for row in rows], bool)
    names = ("total_flops", "ttft_s", "peak_memory_bytes")[: points.shape[1] - 1]
    if rate:
        names = (*names[:-1], "requests_per_second")
    found = table_of(points, names, fits).pareto(*names)
    signed = points.copy()
    if rate:
        signed[:, len(names) - 1] *= -1  # more is better
    fitting = [row for row in range(len(rows)) if fits[row]]
    assert sorted(found) == [row for row in fitting if not dominated(signed, row, fitting)]
    first = signed[found, 0]
    assert first.tolist() == sorted(first)


def test_pareto_of_a_plan_holds_its_pick() -> None:
    result: Plan = WIDE.plan({"ttft_s": 1.0, "requests_per_second": 1.0})
    for names in (("total_flops",), ("ttft_s", "peak_memory_bytes"), ("total_flops", "ttft_s", "requests_per_second")):
        rows = result.table.pareto(*names)
        assert result.best.predicted_error == result.table.predicted_error[rows].min()
        assert result.table.fits[rows].all()
    along = result.table.pareto(result.limits[0].limit.column)
    ways = ways_of_table(result)
    assert [result.table.predicted_error[row] for row in along] == [one.predicted_error for one in result.frontier]
    assert [ways[row].llm for row in along] == [one.llm.name for one in result.frontier]


def test_distinct_points_that_fit() -> None:
    result = WIDE.plan({"ttft_s": 0.4})
    size, tokens = result.table.fitting_points()
    fits = result.table.fits
    pairs = set(zip(result.table.llm_params[fits], result.table.visual_tokens[fits], strict=True))
    assert set(zip(size, tokens, strict=True)) == pairs
    assert len(size) == len(pairs)


def test_budget_without_hardware_still_limits_memory() -> None:
    setting = Setting(llms=("Qwen2.5-0.5B", "Qwen2.5-7B"), hardware=None, price_per_hour=None)
    result = setting.plan({"memory_bytes": 6 * 2.0**30})
    assert result.best.llm.name == "Qwen2.5-0.5B"
    assert [one.limit.name for one in result.limits] == ["memory_bytes"]
    assert result.best.latency is None
    assert Budget(memory_bytes="6 GiB").memory_bytes == 6 * 2.0**30
