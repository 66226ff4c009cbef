"""Y = c0 - c1 ln N - c2 ln T - c3 ln N ln T: what a doubling of the tokens gains changes with the size.

c1 and c2 are slopes at T = 1 and at one unit of N: either may be negative where the error falls at all runs.
"""

from __future__ import annotations

import math

import numpy as np

from planner.laws.forms.form import FloatArray, Form, Parameter, Params


def _value(p: Params, n: FloatArray, t: FloatArray) -> FloatArray:
    log_n, log_t = np.log(n), np.log(t)
    return p["c0"] - p["c1"] * log_n - p["c2"] * log_t - p["c3"] * log_n * log_t


def _gradient(p: Params, n: FloatArray, t: FloatArray) -> tuple[FloatArray, ...]:
    return np.ones(()), -np.log(n), -np.log(t), -np.log(n) * np.log(t)


def _slopes(p: Params, n: FloatArray, t: FloatArray) -> tuple[FloatArray, FloatArray]:
    return -p["c1"] - p["c3"] * np.log(t), -p["c2"] - p["c3"] * np.log(n)


INTERACTION = Form(
    name="interaction",
    formula="Y = c0 - c1 ln N - c2 ln T - c3 ln N ln T",
    latex=r"Y = c_0 - c_1 \ln N - c_2 \ln T - c_3 \ln N \ln T",
    parameters=(
        Parameter(name="c0", low=-math.inf, linear=True, meaning="error at N = {unit}, T = 1", latex="c_0"),
        Parameter(
            name="c1", low=-math.inf, linear=True, meaning="error per unit of ln N at T = 1", latex="c_1",
            word="a slope",
        ),
        Parameter(
            name="c2", low=-math.inf, linear=True, meaning="error per unit of ln T at N = {unit}", latex="c_2",
            word="a slope",
        ),
        Parameter(
            name="c3", low=-math.inf, linear=True, starts=(-0.01, 0.01), meaning="error per unit of ln N ln T",
            latex="c_3", word="a slope",
        ),
    ),
    function=_value,
    derivatives=_gradient,
    slopes=_slopes,
    of_n=("c1",),
    of_t=("c2",),
    levels=(2, 2),
)  # fmt: skip
