"""Precisions of GGUF files, by their true bits per weight, and the bytes of a whole file's language model.

A block of a ggml type holds some weights, their scales and offsets (ggml/src/ggml-common.h of llama.cpp):

    Q4_0: 32 weights, 2 + 16 bytes             Q4_K: 256 weights, 4 + 12 + 128 bytes
    Q5_0: 32 weights, 2 + 4 + 16 bytes         Q5_K: 256 weights, 4 + 12 + 128 + 32 bytes
    Q5_1: 32 weights, 4 + 4 + 16 bytes         Q6_K: 256 weights, 2 + 16 + 128 + 64 bytes
    Q8_0: 32 weights, 2 + 32 bytes

A file is "mostly" of a type (`llama_tensor_get_type_impl` in src/llama-quant.cpp):

    matrices of the layers    the type; in Q4_K_M and Q5_K_M half of the layers have attn_v and ffn_down in Q6_K
    table of tokens           the type; that of the head where the head is the table
    output head               Q6_K, in a file of Q8_0 that
    rows of no whole blocks   Q4_K -> Q5_0, Q5_K -> Q5_1, Q6_K -> Q8_0; of no 32 weights F16
    norms, biases, routers    F32, as they were converted

How much of a layer attn_v and ffn_down are is taken from Llama 3.1 8B, 28.8 %; others have 27 to 34 %, which moves a
file by about 1 %. Fused attention matrices (Q5_K in a Q4_K_M file) and mixtures of 8 experts (attn_v in Q8_0) are
counted as any other. Products run in 16 bits; times read matrices and head in the bits that the file holds.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from planner.base.dataclass import dataclass
from planner.parts.llms import Llm
from planner.parts.walk import Matmul, Number, Pass

BLOCK_BITS = {
    "Q4_0": 8 * (2 + 16) / 32,
    "Q5_0": 8 * (2 + 4 + 16) / 32,
    "Q5_1": 8 * (4 + 4 + 16) / 32,
    "Q8_0": 8 * (2 + 32) / 32,
    "Q4_K": 8 * (4 + 12 + 128) / 256,
    "Q5_K": 8 * (4 + 12 + 128 + 32) / 256,
    "Q6_K": 8 * (2 + 16 + 128 + 64) / 256,
}
"""Bits of one weight, by ggml type."""
FALLBACKS = {"Q4_K": "Q5_0", "Q5_K": "Q5_1", "Q6_K": "Q8_0"}
"""Types with blocks of 256 weights, and what stands in where a row is no multiple of them."""
LONG_BLOCK, BLOCK = 256, 32
PLAIN_BITS = 16.0
VECTOR_BITS = 32.0

_WIDTH, _KEYS, _INNER = 4096, 1024, 14336
LAYER_WEIGHTS = 2 * _WIDTH * _WIDTH + 2 * _WIDTH * _KEYS + 3 * _WIDTH * _INNER
"""Of one layer of Llama 3.1 8B."""
RAISED_SHARE = _WIDTH * (_KEYS + _INNER) / LAYER_WEIGHTS / 2
"""Part of its layers' weights that the mixes raise to Q6_K: attn_v and ffn_down, in every second layer."""


def row_bits(kind: str, columns: Number) -> Number:
    """Bits of one weight in rows of so many, of a ggml type or of what stands in for it."""
    found = np.where(np.asarray(columns) % BLOCK == 0, BLOCK_BITS[FALLBACKS.get(kind, kind)], PLAIN_BITS)
    long: Number = np.where(np.asarray(columns) % LONG_BLOCK == 0, BLOCK_BITS[kind], found)
    return long if kind in FALLBACKS else found


@dataclass(frozen=True)
class GgufType:
    """What a file is mostly of."""

    name: str
    base: str
    """ggml type of its matrices."""
    raised: str = ""
    """ggml type of attn_v and ffn_down in half of the layers; "" where they have the same."""

    @property
    def bits(self) -> float:
        """Of one weight of the layers' matrices, whose rows are whole blocks."""
        if not self.raised:
            return BLOCK_BITS[self.base]
        return BLOCK_BITS[self.base] * (1 - RAISED_SHARE) + BLOCK_BITS[self.raised] * RAISED_SHARE

    @property
    def head(self) -> str:
        """ggml type of the output head."""
        return self.base if self.base == "Q8_0" else "Q6_K"

    def weights_bytes(self, llm: Llm) -> Number:
        """Bytes of a language model's weights in such a file; a column where the model stands for many."""
        quantised: Number = 0.0
        bits: Number = 0.0
        for weights, each in self._matrices(llm):
            quantised = quantised + weights
            bits = bits + weights * each
        head, tables = llm.head_params, llm.table_params
        in_head, in_base = row_bits(self.head, llm.hidden_size), row_bits(self.base, llm.hidden_size)
        bits = bits + head * in_head + tables * np.where(np.asarray(head) > 0, in_base, in_head)
        beside: Number = np.maximum(llm.params - quantised - head - tables, 0.0)
        return (bits + VECTOR_BITS * beside) / 8

    def matrix_bits(self, llm: Llm) -> Number:
        """Of one weight of a language model's matrices, in the mean; `bits` where all rows are whole blocks."""
        stored: Number = 0.0
        beyond: Number = 0.0
        for weights, each in self._matrices(llm):
            stored = stored + weights
            beyond = beyond + weights * (each - self.bits)
        return self.bits + beyond / np.maximum(stored, 1.0)

    def head_bits(self, llm: Llm) -> Number:
        """Of one weight of its output head, which may be the table of tokens."""
        return row_bits(self.head, llm.hidden_size)

    def _matrices(self, llm: Llm) -> Iterator[tuple[Number, Number]]:
        """Weights of each kind of matrix in its layers, and the bits of one."""
        for kernel in llm.walk(Pass(1.0, 1.0)):
            if isinstance(kernel, Matmul) and kernel.quantised:
                each = row_bits(self.base, kernel.k)
                if self.raised:
                    each = each * (1 - RAISED_SHARE) + row_bits(self.raised, kernel.k) * RAISED_SHARE
                yield kernel.stored_weights, each


GGUF_TYPES = {
    one.name: one
    for one in (
        GgufType("Q4_0", "Q4_0"),
        GgufType("Q4_K_M", "Q4_K", "Q6_K"),
        GgufType("Q5_0", "Q5_0"),
        GgufType("Q5_K_S", "Q5_K"),
        GgufType("Q5_K_M", "Q5_K", "Q6_K"),
        GgufType("Q6_K", "Q6_K"),
        GgufType("Q8_0", "Q8_0"),
    )
}
"""By the name of the file's type."""
GGUF_BITS = {name: one.bits for name, one in GGUF_TYPES.items()}
"""Bits of one weight of the decoder's matrices, by the name of the file's type."""
