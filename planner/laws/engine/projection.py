"""What the exact engine must know of a form: it is linear in its coefficients, once two exponents (or none) are given.

In the centred problem (logarithms less their means over the runs) every such form is

    Y = a f(x, t) + b g(x, t) + d        f, g fixed by the exponents; with one term only, g = 0

Letters: P problems or K nodes (pairs of exponents), n runs, Q points; x, t centred logarithms of N and T.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.laws.engine.design import Design
from planner.laws.engine.tokens import BudgetLine

FloatArray = NDArray[np.float64]
Weights = tuple[FloatArray, FloatArray, FloatArray]
"""Weights of the centred a, b and d in a quantity."""

EXPONENT_FLOOR = 1e-9
"""Smallest exponent that differs from zero: below it a power is a constant to every digit."""
EXPONENT_MAX = 10.0
"""Largest exponent tried: beyond it a power is a step at the smallest level, which no run tells from a larger one."""


class Ratios(Protocol):
    """What a likelihood region says of ratios: a `Profiler`."""

    @property
    def design(self) -> Design: ...
    def exponent_ratio(self) -> Any: ...
    def ratio_of_gains(self, quantity: Callable[[FloatArray, FloatArray], FloatArray]) -> Any: ...


class Projection(ABC):
    """A form that is linear in its coefficients, once its exponents are given."""

    two_terms: ClassVar[bool]
    """Whether N and T have a term each."""
    bounded_offset: ClassVar[bool]
    """Whether the offset is at least zero; the other coefficients always are."""

    @property
    @abstractmethod
    def offset(self) -> str:
        """Name of the offset."""

    @property
    @abstractmethod
    def exponents(self) -> tuple[str, ...]:
        """Names of the exponents of N and of T; none for a form that is linear altogether."""

    @property
    @abstractmethod
    def bends(self) -> Mapping[str, str]:
        """Exponent -> the coefficient whose term it bends."""

    @abstractmethod
    def terms(self, exponents: Mapping[str, FloatArray], ln_n: FloatArray, ln_t: FloatArray) -> dict[str, FloatArray]:
        """What each coefficient, the offset among them, multiplies at places (m,), not centred, each (m,)."""

    @abstractmethod
    def product_columns(self, design: Design, exponents: FloatArray) -> tuple[FloatArray, FloatArray]:
        """f and g at the runs for exponents (K, 2): (K, n) each, or (1, n) of a form without exponents."""

    @abstractmethod
    def point_weights(self, x: FloatArray, t: FloatArray, exponents: FloatArray) -> Weights:
        """f, g and 1 at centred points (Q, 1) for exponents (K, 2), each to broadcast to (Q, K)."""

    @abstractmethod
    def parameter_weights(self, name: str, design: Design, exponents: FloatArray) -> Weights:
        """Weights (K,) of the centred coefficients in a coefficient as the form states it."""

    @abstractmethod
    def params(
        self, design: Design, exponents: FloatArray, a: FloatArray, b: FloatArray, d: FloatArray
    ) -> dict[str, FloatArray]:
        """Parameters (P,) as the form states them, from exponents (P, 2) and centred coefficients (P,)."""

    @abstractmethod
    def best_tokens(self, params: Mapping[str, float], line: BudgetLine) -> float:
        """The number of visual tokens with the least error on a budget."""

    @abstractmethod
    def best_tokens_interval(self, region: Ratios, line: BudgetLine) -> tuple[float, float]:
        """The profile interval of `best_tokens`."""


@dataclass(frozen=True)
class Columns:
    """The columns of a power form at P pairs of exponents, one entry in each list for every power of the form."""

    powers: list[FloatArray]
    """exp(-a x), each (P, n)."""
    slopes: list[FloatArray]
    """(exp(-a x) - 1) / a, each (P, n)."""
    scales: list[FloatArray]
    """a, each (P,)."""


Face = tuple[tuple[int, ...], bool]
"""(powers that are free, whether the offset is)."""


@dataclass(frozen=True)
class Powers(Projection):
    """A form of powers of N and T, whose exponents are searched."""

    with_offset: bool = True
    """False holds the offset at zero."""

    bounded_offset: ClassVar[bool] = True
    exponent_min: ClassVar[float]
    """Least exponent that is searched."""
    all_faces: ClassVar[tuple[Face, ...]]
    """First all coefficients free, then all but the offset, then the smaller ones."""

    @property
    def faces(self) -> tuple[Face, ...]:
        """The faces on which an optimum can lie."""
        return self.all_faces if self.with_offset else tuple(face for face in self.all_faces if not face[1])

    @abstractmethod
    def columns(self, design: Design, exponents: FloatArray) -> Columns:
        """Columns at exponents (P, 2)."""

    @abstractmethod
    def grid(self, design: Design, y: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Axis (G,), best RSS and best RSS without offset at every pair of exponents, each (R, G, G), for y (R, n)."""


def power(exponent: FloatArray, log_size: FloatArray) -> tuple[FloatArray, FloatArray]:
    """exp(-a x) and (exp(-a x) - 1) / a, each (P, n), for a (P,) > 0 and x (n,) or (P, n)."""
    shifted = np.expm1(-exponent[:, None] * log_size)
    return shifted + 1.0, shifted / exponent[:, None]
