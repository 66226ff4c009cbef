"""For given exponents: the exact least squares in A, B, D >= 0, many problems at once.

A power form is linear in A, B and D once its exponents are fixed, and least squares under sign bounds is convex: its
optimum is the unconstrained optimum of its own *face* (which of A, B, D are free, the others zero). With three
coefficients there are few faces, so all are solved and the best feasible one is taken.

Numbers stay well conditioned because ln N and ln T are centred, and because wherever D is free the column of an
exponent a is (exp(-a x) - 1) / a rather than exp(-a x): it tends to -x, not to the constant column, as a -> 0.

Letters: P problems solved at once, n runs; x, t centred logarithms of N and T.
"""

from __future__ import annotations

from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.laws.engine.design import Design
from planner.laws.engine.projection import Columns, Powers

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class FaceFit:
    """Solutions of P small least-squares problems."""

    a: FloatArray
    """Coefficient of the first power, shape (P,)."""
    b: FloatArray
    """Coefficient of the second power (0 in the multiplicative form), shape (P,)."""
    d: FloatArray
    """Offset, shape (P,)."""
    residual: FloatArray
    """Weighted residual, shape (P, n)."""
    basis: FloatArray
    """Orthonormal columns Q of the face, zero where it has fewer than three, shape (3, P, n)."""
    lift: FloatArray
    """For each power the row of R^-T that belongs to its column (Q R = columns), zero if unused, shape (2, 3, P)."""
    rss: FloatArray
    """Weighted residual sum of squares, shape (P,); infinite where the face is not feasible."""


def best_face(form: Powers, design: Design, y: FloatArray, exponents: FloatArray) -> FaceFit:
    """The optimum over A, B, D >= 0 at each of P pairs of exponents.

    Args:
        form: its powers.
        design: where the runs stand.
        y: measured errors, shape (n,) or (P, n).
        exponents: alpha and beta, shape (P, 2).
    """
    columns = form.columns(design, exponents)
    free = fit_face(design, y, columns, *form.faces[0])
    settled = np.isfinite(free.rss)
    if settled.all() or len(form.faces) == 1:
        return free
    # Where the free optimum has D < 0, every way from a feasible point to it falls and crosses D = 0, so the optimum
    # of that plane, if it is feasible, is the answer; the smaller faces are needed only for what is left.
    without_d = fit_face(design, y, columns, *form.faces[1])
    settled |= (free.d < 0) & np.isfinite(without_d.rss)
    best = where_fit(free.rss <= without_d.rss, free, without_d)
    if not settled.all():
        for face in form.faces[2:]:
            other = fit_face(design, y, columns, *face)
            best = where_fit(best.rss <= other.rss, best, other)
    return best


def fit_face(design: Design, y: FloatArray, columns: Columns, used: tuple[int, ...], offset: bool) -> FaceFit:
    """Least squares on one face: the powers in `used` are free, D is free or zero; infeasible where a sign is wrong."""
    root = design.root_weight
    shape = columns.powers[0].shape
    matrix = [(columns.slopes if offset else columns.powers)[j] * root for j in used]
    if offset:
        matrix.insert(0, np.broadcast_to(root, shape))
    coefficients, residual, basis, upper, feasible = least_squares(matrix, np.broadcast_to(y * root, shape))
    per_power = [np.zeros(shape[0]), np.zeros(shape[0])]
    d = np.where(feasible, coefficients[0], np.nan) if offset else np.zeros(shape[0])
    lift = np.zeros((2, 3, shape[0]))
    for position, j in enumerate(used, start=int(offset)):
        scale = columns.scales[j] if offset else 1.0
        per_power[j] = coefficients[position] / scale
        lift[j, : len(matrix)] = _row_of_inverse_transpose(upper, position) / scale
        if offset:  # c0 + c (e - 1) / a  =  (c / a) e + (c0 - c / a)
            d = d - per_power[j]
        feasible &= per_power[j] >= 0
    feasible &= d >= 0
    padded = np.zeros((3, *shape))
    padded[: len(matrix)] = basis
    rss = np.where(feasible, np.einsum("pn,pn->p", residual, residual), np.inf)
    return FaceFit(per_power[0], per_power[1], d, residual, padded, lift, rss)


def least_squares(
    columns: list[FloatArray], y: FloatArray
) -> tuple[list[FloatArray], FloatArray, FloatArray, FloatArray, BoolArray]:
    """Modified Gram-Schmidt on [columns | y], P problems at once: backward stable, and vectorised where LAPACK is not.

    Args:
        columns: k arrays of shape (P, n).
        y: shape (P, n).

    Returns:
        k coefficients (P,), the residual (P, n), orthonormal Q (k, P, n) and upper triangular R (k, k, P) with
        Q R = columns, and whether the columns are independent.
    """
    k = len(columns)
    basis = np.empty((k, *y.shape))
    upper = np.zeros((k, k, y.shape[0]))
    independent = np.ones(y.shape[0], bool)
    projections = np.zeros((k, y.shape[0]))
    residual = y
    for j, column in enumerate(columns):
        rest = column
        for i in range(j):
            upper[i, j] = np.einsum("pn,pn->p", basis[i], rest)
            rest = rest - upper[i, j][:, None] * basis[i]
        upper[j, j] = np.sqrt(np.einsum("pn,pn->p", rest, rest))
        ok = upper[j, j] > 1e-13 * np.sqrt(np.einsum("pn,pn->p", column, column))
        independent &= ok
        basis[j] = rest / np.where(ok, upper[j, j], 1.0)[:, None]
        projections[j] = np.einsum("pn,pn->p", basis[j], residual)
        residual = residual - projections[j][:, None] * basis[j]
        upper[j, j] = np.where(ok, upper[j, j], 1.0)
    coefficients: list[FloatArray] = [np.zeros(0)] * k
    for j in reversed(range(k)):
        known = sum((upper[j, i] * coefficients[i] for i in range(j + 1, k)), np.zeros(y.shape[0]))
        coefficients[j] = (projections[j] - known) / upper[j, j]
    return coefficients, residual, basis, upper, independent


def _row_of_inverse_transpose(upper: FloatArray, position: int) -> FloatArray:
    """The w (k, P) with R^T w = unit vector of `position`, for upper triangular R (k, k, P)."""
    w = np.zeros(upper.shape[1:])
    w[position] = 1.0 / upper[position, position]
    for i in range(position + 1, len(upper)):
        w[i] = -np.einsum("jp,jp->p", upper[position:i, i], w[position:i]) / upper[i, i]
    return w


_POINT_AXES = {"residual": -2, "basis": -2}  # these are (..., P, n); the other entries of a FaceFit end in P


def take_fit(fit: FaceFit, index: NDArray[np.intp]) -> FaceFit:
    """The problems at the given positions, in that order."""
    return FaceFit(*(getattr(fit, item.name).take(index, _POINT_AXES.get(item.name, -1)) for item in fields(FaceFit)))


def put_fit(fit: FaceFit, index: NDArray[np.intp], part: FaceFit) -> None:
    """Write the problems of `part` to the given positions of `fit`."""
    for item in fields(FaceFit):
        where = (..., index, slice(None)) if item.name in _POINT_AXES else (..., index)
        getattr(fit, item.name)[where] = getattr(part, item.name)


def where_fit(mask: BoolArray, one: FaceFit, other: FaceFit) -> FaceFit:
    """Problem by problem `one` where the mask (P,) is true, else `other`."""
    if mask.all():
        return one
    if not mask.any():
        return other

    def pick(name: str) -> FloatArray:
        first, second = getattr(one, name), getattr(other, name)
        picked: FloatArray = np.where(mask[:, None] if name in _POINT_AXES else mask, first, second)
        return picked

    return FaceFit(*(pick(field.name) for field in fields(FaceFit)))
