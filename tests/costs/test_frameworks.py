"""Which framework's kernels stand for a model: by its attention, alone or among others in one grid."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from costs.loose import request_latency

from planner.base.errors import InputError
from planner.costs.frameworks import chosen, framework_of, is_multi_head, of_model
from planner.costs.kernels import StageClock
from planner.costs.latency import LATENCY_STAGES
from planner.costs.rates import Rates
from planner.costs.request import request_cost
from planner.costs.silicon import SYSTEMS
from planner.costs.stages import Workload
from planner.hardware import Hardware, hardware_catalog
from planner.hardware.efficiency import DEFAULT, Efficiency, efficiency_of
from planner.hardware.few_rows import FewRows
from planner.parts.catalog import compressor_catalog, llm_catalog, vision_catalog
from planner.parts.llms import Llm, stacked
from planner.parts.released import find_checkpoint

A100 = hardware_catalog()["a100-80gb"]
QWEN15, QWEN3, VICUNA = (llm_catalog()[name] for name in ("Qwen1.5-4B", "Qwen3-8B", "Vicuna-7B-v1.5"))
RESULTS = Path(__file__).parent.parent.parent / "benchmarks" / "results" / "latency.json"


def times(
    llm: Llm, hardware: Hardware = A100, batch: object = 32, tensor_parallel: object = 1
) -> dict[str, np.ndarray]:
    found = request_latency(
        llm,
        np.array([16.0, 576.0]),
        Workload(50, 32),
        vision=vision_catalog()["CLIP-ViT-L/14-336"],
        compressor=compressor_catalog()["quecc"],
        hardware=hardware,
        batch=batch,
        tensor_parallel=tensor_parallel,
    )
    return {name: np.asarray(getattr(found, name).seconds) for name in LATENCY_STAGES}


def one_set(efficiency: Efficiency) -> Hardware:
    return replace(A100, efficiency=replace(efficiency, multi_head=None))


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Qwen1.5-4B", True), ("Vicuna-7B-v1.5", True), ("Phi-2", True), ("Qwen1.5-32B", False), ("Qwen3-8B", False)],
)
def test_kind_of_attention(name: str, expected: bool) -> None:
    assert bool(is_multi_head(llm_catalog()[name])) is expected


@pytest.mark.parametrize("name", ["Qwen/Qwen3-VL-30B-A3B-Instruct"])
def test_experts_with_grouped_queries_have_no_keys_of_their_own_for_each_head(name: str) -> None:
    assert not is_multi_head(find_checkpoint(name).llm)


def test_kinds_of_many_models() -> None:
    assert is_multi_head(stacked([QWEN15, QWEN3, VICUNA])).tolist() == [[True], [False], [True]]


def test_each_kind_has_the_numbers_of_its_own_framework() -> None:
    other = A100.efficiency.multi_head
    assert other is not None
    assert (A100.efficiency.framework, other.framework) == ("vLLM 0.14.0", "SGLang 0.5.10")
    assert framework_of(A100, QWEN3, "calibrated") == "vLLM 0.14.0"
    assert framework_of(A100, QWEN15, "calibrated") == "SGLang 0.5.10"
    assert framework_of(A100, QWEN15, "silicon") == framework_of(None, QWEN15, "") == ""
    for llm, numbers in ((QWEN3, A100.efficiency), (QWEN15, other)):
        mine, alone = times(llm), times(llm, one_set(numbers))
        for stage in ("query_pass", "prefill", "decode_step"):
            assert mine[stage].tolist() == alone[stage].tolist()
    assert times(QWEN15)["decode_step"][0] != times(QWEN15, one_set(A100.efficiency))["decode_step"][0]


@pytest.mark.parametrize("gpus", [1, 2])
def test_a_grid_of_both_kinds_is_the_models_one_by_one(gpus: int) -> None:
    models = [QWEN15, QWEN3, VICUNA, llm_catalog()["Qwen2.5-7B"]]
    together = times(stacked(models), tensor_parallel=gpus)
    for row, llm in enumerate(models):
        alone = times(llm, tensor_parallel=gpus)
        for stage in ("query_pass", "prefill", "decode_step"):
            np.testing.assert_allclose(np.broadcast_to(together[stage], (4, 2))[row], alone[stage], rtol=1e-12)


def test_tower_and_compressor_have_the_card_s_own_numbers() -> None:
    mine, alone = times(QWEN15), times(QWEN15, one_set(A100.efficiency))
    for stage in ("encoder", "compressor"):
        assert mine[stage].tolist() == alone[stage].tolist()


def test_one_set_of_numbers_is_for_all_models() -> None:
    card = hardware_catalog()["b200"]
    assert card.efficiency.multi_head is None  # its tables of vLLM measure both kinds
    assert of_model(card, QWEN15) is of_model(card, QWEN3) is card
    assert chosen(card.efficiency, np.array(True)) is card.efficiency


def test_a_cost_says_whose_kernels_stand_for_it() -> None:
    def cost(llm: str) -> object:
        return request_cost(llm, 64, query_tokens=10, generated_tokens=4, hardware="a100-80gb").to_dict()["framework"]

    assert (cost("Qwen3-8B"), cost("Qwen1.5-4B")) == ("vLLM 0.14.0", "SGLang 0.5.10")
    assert request_cost("Qwen3-8B", 64, query_tokens=10, generated_tokens=4).to_dict()["framework"] is None
    orin = next(card for card in hardware_catalog().values() if card.efficiency.source == DEFAULT)
    assert not request_cost("Qwen3-0.6B", 64, query_tokens=10, generated_tokens=4, hardware=orin).framework


# ---- profiles ----------------------------------------------------------------------------------------------------


def test_a_profile_keeps_both_sets(tmp_path: Path) -> None:
    path = A100.save(tmp_path / "card.json")
    assert Hardware.load(path) == A100
    assert Hardware.load(path).efficiency == efficiency_of("a100-80gb")


def test_a_profile_that_says_one_set_has_one_set() -> None:
    """As those that were written before there were two, and those of a calibration."""
    content = A100.to_dict()
    for name in ("multi_head", "framework", "cache_overlap", "cache_tile_tokens"):
        content["efficiency"].pop(name, None)
    found = Hardware.from_dict(content)
    assert found.efficiency.multi_head is None
    assert (found.efficiency.cache_overlap, found.efficiency.cache_tile_tokens) == (1.0, 0.0)
    assert of_model(found, QWEN15) is found


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"multi_head": {"multi_head": {}}}, "multi_head: expected an efficiency without another in it"),
        ({"multi_head": {"matmul_compute": 2}}, "matmul_compute: expected a share above 0 and up to 1, got 2"),
        ({"cache_overlap": 0.5}, "cache_overlap: expected a number of at least 1, got 0.5"),
        ({"cache_tile_tokens": -1}, "cache_tile_tokens: expected a number of at least 0, got -1"),
    ],
)
def test_sets_that_cannot_be(content: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Efficiency.from_dict(content)


def test_sets_with_tables_of_their_own() -> None:
    """No column of numbers holds two tables: the models are timed by each, and every model has its own."""
    other = A100.efficiency.multi_head
    assert other is not None
    table = {"bf16": FewRows((1, 64), (1.0, 1.5))}
    card = replace(A100, efficiency=replace(A100.efficiency, few_rows=table))
    with pytest.raises(InputError, match=r"^expected models of one kind of attention: the tables of few rows"):
        of_model(card, stacked([QWEN15, QWEN3]))
    together = times(stacked([QWEN15, QWEN3]), card)
    for row, (llm, numbers) in enumerate([(QWEN15, other), (QWEN3, replace(A100.efficiency, few_rows=table))]):
        alone = times(llm, one_set(numbers))
        for stage in ("query_pass", "prefill", "decode_step"):
            np.testing.assert_allclose(np.broadcast_to(together[stage], (2, 2))[row], alone[stage], rtol=1e-12)
    assert times(QWEN3)["decode_step"][0] < times(QWEN3, card)["decode_step"][0]


# ---- reading the cache -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("overlap", "expected"), [(1.0, 7e-6), (2.0, 5e-6), (60.0, 4e-6)])
def test_reading_the_cache_may_hide_the_launch(overlap: float, expected: float) -> None:
    """3 us of a launch beside 4 us of reading."""
    numbers = Efficiency(cache_bandwidth=1.0, cache_overhead_s=3e-6, cache_overlap=overlap)
    card = replace(A100, bandwidth_bytes_per_s=1e12, efficiency=numbers)
    clock = StageClock(Rates.of(card, "bf16"))
    clock.cache_read(1.0, 1000.0, 1000.0, 1.0)
    assert float(clock.stage().seconds) == pytest.approx(expected, rel=1e-3)
    assert float(clock.stage().bytes) == 4e6


@pytest.mark.parametrize(("cached", "tokens"), [(50.0, 200.0), (200.0, 200.0), (400.0, 400.0)])
def test_a_short_cache_takes_the_time_of_whole_tiles(cached: float, tokens: float) -> None:
    """Two requests, tiles of 100 tokens."""
    numbers = Efficiency(cache_bandwidth=1.0, cache_overhead_s=0.0, cache_tile_tokens=100.0)
    card = replace(A100, bandwidth_bytes_per_s=1e12, efficiency=numbers)
    clock = StageClock(Rates.of(card, "bf16"))
    clock.cache_read(1.0, cached, 1000.0, 2.0)
    assert float(clock.stage().seconds) == pytest.approx(4e-9 * tokens, rel=1e-12)
    assert float(clock.stage().bytes) == 4e3 * cached


# ---- what was published ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("card", SYSTEMS)
def test_published_errors_against_the_own_framework(card: str) -> None:
    """Of models that the fit did not see: prefill, decode step, and attention of a decode step, 10 % in the median."""
    recorded = json.loads(RESULTS.read_text(encoding="utf-8"))["cards"][card]
    kinds = recorded["frameworks"]
    assert len(kinds) == len(SYSTEMS[card].engines)
    shipped = [efficiency_of(card), efficiency_of(card).multi_head]
    assert list(kinds) == [numbers.framework for numbers in shipped if numbers is not None]
    for found in kinds.values():
        for name in ("ttft", "tpot", "decode_attention"):
            assert found[name]["median_error"] <= 0.10
