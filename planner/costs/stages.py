"""What runs for one request, in tokens: the workload, and the sizes of each stage.

encoder      the vision tower over all patches, once an image
compressor   patches -> visual tokens, and the projector into the LLM, once an image
query pass   the LLM over the query alone, for a query-aware compressor (QueCC)
prefill      the LLM over system, visual and query tokens
decode       the LLM, one step for every generated token
"""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.base.errors import QuantityError, UnknownNameError
from planner.base.quantities import shown, whole_number
from planner.configuration import IMAGE_FIRST, PROMPT_ORDERS, TEXT_FIRST, Model
from planner.parts.walk import Number, Pass

FloatArray = NDArray[np.float64]

STAGES = ("encoder", "compressor", "query_pass", "prefill", "decode")


@dataclass(frozen=True)
class Workload:
    """One request, in tokens. Raises QuantityError for counts that are negative or not whole."""

    query_tokens: int
    """Text tokens of the user's query, new in this request (Q)."""
    generated_tokens: int
    """Answer tokens (G). Prefill yields the first; G decode steps yield the others and the end of the answer."""
    cached_tokens: int = 0
    """Text tokens already in the KV cache (the paper's Q = 0 case): they cost no prefill, but attention reads them."""
    system_tokens: int = 0
    """Further text tokens that are prefilled with every request and that the compressor does not look at."""
    images: int = 1
    """Images per request, each with its own visual tokens; 0: text alone."""

    def __post_init__(self) -> None:
        for item in fields(self):
            object.__setattr__(self, item.name, whole_number(getattr(self, item.name), item.name, 0))

    @property
    def prefilled_text_tokens(self) -> int:
        """Text tokens that the prefill computes."""
        return self.system_tokens + self.query_tokens


def as_workload(
    workload: Workload | None,
    query_tokens: int | None,
    generated_tokens: int | None,
    cached_tokens: int,
    expected: str = "a Workload",
) -> Workload:
    """A Workload from either way of giving one; `expected` says in errors what a caller takes as one.

    Raises:
        QuantityError: both ways or neither are given.
    """
    if workload is not None:
        if not isinstance(workload, Workload):
            raise QuantityError(f"workload: expected {expected}, got {shown(workload)}", workload)
        if query_tokens is not None or generated_tokens is not None or cached_tokens:
            raise QuantityError("workload: give a Workload or token counts, not both", workload)
        return workload
    if query_tokens is None or generated_tokens is None:
        missing = "query_tokens" if query_tokens is None else "generated_tokens"
        raise QuantityError(f"{missing}: expected how many tokens a request has, got nothing", None)
    return Workload(query_tokens, generated_tokens, cached_tokens)


@dataclass(frozen=True)
class StageTokens:
    """Token counts of the LLM's stages; visual counts may be arrays."""

    query_pass: int
    """Tokens of the extra pass, 0 where none is needed."""
    prefill: FloatArray
    """New tokens."""
    cached: int
    """Tokens in the KV cache before prefill."""
    decode: int
    """Steps."""
    prefix: int = 0
    """How many of the prefilled tokens run ahead of the others, as the query pass of a text-first prompt."""
    beside: Number = 0.0
    """Tokens of images that stand beside the sequence."""


def stage_tokens(workload: Workload, visual_tokens: FloatArray, query_aware: bool, prompt_order: str) -> StageTokens:
    """How many tokens each stage of the LLM sees.

    In a text-first prompt the query stands before the image, so that the causal LLM's pass over the query is the prefix
    of the prefill: its last hidden state serves the compressor and its keys and values stay in the cache.

    Args:
        workload: the request.
        visual_tokens: per image, any shape.
        query_aware: whether the compressor needs the query's hidden state.
        prompt_order: "image-first" or "text-first".

    Raises:
        UnknownNameError: no such prompt order.
    """
    if prompt_order not in PROMPT_ORDERS:
        raise UnknownNameError("prompt order", prompt_order, PROMPT_ORDERS)
    extra_pass = query_aware and prompt_order == IMAGE_FIRST
    runs_ahead = query_aware and prompt_order == TEXT_FIRST and workload.query_tokens > 0
    return StageTokens(
        query_pass=workload.query_tokens if extra_pass else 0,
        prefill=workload.prefilled_text_tokens + workload.images * visual_tokens,
        cached=workload.cached_tokens,
        decode=workload.generated_tokens,
        prefix=workload.prefilled_text_tokens if runs_ahead else 0,
    )


@dataclass(frozen=True)
class Passes:
    """What the language model computes for a batch of requests, one pass after the other in each stage."""

    tokens: StageTokens
    query_pass: tuple[Pass, ...]
    """() where none is needed."""
    prefill: tuple[Pass, ...]
    """Text that runs ahead (text-first) is a pass of its own, which reads all weights."""
    decode: Pass
    """All G steps."""
    mean_step: Pass
    """One step at the mean length of the cache, of the G - 1 that are waited for: the prefill yields the first token.
    It attends to C + S + G / 2 tokens, itself included."""


def passes(model: Model, workload: Workload, batch: Number = 1.0) -> Passes:
    """The passes of a batch of requests. Where the query stands first, see `stage_tokens`."""
    looks = model.compressor.query_aware and model.has_images and workload.images > 0
    tokens = stage_tokens(workload, np.asarray(model.sequence_tokens, float), looks, model.prompt_order)
    whole = tokens.cached + tokens.prefill
    beside = workload.images * model.beside_tokens
    tokens = replace(tokens, beside=beside)
    behind = Pass(
        batch, tokens.prefill - tokens.prefix, tokens.cached + tokens.prefix, logits=True, image_tokens=beside
    )
    return Passes(
        tokens,
        query_pass=(Pass(batch, float(tokens.query_pass)),) if tokens.query_pass else (),
        prefill=(Pass(batch, float(tokens.prefix), tokens.cached), behind) if tokens.prefix else (behind,),
        decode=Pass(batch, float(tokens.decode), whole, logits=True, step=True, image_tokens=beside),
        mean_step=Pass(batch, 1.0, whole + max(tokens.decode, 1) / 2 - 1, logits=True, step=True, image_tokens=beside),
    )
