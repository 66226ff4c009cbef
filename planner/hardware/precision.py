"""How many bytes a number takes: of weights, of the KV cache, of what is not quantised.

Quantisers leave embeddings, output head, norms, biases, tower and compressor in 16 bits: only the matrices of the
decoder's layers take the low precision (GGUF files quantise embeddings and head too: see `gguf`). int4 and w8a16 add
one 16-bit scale for a group of 128 weights; the scales of fp8 and int8, one for a row at most, are below .1 % and left
out.
"""

from __future__ import annotations

from planner.base.errors import UnknownNameError
from planner.hardware.gguf import GGUF_BITS

GROUP_SIZE = 128
"""Weights that share a scale in int4 and w8a16."""
_SCALE = 2.0 / GROUP_SIZE
_SERVED = {
    "fp32": 4.0,
    "bf16": 2.0,
    "fp16": 2.0,
    "fp8": 1.0,
    "int8": 1.0,
    "int4": 0.5 + _SCALE,
}
_STORED = {"w8a16": 1.0 + _SCALE}
"""Those that checkpoints are stored in, and to which no engine quantises weights while it loads them."""
WEIGHT_BYTES = {**_SERVED, **_STORED, **{name: bits / 8 for name, bits in GGUF_BITS.items()}}
"""Of one weight of the decoder's matrices, scales included; those of GGUF files (Q4_K_M, ...) come last."""
WEIGHT_PRECISIONS = tuple(_SERVED)
"""Those that serving engines for GPUs know."""
WEIGHT_ONLY = ("int4", *_STORED, *GGUF_BITS)
"""Those in which weights are stored only: products run in 16 bits."""
KV_BYTES = {"fp32": 4.0, "bf16": 2.0, "fp16": 2.0, "fp8": 1.0, "int8": 1.0}
"""Of one number in the KV cache."""


def wide_bytes(precision: str) -> float:
    """Bytes of a number that is not quantised: 4 in fp32, else 2."""
    return 4.0 if precision == "fp32" else 2.0


def check_precisions(precision: str, kv_precision: str | None) -> None:
    """Raises UnknownNameError for a precision that is not known."""
    if not isinstance(precision, str) or precision not in WEIGHT_BYTES:
        raise UnknownNameError("precision", precision, WEIGHT_PRECISIONS)
    if kv_precision is not None and (not isinstance(kv_precision, str) or kv_precision not in KV_BYTES):
        raise UnknownNameError("precision of a KV cache", kv_precision, KV_BYTES)
