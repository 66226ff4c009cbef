"""What the cost model needs of language models: the numbers of one, or columns over many."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from planner.models.specs import LlmSpec

FloatArray = NDArray[np.float64]


class LlmSizes(Protocol):
    """One `LlmSpec`, or `LlmArrays` of many; the fields are explained there."""

    @property
    def nominal_params(self) -> float | FloatArray: ...
    @property
    def params(self) -> float | FloatArray: ...
    @property
    def linear_params(self) -> float | FloatArray: ...
    @property
    def lm_head_params(self) -> float | FloatArray: ...
    @property
    def embedding_params(self) -> float | FloatArray: ...
    @property
    def attention_width(self) -> float | FloatArray: ...
    @property
    def kv_width(self) -> float | FloatArray: ...
    @property
    def kv_values_per_token(self) -> float | FloatArray: ...
    @property
    def num_heads(self) -> float | FloatArray: ...
    @property
    def num_kv_heads(self) -> float | FloatArray: ...
    @property
    def num_layers(self) -> float | FloatArray: ...
    @property
    def hidden_size(self) -> float | FloatArray: ...
    @property
    def intermediate_size(self) -> float | FloatArray: ...
    @property
    def mlp_matrices(self) -> float | FloatArray: ...
    @property
    def vocab_size(self) -> float | FloatArray: ...


@dataclass(frozen=True)
class LlmArrays:
    """The sizes of many language models as columns (models, 1), to be broadcast against visual tokens."""

    nominal_params: FloatArray
    params: FloatArray
    linear_params: FloatArray
    lm_head_params: FloatArray
    embedding_params: FloatArray
    attention_width: FloatArray
    kv_width: FloatArray
    kv_values_per_token: FloatArray
    num_heads: FloatArray
    num_kv_heads: FloatArray
    num_layers: FloatArray
    hidden_size: FloatArray
    intermediate_size: FloatArray
    mlp_matrices: FloatArray
    vocab_size: FloatArray

    @classmethod
    def of(cls, llms: tuple[LlmSpec, ...]) -> LlmArrays:
        return cls(*(np.array([[getattr(llm, item.name)] for llm in llms], float) for item in fields(cls)))
