"""FLOPs of one request, stage by stage, by named convention. A multiply-add is 2 FLOPs.

    paper   2 N (Q + V + G), the LLM only, N its nominal size (arXiv 2411.03312). Q are the text tokens of prefill.
    full    every stage that runs, matrix products only (norms, activations and softmax are left out: below 1 %).
            Causal attention is counted once: a token attends to itself and to what stands before it. The output head
            is counted for one position of the prefill, none of the query pass, and every decode step.
    torch   what torch.utils.flop_counter.FlopCounterMode counts when the model runs, to the last FLOP: as `full`, but
            every pass is charged all its S (C + S) pairs of new and known tokens, causal or not.

Letters: P_lin weights of the decoder's matrices, P_head of the output head, L layers, w query heads x head dimension;
S new tokens, C cached before them; d width of the tower, P its patches, k feature layers, a heads of the compressor;
H width of the LLM, V visual tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from planner.base.errors import InputError, UnknownNameError
from planner.base.quantities import shown
from planner.costs.sizes import LlmSizes
from planner.costs.stages import STAGES, Workload, stage_tokens
from planner.models.specs import CompressorSpec, VisionSpec

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


def request_flops(
    llm: LlmSizes,
    visual_tokens: FloatArray | int,
    workload: Workload,
    *,
    vision: VisionSpec,
    compressor: CompressorSpec,
    convention: str = FULL,
    prompt_order: str = "image-first",
) -> Flops:
    """FLOPs of one request.

    Args:
        llm: one LlmSpec, or `sizes.LlmArrays` of many.
        visual_tokens: per image; an array broadcasts against the LLMs.
        workload: the request.
        vision: the vision tower.
        compressor: what makes the visual tokens.
        convention: "full", "paper" or "torch".
        prompt_order: "image-first" or "text-first" (which makes the query pass free).

    Returns:
        Flops whose entries have the broadcast shape of LLMs and visual tokens.

    Raises:
        UnknownNameError: no such convention or prompt order.
        InputError: a negative number of visual tokens.
    """
    v = np.asarray(visual_tokens, float)
    if not (v >= 0).all():
        raise InputError(f"visual_tokens: expected counts of at least 0, got {shown(v.min())}")
    tokens = stage_tokens(workload, v, compressor.query_aware, prompt_order)
    shape = np.broadcast_shapes(np.shape(llm.nominal_params), v.shape)
    zero = np.zeros(shape)
    if convention == PAPER:
        per_token = 2.0 * llm.nominal_params
        return Flops(zero, zero, zero, per_token * tokens.prefill + zero, per_token * tokens.decode + zero)
    if convention not in CONVENTIONS:
        raise UnknownNameError("convention", convention, CONVENTIONS)
    causal = convention == FULL
    behind = tokens.prefill - tokens.prefix  # what the prefill adds to a prefix that ran as the query pass
    prefill = decoder_flops(llm, tokens.prefix, tokens.cached, causal)
    prefill = prefill + decoder_flops(llm, behind, tokens.cached + tokens.prefix, causal)
    return Flops(
        encoder=workload.images * encoder_flops(vision) + zero,
        compressor=workload.images * compressor_flops(compressor, vision, llm.hidden_size, v) + zero,
        query_pass=decoder_flops(llm, tokens.query_pass, 0, causal) + zero,
        prefill=prefill + head_flops(llm, 1) + zero,
        decode=decode_flops(llm, tokens.decode, tokens.cached + tokens.prefill) + zero,
    )


def decoder_flops(
    llm: LlmSizes, new_tokens: FloatArray | int, cached_tokens: FloatArray | int, causal: bool = True
) -> FloatArray:
    """The decoder layers over S new tokens behind C cached ones: 2 P_lin S + 4 L w pairs.

    Pairs of a new token and one that it may look at: S C + S (S + 1) / 2, or S C + S^2 where the mask is not used to
    save work (`causal` is false).
    """
    s = np.asarray(new_tokens, float)
    pairs = s * cached_tokens + (s * (s + 1) / 2 if causal else s * s)
    flops: FloatArray = 2.0 * llm.linear_params * s + 4.0 * llm.num_layers * llm.attention_width * pairs
    return flops


def head_flops(llm: LlmSizes, positions: int) -> FloatArray | float:
    """Logits of some positions: 2 P_head each."""
    return 2.0 * llm.lm_head_params * positions


def decode_flops(llm: LlmSizes, steps: int, context_tokens: FloatArray) -> FloatArray:
    """G steps of one token behind a growing cache: the layers over G tokens one by one, and logits for each.

    Causal attention makes this the same sum as a prefill of G tokens behind the context.
    """
    return decoder_flops(llm, steps, context_tokens) + head_flops(llm, steps)


def encoder_flops(vision: VisionSpec) -> float:
    """The tower over one image, up to the last layer used: per layer 2 S (4 d^2 + 2 d m) + 4 S^2 d, and the patches.

    S counts the class token too; attention is bidirectional, so all S^2 pairs are real. m is the MLP's width.
    """
    d, s = vision.hidden_size, vision.patches + vision.class_token
    per_layer = 2 * s * (4 * d * d + 2 * d * vision.intermediate_size) + 4 * s * s * d
    patch_embedding = 2 * vision.patches * 3 * vision.patch_size**2 * d
    return float(patch_embedding + vision.layers_run * per_layer)


def compressor_flops(
    compressor: CompressorSpec, vision: VisionSpec, llm_hidden_size: FloatArray | float, visual_tokens: FloatArray
) -> FloatArray:
    """Compressor and projector over one image.

    Projector, all kinds: two layers d -> H -> H over V tokens, 2 V (d H + H^2).
    QueCC and TokenPacker: key and value MLPs k d -> d -> d over all P patches, 2 * 2 P (k d^2 + d^2); query and output
    projections, 2 * 2 V d^2. Key and value projections d -> d with the attention of each patch once: over all patches,
    4 P d^2 + 4 P d, or absorbed into the queries and the outputs of the a heads, 4 V d^2 + 4 a P d. The smaller runs.
    QueCC's queries: text feature H -> d, 2 H d; query MLP d -> d -> d over all patches, 4 P d^2; their weighted sums
    over the regions are element-wise. TokenPacker's queries: interpolation (not counted) and one layer over V tokens,
    2 V d^2.
    """
    d, patches, v = float(vision.hidden_size), float(vision.patches), visual_tokens
    h = np.asarray(llm_hidden_size, float)
    flops: FloatArray = 2 * v * (d * h + h * h)
    if compressor.name in ("quecc", "tokenpacker"):
        keys_and_values = 2 * 2 * patches * d * d * (compressor.feature_layers + 1)
        attention = np.minimum(patches * (d + 1), v * d + patches * compressor.heads)
        flops = flops + keys_and_values + 4 * v * d * d + 4 * d * attention
    if compressor.name == "quecc":
        flops = flops + 2 * h * d + 4 * patches * d * d
    elif compressor.name == "tokenpacker":
        flops = flops + 2 * v * d * d
    return flops
