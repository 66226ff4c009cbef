"""The comparison with other tools that measure: its plain loop, its ratios, and what it recorded."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
RECORDED = BENCHMARKS / "results" / "measuring_peers.json"


def peers() -> ModuleType:
    sys.path.insert(0, str(BENCHMARKS))
    try:
        return importlib.import_module("measuring_peers")
    finally:
        sys.path.remove(str(BENCHMARKS))


def test_ratios_are_ours_over_theirs_round_by_round() -> None:
    names = peers().QUANTITIES
    rounds = [
        {"ours": dict.fromkeys(names, ours), "plain": dict.fromkeys(names, theirs)}
        for ours, theirs in ((1.0, 2.0), (9.0, 3.0), (4.0, 4.0))
    ]
    found = peers().compared(rounds)
    assert found["medians"] == {"ours": dict.fromkeys(names, 4.0), "plain": dict.fromkeys(names, 3.0)}
    assert found["ours_over"] == {"plain": {name: {"median": 1.0, "least": 0.5, "largest": 3.0} for name in names}}


def test_what_was_recorded_follows_from_its_rounds() -> None:
    recorded = json.loads(RECORDED.read_text(encoding="utf-8"))
    again = peers().compared(recorded["rounds"])
    assert {name: recorded[name] for name in again} == again


@pytest.mark.slow
def test_the_plain_loop_runs_the_whole_prompt_and_each_further_token() -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=64, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2
    )
    model = LlamaForCausalLM(config).eval()
    seen: list[tuple[int, int]] = []

    def note(module: Any, args: Any, kwargs: Any, out: Any) -> None:
        seen.append((kwargs["input_ids"].shape[1], out.past_key_values.get_seq_length()))

    model.register_forward_hook(note, with_kwargs=True)
    first_s, further_s = peers().request(model, torch.randint(64, (1, 12)), 4)
    assert seen == [(12, 12), (1, 13), (1, 14), (1, 15)]
    assert first_s > 0 and further_s > 0
