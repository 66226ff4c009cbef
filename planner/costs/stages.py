"""What runs for one request, in tokens: the workload, and the sizes of each stage.

encoder      the vision tower over all patches, once an image
compressor   patches -> visual tokens, and the projector into the LLM, once an image
query pass   the LLM over the query alone, for a query-aware compressor (QueCC)
prefill      the LLM over system, visual and query tokens
decode       the LLM, one step for every generated token
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from planner.base.errors import UnknownNameError
from planner.base.quantities import whole_number

FloatArray = NDArray[np.float64]

STAGES = ("encoder", "compressor", "query_pass", "prefill", "decode")

IMAGE_FIRST = "image-first"
TEXT_FIRST = "text-first"
PROMPT_ORDERS = (IMAGE_FIRST, TEXT_FIRST)


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
    """Images per request, each with its own visual tokens."""

    def __post_init__(self) -> None:
        for item in fields(self):
            minimum = 1 if item.name == "images" else 0
            object.__setattr__(self, item.name, whole_number(getattr(self, item.name), item.name, minimum))

    @property
    def prefilled_text_tokens(self) -> int:
        """Text tokens that the prefill computes."""
        return self.system_tokens + self.query_tokens


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
