"""Which shapes to measure for a calibration: a few sizes of language model, visual tokens and batches that fit.

Few tokens at batch 1 show launch costs, many tokens in large batches the matrix units, decode steps the memory's
bandwidth. Small batches one by one show how products grow with few rows, and decode steps behind a long cache how fast
it is read: each alone, for a fit that sees one of them takes it for the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.base.quantities import format_bytes
from planner.configuration import Model, Run
from planner.costs.memory import memory
from planner.costs.stages import Workload
from planner.parts.catalog import DEFAULT_VISION, find_llms
from planner.parts.llms import Llm

ROOM = 0.9
"""Of the free memory that a shape may take: allocators keep more than they give."""
LADDER = ("Qwen2.5-0.5B", "Qwen2.5-1.5B", "Qwen2.5-3B", "Qwen2.5-7B", "Qwen2.5-14B")
"""Of which a GPU's language models are taken by default: the smallest, the largest that fits, one between them."""
_MAY_TAKE = 0.5
"""Of the free memory, the weights of the largest default model: the rest is for batches."""


@dataclass(frozen=True)
class More:
    """Shapes beside every combination of tokens and batches, with the fewest visual tokens."""

    batches: tuple[int, ...] = ()
    """Further ones, of few requests."""
    cached_tokens: int = 0
    """Text that is in the cache before the request comes, in shapes of a long cache."""
    cached_batches: tuple[int, ...] = ()
    """Of these shapes."""


NO_MORE = More()


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
    more: More


ON_GPU = Defaults(
    (),
    (1, 36, 144, 576),
    (1, 8, 32),
    DEFAULT_VISION,
    Workload(50, 16),
    "bf16",
    0.5,
    More(batches=(2, 3, 4), cached_tokens=8192, cached_batches=(1, 8)),
)
ON_CPU = Defaults(
    ("SmolLM2-135M", "SmolLM2-360M"),
    (1, 49),
    (1, 4),
    "CLIP-ViT-B/32-224",
    Workload(32, 8),
    "fp32",
    1.0,
    More(batches=(2, 3, 8), cached_tokens=2000, cached_batches=(1, 4)),
)
"""Some minutes on two cores."""


@dataclass(frozen=True)
class Shape:
    """One model with one batch."""

    model: Model
    batch: int
    cached_tokens: int = 0
    """In the cache before the request comes, beside those of the workload."""

    def workload(self, request: Workload) -> Workload:
        """A request behind what is cached."""
        return replace(request, cached_tokens=request.cached_tokens + self.cached_tokens)

    @property
    def llm(self) -> Llm:
        return self.model.llm

    @property
    def visual_tokens(self) -> int:
        """Per image."""
        return int(self.model.visual_tokens)

    def __str__(self) -> str:
        tokens = "1 visual token" if self.visual_tokens == 1 else f"{self.visual_tokens} visual tokens"
        behind = f", behind {self.cached_tokens} tokens" if self.cached_tokens else ""
        return f"{self.llm.name}, {tokens}, batch {self.batch}{behind}"


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
    like: Model | None = None,
    run: Run = Run(),
    more: More = NO_MORE,
) -> ShapePlan:
    """Every combination that fits.

    Args:
        memory_bytes: free on the device; None where it is not known, and everything is said to fit.
        llms: language models; three of LADDER by default.
        visual_tokens: per image.
        batches: requests that run together.
        workload: one request.
        like: its other parts and its prompt order are those of every shape; the usual ones by default.
        run: how each shape runs, but for its batch; without hardware.
        more: shapes beside them.

    Raises:
        InputError: visual tokens that the compressor does not make of this tower's patches, or nothing that fits.
    """
    like = Model.of(LADDER[0], 1) if like is None else like
    tower, squeeze = like.tower, like.compressor
    makes = squeeze.visual_tokens(tower)
    for count in visual_tokens:
        if count not in makes:
            raise InputError(
                f"{squeeze.name} makes {', '.join(map(str, makes))} visual tokens of the patches of {tower.name}, "
                f"not {count}"
            )
    room = float("inf") if memory_bytes is None else ROOM * memory_bytes
    chosen = sorted(llms or _from_ladder(memory_bytes, run.precision), key=lambda llm: llm.params)
    shapes, left_out = [], []
    fewest = min(visual_tokens)
    for llm in chosen:
        own = [(count, batch, 0) for count in visual_tokens for batch in batches]
        own += [(fewest, batch, 0) for batch in more.batches]
        own += [(fewest, batch, more.cached_tokens) for batch in more.cached_batches]
        for count, batch, cached in sorted(set(own), key=lambda one: (one[2], one[0], one[1])):
            shape = Shape(replace(like, llm=llm, visual_tokens=count), batch, cached)
            needed = float(memory(shape.model, shape.workload(workload), replace(run, batch=batch)).at().peak)
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
