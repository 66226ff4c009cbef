"""Language models of a block of candidates that are costed in one go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from planner.configuration import Model, Run
from planner.costs.latency import VisionTimes


class Together(NamedTuple):
    """The models, and the images that come with mean requests."""

    members: Sequence[int]
    """Their positions among those of the block."""
    model: Model
    """The column that they make, with a mean request's tokens."""
    encode: Callable[[Run], VisionTimes]
    """Times of the images of a batch of mean requests."""
