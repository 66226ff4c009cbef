"""Types whose latent attention runs over tokens that an indexer selects, by the classes of transformers (5.23)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

from planner.base.dataclass import dataclass
from planner.parts.configs.latent import LATENT, NO_EXPERT_GAPS
from planner.parts.configs.sparse import DEEPSEEK, named_or_first, sparse
from planner.parts.configs.values import Values
from planner.parts.llms import IndexedAttention, LatentAttention

INDEXED = ("indexed_attention", "deepseek_sparse_attention")
"""What `layer_types` may say of a layer: the name of today and a former one."""


def own_everywhere(values: Values, layers: int) -> Sequence[bool]:
    """Every layer has an indexer."""
    return [True] * layers


def own_or_shared(values: Values, layers: int) -> Sequence[bool]:
    """Some layers attend to what one before them selected: by `indexer_types`, by a pattern, else every n-th has an
    indexer of its own."""
    pattern = values.get("index_topk_pattern")
    types = values.by_layer("indexer_types", layers, ("full", "shared"))
    if types is None and pattern is not None:
        types = values.by_layer("index_topk_pattern", layers, ("F", "S", "full", "shared"))
    if types is not None:
        if types[0] in ("S", "shared"):
            raise values.wrong("indexer_types", "a list whose first layer has an indexer ('full')")
        return [one in ("F", "full") for one in types]
    period, first = values.count("index_topk_freq", 1, minimum=0), values.count("index_skip_topk_offset", 2, minimum=0)
    return [max(layer - first + 1, 0) % max(period, 1) == 0 for layer in range(layers)]


@dataclass(frozen=True, kw_only=True)
class IndexedRule:
    """How a type of model selects."""

    own: Callable[[Values, int], Sequence[bool]]
    """(values, layers) -> of each layer, whether it has an indexer of its own."""

    def blocks(self, values: Values, layers: int) -> list[IndexedAttention]:
        """The attention of each layer."""
        values.by_layer("layer_types", layers, INDEXED)
        (latent,) = LATENT.blocks(values, 1)
        sizes: dict[str, Any] = {one.name: getattr(latent, one.name) for one in fields(LatentAttention)}
        sizes["query_rank"] = values.count("q_lora_rank")
        heads = values.count("index_n_heads")
        return [
            IndexedAttention(
                **sizes,
                selected=values.count("index_topk"),
                index_heads=heads if own else 0,
                index_dim=values.count("index_head_dim"),
            )
            for own in self.own(values, layers)
        ]


FURTHER: dict[str, Any] = {**DEEPSEEK, "dense": named_or_first("first_k_dense_replace")}
KNOWN = ("qk_head_dim", "moe_layer_freq")
MUST: tuple[tuple[str, tuple[Any, ...]], ...] = (*NO_EXPERT_GAPS, ("mlp_bias", (None, False)), ("num_experts", (None,)))
sparse("deepseek_v32", attention=IndexedRule(own=own_everywhere), knows=KNOWN, must_be=MUST, **FURTHER)
sparse(
    "glm_moe_dsa",
    attention=IndexedRule(own=own_or_shared),
    knows=(*KNOWN, "index_topk_pattern", "index_topk_freq", "index_skip_topk_offset"),
    must_be=MUST,
    **FURTHER,
)
