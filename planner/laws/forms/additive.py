"""Y = A/N^alpha + B/T^beta + D: a power of the size, a power of the tokens, and what stays.

Source: the form that arXiv 2411.03312 states.
"""

from __future__ import annotations

import numpy as np

from planner.laws.engine.powers import SeparatePowers
from planner.laws.forms.form import FloatArray, Form, Parameter, Params, Variant, exponent, offset


def _value(p: Params, n: FloatArray, t: FloatArray) -> FloatArray:
    return p["A"] * n ** -p["alpha"] + p["B"] * t ** -p["beta"] + p["D"]


def _gradient(p: Params, n: FloatArray, t: FloatArray) -> tuple[FloatArray, ...]:
    n_power, t_power = n ** -p["alpha"], t ** -p["beta"]
    return n_power, -p["A"] * np.log(n) * n_power, t_power, -p["B"] * np.log(t) * t_power, np.ones(())


def _slopes(p: Params, n: FloatArray, t: FloatArray) -> tuple[FloatArray, FloatArray]:
    return -p["A"] * p["alpha"] * n ** -p["alpha"], -p["B"] * p["beta"] * t ** -p["beta"]


ADDITIVE = Form(
    name="additive",
    formula="Y = A/N^alpha + B/T^beta + D",
    latex=r"Y = \frac{A}{N^\alpha} + \frac{B}{T^\beta} + D",
    parameters=(
        Parameter(name="A", linear=True, meaning="error at N = {unit}"),
        exponent("alpha", "N", latex=r"\alpha"),
        Parameter(name="B", linear=True, meaning="error at T = 1"),
        exponent("beta", "T", latex=r"\beta"),
        offset("D"),
    ),
    function=_value,
    derivatives=_gradient,
    slopes=_slopes,
    of_n=("A", "alpha"),
    of_t=("B", "beta"),
    variants=(Variant("D = 0", {"D": 0.0}),),
    projection=SeparatePowers(),
)
