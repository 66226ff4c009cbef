"""The measured side of `latency.py`: kernels of many shapes as aiconfigurator knows them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import links
from environment import say

from planner.base.errors import InputError
from planner.costs.silicon import Engine
from planner.hardware import Hardware, find_hardware, hardware_catalog
from planner.hardware.efficiency import efficiency_of
from planner.parts.catalog import llm_catalog
from planner.parts.llms import Dense

FITTED = (
    "Qwen3-0.6B",
    "Qwen2.5-1.5B",
    "Llama-3.2-3B",
    "Qwen1.5-4B",
    "Qwen3-8B",
    "Qwen1.5-14B",
    "Qwen2.5-14B",
    "Qwen3-32B",
)
JUDGED = (
    "Qwen2.5-0.5B",
    "Llama-3.2-1B",
    "Qwen3-1.7B",
    "Qwen1.5-1.8B",
    "Qwen3-4B",
    "Vicuna-7B-v1.5",
    "Qwen2.5-7B",
    "Llama-3.1-8B",
    "Qwen3-14B",
    "Qwen2.5-32B",
)
SPLIT = ("Qwen3-8B", "Qwen3-32B", "Llama-3.1-8B", "Qwen2.5-32B", "Vicuna-7B-v1.5")
"""Models that run on 2, 4 and 8 GPUs too."""
PROMPTS = (32, 50, 66, 100, 128, 200, 256, 400, 576, 626, 1024, 1500, 2048)
BATCHES = (1, 2, 4, 8, 16, 32)
GPUS = (1, 2, 4, 8)
LARGE_BATCHES = (64, 128, 256)
LARGE_CONTEXTS = (256, 400, 576, 1024, 2048, 4096)
"""Decode steps of an engine that serves many requests: on one GPU, judged apart from the others."""
MORE_CARDS = {
    # title, peak in bf16, fp8; memory and interconnect bandwidth: as aiconfigurator's system files state them
    "b300": ("NVIDIA B300 SXM", 2.25e15, 4.5e15, 7.75e12, 900e9),
    "gb200": ("NVIDIA GB200", 2.5e15, 5e15, 8e12, 900e9),
    "gb300": ("NVIDIA GB300", 2.5e15, 5e15, 8e12, 900e9),
    "rtx-pro-6000": ("NVIDIA RTX PRO 6000 Blackwell", 467.8e12, 935.6e12, 1.792e12, 64e9),
    "arc-b60": ("Intel Arc Pro B60", 98.304e12, 98.304e12, 456e9, 28.4e9),
}
"""With data, but not in the hardware catalogue."""


def hardware_of(card: str) -> Hardware:
    """From the catalogue, else from MORE_CARDS."""
    if card not in MORE_CARDS or card in hardware_catalog():
        return find_hardware(card)
    title, bf16, fp8, bandwidth, interconnect = MORE_CARDS[card]
    return replace(
        find_hardware("h100-sxm"),
        name=card,
        title=title,
        flops_per_s={"bf16": bf16, "fp16": bf16, "fp8": fp8},
        bandwidth_bytes_per_s=bandwidth,
        interconnect_bytes_per_s=interconnect,
        efficiency=efficiency_of(card),
    )


# ---- what aiconfigurator says --------------------------------------------------------------------------------------


def _dense(name: str) -> Dense:
    llm = llm_catalog()[name]
    assert isinstance(llm, Dense)
    return llm


@dataclass(frozen=True)
class Shape:
    """One pass of one model."""

    llm: Dense
    gpus: int
    batch: int
    tokens: int
    """Of the prompt: new in a prefill, before the new one in a decode step."""
    prefill: bool
    seconds: dict[str, float] = field(hash=False)
    """By kernel."""

    large: bool = False
    """Whether it is one of LARGE_BATCHES and LARGE_CONTEXTS."""

    @property
    def rows(self) -> int:
        return self.batch * self.tokens if self.prefill else self.batch


def ask(
    card: str, names: Iterable[str], *, engine: str = "", precision: str = "bf16", gpus: Sequence[int] = GPUS
) -> list[Shape]:
    """Every shape of the models that aiconfigurator has data for, of an engine's kernels; by default of those that
    stand for the model. All-reduces of cards in `links.TABLES` are those of that table."""
    shapes = []
    for name in names:
        llm = _dense(name)
        for n in gpus if name in SPLIT and precision == "bf16" else (1,):
            try:
                model = Engine.of(llm, card, precision, gpus=n, engine=engine)
                for batch in BATCHES:
                    for tokens in PROMPTS:
                        for prefill in (True, False):
                            ops = model.prefill(batch, tokens) if prefill else model.decode_step(batch, tokens)
                            seconds = {op: value for op, value, _ in ops}
                            shape = Shape(llm, n, batch, tokens, prefill, seconds)
                            shapes.append(replace(shape, seconds=seconds | _all_reduces(card, shape)))
                if n == 1 and precision == "bf16":
                    shapes += [
                        Shape(llm, 1, batch, tokens, False, _seconds(model, batch, tokens), large=True)
                        for batch in LARGE_BATCHES
                        for tokens in LARGE_CONTEXTS
                    ]
            except InputError as error:
                say(f"{card}: {error}")
    return shapes


def _seconds(model: Engine, batch: int, tokens: int) -> dict[str, float]:
    return {op: value for op, value, _ in model.decode_step(batch, tokens)}


def _all_reduces(card: str, shape: Shape) -> dict[str, float]:
    """The seconds of all-reduces that another table of the card says."""
    table = links.TABLES.get(card)
    if table is None or shape.gpus == 1:
        return {}
    each = table.seconds(shape.gpus, shape.rows * shape.llm.hidden_size)
    return {"ar_1": shape.llm.num_layers * each, "ar_2": shape.llm.num_layers * each, "embedding_ar": each}


def ask_fp8(card: str, names: Iterable[str], *, engine: str = "") -> list[Shape]:
    """With the weights in fp8; nothing for a card without."""
    able = "fp8" in hardware_of(card).flops_per_s
    return ask(card, names, engine=engine, precision="fp8") if able else []
