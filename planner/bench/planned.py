"""What was planned of a configuration, whatever its model is made of: every number that can be measured."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace

from planner.configuration import Model, Run
from planner.costs.flops import TORCH
from planner.costs.memory import Memory, memory
from planner.costs.request import RequestCost, cost_of
from planner.costs.stages import Workload
from planner.hardware import Hardware


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

    @property
    @abstractmethod
    def named(self) -> Mapping[str, object]:
        """What a measurement of it says that it is, by the fields of `ModelFacts`."""

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
