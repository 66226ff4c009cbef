"""Errors of released models, which are published on an absolute scale, given that none is below 0.

Where a task is all but solved, what is predicted of a model that nobody evaluated reaches below 0. Of each point the
distribution, Student's t around the mean m with the scale s, is therefore taken given that it is above 0:

    E[y | y > 0] = m + s (dof + q^2) / (dof - 1) f(q) / (1 - F(q)),    q = -m / s

with f and F the density and the distribution of Student's t. Draws keep their ranks, so that points stay as dependent
as they are.
"""

from __future__ import annotations

import math

import numpy as np

from planner.laws.hierarchy.cells import FloatArray
from planner.laws.hierarchy.student_tail import Tail


def expected_possible(mean: FloatArray, sd: FloatArray, tail: Tail) -> FloatArray:
    """(m,) expected errors, of what a Gaussian of such means and standard deviations with a tail becomes above 0."""
    found = mean.copy()
    dof = tail.dof
    constant = math.exp(math.lgamma((dof + 1) / 2) - math.lgamma(dof / 2)) / math.sqrt(dof * math.pi)
    for place in np.flatnonzero(sd > 0).tolist():
        scale = tail.scale * float(sd[place])
        q = -float(mean[place]) / scale
        density = constant * (1 + q**2 / dof) ** (-(dof + 1) / 2)
        above = tail.below(-tail.scale * q)
        found[place] += scale * (dof + q**2) / (dof - 1) * density / above
    return found


def possible_spread(mean: FloatArray, sd: FloatArray) -> FloatArray:
    """(m,) by how much the standard deviations of a Gaussian shrink above 0: the root of 1 + q l - l^2, with q = -m / s
    and l = f(q) / (1 - F(q)) of the normal distribution.
    """
    found = np.ones(len(mean))
    for place in np.flatnonzero(sd > 0).tolist():
        q = -float(mean[place]) / float(sd[place])
        above = 0.5 * math.erfc(q / math.sqrt(2))
        if q > -8 and above > 0:
            hazard = math.exp(-(q**2) / 2) / math.sqrt(2 * math.pi) / above
            found[place] = math.sqrt(max(1 + q * hazard - hazard**2, 0.0))
    return found


def possible_draws(draws: FloatArray) -> FloatArray:
    """(count, m) joint draws, each column spread over those of its values that are above 0, in the same order.

    A column without any value above 0 stays as it is.
    """
    count = len(draws)
    for column in np.flatnonzero((draws <= 0).any(axis=0) & (draws > 0).any(axis=0)).tolist():
        order = np.argsort(draws[:, column], kind="stable")
        values = draws[order, column]
        above = values[np.searchsorted(values, 0.0, side="right") :]
        draws[order, column] = np.interp(np.linspace(0, len(above) - 1, count), np.arange(len(above)), above)
    return draws
