"""The measured side of `vision_latency.py`: kernel times of aiconfigurator-core, in an environment of its own.

Reads {"backend": ..., "kernels": {system: [kernel, ...]}} as JSON from stdin, writes seconds in the same order, null
where the package has no data. Needs aiconfigurator-core==0.12.0 and nothing of vlm_planner.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from typing import Any

import aiconfigurator_core.sdk as sdk
import aiconfigurator_core.sdk.operations as ops
from aiconfigurator_core.sdk import common
from aiconfigurator_core.sdk.config import ModelConfig
from aiconfigurator_core.sdk.engine import build_ops_json
from aiconfigurator_core.sdk.models import get_model

ANY_MODEL = "Qwen/Qwen3-VL-2B-Instruct"
"""A handle is made for a model; the kernels asked for are given one by one."""


def main() -> None:
    logging.disable(logging.WARNING)
    asked = json.load(sys.stdin)
    found = {}
    for system, kernels in asked["kernels"].items():
        handle = sdk.EngineHandle.compile(ANY_MODEL, system, asked["backend"])
        found[system] = [seconds(handle, asked["backend"], **kernel) for kernel in kernels]
    json.dump(found, sys.stdout)


def seconds(handle: Any, backend: str, *, kind: str, **shape: Any) -> float | None:
    """Of one kernel; None where there is no data, or where they are extrapolated."""
    try:
        return KINDS[kind](handle, backend, **shape)
    except Exception as error:  # the package has no common base of its errors
        print(f"{kind} {shape}: {' '.join(str(error).split())[:160]}", file=sys.stderr)
        return None


def run(handle: Any, kernels: list[Any], *, batch: int, tokens: int) -> float:
    """Raises ValueError where a kernel's time does not come from measurements."""
    values = handle.evaluate_ops_json(
        build_ops_json(kernels), is_context=True, batch_size=batch, s=tokens, x=batch * tokens
    )
    for name, milliseconds, _, source in values:
        if source != "silicon" and milliseconds and not any(word in name for word in ("norm", "act", "rope")):
            raise ValueError(f"{name} is {source}")
    return float(sum(milliseconds for _, milliseconds, _, _ in values)) / 1e3


def gemm(handle: Any, backend: str, rows: int, k: int, n: int) -> float:
    return run(handle, [ops.GEMM("gemm", 1, n, k, common.GEMMQuantMode.bfloat16)], batch=1, tokens=rows)


def attention(handle: Any, backend: str, sequences: int, tokens: int, heads: int, head_size: int) -> float:
    kernel = ops.EncoderAttention(
        "attention", 1, heads, head_size, fmha_quant_mode=common.FMHAQuantMode.bfloat16, partial_rotary_factor=0.0
    )
    return run(handle, [kernel], batch=sequences, tokens=tokens)


def experts(
    handle: Any, backend: str, tokens: int, hidden_size: int, width: int, per_token: int, experts: int, routing: str
) -> float:
    kernel = ops.MoE(
        "experts", 1, hidden_size, width, per_token, experts, 1, 1, common.MoEQuantMode.bfloat16, routing, 1
    )
    return run(handle, [kernel], batch=1, tokens=tokens)


def encoder(handle: Any, backend: str, model: str, images: int, patches: int, tokens: int) -> float:
    """All kernels of the package's own list of a model's encoder; its element-wise ones are formulas."""
    made = get_model(model, ModelConfig(), backend)
    behind = [op for op in made.encoder_ops if "projector" in op._name]
    before = [op for op in made.encoder_ops if "projector" not in op._name]
    return run(handle, before, batch=images, tokens=patches) + run(handle, behind, batch=images, tokens=tokens)


KINDS: dict[str, Callable[..., float]] = {"gemm": gemm, "attention": attention, "experts": experts, "encoder": encoder}

if __name__ == "__main__":
    main()
