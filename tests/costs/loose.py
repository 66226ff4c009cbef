"""The costs of parts and runs that are given one by one, as most tests of costs vary them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from planner.configuration import IMAGE_FIRST, Model, Run
from planner.costs.flops import FULL, Flops, flops, walk_flops
from planner.costs.latency import Latency, latency
from planner.costs.latency import speed_limit_tokens as speed_limit
from planner.costs.memory import Memory, memory
from planner.costs.stages import Workload
from planner.parts.compressors import Compressor
from planner.parts.connectors import Mlp
from planner.parts.llms import Llm
from planner.parts.towers import Tower
from planner.parts.walk import Pass


def model(
    llm: Llm, visual_tokens: Any, *, vision: Tower, compressor: Compressor, prompt_order: str = IMAGE_FIRST
) -> Model:
    return Model(llm, vision, compressor, visual_tokens, prompt_order)


def request_flops(llm: Llm, visual_tokens: Any, workload: Workload, *, convention: str = FULL, **parts: Any) -> Flops:
    return flops(model(llm, visual_tokens, **parts), workload, convention)


def split(options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    names = ("vision", "compressor", "prompt_order")
    parts = {name: value for name, value in options.items() if name in names}
    return parts, {name: value for name, value in options.items() if name not in names}


def request_memory(llm: Llm, visual_tokens: Any, workload: Workload, **options: Any) -> Memory:
    parts, run = split(options)
    return memory(model(llm, visual_tokens, **parts), workload, Run(**run))


def request_latency(llm: Llm, visual_tokens: Any, workload: Workload, **options: Any) -> Latency:
    parts, run = split(options)
    return latency(model(llm, visual_tokens, **parts), workload, Run(**run))


def speed_limit_tokens(llm: Llm, workload: Workload, saving: float = 0.05, **options: Any) -> Any:
    parts, run = split(options)
    return speed_limit(model(llm, 1, **parts), workload, Run(**run), saving=saving)


# ---- one part of a request at a time ---------------------------------------------------------------------------------


def decoder_flops(llm: Llm, new_tokens: Any, cached_tokens: Any, causal: bool = True) -> Any:
    """The decoder layers over new tokens behind cached ones."""
    return walk_flops(llm.walk(Pass(1.0, np.asarray(new_tokens, float), cached_tokens)), masked=causal)


def head_flops(llm: Any, positions: int) -> Any:
    """Logits of some positions: what a pass with them costs more than one without."""
    step = Pass(1.0, 1.0, 0.0, step=True)
    one = walk_flops(llm.walk(replace(step, logits=True))) - walk_flops(llm.walk(step))
    return positions * one


def encoder_flops(tower: Tower) -> float:
    return float(walk_flops(tower.walk(1.0)))


def compressor_flops(compressor: Compressor, tower: Tower, llm_width: Any, visual_tokens: Any) -> Any:
    """Compressor and connector over one image."""
    own = walk_flops(compressor.walk(1.0, tower, llm_width, visual_tokens))
    return own + walk_flops(Mlp().walk(visual_tokens, tower.hidden_size, llm_width))


def compressor_params(compressor: Compressor, tower: Tower, llm_width: Any, visual_tokens: Any) -> Any:
    """Of compressor and connector."""
    return Mlp().params(tower.hidden_size, llm_width) + compressor.params(tower, llm_width, visual_tokens)
