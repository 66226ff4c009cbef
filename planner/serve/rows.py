"""Answers that grow side by side: a cache whose rows join after their prefill and leave when they end.

Rows are aligned at the right, where the next token goes; shorter ones have padding at the left, which the mask hides.
Each counts its own positions, so that a row's numbers do not depend on those beside it.

Letters: B rows, C columns of the cache, W width of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers.cache_utils import DynamicCache

JOINABLE = ("full_attention", "sliding_attention", "chunked_attention")
"""Kinds of layers whose cache holds one column per token."""


@dataclass(frozen=True)
class Rows:
    """The state of B answers."""

    cache: DynamicCache
    mask: Tensor
    """(B, C), 0 where a row has padding."""
    positions: Tensor
    """(B,), of the next token."""

    @property
    def columns(self) -> int:
        """C."""
        return int(self.mask.shape[1])


def can_join(config: Any) -> bool:
    """Whether rows of a language model can share a cache: attention in all layers, which sees every position alone."""
    kinds = getattr(config, "layer_types", None)
    return kinds is None or all(kind in JOINABLE for kind in kinds)


@torch.inference_mode()
def prefill(model: Any, inputs: Mapping[str, Any]) -> tuple[Tensor, Rows]:
    """The prompt of one request, not padded: logits (1, W) of its first token, and its row."""
    cache = DynamicCache()  # whole, where a model's own would forget what a window has passed: rows could not join
    if not can_join(model.config.text_config):
        cache = DynamicCache(config=model.config.text_config)
    outputs = model(**inputs, past_key_values=cache, use_cache=True, logits_to_keep=1)
    mask = inputs["attention_mask"]
    return _last(outputs.logits), Rows(outputs.past_key_values, mask, mask.sum(1))


@torch.inference_mode()
def step(model: Any, rows: Rows, tokens: Sequence[int]) -> tuple[Tensor, Rows]:
    """One more token each: logits (B, W) of the next, and the rows."""
    ids = torch.tensor(tokens, device=rows.mask.device)[:, None]
    mask = torch.cat([rows.mask, rows.mask.new_ones(len(tokens), 1)], dim=1)
    outputs = model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=rows.positions[:, None],
        past_key_values=rows.cache,
        use_cache=True,
        logits_to_keep=1,
    )
    return _last(outputs.logits), Rows(outputs.past_key_values, mask, rows.positions + 1)


@torch.inference_mode()
def joined(parts: Sequence[Rows]) -> Rows:
    """Rows of several states in one, in their order."""
    if len(parts) == 1:
        return parts[0]
    width = max(part.columns for part in parts)
    cache = DynamicCache()
    for layer, all_layers in enumerate(zip(*(part.cache.layers for part in parts), strict=True)):
        made = [
            torch.cat([pad(kept, (0, 0, width - kept.shape[-2], 0)) for kept in states])
            for states in ([one.keys for one in all_layers], [one.values for one in all_layers])
        ]
        cache.update(made[0], made[1], layer)
    masks = [pad(part.mask, (width - part.columns, 0)) for part in parts]
    return Rows(cache, torch.cat(masks), torch.cat([part.positions for part in parts]))


@torch.inference_mode()
def kept(rows: Rows, chosen: Sequence[int]) -> Rows | None:
    """Some of the rows, without columns that are padding in all of them; None for none."""
    if not chosen:
        return None
    if len(chosen) == len(rows.mask):
        return rows
    index = torch.tensor(chosen, device=rows.mask.device)
    mask = rows.mask[index]
    first = int(mask.any(0).long().argmax())
    cache = DynamicCache()
    layers: list[Any] = rows.cache.layers
    for layer, one in enumerate(layers):
        cache.update(one.keys[index, :, first:].clone(), one.values[index, :, first:].clone(), layer)
    return Rows(cache, mask[:, first:], rows.positions[index])


def _last(logits: Tensor) -> Tensor:
    return logits[:, -1].float().clone()
