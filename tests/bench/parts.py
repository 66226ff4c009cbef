"""Small models whose parts lie in folders, and measurements made up for tests that need no model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vlm.tiny import llm_config, tower_config

import planner
from planner.bench.expected import Expected
from planner.bench.measurement import (
    Ceilings,
    Energy,
    Measurement,
    MemoryUse,
    Method,
    ModelFacts,
)
from planner.bench.samples import Samples
from planner.costs.stages import Workload
from planner.vlm.recipe import Recipe, make_recipe

REQUEST = Workload(query_tokens=12, generated_tokens=5, system_tokens=3)
VOCABULARY = 600


def folders(place: Path, **llm: Any) -> dict[str, str]:
    """A language model of two layers and a tower of four, each a folder with its config.json."""
    for name, config in {
        "tiny-llm": llm_config("qwen2", vocab_size=VOCABULARY, **llm),
        "tower": tower_config(),
    }.items():
        (place / name).mkdir(exist_ok=True)
        config.save_pretrained(place / name)
    return {"llm": str(place / "tiny-llm"), "vision": str(place / "tower")}


def recipe(place: Path, visual_tokens: int = 4, prompt_order: str = "image-first", **llm: Any) -> Recipe:
    return make_recipe(visual_tokens=visual_tokens, prompt_order=prompt_order, **folders(place, **llm))


def plan(place: Path, **options: Any) -> planner.Plan:
    """Of the tiny parts, in fp32, for this host."""
    parts = folders(place)
    defaults: dict[str, Any] = {
        "budget": "1 TFLOPs",
        "workload": REQUEST,
        "llms": parts["llm"],
        "vision": parts["vision"],
        "visual_tokens": 4,
        "precision": "fp32",
    }
    return planner.plan("reasoning", **defaults | options)


def made_up(
    seconds: dict[str, float] | None = None,
    *,
    model: dict[str, Any] | None = None,
    environment: dict[str, Any] | None = None,
    workload: Workload = REQUEST,
    batch: int = 1,
    flops: dict[str, int] | None = None,
    memory: dict[str, int] | None = None,
    layers: int = 24,
) -> Measurement:
    """A measurement of given medians, without noise."""
    times = {"encoder": 4e-3, "compressor": 1e-3, "query_pass": 2e-3, "prefill": 3e-3, "decode_step": 2e-3}
    times |= {"ttft": 1e-2, "tpot": 2e-3, "request": 1.8e-2} | (seconds or {})
    facts: dict[str, Any] = {
        "llm": "Qwen2.5-0.5B",
        "visual_tokens": 4,
        "vision": "CLIP-ViT-L/14-336",
        "compressor": "quecc",
        "prompt_order": "image-first",
        "precision": "bf16",
        "params": 1000,
    }
    held = {"weights_bytes": 100, "kv_cache_bytes": 10, "peak_bytes": 200, "decode_read_bytes": 50}
    return Measurement(
        model=ModelFacts(**facts | (model or {})),
        workload=workload,
        batch=batch,
        mode="eager",
        samples={name: Samples((value,) * 5) for name, value in times.items()},
        flops=flops or {"encoder": 10, "compressor": 2, "query_pass": 3, "prefill": 4, "decode": 5},
        memory=MemoryUse(**held | (memory or {}), generated_tokens=5),
        energy=Energy(None, False, "none"),
        ceilings=Ceilings(1e12, 1e11, 1e11),
        method=Method(layers=layers, layers_measured=(layers,)),
        environment={"device": "NVIDIA L4", "device_type": "cuda", "torch": "2.13.0"} | (environment or {}),
    )


def expected_of(place: Path, **options: Any) -> Expected:
    from planner.bench.expected import expected

    return expected(plan(place, **options))
