"""What is measured of a model, whatever it is made of: its stages as calls, its caches, whole requests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor

from planner.base.dataclass import dataclass
from planner.bench.caches import Cache, Caches
from planner.bench.clock import Task
from planner.bench.measurement import ModelFacts
from planner.bench.samples import Samples
from planner.costs.stages import StageTokens, Workload


class Runnable(Protocol):
    """One model and one shape of request."""

    model: Any
    workload: Workload
    batch: int
    mode: str
    device: torch.device
    tokens: StageTokens
    prompt_tokens: int
    caches: Caches

    def tasks(self) -> dict[str, Task]:
        """The stages that this model runs, by name."""

    def encoder(self, turn: int) -> Any:
        """The tower over all images of the batch; makes its inputs when it is first called."""

    def begin(self, turn: int) -> Cache:
        """From pixels and ids to the first token of each request, which it keeps; the cache for what follows."""

    def go_on(self, cache: Cache, steps: int) -> None:
        """So many further tokens of each request."""

    def decode_weights(self) -> list[Tensor]:
        """What every decode step reads."""

    @property
    def inputs(self) -> list[Tensor]:
        """What was made for the calls so far."""

    @property
    def mean_context(self) -> int:
        """Tokens in the cache before a step, on average over the G - 1 steps."""


@dataclass(frozen=True)
class Subject:
    """A model that is to be measured."""

    facts: ModelFacts
    layers: int
    """Decoder layers."""
    stages: Callable[[int, str], Runnable]
    """(batch, mode) -> its stages, with inputs of their own."""
    counted: Callable[[], dict[str, int]]
    """FLOPs of one request by stage."""
    preprocess: Callable[[float], Samples] | None
    """Times of the work on the host, sampled for so many seconds; None where it is not measured."""
    notes: tuple[str, ...] = ()
    """What a reader of the numbers should know of the model."""
    build_s: float | None = None
    """Seconds in which it was built; None where that was not watched."""
