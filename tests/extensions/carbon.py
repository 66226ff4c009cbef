"""A limit from outside the package: grams of CO2 per request, from its energy and how clean the grid is."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from planner.base.quantities import Dimension, parse
from planner.planning.limits import HARDWARE, POWER, LimitKind, Slider

GRAMS_PER_KWH = 350.0
"""Of the grid."""
JOULES_PER_KWH = 3.6e6
GRAMS = Dimension("grams", {"": 1.0, "g": 1.0, "mg": 1e-3, "kg": 1e3}, '"5 mg" or 0.005', ("mg", "g", "kg"))


def parse_grams(value: object, name: str) -> float:
    """Grams from "5 mg" or 0.005."""
    return parse(value, GRAMS, name)


def show_grams(grams: float) -> str:
    """Grams to three digits: "5.2 mg"."""
    return f"{1e3 * grams:.3g} mg" if grams < 1 else f"{grams:.3g} g"


def grams_of(quantities: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """Grams of one request, shape (candidates,)."""
    return quantities["energy_joules"] * GRAMS_PER_KWH / JOULES_PER_KWH


CARBON = LimitKind(
    name="carbon_grams",
    keyword="carbon",
    title="carbon per request",
    short="carbon",
    parse=parse_grams,
    show=show_grams,
    unit="g",
    help="Grams of CO2 of a request, at most: 5mg.",
    compute=grams_of,
    needs=(HARDWARE, POWER),
    batching_helps=True,
    slider=Slider(0.1, 1000, "mg", 1e-3),
)
