"""Cells: a released model with its knob turned, and what it then makes of the images."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace

from planner.base.dataclass import dataclass
from planner.configuration import ReleasedModel
from planner.parts.images import ImageMix, ImageSize, Seen, settings_text
from planner.parts.images.base import Setting
from planner.parts.released import Checkpoint
from planner.planning.request import Load


@dataclass(frozen=True, eq=False)
class Cell:
    """A checkpoint with its knob turned, and what it makes of the images."""

    checkpoint: Checkpoint
    turned: Mapping[str, Setting]
    """{} where everything stands as published."""
    seen: tuple[Seen, ...]
    """Of each size, in a mean request."""
    long: Seen
    """Of the image that 95 % do not exceed, in a long request."""
    size: ImageSize
    """Of that image."""
    images: int
    """Of a long request."""

    @property
    def named(self) -> Mapping[str, str | None]:
        """Its name, hub id (None of a folder) and knob ("" where everything stands as published)."""
        checkpoint = self.checkpoint
        return {"model": checkpoint.name, "hub_id": checkpoint.hub_id or None, "knob": settings_text(self.turned)}

    @property
    def in_sequence(self) -> bool:
        """Whether the tokens of every image stand in the language model's sequence, where a law counts them."""
        return all(one.in_sequence for one in self.seen)

    def mean_tokens(self, mix: ImageMix) -> int:
        """Visual tokens per image, the mean of a mixture rounded up."""
        return rounded_up(mix.mean(one.visual_tokens for one in self.seen))

    def model(self) -> ReleasedModel:
        """With that image."""
        return ReleasedModel.of_checkpoint(self.checkpoint, self.size, knobs=self.turned, images=self.images)

    def seeing(self, prompt_tokens: float) -> ReleasedModel:
        """The same where an image adds so many tokens to the prompt."""
        return replace(self.model(), visual_tokens=float(prompt_tokens))


def mean_tokens(cell: Cell, mix: ImageMix) -> int:
    """What an image adds to the prompt, the mean of a mixture rounded up."""
    return rounded_up(mix.mean(one.prompt_tokens for one in cell.seen))


def cells_of(checkpoint: Checkpoint, mix: ImageMix, load: Load) -> Iterator[Cell]:
    """A checkpoint as it is published, then with every other value of its first knob that changes what is seen.

    Raises:
        InputError: it refuses an image.
    """
    rule = checkpoint.rule
    knob = rule.knobs()[0]
    published = rule.setting(knob.name)
    known: set[tuple[Seen, ...]] = set()
    for value in (published, *(value for value in knob.values if value != published)):
        turned = {} if value == published else {knob.name: value}
        own = rule.turned(turned)
        long = seen = mix.seen(own, load.mean.images)
        if load.tail.images != load.mean.images:
            long = mix.seen(own, load.tail.images)
        if seen in known:
            continue
        known.add(seen)
        place = _tail_position(mix, long)
        yield Cell(checkpoint, turned, seen, long[place], mix.sizes[place], load.tail.images)


def _tail_position(mix: ImageMix, seen: tuple[Seen, ...]) -> int:
    """Of the size that 95 % of the images do not exceed, by tokens, then by patches."""
    ranks = [(one.prompt_tokens, one.patches, position) for position, one in enumerate(seen)]
    order = sorted(range(len(seen)), key=lambda position: ranks[position])
    rank_of = {position: rank for rank, position in enumerate(order)}
    return order[int(mix.tail(float(rank_of[position]) for position in range(len(seen))))]


def rounded_up(value: float) -> int:
    return math.ceil(value - 1e-9)
