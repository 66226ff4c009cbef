"""Layers of decoders that are made of blocks, from the values of their configs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from planner.base.dataclass import dataclass
from planner.parts.configs.reader import Flag, Labels, LlmReader, Number, common, flag, named, number, values_of
from planner.parts.configs.rules import PER_HEAD, WHOLE, head_size, kv_heads
from planner.parts.configs.values import Values
from planner.parts.configs.windows import Rule
from planner.parts.llms import Block, GroupedAttention, Layer, Layered


class Mixing(Protocol):
    """How a type of model mixes tokens."""

    def blocks(self, values: Values, layers: int) -> Sequence[Block]:
        """Of each layer, the block that does."""


@dataclass(frozen=True, kw_only=True)
class AttentionRule:
    """How a type of model attends."""

    qkv_bias: Flag = False
    o_bias: Flag = False
    qk_norm: Flag = False
    qk_norm_kind: str = PER_HEAD
    gate: Number = 0
    """Outputs of the matrix that gates what attention yields."""
    gate_bias: Flag = False
    vectors: Number = 0
    """Sinks and the like."""
    windows: Rule | None = None
    head_size: Number = head_size
    kv_heads: Number = kv_heads

    def blocks(self, values: Values, layers: int) -> list[GroupedAttention]:
        """The attention of each layer."""
        heads, kv, size = (
            values.count("num_attention_heads"),
            number(values, self.kv_heads),
            number(values, self.head_size),
        )
        normed = flag(values, self.qk_norm)
        windows = self.windows(values, layers) if self.windows else ()
        per_norm = (heads + kv) * size if self.qk_norm_kind is WHOLE else 2 * size
        return [
            GroupedAttention(
                hidden_size=values.count("hidden_size"),
                num_heads=heads,
                num_kv_heads=kv,
                head_dim=size,
                window=None if window is None else float(window),
                gate_width=number(values, self.gate),
                gate_bias=flag(values, self.gate_bias),
                qkv_bias=flag(values, self.qkv_bias),
                o_bias=flag(values, self.o_bias),
                qk_norm=normed,
                extra_vectors=normed * per_norm + number(values, self.vectors),
            )
            for window in windows or (None,) * layers
        ]


@dataclass(frozen=True, kw_only=True)
class LayeredReader(LlmReader):
    """A type whose layers a function makes, one after the other."""

    layers: Callable[[Values], Sequence[Layer]]
    around: Callable[[Values], Sequence[Block]] | None = None
    final_norm: Number = 1
    """Weights of the last norm for each number of the model's width."""
    other_params: Number = 0
    tie: str = "tie_word_embeddings"
    """Older name of the key that ties embedding and output head."""
    attends: bool = True
    """Whether it has heads of attention at all."""
    knows: tuple[str, ...] = ()
    must_be: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    """Keys, and the values of them that are known."""

    @property
    def reads(self) -> tuple[str, ...]:
        return (*self.knows, *(key for key, _ in self.must_be))

    def read(self, config: Mapping[str, Any], labels: Labels) -> Layered:
        """A decoder. Raises SpecError for a value that is missing, no count, or not known."""
        values = values_of(config, labels, self.name)
        for key, known in self.must_be:
            if values.get(key) not in known:
                raise values.wrong(key, " or ".join(map(repr, known)))
        layers = list(self.layers(values))
        shared = common(values, labels, attends=self.attends, layers=len(layers))
        kinds = tuple(dict.fromkeys(layers))
        found = Layered(
            **shared,
            kinds=kinds,
            order=tuple(map(kinds.index, layers)),
            tied_embeddings=values.tied("tie_word_embeddings" if values.get(self.tie) is None else self.tie),
            other_params=number(values, self.final_norm) * shared["hidden_size"] + number(values, self.other_params),
            around=tuple(self.around(values)) if self.around else (),
        )
        return named(found, labels)
