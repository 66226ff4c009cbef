"""A compressor, a kind of language model, a tower and a connector, each in one file outside the package, through the
whole chain: cost, plan, printed, page, file, and back; the built-in parts under other names."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extensions import merging, one_layer, resampler, striped

import planner
from planner.base.errors import InputError, UnknownNameError
from planner.base.file_format import content_hash
from planner.base.registry import register
from planner.configuration import Model, Run
from planner.costs.flops import FULL, TORCH, flops
from planner.costs.latency import latency
from planner.costs.memory import memory
from planner.costs.request import request_cost
from planner.costs.stages import Workload
from planner.hardware import find_hardware
from planner.parts.catalog import LLMS, TOWERS, find_compressor, find_llms, find_vision
from planner.parts.compressors import COMPRESSORS
from planner.parts.configs import LLM_READERS, TOWER_READERS
from planner.parts.connectors import CONNECTORS

LINES_MAX = 60
STRIPED = striped.Striped(
    name="Striped-1B", family="Striped", nominal_params=1e9, hidden_size=1152, num_layers=26, num_heads=4,
    vocab_size=262144, num_kv_heads=1, head_size=256, mlp_width=6912, window=512,
)  # fmt: skip
RESAMPLER = resampler.Resampler()
WIDE = merging.Merging(name="Merging-wide", hidden_size=2048, width=1024, height=768)
ONE_LAYER = one_layer.OneLayer()
THINGS = {"llm": STRIPED, "compressor": RESAMPLER, "tower": WIDE, "connector": ONE_LAYER}
REQUEST: dict[str, Any] = {"query_tokens": 50, "generated_tokens": 32}


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    for thing in THINGS.values():
        register(thing)
    yield
    for registry, thing in (
        (LLMS, STRIPED),
        (COMPRESSORS, RESAMPLER),
        (TOWERS, WIDE),
        (CONNECTORS, ONE_LAYER),
    ):
        registry.remove(thing.name)


@pytest.mark.parametrize("module", ["resampler", "resampler_module", "striped", "merging", "one_layer"])
def test_each_fits_in_one_small_file(module: str) -> None:
    file = Path(__file__).with_name(f"{module}.py")
    assert len(file.read_text(encoding="utf-8").splitlines()) <= LINES_MAX


# ---- through the whole chain -----------------------------------------------------------------------------------------

CHOICES: dict[str, dict[str, Any]] = {
    "llm": {"llms": ["Striped-1B", "Qwen2.5-7B"]},
    "compressor": {"llms": "qwen2.5", "compressor": ["resampler", "quecc"]},
    "tower": {"llms": "qwen2.5", "vision": "merging-WIDE", "compressor": "tokenpacker"},
    "connector": {"llms": "qwen2.5", "connector": "one-layer"},
    "all four": {
        "llms": "Striped-1B",
        "vision": "Merging-wide",
        "compressor": "resampler",
        "connector": "one-layer",
    },
}


@pytest.mark.parametrize("kind", CHOICES)
def test_from_plan_to_page_and_back(kind: str, tmp_path: Path) -> None:
    choice = CHOICES[kind]
    plan = planner.plan(budget=planner.Budget("8 TFLOPs", memory_bytes="24 GiB"), hardware="l4", **REQUEST, **choice)
    best = plan.best
    assert best.llm.name in str(plan)
    cost = request_cost(
        best.llm.name,
        best.visual_tokens,
        Workload(50, 32),
        vision=best.vision.name,
        compressor=best.compressor.name,
        connector=best.connector.name,
        hardware="l4",
    )
    assert cost.flops == best.flops
    assert cost.memory == best.memory
    assert best.latency is not None
    assert cost.to_dict()["ttft_s"] == pytest.approx(best.quantities["ttft_s"], rel=1e-12)
    file = plan.save(tmp_path / "plan.json")
    again = planner.load_plan(file)
    assert again.best.model == best.model
    assert again.to_dict() == plan.to_dict()
    assert planner.replan(again) == plan
    page = planner.write_report(file, tmp_path / "page.html").read_text(encoding="utf-8")
    assert best.llm.name in page
    assert best.compressor.title in page
    assert ("--connector one-layer" in page) == ("connector" in choice)
    assert Model.from_dict(json.loads(json.dumps(best.model.to_dict()))) == best.model


def test_a_mixture_of_kinds_is_costed_one_by_one_alike() -> None:
    """Language models of different classes stand in one table, in the order in which they were named."""
    names = ["Qwen2.5-7B", "Striped-1B", "Phi-2"]
    ways: dict[str, Any] = {"hardware": "h100-sxm", "batch": [1, 8], "tensor_parallel": [1, 2]}
    together = planner.plan(budget="1 PFLOPs", llms=names, **REQUEST, **ways).table
    for position, name in enumerate(names):
        rows = together.llm_index == position
        alone = planner.plan(budget="1 PFLOPs", llms=name, **REQUEST, **ways).table
        for column, values in alone.quantities.items():
            np.testing.assert_allclose(together.quantities[column][rows], values, rtol=1e-12)


def test_without_torch_code_it_is_not_built() -> None:
    make_recipe = pytest.importorskip("planner.vlm.recipe").make_recipe
    recipe = make_recipe(llm="Qwen2.5-0.5B", compressor="quecc", visual_tokens=16)
    costed = replace(recipe, compressor=replace(RESAMPLER, built_as=""))
    with pytest.raises(
        InputError, match=r"^cannot build .* with 16 visual tokens: the compressor resampler has a known"
    ):
        costed.config()
    picked = planner.plan(budget="2 TFLOPs", **REQUEST, llms="Qwen2.5-0.5B", connector="one-layer")
    for pick in (picked, picked.best, picked.to_dict()):
        unbuilt = make_recipe(pick)
        assert unbuilt.model == picked.best.model
        with pytest.raises(
            InputError, match=r": the connector one-layer has a known cost but no torch module; .* mlp$"
        ):
            unbuilt.config()


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'resampler'"):
        find_compressor("resampller")


# ---- each by hand ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cached", [0, 300, 700, 2000])
@pytest.mark.parametrize("query", [1, 511, 513, 900])
def test_windows_by_brute_force(query: int, cached: int) -> None:
    """26 layers, every sixth of which sees all: 4 whole ones, 22 with a window of 512."""
    model = Model(STRIPED, find_vision("CLIP-ViT-L/14-336"), find_compressor("average-pool"), 36)
    workload = Workload(query, 40, cached_tokens=cached)
    found = flops(model, workload, FULL)
    new, width = query + 36, 4 * 256

    def pairs(first: int, count: int, window: int) -> int:
        return sum(1 for i in range(first, first + count) for j in range(i + 1) if i - j < window)

    def attended(first: int, count: int) -> int:
        return 4 * width * (22 * pairs(first, count, 512) + 4 * pairs(first, count, 10**9))

    weights = 26 * (1152 * (1024 + 2 * 256) + 1024 * 1152 + 3 * 1152 * 6912)
    head = 2 * 1152 * 262144
    assert STRIPED.linear_params == weights
    assert found.prefill == 2 * weights * new + attended(cached, new) + head
    assert found.decode == 40 * (2 * weights + head) + attended(cached + new, 40)


def test_the_cache_keeps_a_window_and_is_read_no_further() -> None:
    model = Model(STRIPED, find_vision("CLIP-ViT-L/14-336"), find_compressor("average-pool"), 36)
    workload, run = Workload(3000, 64), Run(find_hardware("h100-sxm"))
    total = 3036 + 64
    per_token = 2 * 256 * 2  # keys and values of one layer, 16 bits
    assert memory(model, workload, run).kv_cache == per_token * (22 * 512 + 4 * total)
    unlimited = replace(STRIPED, window=10**9)
    windowed, whole = (latency(replace(model, llm=llm), workload, run).decode_step for llm in (STRIPED, unlimited))
    mean = 3036 + 32
    assert whole.bytes - windowed.bytes == pytest.approx(per_token * 22 * (mean - 512), rel=1e-9)
    assert windowed.seconds < whole.seconds


def test_a_connector_by_hand() -> None:
    d, h, v = 1024, 896, 16
    request: dict[str, Any] = {"query_tokens": 50, "generated_tokens": 32, "compressor": "average-pool"}
    one = planner.cost("Qwen2.5-0.5B", v, connector="one-layer", **request)
    two = planner.cost("Qwen2.5-0.5B", v, **request)
    assert two.flops.compressor - one.flops.compressor == 2 * v * h * h
    assert two.memory.weights - one.memory.weights == 2 * (h * h + h - 2 * d)
    assert (one.connector, one.to_dict()["connector"]) == (ONE_LAYER, "one-layer")


def test_a_plan_says_which_connector_it_chose() -> None:
    plan = planner.plan(budget="2 TFLOPs", **REQUEST, connector="one-layer")
    assert "one linear layer" in str(plan)
    assert "connector" not in planner.plan(budget="2 TFLOPs", **REQUEST).to_dict()["best"]
    with pytest.raises(UnknownNameError, match=r"^no connector is called 'one-leyer'; did you mean 'one-layer'\?$"):
        planner.plan(budget="2 TFLOPs", **REQUEST, connector="one-leyer")


def test_the_resampler_by_hand() -> None:
    tower, llm = find_vision("CLIP-ViT-L/14-336"), find_llms("Qwen2.5-0.5B")[0]
    d, p, v, h = 1024, 576, 32, 896
    model = Model(llm, tower, RESAMPLER, v)
    layer = 2 * v * 2 * d * d + 2 * p * 2 * d * d + 4 * v * p * d + 2 * v * 8 * d * d
    connector = 2 * v * (d * h + h * h)
    for convention in (FULL, TORCH):
        assert flops(model, Workload(50, 32), convention).compressor == 2 * layer + connector
    params = 2 * (12 * d * d + 13 * d) + v * d + (d * h + h + h * h + h)
    whole = memory(model, Workload(50, 32), Run())
    assert whole.weights == 2 * (llm.params + tower.params_run + params)
    assert whole.compressor == 2 * (3 * p * d + 2 * v * h)


def test_the_towers_tokens_follow_from_the_image() -> None:
    assert WIDE.grid == (27, 37)
    square = replace(WIDE, width=672, height=672)
    assert find_compressor("none").visual_tokens(WIDE) == (27 * 37,)
    assert find_compressor("quecc").visual_tokens(square) == (1, 4, 9, 16, 36, 64, 144, 576)
    oblong = replace(WIDE, width=672, height=448)
    assert find_compressor("quecc").visual_tokens(oblong) == (6, 24, 96, 384)
    d, seen = 1024, 4 * 27 * 37
    layers = 24 * (2 * seen * 12 * d * d + 4 * seen * seen * d)
    expected = 2 * seen * 3 * 14**2 * d + layers + 2 * 27 * 37 * 4 * d * 2048
    model = Model(find_llms("Qwen2.5-0.5B")[0], WIDE, find_compressor("none"), 27 * 37)
    assert flops(model, Workload(1, 1)).encoder == expected


# ---- built-in parts under other names --------------------------------------------------------------------------------


@pytest.fixture
def renamed() -> Iterator[None]:
    registries: tuple[Any, ...] = (LLMS, TOWERS, COMPRESSORS, CONNECTORS)
    added = [(registry, replace(thing, name=f"another {thing.name}")) for registry in registries for thing in registry]
    for registry, thing in added:
        registry.register(thing)
    yield
    for registry, thing in added:
        registry.remove(thing.name)


def test_names_decide_nothing(renamed: None) -> None:
    plain = [name for name in COMPRESSORS.names() if not name.startswith("another ")]
    ways: dict[str, Any] = {"hardware": "h100-sxm", "prompt_order": ["image-first", "text-first"], "precision": "fp8"}
    ways["form"] = "additive"  # all forms together know the models that were measured by their names
    towers = [name for name in TOWERS.names() if not name.startswith("another ")]
    llms = [name for name in LLMS.names() if not name.startswith("another ")]
    for tower in towers:
        for compressor in plain:
            first, second = (
                planner.plan(
                    budget="1 PFLOPs",
                    llms=[before + name for name in llms],
                    vision=before + tower,
                    compressor=before + compressor,
                    **REQUEST,
                    **ways,
                ).table
                for before in ("", "another ")
            )
            assert first.quantities.keys() == second.quantities.keys()
            for column, values in first.quantities.items():
                np.testing.assert_array_equal(second.quantities[column], values)
            np.testing.assert_array_equal(second.predicted_error, first.predicted_error)


@pytest.mark.parametrize("convention", ["full", "paper", "torch"])
def test_costs_under_another_name(renamed: None, convention: str) -> None:
    names = {"vision": "CLIP-ViT-L/14-336", "compressor": "quecc"}
    options: dict[str, Any] = {"convention": convention, "hardware": "l40s", "tensor_parallel": 2}
    found = [
        request_cost(
            f"{before}Qwen3-8B",
            16,
            Workload(50, 32),
            **options,
            **{what: before + name for what, name in names.items()},
        )
        for before in ("", "another ")
    ]
    assert found[0].flops == found[1].flops
    assert found[0].memory == found[1].memory
    assert found[0].latency == found[1].latency


def test_nothing_dispatches_on_the_name_of_a_part() -> None:
    """No comparison, and no case of a match, with the name of a part, a prompt order or a type of model."""
    names = {
        *(name for registry in (LLMS, TOWERS, COMPRESSORS, CONNECTORS) for name in registry.names()),
        *LLM_READERS.names(),
        *TOWER_READERS.names(),
    }
    assert comparisons_with(names) == []


def test_nothing_dispatches_on_the_names_of_a_saved_model() -> None:
    vlm = pytest.importorskip("planner.vlm")
    assert comparisons_with({*vlm.COMPRESSORS, *vlm.TOWERS, *vlm.PROMPT_ORDERS}) == []


def comparisons_with(names: set[str]) -> list[str]:
    folder = Path(planner.__file__).parent
    return [
        f"{file.relative_to(folder).as_posix()}:{line}: {name}"
        for file in sorted(folder.rglob("*.py"))
        for line, name in compared_texts(file.read_text(encoding="utf-8"))
        if name in names and (file.relative_to(folder).parts[0], name) not in NAMES_IN_DATA
    ]


NAMES_IN_DATA = {("laws", "none"), ("planning", "none"), ("runs", "none"), ("tell", "none"), ("explore", "none")}
"""(folder, name): what runs say of an image that was not compressed is "none", in their files too."""


def compared_texts(source: str) -> Iterator[tuple[int, str]]:
    """Lines and texts that a module compares with, or has as cases."""
    for node in ast.walk(ast.parse(source)):
        compared: list[ast.expr] = []
        if isinstance(node, ast.Compare):
            compared = [node.left, *node.comparators]
        elif isinstance(node, ast.MatchValue):
            compared = [node.value]
        for one in compared:
            for inner in ast.walk(one):
                if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
                    yield inner.lineno, inner.value


def test_compared_texts_are_found() -> None:
    source = """
if a.name == "quecc" or x in ("b", "c"):
    match kind:
        case "d":
            pass
y = {"e": 1}
"""
    assert sorted(compared_texts(source)) == [(2, "b"), (2, "c"), (2, "quecc"), (4, "d")]


def test_a_plan_with_a_part_that_is_not_there_says_what_to_do() -> None:
    content = planner.plan(budget="2 TFLOPs", query_tokens=50, generated_tokens=32, compressor="resampler").to_dict()
    content["parts"]["compressors"]["resampler"]["kind"] = "Absent"
    content["sha256"] = content_hash(content, "sha256")
    said = (
        "the plan: parts.compressors.resampler: no kind of Compressor is called 'Absent': register it first "
        "(planner.register) or install the package that brings it"
    )
    with pytest.raises(InputError, match=f"^{re.escape(said)}$"):
        planner.Plan.from_dict(content)
