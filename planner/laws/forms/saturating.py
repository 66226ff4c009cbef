"""Y = c0 - c1 ln N - c2 ln min(T, Tmax): tokens help up to some number, and no more from there.

Source: published curves of TextVQA and OCRBench break rather than bend.
"""

from __future__ import annotations

import math

import numpy as np

from planner.laws.forms.form import FloatArray, Form, Parameter, Params


def _value(p: Params, n: FloatArray, t: FloatArray) -> FloatArray:
    return p["c0"] - p["c1"] * np.log(n) - p["c2"] * np.log(np.minimum(t, p["Tmax"]))


def _gradient(p: Params, n: FloatArray, t: FloatArray) -> tuple[FloatArray, ...]:
    held = np.minimum(t, p["Tmax"])
    return np.ones(()), -np.log(n), -np.log(held), np.where(t > p["Tmax"], -p["c2"] / p["Tmax"], 0.0)


def _slopes(p: Params, n: FloatArray, t: FloatArray) -> tuple[FloatArray, FloatArray]:
    return -np.asarray(p["c1"]), np.where(t < p["Tmax"], -np.asarray(p["c2"]), 0.0)


SATURATING = Form(
    name="saturating",
    formula="Y = c0 - c1 ln N - c2 ln min(T, Tmax)",
    latex=r"Y = c_0 - c_1 \ln N - c_2 \ln \min(T, T_{max})",
    parameters=(
        Parameter(name="c0", low=-math.inf, linear=True, meaning="error at N = {unit}, T = 1", latex="c_0"),
        Parameter(name="c1", linear=True, meaning="error per unit of ln N", latex="c_1", word="a slope"),
        Parameter(name="c2", linear=True, meaning="error per unit of ln T below Tmax", latex="c_2", word="a slope"),
        Parameter(
            name="Tmax", low=1.0, high=10_000.0, starts=(4.0, 1_000.0), nodes=(16.0, 36.0, 64.0, 100.0, 144.0, 256.0),
            log=True, size=100.0, word="a limit", meaning="tokens from which none gains", latex="T_{max}",
            takes_level_of="T",
        ),
    ),
    function=_value,
    derivatives=_gradient,
    slopes=_slopes,
    of_n=("c1",),
    of_t=("c2",),
    levels=(2, 3),
)  # fmt: skip
