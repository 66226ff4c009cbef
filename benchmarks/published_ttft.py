"""The published side of `vision_latency.py`: FastVLM's times to the first token on an Apple M1 Max, by ratio.

Source: arXiv 2412.13303v2, Table 6. The time is there the encoder's latency and the prefill of the visual tokens. Our
profile takes the chip's GPU for both.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ratios import ms, seconds_of, summary, three_digits

from planner.hardware import Hardware, hardware_catalog
from planner.parts.catalog import llm_catalog
from planner.parts.encoders.base import two_layers
from planner.parts.llms.base import Llm
from planner.parts.released import find_checkpoint
from planner.parts.walk import Pass

TABLE_6 = (
    # LLM, side of the image, visual tokens, milliseconds, rows
    ("Qwen2-0.5B", 1024, 256, 166, "R3 to R5"),
    ("Qwen2-1.5B", 768, 144, 152, "R7, R8"),
    ("Qwen2-1.5B", 1024, 256, 233, "R11 to R13"),
    ("Qwen2-7B", 768, 144, 446, "R22, R23"),
    ("Qwen2-7B", 1024, 256, 641, "R30, R40 to R42"),
    ("Vicuna-1.5-7B", 256, 16, 150, "R15, R16"),
    ("Vicuna-1.5-7B", 768, 144, 387, "R19 to R21"),
    ("Vicuna-1.5-7B", 1024, 256, 577, "R27 to R29"),
)
SAME_SHAPE = {
    "Qwen2-0.5B": "Qwen2.5-0.5B",
    "Qwen2-1.5B": "Qwen2.5-1.5B",
    "Qwen2-7B": "Qwen2.5-7B",
    "Vicuna-1.5-7B": "Vicuna-7B-v1.5",
}
"""What the catalogue has of the same shape."""
M1_MAX = {
    "name": "m1-max",
    "title": "Apple M1 Max, 32-core GPU",
    "flops_per_s": {"fp32": 10.4e12, "fp16": 10.4e12},
    "memory_bytes": 32 * 2**30,
    "bandwidth_bytes_per_s": 400e9,
    "source": "Apple, 'Introducing M1 Pro and M1 Max', 18 October 2021: 10.4 TFLOPS, 400 GB/s; fp16 as fp32",
}
"""Used where the catalogue has no profile of that name."""


def m1_max() -> Hardware:
    """The catalogue's profile, else the one above."""
    shipped = (card for name, card in hardware_catalog().items() if name.endswith("m1-max"))
    return next(shipped, None) or Hardware.from_dict(M1_MAX)


def judge_published() -> dict[str, Any]:
    card = m1_max()
    checkpoint = find_checkpoint("KamilaMila/FastVLM-0.5B")
    rows: list[dict[str, Any]] = []
    for llm_name, side, tokens, milliseconds, where in TABLE_6:
        llm: Llm = llm_catalog()[SAME_SHAPE[llm_name]]
        encoder = replace(checkpoint.encoder, bridge=two_layers(3072, int(llm.hidden_size)))
        seen = checkpoint.rule.turned({"size": side}).see(side, side)
        assert seen.visual_tokens == tokens
        vision = seconds_of([*encoder.tower_walk(seen, 1), *encoder.connector_walk(seen, 1)], card, "fp16")
        prefill = seconds_of(llm.walk(Pass(1, tokens, logits=True)), card, "fp16")
        rows.append(
            {
                "rows": where,
                "llm": llm_name,
                "image_side": side,
                "visual_tokens": tokens,
                "published_ms": milliseconds,
                "vision_ms": ms(vision),
                "prefill_ms": ms(prefill),
                "predicted_ms": ms(vision + prefill),
                "ratio": three_digits((vision + prefill) * 1e3 / milliseconds),
            }
        )
    return {
        "source": "arXiv 2412.13303v2, Table 6",
        "hardware": card.to_dict(),
        "ratios": summary(row["ratio"] for row in rows),
        "rows": rows,
    }
