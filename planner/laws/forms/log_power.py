"""Y = c0 - c1 ln N + B/T^beta: the error falls with every doubling of the size, and soon with no more tokens.

Source: pruning grids of two or three sizes follow it better than one power of both.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from planner.laws.forms.form import FloatArray, Form, Parameter, Params, exponent

_BETA_MIN = 0.01  # below it a power is a logarithm that c0 and B, ever larger, take from each other


def _value(p: Params, n: FloatArray, t: FloatArray) -> FloatArray:
    return p["c0"] - p["c1"] * np.log(n) + p["B"] * t ** -p["beta"]


def _gradient(p: Params, n: FloatArray, t: FloatArray) -> tuple[FloatArray, ...]:
    power = t ** -p["beta"]
    return np.ones(()), -np.log(n), power, -p["B"] * np.log(t) * power


def _slopes(p: Params, n: FloatArray, t: FloatArray) -> tuple[FloatArray, FloatArray]:
    return -np.asarray(p["c1"]), -p["B"] * p["beta"] * t ** -p["beta"]


LOG_POWER = Form(
    name="log-power",
    formula="Y = c0 - c1 ln N + B/T^beta",
    latex=r"Y = c_0 - c_1 \ln N + \frac{B}{T^\beta}",
    parameters=(
        Parameter(name="c0", low=-math.inf, linear=True, meaning="error at N = {unit}, many tokens", latex="c_0"),
        Parameter(name="c1", linear=True, meaning="error per unit of ln N", latex="c_1", word="a slope"),
        Parameter(name="B", linear=True, meaning="error that T = 1 adds"),
        replace(exponent("beta", "T", latex=r"\beta"), low=_BETA_MIN),
    ),
    function=_value,
    derivatives=_gradient,
    slopes=_slopes,
    of_n=("c1",),
    of_t=("B", "beta"),
    levels=(2, 3),
)
