"""Forms of the tokens alone, for runs of one language model: they say nothing of another size.

tokens-power   Y = B/T^beta + D
tokens-log     Y = c0 - c2 ln T
"""

from __future__ import annotations

import math

import numpy as np

from planner.laws.forms.form import FloatArray, Form, Parameter, Params, exponent, offset


def _power(p: Params, n: FloatArray, t: FloatArray) -> FloatArray:
    return p["B"] * t ** -p["beta"] + p["D"] + 0.0 * n


def _power_gradient(p: Params, n: FloatArray, t: FloatArray) -> tuple[FloatArray, ...]:
    power = t ** -p["beta"]
    return power, -p["B"] * np.log(t) * power, np.ones(())


def _power_slopes(p: Params, n: FloatArray, t: FloatArray) -> tuple[FloatArray, FloatArray]:
    return np.zeros(()), -p["B"] * p["beta"] * t ** -p["beta"]


def _log(p: Params, n: FloatArray, t: FloatArray) -> FloatArray:
    return p["c0"] - p["c2"] * np.log(t) + 0.0 * n


def _log_gradient(p: Params, n: FloatArray, t: FloatArray) -> tuple[FloatArray, ...]:
    return np.ones(()), -np.log(t)


def _log_slopes(p: Params, n: FloatArray, t: FloatArray) -> tuple[FloatArray, FloatArray]:
    return np.zeros(()), -np.asarray(p["c2"])


TOKENS_POWER = Form(
    name="tokens-power",
    formula="Y = B/T^beta + D",
    latex=r"Y = \frac{B}{T^\beta} + D",
    parameters=(
        Parameter(name="B", linear=True, meaning="error that T = 1 adds"),
        exponent("beta", "T", latex=r"\beta"),
        offset("D"),
    ),
    function=_power,
    derivatives=_power_gradient,
    slopes=_power_slopes,
    of_n=(),
    of_t=("B", "beta"),
    levels=(1, 3),
)

TOKENS_LOG = Form(
    name="tokens-log",
    formula="Y = c0 - c2 ln T",
    latex=r"Y = c_0 - c_2 \ln T",
    parameters=(
        Parameter(name="c0", low=-math.inf, linear=True, meaning="error at T = 1", latex="c_0"),
        Parameter(name="c2", linear=True, meaning="error per unit of ln T", latex="c_2", word="a slope"),
    ),
    function=_log,
    derivatives=_log_gradient,
    slopes=_log_slopes,
    of_n=(),
    of_t=("c2",),
    levels=(1, 2),
)
