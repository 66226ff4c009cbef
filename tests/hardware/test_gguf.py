"""Bits per weight of GGUF files against those that llama.cpp prints for whole files of Llama 3.1 8B."""

from __future__ import annotations

import pytest

import planner
from planner.configuration import Run
from planner.costs.kernels import Rates
from planner.hardware import find_hardware
from planner.hardware.gguf import BLOCK_BITS, GGUF_BITS, LAYER_WEIGHTS
from planner.hardware.precision import WEIGHT_BYTES

EMBEDDED = 128256 * 4096
"""Weights of the embeddings, and again of the output head."""
PRINTED = {"Q4_K_M": 4.8944, "Q5_K_S": 5.5704, "Q5_K_M": 5.7036, "Q6_K": 6.5633, "Q8_0": 8.5008}
"""Bits per weight, tools/quantize/README.md of llama.cpp."""
HEAD = {"Q8_0": "Q8_0"}
"""Type of the output head, Q6_K where nothing else is said; embeddings have the file's base type."""


@pytest.mark.parametrize(("name", "bits"), PRINTED.items())
def test_whole_files(name: str, bits: float) -> None:
    base = "_".join(name.split("_")[:2])
    layers, head = 32 * LAYER_WEIGHTS, BLOCK_BITS[HEAD.get(name, "Q6_K")]
    whole = (GGUF_BITS[name] * layers + (BLOCK_BITS[base] + head) * EMBEDDED) / (layers + 2 * EMBEDDED)
    assert whole == pytest.approx(bits, rel=5e-4)  # norms, in 32 bits, are left out


def test_products_run_in_sixteen_bits() -> None:
    card = find_hardware("h100-sxm")
    for name, bits in GGUF_BITS.items():
        rates = Rates.of(card, name)
        assert rates.flops_per_s == card.rate("bf16")
        assert (rates.weight_bytes, rates.input_bytes) == (bits / 8, 2.0)
        assert WEIGHT_BYTES[name] == bits / 8


def test_a_run_takes_them() -> None:
    assert str(Run.of("apple-m4-max", precision="Q4_K_M")) == "Q4_K_M on apple-m4-max, batch 1"
    wide, narrow = (
        planner.cost(
            "Qwen3-8B",
            576,
            query_tokens=50,
            generated_tokens=32,
            hardware="apple-m4-max",
            precision=name,
            kv_precision="fp16",
        )
        for name in ("bf16", "Q4_K_M")
    )
    assert wide.flops == narrow.flops
    assert 0.25 < narrow.memory.weights / wide.memory.weights < 0.5
