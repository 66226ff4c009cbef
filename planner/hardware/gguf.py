"""Precisions of GGUF files, by their true bits per weight.

A block of a ggml type holds some weights, their scales and offsets (ggml/src/ggml-common.h of llama.cpp):

    Q4_0: 32 weights, 2 + 16 bytes             Q4_K: 256 weights, 4 + 12 + 128 bytes
    Q5_0: 32 weights, 2 + 4 + 16 bytes         Q5_K: 256 weights, 4 + 12 + 128 + 32 bytes
    Q8_0: 32 weights, 2 + 32 bytes             Q6_K: 256 weights, 2 + 16 + 128 + 64 bytes

A file is "mostly" of a type. Counted here are the matrices of the layers, as for every precision: embeddings and output
head count in 16 bits, though GGUF quantises them as well, so that memory is somewhat overstated. In Q4_K_M and Q5_K_M
half of the layers have attn_v and ffn_down in Q6_K (src/llama-quant.cpp); how much of a layer these two are is taken
from Llama 3.1 8B, 28.8 %. Products run in 16 bits.
"""

from __future__ import annotations

BLOCK_BITS = {
    "Q4_0": 8 * (2 + 16) / 32,
    "Q5_0": 8 * (2 + 4 + 16) / 32,
    "Q8_0": 8 * (2 + 32) / 32,
    "Q4_K": 8 * (4 + 12 + 128) / 256,
    "Q5_K": 8 * (4 + 12 + 128 + 32) / 256,
    "Q6_K": 8 * (2 + 16 + 128 + 64) / 256,
}
"""Bits of one weight, by ggml type."""

_WIDTH, _KEYS, _INNER = 4096, 1024, 14336
LAYER_WEIGHTS = 2 * _WIDTH * _WIDTH + 2 * _WIDTH * _KEYS + 3 * _WIDTH * _INNER
"""Of one layer of Llama 3.1 8B."""
RAISED_SHARE = _WIDTH * (_KEYS + _INNER) / LAYER_WEIGHTS / 2
"""Part of its layers' weights that the mixes raise to Q6_K: attn_v and ffn_down, in every second layer."""


def _mixed(kind: str) -> float:
    return BLOCK_BITS[kind] * (1 - RAISED_SHARE) + BLOCK_BITS["Q6_K"] * RAISED_SHARE


GGUF_BITS = {
    "Q4_0": BLOCK_BITS["Q4_0"],
    "Q4_K_M": _mixed("Q4_K"),
    "Q5_0": BLOCK_BITS["Q5_0"],
    "Q5_K_S": BLOCK_BITS["Q5_K"],
    "Q5_K_M": _mixed("Q5_K"),
    "Q6_K": BLOCK_BITS["Q6_K"],
    "Q8_0": BLOCK_BITS["Q8_0"],
}
"""Bits of one weight of the decoder's matrices, by the name of the file's type."""
