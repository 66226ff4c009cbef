"""Which shapes to measure for a calibration: a few sizes of language model, visual tokens and batches that fit.

Few tokens at batch 1 show launch costs, many tokens in large batches the matrix units, decode steps the memory's
bandwidth, and a long cache in a large batch how fast it is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from planner.base.errors import InputError
from planner.base.quantities import format_bytes
from planner.configuration import IMAGE_FIRST, Model, Run
from planner.costs.memory import memory
from planner.costs.stages import Workload
from planner.parts.catalog import DEFAULT_VISION, find_compressor, find_llms, find_vision
from planner.parts.compressors import Compressor
from planner.parts.llms import Llm
from planner.parts.towers import Tower

ROOM = 0.9
"""Of the free memory that a shape may take: allocators keep more than they give."""
LADDER = ("Qwen2.5-0.5B", "Qwen2.5-1.5B", "Qwen2.5-3B", "Qwen2.5-7B", "Qwen2.5-14B")
"""Of which a GPU's language models are taken by default: the smallest, the largest that fits, one between them."""
_MAY_TAKE = 0.5
"""Of the free memory, the weights of the largest default model: the rest is for batches."""


@dataclass(frozen=True)
class Defaults:
    """What is measured where nothing is said."""

    llms: tuple[str, ...]
    """None for those of LADDER that fit."""
    visual_tokens: tuple[int, ...]
    batches: tuple[int, ...]
    vision: str
    workload: Workload
    precision: str
    seconds: float
    """Of sampling for each stage."""


ON_GPU = Defaults((), (1, 36, 144, 576), (1, 8, 32), DEFAULT_VISION, Workload(50, 16), "bf16", 0.5)
ON_CPU = Defaults(("SmolLM2-135M", "SmolLM2-360M"), (1, 49), (1, 4), "CLIP-ViT-B/32-224", Workload(32, 8), "fp32", 0.3)
"""A few minutes on two cores."""


@dataclass(frozen=True)
class Shape:
    """One model with one batch."""

    llm: Llm
    visual_tokens: int
    batch: int

    def __str__(self) -> str:
        tokens = "1 visual token" if self.visual_tokens == 1 else f"{self.visual_tokens} visual tokens"
        return f"{self.llm.name}, {tokens}, batch {self.batch}"


@dataclass(frozen=True)
class ShapePlan:
    """What will be measured, smallest models first, and what does not fit."""

    shapes: tuple[Shape, ...]
    left_out: tuple[tuple[Shape, float], ...]
    """With the bytes that it would need."""

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(f"left out, needs {format_bytes(needed)}: {shape}" for shape, needed in self.left_out)


def plan_shapes(
    memory_bytes: float | None,
    llms: Sequence[Llm] = (),
    visual_tokens: Sequence[int] = ON_GPU.visual_tokens,
    batches: Sequence[int] = ON_GPU.batches,
    *,
    workload: Workload = ON_GPU.workload,
    vision: Tower | str = DEFAULT_VISION,
    compressor: Compressor | str = "quecc",
    prompt_order: str = IMAGE_FIRST,
    precision: str = "bf16",
) -> ShapePlan:
    """Every combination that fits.

    Args:
        memory_bytes: free on the device; None where it is not known, and everything is said to fit.
        llms: language models; three of LADDER by default.
        visual_tokens: per image.
        batches: requests that run together.
        workload: one request.
        vision: the tower.
        compressor: what makes the visual tokens.
        prompt_order: "image-first" or "text-first".
        precision: of the weights.

    Raises:
        InputError: visual tokens that the compressor does not make of this tower's patches, or nothing that fits.
    """
    tower, squeeze = find_vision(vision), find_compressor(compressor)
    makes = squeeze.visual_tokens(tower)
    for count in visual_tokens:
        if count not in makes:
            raise InputError(
                f"{squeeze.name} makes {', '.join(map(str, makes))} visual tokens of the patches of {tower.name}, "
                f"not {count}"
            )
    room = float("inf") if memory_bytes is None else ROOM * memory_bytes
    chosen = sorted(llms or _from_ladder(memory_bytes, precision), key=lambda llm: llm.params)
    shapes, left_out = [], []
    for llm in chosen:
        for count in sorted(set(visual_tokens)):
            for batch in sorted(set(batches)):
                shape = Shape(llm, count, batch)
                model = Model(llm, tower, squeeze, count, prompt_order)
                needed = float(memory(model, workload, Run(None, precision, batch=batch)).at().peak)
                if needed <= room:
                    shapes.append(shape)
                else:
                    left_out.append((shape, needed))
    if not shapes:
        least = min(needed for _, needed in left_out)
        raise InputError(
            f"nothing fits: the smallest shape needs {format_bytes(least)}, the device has "
            f"{format_bytes(memory_bytes or 0.0)} free; name smaller language models with --llms"
        )
    return ShapePlan(tuple(shapes), tuple(left_out))


def _from_ladder(memory_bytes: float | None, precision: str) -> tuple[Llm, ...]:
    ladder = find_llms(list(LADDER))
    width = 4 if precision == "fp32" else 2
    fitting = [llm for llm in ladder if memory_bytes is None or width * llm.params <= _MAY_TAKE * memory_bytes]
    if len(fitting) <= 3:
        return tuple(fitting) or ladder[:1]
    middle = (fitting[0].params * fitting[-1].params) ** 0.5
    between = min(fitting[1:-1], key=lambda llm: abs(llm.params - middle))
    return (fitting[0], between, fitting[-1])
