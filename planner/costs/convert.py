"""From one way of counting FLOPs to another, so that a printed number can be compared.

Papers on token compression print multiply-adds of the language model's prefill as "FLOPs", by layer:

    fastv      4 n d^2 + 2 n^2 d + 2 n d m     FastV (arXiv 2403.06764): an MLP of two matrices
    gated      4 n d^2 + 2 n^2 d + 3 n d m     SparseVLM (arXiv 2410.04417) and others: a gated MLP of three

n tokens, d width of the LLM, m width of its MLP. Neither knows grouped-query attention, output head, decode, vision
tower or compressor; both are half of what the multiply-adds cost at 2 FLOPs each.
"""

from __future__ import annotations

from planner.base.errors import InputError, UnknownNameError
from planner.configuration import Model
from planner.costs.flops import CONVENTIONS, flops
from planner.costs.stages import Workload
from planner.parts.llms import Dense

FASTV = "fastv"
GATED = "gated"
MAC_STYLES = {FASTV: 2, GATED: 3}
"""Formula -> matrices of the MLP that it counts."""
COUNTS = (*CONVENTIONS, *MAC_STYLES)
MEANINGS = {
    "full": "every stage that runs, causal attention once",
    "paper": "2 N (Q + V + G), LLM only, nominal N",
    "torch": "what PyTorch's FlopCounterMode counts",
    "fastv": "multiply-adds of LLM prefill, MLP of two matrices",
    "gated": "multiply-adds of LLM prefill, gated MLP (SparseVLM)",
}


def macs_of_prefill(llm: Dense, tokens: float, style: str) -> float:
    """Multiply-adds of a prefill of so many tokens by a formula of the compression papers."""
    d, m = llm.hidden_size, llm.intermediate_size
    per_layer = 4 * tokens * d * d + 2 * tokens * tokens * d + MAC_STYLES[style] * tokens * d * m
    return float(llm.num_layers * per_layer)


def counts(model: Model, workload: Workload) -> dict[str, float]:
    """The same request in every way of counting; in the papers' formulas for dense language models only."""
    found = {convention: float(flops(model, workload, convention).total) for convention in CONVENTIONS}
    if isinstance(model.llm, Dense):
        tokens = workload.prefilled_text_tokens + workload.images * float(model.visual_tokens)
        found |= {style: macs_of_prefill(model.llm, tokens, style) for style in MAC_STYLES}
    return found


def convert(value: float, counted: str, wanted: str, same_request: dict[str, float]) -> float:
    """A number counted one way, as another way would have counted the same request.

    Args:
        value: the printed number.
        counted: how it was counted.
        wanted: how it should be.
        same_request: `counts` of the request behind it.

    Raises:
        UnknownNameError: no such way of counting.
        InputError: that way counts nothing for this request.
    """
    for name in (counted, wanted):
        if name not in COUNTS:
            raise UnknownNameError("way of counting", name, COUNTS)
        if name not in same_request:
            raise InputError(f"{name} is a formula for dense language models, which this one is not")
    if not same_request[counted]:
        raise InputError(f"the count {counted} is 0 for this request, so nothing can be converted from it")
    return value * same_request[wanted] / same_request[counted]
