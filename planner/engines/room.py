"""How long a sequence a server must take to serve what was planned, and what that length has room for.

A server refuses each request that is longer than the length it was started with, so the planned count alone would
refuse what is planned: around the user's text stand the tokens of the chat template, and the next image may be larger.

    length = text + answer + images x tokens of the largest image + TEMPLATE_TOKENS, rounded up to BLOCK,
             never more than the model's context

The largest image is that of the planned sizes. Where a knob is turned, no image can have many more tokens than it
allows, so the most that any usual shape has is taken; as published, a model may make ten thousand tokens of a photo,
and room for that would hide what was planned: the words say then what it has no room for.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.configuration.released import ReleasedModel
from planner.costs.stages import Workload
from planner.parts.images import ImageSize

TEMPLATE_TOKENS = 512
"""Of a chat template: role and turn tokens take 10 to 30, and some templates put a default message before a request
that brings none; that of Mistral Small 3.2 has 2,000 characters, some 450 tokens."""
BLOCK = 256
"""A multiple of the blocks in which vLLM (16 tokens) and SGLang keep a cache."""
SHAPES = ((1, 1), (4, 3), (3, 4), (3, 2), (2, 3), (16, 9), (9, 16), (2, 1), (1, 2), (3, 1), (1, 3))
"""Of large images, width to height, whose tokens are counted where a knob bounds them."""
_SIDE = 8192  # pixels of their longer side: more than any released model takes in


@dataclass(frozen=True)
class Room:
    """A length of context, and what fits into it."""

    context_tokens: int
    text: str
    """What it has room for, in a sentence."""


def room_for(model: ReleasedModel, workload: Workload, sizes: Iterable[ImageSize]) -> Room:
    """The length of context that serves a request to a released model.

    Args:
        model: with its knobs as planned.
        workload: the longest request.
        sizes: of the images that come in, at least one.

    Raises:
        InputError: the model's processor refuses one of the sizes.
    """
    rule, images = model.rule, workload.images
    planned = {size: rule.see(size.width, size.height, images).prompt_tokens for size in sizes}
    largest = max(planned, key=planned.__getitem__)
    most = max(planned[largest], _most_tokens(model, images))
    image_tokens = most if model.turned else planned[largest]
    text = workload.cached_tokens + workload.prefilled_text_tokens
    needed = text + workload.generated_tokens + images * image_tokens + TEMPLATE_TOKENS
    length, limit = math.ceil(needed / BLOCK) * BLOCK, model.checkpoint.context_tokens
    if limit is not None:
        length = min(length, limit)
    spare = length - (needed - TEMPLATE_TOKENS)
    each = "an image" if images == 1 else f"{images} images"
    if model.seen.in_sequence:
        seen = f"{each} of up to {image_tokens} tokens ({largest} has {planned[largest]})"
    else:
        seen = f"{images * image_tokens} for {each} (what cross-attention reads of images stands beside it)"
    said = (
        f"a context of {length} tokens has room for {text} tokens of text, {workload.generated_tokens} of the answer, "
        f"{seen} and {spare} for the chat template"
    )
    if most > image_tokens:
        said += f"; as published, larger images than {largest} have up to {most} tokens, which it has no room for"
    if spare < TEMPLATE_TOKENS:
        said += f"; more is not in the model's {limit}"
    return Room(length, said)


def _most_tokens(model: ReleasedModel, images: int) -> int:
    """What an image of any usual shape adds to the prompt at most."""
    found = [0]
    for across, down in SHAPES:
        scale = _SIDE / max(across, down)
        try:
            found.append(model.rule.see(round(across * scale), round(down * scale), images).prompt_tokens)
        except InputError:
            continue  # a shape that the processor refuses has no tokens
    return max(found)
