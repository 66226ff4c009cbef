"""Y = A/(N^alpha T^beta) + D: one power of both, and what stays.

Source: the form that the released code of arXiv 2411.03312 fits (its A and B are one parameter).
"""

from __future__ import annotations

import numpy as np

from planner.laws.engine.powers import JointPower
from planner.laws.forms.form import FloatArray, Form, Parameter, Params, Variant, exponent, offset


def _value(p: Params, n: FloatArray, t: FloatArray) -> FloatArray:
    return p["A"] * n ** -p["alpha"] * t ** -p["beta"] + p["D"]


def _gradient(p: Params, n: FloatArray, t: FloatArray) -> tuple[FloatArray, ...]:
    power = n ** -p["alpha"] * t ** -p["beta"]
    return power, -p["A"] * np.log(n) * power, -p["A"] * np.log(t) * power, np.ones(())


def _slopes(p: Params, n: FloatArray, t: FloatArray) -> tuple[FloatArray, FloatArray]:
    term = p["A"] * n ** -p["alpha"] * t ** -p["beta"]
    return -p["alpha"] * term, -p["beta"] * term


_PROJECTION = JointPower()

MULTIPLICATIVE = Form(
    name="multiplicative",
    formula="Y = A/(N^alpha T^beta) + D",
    latex=r"Y = \frac{A}{N^\alpha T^\beta} + D",
    parameters=(
        Parameter(name="A", linear=True, meaning="error at N = {unit}"),
        exponent("alpha", "N", latex=r"\alpha"),
        exponent("beta", "T", latex=r"\beta"),
        offset("D"),
    ),
    function=_value,
    derivatives=_gradient,
    slopes=_slopes,
    of_n=("A", "alpha"),
    of_t=("A", "beta"),
    variants=(Variant("D = 0", {"D": 0.0}),),
    best_tokens=_PROJECTION.best_tokens,  # V* = beta S / (alpha - beta) for alpha > beta, whatever A, D and the budget
    falls="the error above D",
    projection=_PROJECTION,
)
