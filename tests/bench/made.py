"""Measurements that nobody took: times of the cost model with planted efficiencies, and noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from costs.loose import compressor_params, request_latency

import planner
from planner.bench.measurement import Ceilings, Energy, Measurement, MemoryUse, Method, ModelFacts
from planner.bench.samples import Samples
from planner.configuration import ReleasedModel
from planner.costs.latency import LATENCY_STAGES
from planner.costs.stages import Workload
from planner.hardware import Hardware, find_hardware
from planner.parts.catalog import find_compressor, find_llms, find_vision

TOWER = "CLIP-ViT-L/14-336"
ON_H100: dict[str, Any] = {
    "device": "NVIDIA H100 80GB HBM3",
    "device_type": "cuda",
    "device_memory_bytes": 85_520_809_984,
    "driver": "570.86.15",
    "torch": "2.13.0",
    "transformers": "5.23.0",
    "threads": 8,
    "measured_at": "2025-11-26T12:00:00+00:00",
}


def made(
    card: Hardware | str = "h100-sxm",
    *,
    llms: Sequence[str] = ("Qwen2.5-0.5B", "Qwen2.5-1.5B", "Qwen2.5-7B"),
    visual_tokens: Sequence[int] = (1, 36, 144, 576),
    batches: Sequence[int] = (1, 8),
    workload: Workload | None = None,
    compressor: str = "quecc",
    precision: str = "bf16",
    noise: float = 0.03,
    seed: int = 0,
    mode: str = "eager",
    ceilings: Ceilings | None = None,
    **environment: Any,
) -> list[Measurement]:
    """Every combination of models, visual tokens and batches, each stage with its own log-normal noise."""
    random = np.random.default_rng(seed)
    request = workload or Workload(50, 16)
    squeeze, tower = find_compressor(compressor), find_vision(TOWER)
    found = []
    for llm in find_llms(list(llms)):
        for tokens in visual_tokens:
            for batch in batches:
                latency = request_latency(
                    llm,
                    tokens,
                    request,
                    vision=tower,
                    compressor=squeeze,
                    hardware=find_hardware(card),
                    precision=precision,
                    batch=batch,
                )
                seconds = {name: float(getattr(latency, name).seconds) for name in LATENCY_STAGES}
                seconds = {
                    name: value * float(np.exp(noise * random.standard_normal()))
                    for name, value in seconds.items()
                    if value
                }
                seconds["ttft"] = sum(seconds.values()) - seconds["decode_step"]
                seconds["tpot"] = seconds["decode_step"]
                params = llm.params + tower.params_run
                params += int(float(compressor_params(squeeze, tower, llm.hidden_size, tokens)))
                facts = ModelFacts(llm.name, tokens, tower.name, compressor, "image-first", precision, params)
                found.append(_one(facts, request, batch, seconds, llm.num_layers, mode, ceilings, environment))
    return found


def made_released(
    card: Hardware,
    images: Sequence[tuple[str, str, Mapping[str, object]]],
    *,
    batches: Sequence[int] = (1, 8),
) -> list[Measurement]:
    """Every released model with an image and knobs, in every batch, without noise."""
    request = Workload(50, 16)
    found = []
    for hub_id, image, knobs in images:
        model = ReleasedModel.of_checkpoint(hub_id, image, knobs=knobs)
        for batch in batches:
            latency = planner.released_cost(
                hub_id, image, request, knobs=knobs, batch=batch, precision="bf16", hardware=card
            ).latency
            assert latency is not None
            stages = {name: float(getattr(latency, name).seconds) for name in LATENCY_STAGES}
            seconds = {name: value for name, value in stages.items() if value}
            seconds["ttft"] = sum(seconds.values()) - seconds["decode_step"]
            seconds["tpot"] = seconds["decode_step"]
            facts = ModelFacts(**model.names, precision="bf16", params=model.params, source=hub_id)
            found.append(_one(facts, request, batch, seconds, model.llm.num_layers, "eager", None, {}))
    return found


def _one(
    facts: ModelFacts,
    request: Workload,
    batch: int,
    seconds: Mapping[str, float],
    layers: int,
    mode: str,
    ceilings: Ceilings | None,
    environment: Mapping[str, Any],
) -> Measurement:
    return Measurement(
        model=facts,
        workload=request,
        batch=batch,
        mode=mode,
        samples={name: Samples((value,) * 5) for name, value in seconds.items()},
        flops={},
        memory=MemoryUse(1, 1, 1, 1, 16),
        energy=Energy(None, False),
        ceilings=ceilings or Ceilings(7e14, 2.8e12, 2.9e12),
        method=Method(layers=layers, layers_measured=(layers,)),
        environment={**ON_H100, **environment},
    )
