"""Y = c0 - c1 ln N - c2 ln T: the common limit of both power forms as their exponents go to zero."""

from __future__ import annotations

import math

import numpy as np

from planner.laws.engine.logs import Logs
from planner.laws.forms.form import FloatArray, Form, Parameter, Params


def _value(p: Params, n: FloatArray, t: FloatArray) -> FloatArray:
    return p["c0"] - p["c1"] * np.log(n) - p["c2"] * np.log(t)


def _gradient(p: Params, n: FloatArray, t: FloatArray) -> tuple[FloatArray, ...]:
    return np.ones(()), -np.log(n), -np.log(t)


def _slopes(p: Params, n: FloatArray, t: FloatArray) -> tuple[FloatArray, FloatArray]:
    return -np.asarray(p["c1"]), -np.asarray(p["c2"])


_PROJECTION = Logs()

LOG_LINEAR = Form(
    name="log-linear",
    formula="Y = c0 - c1 ln N - c2 ln T",
    latex=r"Y = c_0 - c_1 \ln N - c_2 \ln T",
    parameters=(
        Parameter(name="c0", low=-math.inf, linear=True, meaning="error at N = {unit}, T = 1", latex="c_0"),
        Parameter(name="c1", linear=True, meaning="error per unit of ln N", latex="c_1", word="a slope"),
        Parameter(name="c2", linear=True, meaning="error per unit of ln T", latex="c_2", word="a slope"),
    ),
    function=_value,
    derivatives=_gradient,
    slopes=_slopes,
    of_n=("c1",),
    of_t=("c2",),
    levels=(2, 2),
    best_tokens=_PROJECTION.best_tokens,  # V* = c2 S / (c1 - c2) for c1 > c2
    projection=_PROJECTION,
)
