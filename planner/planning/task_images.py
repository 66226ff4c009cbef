"""Published results read at the images of their task, where a plan is for images of other sizes.

A plan's images decide what a request costs. What a released model scores is published of the task's own images, and a
knob changes it as far as it changes the share of tokens: see `planner.laws.hierarchy.mix.TokenScale`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from planner.laws.combined import MIX, CombinedLaw, Law
from planner.laws.hierarchy.law import EvidenceLaw
from planner.laws.hierarchy.mix import TokenScale
from planner.parts.images import ImageMix
from planner.parts.released import Checkpoint


def on_task_images(law: Law, checkpoints: Sequence[Checkpoint], images: ImageMix) -> Law:
    """The law, with how many more tokens each model makes of the images of its tasks than of a plan's.

    Args:
        law: any; one that was fitted to runs stays as it is.
        checkpoints: the models, each with its processor as it is published.
        images: of the plan.
    """
    if isinstance(law, CombinedLaw) and law.kind == MIX:
        return replace(law, members=tuple(on_task_images(one, checkpoints, images) for one in law.members))
    if not isinstance(law, EvidenceLaw):
        return law
    return law.with_scales(tuple(_scales(law.published_tasks, checkpoints, images)))


def _scales(tasks: Sequence[str], checkpoints: Sequence[Checkpoint], images: ImageMix) -> Iterator[TokenScale]:
    from planner.laws.hierarchy.rows import task_images  # laws of other kinds do not pay for its import

    known = task_images()
    planned = [_tokens(one, images) for one in checkpoints]
    for task in tasks:
        if task not in known:
            continue
        own = ImageMix.of(known[task])
        for one, here in zip(checkpoints, planned, strict=True):
            there = _tokens(one, own)
            if here and there and here != there:
                yield TokenScale(one.name, task, there / here)


def _tokens(checkpoint: Checkpoint, mix: ImageMix) -> float:
    """Mean visual tokens of an image, as the model is published."""
    return mix.mean(seen.visual_tokens for seen in mix.seen(checkpoint.rule))
