"""Released models costed side by side: equal, to the last digit, to each language model costed by itself."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from planner.configuration import ReleasedModel, Run
from planner.costs.latency import LATENCY_STAGES
from planner.costs.request import cost_of
from planner.costs.stages import Workload
from planner.laws.shipped import load_law
from planner.parts.images import ImageMix
from planner.parts.llms import Llm
from planner.parts.released import find_checkpoints
from planner.planning import released_groups
from planner.planning.deployment import as_deployment
from planner.planning.released import ReleasedAxes
from planner.planning.request import Budget, Load

SHORT = Load(Workload(120, 200), Workload(120, 200))
LONG = Load(Workload(40, 30, images=2), Workload(3000, 500, cached_tokens=9000, system_tokens=70, images=3))
CASES: dict[str, dict[str, Any]] = {
    "precisions": {"precisions": ("bf16", "fp8", "int8", "int4"), "tensor_parallel": (1, 2, 4, 8)},
    "own dtypes": {"precisions": None, "load": LONG, "mix": {"640x480": 6, "3000x500": 1}},
    "as PyTorch counts": {"precisions": ("fp8", "bf16"), "convention": "torch", "batches": (1, 64), "kv": "fp8"},
    "a laptop": {"precisions": ("Q4_K_M",), "hardware": "apple-m1-max", "load": LONG, "convention": "paper"},
}


def numbers(
    precisions: tuple[str, ...] | None,
    tensor_parallel: tuple[int, ...] = (1,),
    batches: tuple[int, ...] = (1,),
    load: Load = SHORT,
    mix: Mapping[str, int] | str = "1024x768",
    convention: str = "full",
    hardware: str = "h100-sxm",
    kv: str | None = None,
) -> dict[str, NDArray[Any]]:
    """Every number of every candidate of the whole catalogue, by name."""
    checkpoints = find_checkpoints("released")
    axes = ReleasedAxes.of(checkpoints, ImageMix.of(mix), load_law("reasoning"), load, precisions is None)
    tried = precisions or axes.own_precisions()
    deployment = as_deployment(Budget(ttft_s=1.0), hardware, tried, kv, tensor_parallel, batches, None, None)
    space = axes.evaluate(deployment, load, convention)
    found: dict[str, NDArray[Any]] = {}
    for number, block in enumerate(space.blocks):
        parts = {"flops": block.flops, "memory": block.memory}
        parts |= {stage: getattr(block.latency, stage) for stage in LATENCY_STAGES}
        for part, own in parts.items():
            whole = block.shape[2:] if part == "flops" else block.shape
            for one in fields(own):
                found[f"{number} {part} {one.name}"] = np.broadcast_to(getattr(own, one.name), whole)
    return found | dict(space.table.quantities)


def one_by_one(llms: Sequence[Llm]) -> list[tuple[list[int], Llm]]:
    """Each language model as a group of its own."""
    members: dict[int, list[int]] = {}
    for position, llm in enumerate(llms):
        members.setdefault(id(llm), []).append(position)
    return [(own, llms[own[0]]) for own in members.values()]


@pytest.mark.parametrize("case", CASES)
def test_side_by_side_costs_what_each_model_costs_alone(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    together = numbers(**CASES[case])
    monkeypatch.setattr(released_groups, "stacks", one_by_one)
    alone = numbers(**CASES[case])
    assert together.keys() == alone.keys()
    assert [name for name, value in together.items() if not np.array_equal(value, alone[name])] == []


PLAIN = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "vocab_size": 1000,
    "hidden_size": 512,
    "intermediate_size": 1024,
    "num_hidden_layers": 2,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "max_position_embeddings": 4096,
}
EXPERTS = {**PLAIN, "model_type": "gpt_oss", "head_dim": 64, "num_local_experts": 8, "num_experts_per_tok": 2}
STORED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "awq": (PLAIN, {"quant_method": "awq", "bits": 4, "group_size": 64}),
    "gptq-8": (PLAIN, {"quant_method": "gptq", "bits": 8, "group_size": 32}),
    "fp8": (PLAIN, {"quant_method": "fp8", "weight_block_size": [128, 128]}),
    "mxfp4": (EXPERTS, {"quant_method": "mxfp4"}),
    "plain": (PLAIN, {}),
    "wider": ({**PLAIN, "hidden_size": 1024}, {}),
}
"""Language model and how it is quantised."""
SEES = json.loads((Path(__file__).parent.parent / "parts" / "cases" / "llava-1.5-7b-hf" / "config.json").read_text())


def folders(place: Path) -> dict[str, str]:
    """A folder of a LLaVA with each, by its name."""
    for name, (text, quantised) in STORED.items():
        config = {**SEES, "text_config": text} | ({"quantization_config": quantised} if quantised else {})
        (place / name).mkdir()
        (place / name / "config.json").write_text(json.dumps(config), "utf-8")
    return {name: str(place / name) for name in STORED}


@pytest.mark.parametrize("precision", [None, "int4,w8a16,fp8,bf16"])
def test_a_plan_counts_the_bytes_that_cost_counts(precision: str | None, tmp_path: Path) -> None:
    """Models of one stack, of which some are quantised: in the precision that is stored, and in any other."""
    paths = folders(tmp_path)
    load = Load(Workload(120, 20), Workload(120, 20))
    axes = ReleasedAxes.of(
        find_checkpoints(list(paths.values())), ImageMix.of("336x336"), load_law("reasoning"), load, precision is None
    )
    tried = axes.own_precisions() if precision is None else tuple(precision.split(","))
    deployment = as_deployment(Budget(flops=1e18), "h100-sxm", tried, None, (1, 2), (1,), None, None)
    seen = 0
    for block in axes.evaluate(deployment, load, "full").blocks:
        for i, cell in enumerate(block.cells):
            for position, gpus in enumerate((1, 2)):
                run = Run.of("h100-sxm", precision=block.precision, tensor_parallel=gpus)
                alone = cost_of(cell.model(), load.mean, run)
                assert alone.latency is not None
                assert block.memory is not None
                assert block.latency is not None
                whole = np.broadcast_to(block.memory.weights, block.shape)
                assert whole[0, position, i, 0] == alone.memory.weights
                times = np.broadcast_to(block.latency.prefill.seconds, block.shape)
                assert times[0, position, i, 0] == pytest.approx(alone.latency.prefill.seconds, rel=1e-12)
                seen += 1
    assert seen == 2 * len(STORED) * (1 if precision is None else len(tried))


def test_stored_bytes_are_not_those_of_the_precision(tmp_path: Path) -> None:
    """The scales of a group of 64 and their zeros: 20 bits, where int4 counts 16 for each 128."""
    (found,) = find_checkpoints(folders(tmp_path)["awq"]).checkpoints
    matrices = 2 * (512 * (512 + 2 * 128) + 512 * 512 + 3 * 512 * 1024)
    stored = matrices * (4 + 20 / 64) / 8 + 2 * (found.llm.params - matrices)
    assert ReleasedModel.of_checkpoint(found, None).stored_llm_bytes("int4") == stored
