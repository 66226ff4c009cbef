"""The likelihood region of a fit, and how far any linear quantity moves inside it.

The region at a level c holds all parameters whose residual sum of squares is at most c. The profile interval of a
quantity q is the range of q over the region at c = RSS_min (1 + F / dof): the same set as "all q0 for which the fit
with q fixed at q0 is acceptable", found without refitting. For given exponents the region is an ellipsoid in (A, B, D)
cut by A, B, D >= 0, on which the extremes of a linear q are known in closed form, face by face: an active bound is part
of the problem, not an accident. What is left is a search over two exponents (see `cloud`).

Letters: K nodes (pairs of exponents), n runs, Q quantities; x, t centred logarithms of N and T.
"""

from __future__ import annotations

from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.laws.engine.design import Design
from planner.laws.engine.projection import Projection

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Products:
    """Inner products of the columns at K nodes: all that least squares on any face needs."""

    c11: FloatArray
    """Of the first power, centred, (K,)."""
    c12: FloatArray
    c22: FloatArray
    """Of the second power, centred; zero where there is one power of both."""
    y1: FloatArray
    """Of the first power with the errors, centred."""
    y2: FloatArray
    m1: FloatArray
    """Weighted mean of the first power."""
    m2: FloatArray
    y_mean: float
    yy: float
    """Centred sum of squares of the errors."""
    weight: float
    """Sum of the weights."""
    two_powers: bool
    bounded_offset: bool
    """Whether D >= 0."""

    @cached_property
    def faces(self) -> tuple[_Face, ...]:
        """Every face of the form, and its optimum at each node."""
        singles = ((True, False), (False, True), (True, True)) if self.two_powers else ((True, False),)
        faces = [_face(self, first, second, True) for first, second in (*singles, (False, False))]
        if self.bounded_offset:
            faces += [_face(self, first, second, False) for first, second in singles]
        return tuple(faces)


def products(form: Projection, design: Design, y: FloatArray, exponents: FloatArray) -> Products:
    """Inner products at exponents (K, 2); a form without exponents has one node whatever they are."""
    root = design.root_weight
    first, second = form.product_columns(design, exponents)
    weight = float(root @ root)
    m1, m2, y_mean = first @ root**2 / weight, second @ root**2 / weight, float(y @ root**2 / weight)
    first, second = (first - m1[:, None]) * root, (second - m2[:, None]) * root
    target = (y - y_mean) * root
    return Products(
        c11=np.einsum("kn,kn->k", first, first),
        c12=np.einsum("kn,kn->k", first, np.broadcast_to(second, first.shape)),
        c22=np.broadcast_to(np.einsum("kn,kn->k", second, second), first.shape[:1]),
        y1=first @ target,
        y2=np.broadcast_to(second @ target, first.shape[:1]),
        m1=m1,
        m2=np.broadcast_to(m2, first.shape[:1]),
        y_mean=y_mean,
        yy=float(target @ target),
        weight=weight,
        two_powers=form.two_terms,
        bounded_offset=form.bounded_offset,
    )


@dataclass(frozen=True)
class _Face:
    """One face at K nodes: the inverse of its normal matrix in (A, B), its optimum, and whether D is free."""

    i11: FloatArray
    i12: FloatArray
    i22: FloatArray
    a: FloatArray
    b: FloatArray
    rss: FloatArray
    """Infinite where the columns are dependent."""
    offset: bool


def _face(p: Products, first: bool, second: bool, offset: bool) -> _Face:
    """Least squares on a face from inner products; absent powers have zero rows."""
    extra = 0.0 if offset else p.weight  # without D the columns are not centred: <e, e> = centred + W m^2
    c11, c12, c22 = p.c11 + extra * p.m1**2, p.c12 + extra * p.m1 * p.m2, p.c22 + extra * p.m2**2
    y1, y2 = p.y1 + extra * p.m1 * p.y_mean, p.y2 + extra * p.m2 * p.y_mean
    yy = p.yy + extra * p.y_mean**2
    zero = np.zeros_like(c11)
    if first and second:
        determinant = c11 * c22 - c12**2
        regular = determinant > 1e-13 * c11 * c22
        safe = np.where(regular, determinant, 1.0)
        i11, i12, i22 = c22 / safe, -c12 / safe, c11 / safe
    else:
        regular = (c11 > 0) if first else (c22 > 0) if second else np.ones(zero.shape, bool)
        i11 = 1 / np.where(regular, c11, 1.0) if first else zero
        i22 = 1 / np.where(regular, c22, 1.0) if second else zero
        i12 = zero
    a, b = i11 * y1 + i12 * y2, i12 * y1 + i22 * y2
    return _Face(i11, i12, i22, a, b, np.where(regular, yy - a * y1 - b * y2, np.inf), offset)


def projected_rss(p: Products) -> FloatArray:
    """The least RSS under the signs at each node, (K,)."""
    free = _face(p, True, p.two_powers, True)
    d = p.y_mean - free.a * p.m1 - free.b * p.m2
    signs = (free.a >= 0) & (free.b >= 0)
    best = np.where(signs & ((d >= 0) | (not p.bounded_offset)), free.rss, np.inf)
    settled = np.isfinite(best)
    if p.bounded_offset and not settled.all():
        # where the free optimum has D < 0, that of the plane D = 0 is the answer, if it is feasible (as in `faces`)
        plane = _face(p, True, p.two_powers, False)
        feasible = (plane.a >= 0) & (plane.b >= 0)
        best = np.where(feasible & (plane.rss < best), plane.rss, best)
        settled |= (d < 0) & feasible
    if not settled.all():
        for face in p.faces:
            d = p.y_mean - face.a * p.m1 - face.b * p.m2 if face.offset else np.zeros(())
            feasible = (face.a >= 0) & (face.b >= 0) & ((d >= 0) | (not p.bounded_offset))
            best = np.where(feasible & (face.rss < best), face.rss, best)
    return best


def extremes(
    p: Products, level: float, weights: tuple[FloatArray, FloatArray, FloatArray]
) -> tuple[FloatArray, FloatArray]:
    """Least and largest value of linear quantities g_A A + g_B B + g_D D at each node of the region.

    Args:
        p: inner products at K nodes.
        level: the region holds what has RSS <= level.
        weights: (g_A, g_B, g_D), each of a shape that broadcasts to (Q, K).

    Returns:
        low and high, each (Q, K); where a node holds nothing of the region, low is +inf and high -inf.
    """
    g_a, g_b, g_d = (np.asarray(g, float) for g in weights)
    shape = np.broadcast_shapes(g_a.shape, g_b.shape, g_d.shape, p.c11.shape)
    low, high = np.full(shape, np.inf), np.full(shape, -np.inf)
    for face in p.faces:
        inside = level - face.rss >= 0
        if not inside.any():
            continue
        nodes = np.flatnonzero(inside)
        some = partial(_some, nodes, len(inside))
        l_a, l_b, l_d, m1, m2 = map(some, (g_a, g_b, g_d, p.m1, p.m2))
        i11, i12, i22, rss = map(some, (face.i11, face.i12, face.i22, face.rss))
        # with D free and columns centred, q = h_A A + h_B B + g_D c0, and c0 = mean of y is independent of A and B
        h_a, h_b = (l_a - l_d * m1, l_b - l_d * m2) if face.offset else (l_a, l_b)
        da, db = i11 * h_a + i12 * h_b, i12 * h_a + i22 * h_b
        dc = l_d / p.weight if face.offset else np.zeros(())
        length = np.sqrt(np.maximum(h_a * da + h_b * db + l_d * dc, 0.0))
        step = np.sqrt(level - rss) / np.where(length > 0, length, np.inf)
        to_a, to_b, to_c = step * da, step * db, step * dc
        least, most = some(low), some(high)
        for move in (np.subtract, np.add):
            a, b = move(some(face.a), to_a), move(some(face.b), to_b)
            feasible = (a >= 0) & (b >= 0)
            value = l_a * a + l_b * b
            if face.offset:
                d = move(p.y_mean, to_c) - a * m1 - b * m2
                if p.bounded_offset:
                    feasible = feasible & (d >= 0)
                value = value + l_d * d
            least = np.minimum(least, np.where(feasible, value, np.inf))
            most = np.maximum(most, np.where(feasible, value, -np.inf))
        low[..., nodes], high[..., nodes] = least, most
    return low, high


def _some(nodes: NDArray[np.intp], count: int, values: FloatArray) -> FloatArray:
    """Of values (..., K) those at some nodes; the values themselves where all are asked for, or one stands for all."""
    return values if len(nodes) == count or values.shape[-1:] != (count,) else values.take(nodes, axis=-1)


def ratio_extremes(p: Products, level: float) -> tuple[FloatArray, FloatArray]:
    """Least and largest B / A at each node of the region, (K,); +inf and -inf where the node holds nothing of it.

    Along A (1, r) the least RSS is yy - (y1 + r y2)^2 / (c11 + 2 r c12 + r^2 c22), so RSS <= level is a quadratic
    inequality in r. An infinite ratio means A = 0.
    """
    low, high = np.full(p.c11.shape, np.inf), np.full(p.c11.shape, -np.inf)
    for extra in (0.0, p.weight) if p.bounded_offset else (0.0,):
        offset = extra == 0.0
        c11, c12, c22 = p.c11 + extra * p.m1**2, p.c12 + extra * p.m1 * p.m2, p.c22 + extra * p.m2**2
        y1, y2 = p.y1 + extra * p.m1 * p.y_mean, p.y2 + extra * p.m2 * p.y_mean
        room = p.yy + extra * p.y_mean**2 - level
        # (y1 + r y2)^2 >= room (c11 + 2 r c12 + r^2 c22)
        qa, qb, qc = y2**2 - room * c22, y1 * y2 - room * c12, y1**2 - room * c11
        discriminant = qb**2 - qa * qc
        root = np.sqrt(np.maximum(discriminant, 0.0))
        with np.errstate(divide="ignore", invalid="ignore"):
            candidates = [(-qb - root) / qa, (-qb + root) / qa]
        ends = [np.zeros_like(c11), np.full_like(c11, np.inf)]
        for r in [*candidates, *ends]:
            infinite = ~np.isfinite(r)
            safe = np.where(infinite, 0.0, r)
            size = np.where(infinite, c22, c11 + 2 * safe * c12 + safe**2 * c22)
            product = np.where(infinite, y2, y1 + safe * y2)
            scale = product / np.where(size > 0, size, np.inf)
            rss = p.yy + extra * p.y_mean**2 - scale * product
            mean = np.where(infinite, p.m2, p.m1 + safe * p.m2)
            feasible = (scale >= 0) & (rss <= level * (1 + 1e-9)) & (r >= 0) & ~np.isnan(r)
            if offset and p.bounded_offset:
                feasible &= p.y_mean - scale * mean >= 0
            low = np.where(feasible & (r < low), r, low)
            high = np.where(feasible & (r > high), r, high)
    return low, high
