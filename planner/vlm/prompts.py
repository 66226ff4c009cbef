"""A batch of prompts: its images, where their tokens stand, and where its questions end.

A run is a maximal row of image tokens without text in between: one image, or several side by side. Letters: B samples,
S tokens of a prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache

Run = tuple[int, int]
"""First column and the one behind the last."""


def runs_of(is_image: Sequence[bool]) -> list[Run]:
    """The runs of one row."""
    padded = [False, *is_image, False]
    edges = [column for column in range(len(padded) - 1) if padded[column] != padded[column + 1]]
    return list(zip(edges[::2], edges[1::2], strict=True))


def find_runs(is_image: Tensor) -> tuple[list[Run] | None, list[list[Run]]]:
    """Runs of is_image (B, S): those common to all rows, None if rows differ; and those of every row."""
    if bool((is_image == is_image[:1]).all()):
        common = runs_of(is_image[0].tolist())
        return common, [common] * len(is_image)
    return None, [runs_of(row) for row in is_image.tolist()]


def check_runs(rows: Sequence[Sequence[Run]], visual_tokens: int) -> None:
    """Raises ValueError where a run holds no whole number of images, or nothing stands before the first."""
    for runs in rows:
        if runs and runs[0][0] == 0:
            raise ValueError("a text-first prompt needs text before its image: the query that the compressor reads")
        for start, end in runs:
            if (end - start) % visual_tokens:
                raise ValueError(
                    f"expected {visual_tokens} image tokens for each image, got a row of {end - start}: was the "
                    "prompt truncated?"
                )


def rows_of_images(is_image: Tensor, visual_tokens: int, images: int) -> Tensor:
    """The sample that each image belongs to, (images,), from is_image (B, S). No synchronisation, no graph break."""
    ends = is_image.sum(1).div(visual_tokens, rounding_mode="floor").cumsum(0)  # (B,)
    rows = torch.searchsorted(ends, torch.arange(images, device=ends.device), right=True)
    return rows.clamp(max=len(is_image) - 1)


def pad_rows(rows: Sequence[Tensor]) -> Tensor:
    """Rows (1, Q) of several lengths as one tensor (B, Q), zeros behind the shorter ones."""
    return torch.nn.utils.rnn.pad_sequence([row.reshape(-1) for row in rows], batch_first=True)


def last_position(mask: Tensor) -> Tensor:
    """The last column that is set, (B,), of mask (B, S): right whichever side is padded; 0 for an empty row."""
    return (mask.long() * torch.arange(1, mask.shape[1] + 1, device=mask.device)).argmax(-1)


def positions_of(mask: Tensor) -> Tensor:
    """Position ids (B, S) that count the tokens of mask (B, S) and pass over its padding."""
    return (mask.long().cumsum(-1) - 1).clamp(min=0)


def take_rows(values: Tensor, columns: Tensor) -> Tensor:
    """values (B, S, H) at one column each (B,) -> (B, H)."""
    return values[torch.arange(len(values), device=values.device), columns.to(values.device)]


@dataclass(frozen=True)
class Visual:
    """The images of a call and what is asked about them; the model's `forward` explains each."""

    pixel_values: Any = None
    image_embeds: Any = None
    image_index: Tensor | None = None
    image_runs: Sequence[Run] | None = None
    visual_tokens: int | None = None
    query_input_ids: Tensor | None = None
    query_attention_mask: Tensor | None = None
    query_embeds: Tensor | None = None

    @property
    def places(self) -> int:
        """M, 0 without images."""
        images = self.pixel_values if self.image_embeds is None else self.image_embeds
        shown = images if self.image_index is None else self.image_index
        return 0 if images is None or shown is None else len(shown)

    @property
    def answered(self) -> bool:
        """Whether the text features, or what comes of them, were computed before."""
        return self.image_embeds is not None or self.query_embeds is not None


VISUAL_INPUTS = tuple(field.name for field in fields(Visual))
"""Their names as inputs of the model: what only a prefill needs."""


@dataclass
class Prompt:
    """A batch of prompts on its way through the language model. H is its width, C the length of the cache before."""

    embeds: Tensor
    """(B, S, H)"""
    mask: Tensor | None
    """(B, C + S)"""
    positions: Tensor | None
    """(B or 1, S)"""
    cache: Cache | None
    done: int = 0
    """Columns that have run already: their keys and values are in the cache."""
    hidden: tuple[Tensor, ...] = ()
    """Last hidden states of those columns, piece by piece."""

    def inputs(self, start: int, end: int) -> dict[str, Tensor | None]:
        """The language model's inputs for the columns from `start` to `end`."""
        mask = self.mask
        if mask is not None and end < self.embeds.shape[1]:
            mask = mask[:, : mask.shape[1] - self.embeds.shape[1] + end]
        return {
            "inputs_embeds": self.embeds[:, start:end],
            "attention_mask": mask,
            "position_ids": None if self.positions is None else self.positions[..., start:end],
        }

    def real(self, start: int, end: int) -> Tensor:
        """Which columns from `start` to `end` are no padding, (B, end - start)."""
        if self.mask is None:
            return torch.ones(len(self.embeds), end - start, dtype=torch.bool, device=self.embeds.device)
        known = self.mask.shape[1] - self.embeds.shape[1]
        return self.mask[:, known + start : known + end].bool()
