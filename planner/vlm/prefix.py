"""Text-first prompts: what stands before an image runs first, and its last hidden state asks the compressor.

Where the images stand in the same columns of every row, the pieces run one behind the other on one cache, and nothing
runs twice. Otherwise, or where no cache may be used (activation checkpointing), the columns before each image run by
themselves and the whole prompt after them: the same numbers, since the language model is causal.

Letters: B samples, S prompt tokens, T visual tokens per image, H language model width, M images in the prompts.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from transformers.cache_utils import Cache
from transformers.utils.import_utils import torch_compilable_check

from .prompts import Prompt, Run, last_position, take_rows

Decode = Callable[..., Tensor]
"""(prompt, start, end, cache) -> last hidden states (B, end - start, H)."""
MakeTokens = Callable[[Tensor, Tensor], Tensor]
"""(places, text features), one each for n images -> visual tokens (n, T, H)."""


def run_on_one_cache(
    prompt: Prompt, runs: Sequence[Run], visual_tokens: int, decode: Decode, make_tokens: MakeTokens
) -> Tensor:
    """Runs the columns before the last image, and fills in the visual tokens (M, T, H), which it returns."""
    rows = len(prompt.embeds)
    per_row = sum(end - start for start, end in runs) // visual_tokens
    place = torch.arange(rows * per_row, device=prompt.embeds.device).view(rows, per_row)
    made: list[Tensor] = []
    first = 0
    for start, end in runs:
        hidden = decode(prompt, prompt.done, start, prompt.cache)
        text = _at_last(hidden, prompt.real(prompt.done, start))  # (B, H)
        images = (end - start) // visual_tokens
        places = place[:, first : first + images].flatten()
        tokens = make_tokens(places, text.repeat_interleave(images, 0)).to(prompt.embeds)
        tokens = tokens.view(rows, images * visual_tokens, -1)
        prompt.embeds = torch.cat([prompt.embeds[:, :start], tokens, prompt.embeds[:, end:]], dim=1)
        prompt.hidden += (hidden,)
        prompt.done = start
        first += images
        made.append(tokens)
    return torch.cat(made, dim=1).view(rows * per_row, visual_tokens, -1)


def run_each_by_itself(
    prompt: Prompt, runs: Sequence[Sequence[Run]], visual_tokens: int, decode: Decode, make_tokens: MakeTokens
) -> Tensor:
    """Fills in the visual tokens (M, T, H), which it returns; the whole prompt is still to run."""
    counts = [[(end - start) // visual_tokens for start, end in row] for row in runs]
    firsts = [sum(map(sum, counts[:row])) for row in range(len(runs))]  # place of each row's first image
    made: dict[int, Tensor] = {}
    for turn in range(max(map(len, runs))):
        rows = [row for row in range(len(runs)) if len(runs[row]) > turn]
        starts = torch.zeros(len(runs), dtype=torch.long)
        starts[rows] = torch.tensor([runs[row][turn][0] for row in rows])
        end = int(starts.max())
        before = torch.arange(end) < starts[:, None]
        real = prompt.real(0, end) & before.to(prompt.embeds.device)
        text = _at_last(decode(prompt, 0, end, _copied(prompt.cache)), real, rows)
        embeds = prompt.embeds.clone()
        for row in rows:
            start, stop = runs[row][turn]
            place = firsts[row] + sum(counts[row][:turn])
            places = torch.arange(place, place + counts[row][turn], device=embeds.device)
            tokens = make_tokens(places, text[row].expand(len(places), -1)).to(embeds)
            embeds[row, start:stop] = tokens.flatten(0, 1)
            made |= {place + offset: token for offset, token in enumerate(tokens)}
        prompt.embeds = embeds
    return torch.stack([made[place] for place in sorted(made)])


def _copied(cache: Cache | None) -> Cache | None:
    """A cache that may be written to without a trace in this one; gradient goes through."""
    if cache is None:
        return None
    twin = copy.copy(cache)
    twin.layers = [copy.copy(layer) for layer in cache.layers]
    for layer in twin.layers:
        vars(layer).update({name: value.clone() for name, value in vars(layer).items() if isinstance(value, Tensor)})
    return twin


def _at_last(hidden: Tensor, real: Tensor, rows: Sequence[int] | None = None) -> Tensor:
    """The hidden state at the last real column of each row; the rows in question must have one."""
    if real.device.type != "meta":
        asked = real if rows is None else real[list(rows)]
        torch_compilable_check(
            asked.any(1).all(), "a text-first prompt needs text before each image, some rows have padding only"
        )
    return take_rows(hidden, last_position(real))
