"""A straight line in both logarithms: Y = c0 - c1 ln N - c2 ln T, with c1, c2 >= 0 and a free c0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.laws.engine.design import Design
from planner.laws.engine.projection import Projection, Ratios, Weights
from planner.laws.engine.tokens import BudgetLine, by_slopes

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Logs(Projection):
    """Y = c0 - c1 ln N - c2 ln T, by the names that a form gives them. Of the centred problem a is c1 and b is c2."""

    c0: str = "c0"
    c1: str = "c1"
    c2: str = "c2"

    two_terms: ClassVar[bool] = True
    bounded_offset: ClassVar[bool] = False

    @property
    def offset(self) -> str:
        return self.c0

    @property
    def exponents(self) -> tuple[str, ...]:
        return ()

    @property
    def bends(self) -> Mapping[str, str]:
        return {}

    def terms(self, exponents: Mapping[str, FloatArray], ln_n: FloatArray, ln_t: FloatArray) -> dict[str, FloatArray]:
        return {self.c0: np.ones(len(ln_n)), self.c1: -ln_n, self.c2: -ln_t}

    def product_columns(self, design: Design, exponents: FloatArray) -> tuple[FloatArray, FloatArray]:
        return -design.x[None], -design.t[None]

    def point_weights(self, x: FloatArray, t: FloatArray, exponents: FloatArray) -> Weights:
        return -x, -t, np.ones_like(x)

    def parameter_weights(self, name: str, design: Design, exponents: FloatArray) -> Weights:
        zero, one = np.zeros(len(exponents)), np.ones(len(exponents))
        if name == self.c0:
            return one * design.x_mean, one * design.t_mean, one
        return (one, zero, zero) if name == self.c1 else (zero, one, zero)

    def params(
        self, design: Design, exponents: FloatArray, a: FloatArray, b: FloatArray, d: FloatArray
    ) -> dict[str, FloatArray]:
        return {self.c0: d + a * design.x_mean + b * design.t_mean, self.c1: a, self.c2: b}

    def best_tokens(self, params: Mapping[str, float], line: BudgetLine) -> float:
        return float(by_slopes(line, np.array(params[self.c1]), np.array(params[self.c2])))

    def best_tokens_interval(self, region: Ratios, line: BudgetLine) -> tuple[float, float]:
        found = region.ratio_of_gains(lambda ratio, _: by_slopes(line, np.ones_like(ratio), ratio))
        return found.low, found.high
