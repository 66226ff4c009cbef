"""Y = A/N^alpha + B/T^beta: the additive form with D = 0, which two levels of N or of T determine.

Source: published pruning grids have two sizes of language model, and fall like two powers.
"""

from __future__ import annotations

from planner.laws.forms.additive import ADDITIVE
from planner.laws.forms.form import FloatArray, Form, Params


def _whole(p: Params) -> Params:
    return {**p, "D": 0.0}


def _value(p: Params, n: FloatArray, t: FloatArray) -> FloatArray:
    return ADDITIVE.function(_whole(p), n, t)


def _gradient(p: Params, n: FloatArray, t: FloatArray) -> tuple[FloatArray, ...]:
    of_all = ADDITIVE.gradient(_whole(p), n, t)
    return tuple(of_all[..., i] for i in range(len(ADDITIVE.parameters) - 1))  # D is the last


def _slopes(p: Params, n: FloatArray, t: FloatArray) -> tuple[FloatArray, FloatArray]:
    return ADDITIVE.log_slopes(_whole(p), n, t)


ADDITIVE_D0 = Form(
    name="additive-d0",
    formula="Y = A/N^alpha + B/T^beta",
    latex=r"Y = \frac{A}{N^\alpha} + \frac{B}{T^\beta}",
    parameters=tuple(one for one in ADDITIVE.parameters if not one.offset),
    function=_value,
    derivatives=_gradient,
    slopes=_slopes,
    of_n=ADDITIVE.of_n,
    of_t=ADDITIVE.of_t,
    levels=(2, 2),
    simplifies=ADDITIVE,
)
