"""FLOPs of one request, stage by stage, by named convention. A multiply-add is 2 FLOPs.

    paper   2 N (Q + V + G), the LLM only, N its nominal size (arXiv 2411.03312). Q are the text tokens of prefill.
    full    every stage that runs, matrix products only (norms, activations and softmax are left out: below 1 %).
            Causal attention is counted once: a token attends to itself and to what stands before it. The output head
            is counted for one position of the prefill, none of the query pass, and every decode step.
    torch   what torch.utils.flop_counter.FlopCounterMode counts when the model runs, to the last FLOP: as `full`, but
            every pass is charged all its S (C + S) pairs of new and known tokens, causal or not.

Which kernels a stage runs is said by the parts (`planner.parts.walk`); here they are counted.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.base.errors import UnknownNameError
from planner.configuration import Model
from planner.costs.stages import STAGES, Workload, passes
from planner.parts.walk import Attention, CacheRead, Matmul, Number, Pass, State, Walk

FloatArray = NDArray[np.float64]

FULL = "full"
PAPER = "paper"
TORCH = "torch"
CONVENTIONS = (FULL, PAPER, TORCH)


@dataclass(frozen=True)
class Flops:
    """FLOPs of one request by stage; each a float, or an array over candidates."""

    DERIVED: ClassVar[tuple[str, ...]] = ("total",)

    encoder: FloatArray | float
    compressor: FloatArray | float
    query_pass: FloatArray | float
    prefill: FloatArray | float
    decode: FloatArray | float

    @property
    def total(self) -> FloatArray | float:
        return self.encoder + self.compressor + self.query_pass + self.prefill + self.decode

    def at(self, *index: int) -> Flops:
        """The numbers of one candidate."""
        return Flops(*(float(np.asarray(getattr(self, stage))[index]) for stage in STAGES))

    def to_dict(self) -> dict[str, float]:
        """Total and stages, for a single candidate."""
        return {"total": float(self.total)} | {stage: float(getattr(self, stage)) for stage in STAGES}


def flops(
    model: Model, workload: Workload, convention: str = FULL, vision: tuple[Number, Number] | None = None
) -> Flops:
    """FLOPs of one request.

    Args:
        model: what runs.
        workload: the request.
        convention: "full", "paper" or "torch".
        vision: FLOPs of encoder and compressor for all images of the request, where they are known already.

    Returns:
        Flops whose entries have the broadcast shape of LLMs and visual tokens.

    Raises:
        UnknownNameError: no such convention.
    """
    todo = passes(model, workload)
    shape = np.broadcast_shapes(np.shape(model.llm.nominal_params), np.shape(model.visual_tokens))
    zero = np.zeros(shape)
    if convention == PAPER:
        per_token = 2.0 * model.llm.nominal_params
        return Flops(zero, zero, zero, per_token * todo.tokens.prefill + zero, per_token * todo.tokens.decode + zero)
    if convention not in CONVENTIONS:
        raise UnknownNameError("convention", convention, CONVENTIONS)
    masked = convention == FULL

    def llm_flops(*some: Pass) -> Number:
        return sum((walk_flops(model.llm.walk(one), masked=masked) for one in some), 0.0)

    if vision is None:
        vision = workload.images * walk_flops(model.encode(1.0)), workload.images * walk_flops(model.compress(1.0))
    encoder, compressor = vision
    return Flops(
        encoder=encoder + zero,
        compressor=compressor + zero,
        query_pass=llm_flops(*todo.query_pass) + zero,
        prefill=llm_flops(*todo.prefill) + zero,
        decode=llm_flops(todo.decode) + zero,
    )


def walk_flops(walk: Walk, *, masked: bool = True) -> Number:
    """FLOPs of a walk.

    Args:
        walk: the kernels.
        masked: whether attention is charged for the pairs that its mask leaves only.
    """
    found: Number = 0.0
    rows: Number | None = None
    weights: Number = 0.0
    for kernel in walk:
        if isinstance(kernel, Matmul):
            computed = kernel.rows if masked or kernel.unmasked_rows is None else kernel.unmasked_rows
            if computed is not rows:  # products of the same rows are added up first: whole numbers for longer
                found, rows, weights = found + _products(rows, weights), computed, 0.0
            weights = weights + kernel.times * kernel.k * kernel.n
        elif isinstance(kernel, Attention):
            found, rows, weights = found + _products(rows, weights), None, 0.0
            found = found + 4.0 * kernel.times * kernel.width * (kernel.pairs if masked else kernel.unmasked_pairs)
        elif isinstance(kernel, CacheRead):
            found, rows, weights = found + _products(rows, weights), None, 0.0
            tokens, width = kernel.tokens, kernel.width
            if not masked:
                tokens = tokens if kernel.unmasked_tokens is None else kernel.unmasked_tokens
                width = width if kernel.unmasked_width is None else kernel.unmasked_width
            found = found + 4.0 * kernel.times * width * tokens
        elif isinstance(kernel, State):
            flops = kernel.rows * kernel.flops_per_row
            if not masked and kernel.unmasked_flops is not None:
                flops = kernel.unmasked_flops
            found = found + kernel.times * flops
    return found + _products(rows, weights)


def _products(rows: Number | None, weights: Number) -> Number:
    return 0.0 if rows is None else 2.0 * weights * rows
