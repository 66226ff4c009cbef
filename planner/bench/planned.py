"""What was planned of a configuration, whatever its model is made of: every number that can be measured."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch

from planner.bench.measurement import Measurement
from planner.configuration import Model, Run
from planner.costs.flops import TORCH
from planner.costs.memory import Memory, memory
from planner.costs.request import RequestCost, cost_of
from planner.costs.stages import Workload
from planner.hardware import Hardware
from planner.vlm.build import Progress

_SAME = 1e-9
"""Relative: sums in another order differ by less."""


class Planned(ABC):
    """A configuration as it was planned; a class of its own for each kind of model holds the fields."""

    workload: Workload
    """The request that times and memory must hold for: of a distribution the 95th percentile."""
    batch: int
    precision: str
    """Of the LLM's weights; one that PyTorch computes in."""
    tensor_parallel: int
    hardware: Hardware | None
    """That predicts the times; None: no times are predicted."""
    plan_sha256: str | None
    stale: tuple[str, ...]
    """Numbers of the plan that are no longer those which are predicted."""

    @property
    @abstractmethod
    def model(self) -> Model:
        """What runs."""

    @abstractmethod
    def check(self, method: str, mode: str) -> None:
        """Raises InputError for a way to measure that this model is not measured in."""

    @abstractmethod
    def load(self, weights: str, device: str | torch.device | None) -> Any:
        """The model with weights that exist.

        Args:
            weights: where they are, as `planner.bench.verify.verify` takes them.
            device: a GPU where there is one.

        Raises:
            InputError: weights that are not this model's.
        """

    @abstractmethod
    def measured(
        self,
        model: Any | None,
        *,
        device: str | torch.device | None,
        method: str,
        mode: str,
        seconds: float,
        within: float,
        seed: int,
        progress: Progress | None,
    ) -> Measurement:
        """What was planned, measured.

        Args:
            model: on its device; None to build it here, with random weights.
            device, method, mode, seconds, within, seed, progress: as `planner.bench.verify.verify` takes them.

        Raises:
            InputError: what cannot be built or measured here.
        """

    def cost(self) -> RequestCost:
        """Everything that is predicted, FLOPs as FlopCounterMode counts them."""
        return cost_of(self.model, self.workload, self.run, convention=TORCH)

    def memory(self, generated_tokens: int) -> Memory:
        """Bytes on one device for an answer of so many tokens."""
        return memory(self.model, replace(self.workload, generated_tokens=generated_tokens), self.run).at()

    @property
    def run(self) -> Run:
        """How it runs."""
        return Run(self.hardware, self.precision, batch=self.batch, tensor_parallel=self.tensor_parallel)

    @property
    def params(self) -> int:
        """Of tower, compressor, projector and LLM."""
        return int(self.model.params)


def stale_numbers(pairs: Mapping[str, tuple[float, float, Callable[[float], str]]]) -> tuple[str, ...]:
    """Numbers of a plan that are not those which are predicted now: by another version, of changed parts.

    Args:
        pairs: by title, what the plan says, what is predicted now, and how such a number is shown.
    """
    return tuple(
        f"{title}: the plan says {show(then)}, {show(now)} is predicted now; plan again"
        for title, (then, now, show) in pairs.items()
        if abs(then - now) > _SAME * abs(now)
    )
