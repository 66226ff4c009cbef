"""Y = c0 - c1 ln N - c2 ln(T + T0): logarithms of both, where the question alone is worth T0 tokens.

Source: runs on text in images follow it best; the error without any visual token is finite.
"""

from __future__ import annotations

import math

import numpy as np

from planner.laws.forms.form import FloatArray, Form, Parameter, Params


def _value(p: Params, n: FloatArray, t: FloatArray) -> FloatArray:
    return p["c0"] - p["c1"] * np.log(n) - p["c2"] * np.log(_shifted(p, t))


def _gradient(p: Params, n: FloatArray, t: FloatArray) -> tuple[FloatArray, ...]:
    shifted = _shifted(p, t)
    return np.ones(()), -np.log(n), -np.log(shifted), -p["c2"] / shifted


def _slopes(p: Params, n: FloatArray, t: FloatArray) -> tuple[FloatArray, FloatArray]:
    return -np.asarray(p["c1"]), -p["c2"] * t / _shifted(p, t)


def _shifted(p: Params, t: FloatArray) -> FloatArray:
    return np.maximum(t + p["T0"], np.finfo(float).tiny)  # a search tries T0 = 0 at T = 0 too


LOG_SHIFTED = Form(
    name="log-shifted",
    formula="Y = c0 - c1 ln N - c2 ln(T + T0)",
    latex=r"Y = c_0 - c_1 \ln N - c_2 \ln(T + T_0)",
    parameters=(
        Parameter(name="c0", low=-math.inf, linear=True, meaning="error at N = {unit}, T + T0 = 1", latex="c_0"),
        Parameter(name="c1", linear=True, meaning="error per unit of ln N", latex="c_1", word="a slope"),
        Parameter(name="c2", linear=True, meaning="error per unit of ln(T + T0)", latex="c_2", word="a slope"),
        Parameter(
            name="T0", high=300.0, starts=(0.5, 100.0), nodes=(1.0, 2.0, 4.0, 8.0, 16.0, 32.0), size=10.0,
            word="a shift", meaning="tokens that the question is worth", latex="T_0", takes_level_of="T",
        ),
    ),
    function=_value,
    derivatives=_gradient,
    slopes=_slopes,
    of_n=("c1",),
    of_t=("c2",),
    levels=(2, 3),
)  # fmt: skip
