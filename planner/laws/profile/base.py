"""What a profile-likelihood interval is, whatever the form of the law.

The interval of q at level p holds every q0 for which the best fit with q = q0 has RSS <= RSS_min (1 + F / dof), F the
p-quantile of Fisher's F with (1, dof) degrees of freedom, dof = runs - parameters of the form.

Where the noise is known (absolute standard errors), its variance stands in the place of RSS_min / dof, and F is
chi-square of one degree of freedom.

An end that only a bound cuts off is *open*: the data alone do not close it. Open ends are NaN here and null in JSON.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import ArrayLike, NDArray

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.laws.engine.tokens import BudgetLine
from planner.laws.fitted import FitData, FittedLaw
from planner.laws.forms import Form

FloatArray = NDArray[np.float64]

LEVEL = 0.95
KINDS = ("mean", "new-run")


@dataclass(frozen=True)
class Interval:
    """A range of plausible values; an open end is NaN."""

    low: float
    high: float

    def to_list(self) -> list[float | None]:
        """[low, high] with None for an open end."""
        return [None if math.isnan(end) else end for end in (self.low, self.high)]

    def contains(self, value: float) -> bool:
        """Whether a value lies inside; open ends hold everything on their side."""
        return not (value < self.low or value > self.high)  # comparisons with NaN are false


@dataclass(frozen=True)
class Profiler(ABC):
    """The likelihood region of one fitted law, ready to give intervals; make it with `profiler`."""

    law: FittedLaw
    form: Form
    data: FitData
    level: float
    """Of the intervals, such as 0.95."""
    dof: int
    """Runs less parameters."""
    noise_variance: float
    """Variance of a run of mean weight: weighted RSS / dof, or what absolute standard errors say."""
    t_squared: float
    """Quantile of F(1, dof), the squared two-sided t quantile; of chi-square where the noise is known."""
    rss_level: float
    """The largest weighted RSS in the region: RSS_min + t_squared noise_variance."""

    def parameters(self) -> dict[str, Interval]:
        """The interval of every parameter of the form; of a fixed one, the value itself."""
        return {name: self._parameter(name) for name in self.law.params}

    def predictions(
        self, llm_params: ArrayLike, visual_tokens: ArrayLike, kind: str = "mean"
    ) -> tuple[FloatArray, FloatArray]:
        """Intervals of the error at many points at once.

        Args:
            llm_params: in parameters.
            visual_tokens: broadcasts against `llm_params`.
            kind: "mean" for the law itself, "new-run" for one more run of mean weight, with its own noise.

        Returns:
            low and high, each of the broadcast shape.
        """
        if kind not in KINDS:
            raise InputError(f"kind: expected {' or '.join(KINDS)}, got {kind!r}")
        return self.of_every_kind(llm_params, visual_tokens)[kind]

    def of_every_kind(
        self, llm_params: ArrayLike, visual_tokens: ArrayLike
    ) -> dict[str, tuple[FloatArray, FloatArray]]:
        """`predictions` by kind, for the work of one."""
        n, t = np.broadcast_arrays(np.asarray(llm_params, float), np.asarray(visual_tokens, float))
        center = np.asarray(self.law.predict(n, t))
        low, high = self._errors(n.ravel(), t.ravel())
        low, high = np.minimum(low.reshape(n.shape), center), np.maximum(high.reshape(n.shape), center)
        noise = self.t_squared * self.noise_variance
        new = center - np.sqrt((center - low) ** 2 + noise), center + np.sqrt((high - center) ** 2 + noise)
        return {"mean": (low, high), "new-run": new}

    @abstractmethod
    def differences(
        self, llm_params: FloatArray, visual_tokens: FloatArray, reference: tuple[float, float]
    ) -> tuple[FloatArray, FloatArray]:
        """Intervals of the error at points (Q,) less the error at one reference (llm_params, visual_tokens)."""

    @abstractmethod
    def best_tokens(self, line: BudgetLine) -> tuple[float, float]:
        """The interval of the number of visual tokens with the least error on a budget, within those allowed."""

    @abstractmethod
    def _errors(self, llm_params: FloatArray, visual_tokens: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Intervals of the error at points (Q,)."""

    @abstractmethod
    def _parameter(self, name: str) -> Interval:
        """The interval of one parameter."""


def fixed(law: FittedLaw) -> set[str]:
    """Parameters that the user fixed."""
    return {name for name, imposed in law.constraints.items() if "value" in imposed}


def identifiable(intervals: dict[str, Interval]) -> dict[str, bool]:
    """For each parameter whether the data, not a bound, close its interval on both sides."""
    return {name: not (math.isnan(interval.low) or math.isnan(interval.high)) for name, interval in intervals.items()}
