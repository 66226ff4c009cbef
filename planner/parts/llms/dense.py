"""Dense decoder-only transformers: grouped-query attention, an MLP with or without a gate, windows by layer.

Letters: L layers, H width, w query heads x head size, u key/value heads x head size, f width of the MLP, n GPUs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from functools import cached_property
from itertools import product
from typing import Any, Self, TypeAlias

import numpy as np

from planner.base.dataclass import dataclass
from planner.base.errors import SpecError
from planner.parts.llms.base import Llm
from planner.parts.llms.block import uneven, uneven_attention
from planner.parts.walk import (
    UNLIMITED,
    AllReduce,
    Attention,
    Cache,
    CacheRead,
    Elementwise,
    Gather,
    Kernel,
    Matmul,
    Number,
    Pass,
)

LayerKind: TypeAlias = tuple[Number, Number]
"""How many layers, and their window."""


@dataclass(frozen=True, kw_only=True)
class Dense(Llm):
    """A dense decoder-only transformer, as its Hugging Face config describes it."""

    intermediate_size: int
    num_kv_heads: int
    """Fewer than `num_heads` with grouped-query attention (GQA)."""
    head_dim: int
    tied_embeddings: bool
    """Whether the output head is the input embedding."""
    gated_mlp: bool = True
    """Three matrices (SwiGLU, GeGLU) instead of two."""
    qkv_bias: bool = False
    o_bias: bool = False
    mlp_bias: bool = False
    head_bias: bool = False
    qk_norm: bool = False
    """Whether queries and keys are normalised."""
    norm_params_per_layer: int = 0
    """Parameters of all norms in a layer, QK-norm included."""
    final_norm_params: int = 0
    other_params: int = 0
    """Parameters outside of the layers that no product takes: learned positions, the norm of the embedding."""
    windows: tuple[int | None, ...] = ()
    """Of each layer, how many tokens its attention sees; None: all. () where every layer sees all."""
    sees_whole_prompt: bool = False
    """Whether the tokens of a prompt see those behind them too (PaliGemma)."""

    def __post_init__(self) -> None:
        if self.windows and len(self.windows) != self.num_layers:
            raise SpecError(f"{self.name}: expected a window for each of {self.num_layers} layers, got {self.windows}")

    # ---- sizes -------------------------------------------------------------------------------------------------------

    @property
    def layer_kinds(self) -> tuple[LayerKind, ...]:
        """Layers that are alike."""
        if not self.windows:
            return ((self.num_layers, UNLIMITED),)
        found = Counter(self.windows)
        return tuple((count, UNLIMITED if window is None else float(window)) for window, count in found.items())

    @property
    def attention_width(self) -> int:
        """Query heads x head dimension: the width of attention scores and mixes, in numbers per token."""
        return self.num_heads * self.head_dim

    @property
    def kv_width(self) -> int:
        """Key/value heads x head dimension."""
        return self.num_kv_heads * self.head_dim

    @property
    def mlp_matrices(self) -> int:
        """Matrices of a layer's MLP: gate, up and down, or up and down."""
        return 2 + self.gated_mlp

    @property
    def lm_head_params(self) -> int:
        """Weights of the output head, tied or not."""
        return self.hidden_size * self.vocab_size

    @property
    def embedding_params(self) -> int:
        """Weights of the input embedding."""
        return self.hidden_size * self.vocab_size

    @property
    def head_params(self) -> Number:
        return (1 - self.tied_embeddings) * self.lm_head_params

    @cached_property
    def params(self) -> int:
        """Exact count of distinct parameters, equal to that of the Hugging Face model."""
        biases = self.qkv_bias * (self.attention_width + 2 * self.kv_width) + self.o_bias * self.hidden_size
        biases += self.mlp_bias * (self.intermediate_size * (self.mlp_matrices - 1) + self.hidden_size)
        return (
            self.linear_params
            + self.num_layers * (biases + self.norm_params_per_layer)
            + self.final_norm_params
            + self.other_params
            + self.embedding_params
            + (1 - self.tied_embeddings) * self.lm_head_params
            + self.head_bias * self.vocab_size
        )

    @property
    def kv_values_per_token(self) -> int:
        """Numbers that one token leaves in the KV cache, where no window is full."""
        return 2 * self.num_layers * self.kv_width

    @property
    def heads_text(self) -> str:
        return f"{self.num_heads} ({self.num_kv_heads})"

    def obstacle(self, gpus: int) -> str:
        width = self.intermediate_size
        return uneven_attention(self.num_heads, self.num_kv_heads, gpus) or uneven(gpus, (width, "an MLP of {}"))

    def with_layers(self, layers: int) -> Self:
        return replace(self, num_layers=layers, windows=self.windows[:layers])

    # ---- what runs ---------------------------------------------------------------------------------------------------

    def walk(self, todo: Pass, gpus: Number = 1.0) -> Iterator[Kernel]:
        """Projections, attention, MLP and the element-wise kernels between them, over all layers; then the head."""
        layers, h, rows = self.num_layers, self.hidden_size, todo.rows
        w, f = self.attention_width / gpus, self.intermediate_size / gpus
        u = self.kv_width / np.minimum(gpus, self.num_kv_heads)  # a GPU holds at least one key/value head
        up = (self.mlp_matrices - 1) * f  # gate and up in one product
        for k, n in ((h, w + 2 * u), (w, h), (h, up), (f, h)):
            yield Matmul(rows, k, n, times=layers, quantised=True)
        for (count, window), (part, there) in product(self.layer_kinds, todo.parts):
            if part.step:
                yield CacheRead(count * there, part.seen(window), w, u, reads=part.rows)
            else:
                kernel = Attention.causal(
                    count * there,
                    part.sequences,
                    part.new_tokens,
                    part.cached_tokens,
                    w,
                    u,
                    window=window,
                    qk_norm=self.qk_norm,
                )
                if np.any(self.sees_whole_prompt):
                    pairs = np.where(self.sees_whole_prompt, kernel.unmasked_pairs, kernel.pairs)
                    kernel = replace(kernel, pairs=pairs)
                yield kernel
        # two norms with the residual sum, and the activation
        yield Elementwise(rows, layers * (2 * 4.0 * h + up + f), launches=3.0 * layers)
        yield Gather(rows, h)
        yield AllReduce(rows, h, gpus, times=2.0 * layers + 1)
        if todo.logits:
            yield Matmul(todo.logit_rows, h, self.vocab_size / gpus, head=True)

    def caches(self, gpus: Number = 1.0) -> tuple[Cache, ...]:
        """Keys and values of each layer; a GPU holds at least one key/value head."""
        share = np.minimum(gpus, self.num_kv_heads)
        return tuple(Cache(2 * count * self.kv_width / share, window) for count, window in self.layer_kinds)

    def activation_values(self, gpus: Number = 1.0) -> Number:
        """Numbers that a new token keeps alive in the widest moment of a decoder layer.

        The MLP: residual, norm, and of the hidden layer gate, up and product (two without a gate). The attention:
        residual, norm, queries before and after the rotation, keys, values and rotated keys, output.
        """
        mlp = self.mlp_matrices * self.intermediate_size / gpus
        attention = (3 * self.attention_width + 3 * self.kv_width) / gpus
        return 2 * self.hidden_size + np.maximum(mlp, attention)

    def silicon_config(self) -> dict[str, object] | None:
        """Qwen3 where queries and keys are normalised, else Llama; none without a gate, or with windows."""
        if not self.gated_mlp or self.windows:
            return None
        return {
            "architectures": ["Qwen3ForCausalLM" if self.qk_norm else "LlamaForCausalLM"],
            "hidden_size": self.hidden_size,
            "intermediate_size": self.intermediate_size,
            "num_hidden_layers": self.num_layers,
            "num_attention_heads": self.num_heads,
            "num_key_value_heads": self.num_kv_heads,
            "head_dim": self.head_dim,
            "vocab_size": self.vocab_size,
            "max_position_embeddings": 1 << 17,
            "torch_dtype": "bfloat16",
        }

    # ---- many in one go ----------------------------------------------------------------------------------------------

    @classmethod
    def columns(cls, llms: Sequence[Dense], shape: tuple[int, ...] = (-1, 1)) -> Dense:
        """One object that stands for many: its numbers are columns, to be broadcast against visual tokens."""
        counted = [one.name for one in fields(Dense) if one.name not in _NO_NUMBERS]
        values: dict[str, Any] = {
            name: np.array([getattr(llm, name) for llm in llms], float).reshape(shape) for name in counted
        }
        windows = sorted({window for llm in llms for _, window in llm.layer_kinds})
        counts = [{window: layers for layers, window in llm.layer_kinds} for llm in llms]
        kinds = tuple(
            (np.array([own.get(window, 0) for own in counts], float).reshape(shape), window) for window in windows
        )
        return _Columns(name=f"{len(llms)} models", family="", stacked_kinds=kinds, **values)


_NO_NUMBERS = ("name", "family", "model_type", "hf_id", "source", "notes", "windows")


@dataclass(frozen=True, kw_only=True, eq=False)
class _Columns(Dense):
    stacked_kinds: tuple[LayerKind, ...] = ()

    @property
    def layer_kinds(self) -> tuple[LayerKind, ...]:
        return self.stacked_kinds

    @property
    def linear_params(self) -> Any:
        return self.quantised_params
