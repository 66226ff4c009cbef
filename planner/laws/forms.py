"""The forms of the law: formula, value and gradient of each.

N is the number of LLM parameters in units of `n_unit_params` (a billion, unless a law says otherwise), T the number of
visual tokens per image that enter the LLM, and Y the average downstream error. Additive and log-linear logarithms are
natural. Source: arXiv 2411.03312 (the multiplicative form is the one that its released code fits).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from planner.base.errors import UnknownNameError

FloatArray = NDArray[np.float64]
Params = Mapping[str, float]


@dataclass(frozen=True)
class Form:
    """One form of the law, as formula, function and gradient."""

    name: str
    formula: str
    param_names: tuple[str, ...]
    """In the order of the gradient's last axis."""
    non_negative: frozenset[str]
    """Parameters that the form bounds below by zero."""
    n_levels: int
    """Fewest levels of N, and of T, from which all its parameters can be told."""
    _value: Callable[[Params, FloatArray, FloatArray], FloatArray]
    _gradient: Callable[[Params, FloatArray, FloatArray], tuple[FloatArray, ...]]

    def value(self, params: Params, n: ArrayLike, t: ArrayLike) -> FloatArray:
        """Y at N (in the law's unit) and T; n and t broadcast against each other."""
        return self._value(params, np.asarray(n, float), np.asarray(t, float))

    def gradient(self, params: Params, n: ArrayLike, t: ArrayLike) -> FloatArray:
        """dY / d parameter, shape (*broadcast of n and t, parameters)."""
        n, t = np.broadcast_arrays(np.asarray(n, float), np.asarray(t, float))
        columns = self._gradient(params, n, t)
        return np.stack([np.broadcast_to(column, n.shape) for column in columns], axis=-1)


def _additive_value(p: Params, n: FloatArray, t: FloatArray) -> FloatArray:
    return p["A"] * n ** -p["alpha"] + p["B"] * t ** -p["beta"] + p["D"]


def _additive_gradient(p: Params, n: FloatArray, t: FloatArray) -> tuple[FloatArray, ...]:
    n_power, t_power = n ** -p["alpha"], t ** -p["beta"]
    return n_power, -p["A"] * np.log(n) * n_power, t_power, -p["B"] * np.log(t) * t_power, np.ones(())


def _multiplicative_value(p: Params, n: FloatArray, t: FloatArray) -> FloatArray:
    return p["A"] * n ** -p["alpha"] * t ** -p["beta"] + p["D"]


def _multiplicative_gradient(p: Params, n: FloatArray, t: FloatArray) -> tuple[FloatArray, ...]:
    power = n ** -p["alpha"] * t ** -p["beta"]
    return power, -p["A"] * np.log(n) * power, -p["A"] * np.log(t) * power, np.ones(())


def _log_linear_value(p: Params, n: FloatArray, t: FloatArray) -> FloatArray:
    return p["c0"] - p["c1"] * np.log(n) - p["c2"] * np.log(t)


def _log_linear_gradient(p: Params, n: FloatArray, t: FloatArray) -> tuple[FloatArray, ...]:
    return np.ones(()), -np.log(n), -np.log(t)


ADDITIVE = Form(
    "additive",
    "Y = A/N^alpha + B/T^beta + D",
    ("A", "alpha", "B", "beta", "D"),
    frozenset({"A", "alpha", "B", "beta", "D"}),
    3,
    _additive_value,
    _additive_gradient,
)
MULTIPLICATIVE = Form(
    "multiplicative",
    "Y = A/(N^alpha T^beta) + D",
    ("A", "alpha", "beta", "D"),
    frozenset({"A", "alpha", "beta", "D"}),
    3,
    _multiplicative_value,
    _multiplicative_gradient,
)
LOG_LINEAR = Form(
    "log-linear",
    "Y = c0 - c1 ln N - c2 ln T",
    ("c0", "c1", "c2"),
    frozenset({"c1", "c2"}),
    2,
    _log_linear_value,
    _log_linear_gradient,
)
FORMS = {form.name: form for form in (ADDITIVE, MULTIPLICATIVE, LOG_LINEAR)}
DEFAULT_FORM = ADDITIVE.name


def get_form(name: str) -> Form:
    """The form of that name. Raises UnknownNameError."""
    if not isinstance(name, str) or name not in FORMS:
        raise UnknownNameError("form", name, FORMS)
    return FORMS[name]
