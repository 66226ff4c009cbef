"""Fits under a user's constraints: the linear parameters are exact once the exponents are held."""

from __future__ import annotations

import lmfit
import numpy as np
import pytest

import planner
from planner.runs import Runs


def test_held_exponents_leave_a_linear_problem_that_is_solved_exactly(reasoning: Runs) -> None:
    """A and D at the published exponents; 50-digit arithmetic gives .55341771650376217 and .03569138477089425."""
    params = lmfit.Parameters()
    params.add("alpha", value=0.077, vary=False)
    params.add("beta", value=0.015, vary=False)
    law = planner.fit(reasoning, "multiplicative", params=params)
    assert law.params["A"] == pytest.approx(0.55341771650376217, rel=1e-12)
    assert law.params["D"] == pytest.approx(0.03569138477089425, rel=1e-11)


def test_an_upper_bound_that_is_met_is_met_exactly(reasoning: Runs) -> None:
    params = lmfit.Parameters()
    params.add("alpha", value=0.077, vary=False)
    params.add("beta", value=0.015, vary=False)
    params.add("D", value=0.01, min=0.0, max=0.02)
    law = planner.fit(reasoning, "multiplicative", params=params)
    assert law.data is not None
    powers = law.data.n**-0.077 * law.data.t**-0.015
    assert law.params["D"] == pytest.approx(0.02, abs=1e-15)
    assert law.params["A"] == pytest.approx(float(powers @ (law.data.y - 0.02) / (powers @ powers)), rel=1e-12)
    assert np.isfinite(law.rss or np.nan)
