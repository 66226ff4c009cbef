"""The least squares of a joint fit of a form with a projection, as a function of the exponents alone.

Variable projection (Golub and Pereyra 1973): for given exponents non-negative least squares solves for all coefficients
of all groups at once; what is left to search are the exponents.

Letters: n runs, m places, G groups, E exponents and C coefficients of all groups.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.laws.engine.projection import Powers, Projection
from planner.laws.fitted import FitData
from planner.laws.forms import Form
from planner.laws.joint.arrow import Arrow
from planner.laws.joint.problem import slots_of

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]
BoolArray = NDArray[np.bool_]

_FEW = 64  # coefficients, of searches that ask often: for fewer, scipy's search without their structure is as fast


@dataclass(frozen=True)
class Places:
    """Where errors are asked for: m places."""

    ln_n: FloatArray
    ln_t: FloatArray
    group: IntArray


@dataclass(frozen=True)
class Pull:
    """A quantity that is pulled off its optimum: signs . Y(places) + coefficients . c + exponents . theta.

    A pull is one more squared residual, stiffness x (target - quantity). Whatever its stiffness, the optimum under it
    is the best fit with the quantity held at the value it has there, so it is a point of the quantity's profile.
    """

    group: int
    """Whose quantity it is."""
    places: Places
    signs: FloatArray
    coefficients: FloatArray
    exponents: FloatArray
    target: float = 0.0
    stiffness: float = 1.0


@dataclass(frozen=True)
class Point:
    """The best coefficients at given exponents."""

    exponents: FloatArray
    """(E,)"""
    coefficients: FloatArray
    """(C,)"""
    rss: float
    """Weighted, of the runs alone."""
    objective: float
    """The same and the pull."""
    residual: FloatArray
    """(n,), one more with a pull."""
    jacobian: FloatArray
    """Of the projected residual, (n or n + 1, E)."""
    bend: FloatArray | None = None
    """What a descent learned of the Hessian beyond J^T J, (E, E)."""
    converged: bool = False


@dataclass(frozen=True)
class Projected:
    """A joint fit: the runs, and where the parameters of each group stand among all."""

    form: Form
    projection: Projection
    """Of the form."""
    data: FitData
    """Group after group; the mean weight is 1."""
    places: Places
    slots: Mapping[str, IntArray]
    """Position of a parameter of each group among all exponents, or all coefficients, (G,)."""
    exponents_count: int
    coefficients_count: int

    @classmethod
    def of(
        cls, form: Form, projection: Projection, shared: tuple[str, ...], sizes: Sequence[int], data: FitData
    ) -> Projected:
        """`sizes` are the runs of each group, which stand one after the other in the data."""
        bends = projection.bends
        curved, curves = slots_of([name for name in form.param_names if name in bends], shared, len(sizes))
        linear, lines = slots_of([name for name in form.param_names if name not in bends], shared, len(sizes))
        group = np.repeat(np.arange(len(sizes)), sizes)
        places = Places(np.log(data.n), np.log(data.t), group)
        return cls(form, projection, data, places, {**curved, **linear}, curves, lines)

    @property
    def y(self) -> FloatArray:
        """Weighted errors, (n,)."""
        return self.data.y * self.root_weight

    @property
    def root_weight(self) -> FloatArray:
        return np.sqrt(self.data.weights)

    @property
    def exponent_min(self) -> float:
        return self.projection.exponent_min if isinstance(self.projection, Powers) else 0.0

    def params(self, point: Point, group: int) -> dict[str, float]:
        """The parameters of one group; a term that is not there has no exponent."""
        bends = self.projection.bends
        out = {}
        for entry in self.form.param_names:
            values = point.exponents if entry in bends else point.coefficients
            out[entry] = float(values[self.slots[entry][group]])
        for entry, coefficient in bends.items():
            if out[coefficient] == 0 or out[entry] <= self.exponent_min:
                out[entry] = 0.0
        return out

    def terms(self, exponents: FloatArray, at: Places) -> dict[str, FloatArray]:
        """What each coefficient of its group multiplies at m places, each (m,)."""
        own = {name: exponents[self.slots[name][at.group]] for name in self.projection.exponents}
        return self.projection.terms(own, at.ln_n, at.ln_t)

    def columns(self, terms: Mapping[str, FloatArray], at: Places) -> FloatArray:
        """(m, C)"""
        out = np.zeros((len(at.group), self.coefficients_count))
        for entry, term in terms.items():
            out[np.arange(len(term)), self.slots[entry][at.group]] = term
        return out

    @cached_property
    def bounded(self) -> BoolArray:
        """Coefficients that are at least zero: all but a free offset, (C,)."""
        bounded = np.ones(self.coefficients_count, bool)
        if not self.projection.bounded_offset:
            bounded[self.slots[self.projection.offset]] = False
        return bounded

    @property
    def _few(self) -> bool:
        return self.exponents_count > 0 and self.coefficients_count < _FEW

    def coefficients(self, x: FloatArray, y: FloatArray, group: IntArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Least squares (C,), bounded; Q and R^-1 of the columns of its face. `group` of each row of x, (n,)."""
        scaled, length, c = self._searched(x, y, group)
        bounded = self.bounded
        face = (c > 0) | ~bounded
        basis, upper = np.linalg.qr(scaled[:, face])
        inverse = _inverse(upper)
        exact = inverse @ (basis.T @ y)  # the same optimum without the rounding of the search for its face
        if (exact[bounded[face]] >= 0).all():
            c[face] = exact
        full = np.zeros((basis.shape[1], len(c)))
        full[:, face] = inverse.T / length[face]
        return c / length, basis, full

    def _searched(self, x: FloatArray, y: FloatArray, group: IntArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Columns at unit length (n, C), their lengths (C,), and coefficients of the scaled ones (C,)."""
        length = np.linalg.norm(x, axis=0)
        length = np.where(length > 0, length, 1.0)
        scaled = x / length
        c = None if self._few else self._by_arrow(scaled, y, group)
        return scaled, length, self._by_nnls(scaled, y) if c is None else c

    def _by_arrow(self, x: FloatArray, y: FloatArray, group: IntArray) -> FloatArray | None:
        """Bounded least squares (C,) of columns of unit length; None where they depend on each other."""
        names = [name for name in self.form.param_names if name not in self.projection.bends]
        count = len(self.slots[names[0]])
        own = [name for name in names if self.slots[name][-1] != self.slots[name][0]]
        shared = [self.slots[name][0] for name in names if name not in own]
        slots = np.array([self.slots[name] for name in own], int).reshape(len(own), count).T  # (G, k)
        arrow, own_length, shared_length = Arrow.of(
            x[np.arange(len(y))[:, None], slots[group]], x[:, shared], y, group, count,
            self.bounded[slots[0]], self.bounded[shared],
        )  # fmt: skip
        found = arrow.solve()
        if found is None:
            return None
        c = np.zeros(x.shape[1])
        c[slots], c[shared] = found[0] / own_length, found[1] / shared_length
        return c

    def _by_nnls(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """The same of any columns, slower."""
        from scipy.optimize import nnls

        left, right = x, y
        if not self.bounded.all():  # what has no bound is projected out
            basis = np.linalg.qr(x[:, ~self.bounded])[0]
            left, right = x - basis @ (basis.T @ x), y - basis @ (basis.T @ y)
        c = np.zeros(x.shape[1])
        c[self.bounded] = nnls(left[:, self.bounded], right, maxiter=100 * len(c))[0]
        return c

    def at(self, exponents: FloatArray, pull: Pull | None = None, kept: BoolArray | None = None) -> Point:
        """Best coefficients, those not `kept` at zero, with the residual and its derivative, at given exponents.

        With X the columns, c the coefficients and Q R the columns of the face on which c lies:
        d residual = (1 - Q Q^T) (dy - dX c) - Q R^-T dX^T residual, where only a pull's y has exponents in it.
        """
        at, n = self.places, len(self.y)
        if pull is not None:
            both = zip(vars(at).values(), vars(pull.places).values(), strict=True)
            at = Places(*(np.concatenate(pair) for pair in both))

        def stacked(values: FloatArray) -> FloatArray:
            """Values at all places (m, k) as rows of the least squares: weighted runs, then the pull."""
            rows = values[:n] * self.root_weight[:, None]
            return rows if pull is None else np.vstack([rows, pull.stiffness * (pull.signs @ values[n:])])

        terms = self.terms(exponents, at)
        x, y, group = stacked(self.columns(terms, at)), self.y, self.places.group
        if pull is not None:
            group = np.append(group, pull.group)
            x[n] += pull.stiffness * pull.coefficients
            y = np.append(y, pull.stiffness * (pull.target - pull.exponents @ exponents))
        if kept is not None:
            x[:, ~kept] = 0.0
        c, basis, lift = self.coefficients(x, y, group)
        residual = y - x @ c
        back = residual[:n] * self.root_weight
        if pull is not None:
            back = np.concatenate([back, pull.stiffness * residual[n] * pull.signs])
        moves = np.zeros((len(at.group), self.exponents_count))
        inner = np.zeros((self.coefficients_count, self.exponents_count))
        for entry, coefficient in self.projection.bends.items():
            slope = -(at.ln_n if entry == self.projection.exponents[0] else at.ln_t) * terms[coefficient]
            exponent, column = self.slots[entry][at.group], self.slots[coefficient][at.group]
            np.add.at(moves, (np.arange(len(slope)), exponent), slope * c[column])
            np.add.at(inner, (column, exponent), slope * back)
        jacobian = -stacked(moves)
        if pull is not None:
            jacobian[n] -= pull.stiffness * pull.exponents
        jacobian -= basis @ (basis.T @ jacobian + lift @ inner)
        rss = float(residual[:n] @ residual[:n])
        return Point(exponents, c, rss, float(residual @ residual), residual, jacobian)

    def rss(self, exponents: FloatArray) -> float:
        """The smallest weighted sum of squares at given exponents."""
        x = self.columns(self.terms(exponents, self.places), self.places) * self.root_weight[:, None]
        if self._few:
            c = self.coefficients(x, self.y, self.places.group)[0]
        else:
            x, _, c = self._searched(x, self.y, self.places.group)
        return float(np.sum((self.y - x @ c) ** 2))

    def value(self, pull: Pull, point: Point) -> float:
        """The quantity that a pull is on."""
        columns = self.columns(self.terms(point.exponents, pull.places), pull.places)
        linear = pull.signs @ columns + pull.coefficients
        return float(linear @ point.coefficients + pull.exponents @ point.exponents)


def _inverse(upper: FloatArray) -> FloatArray:
    """Of a triangular matrix, or of as much of it as is not dependent."""
    diagonal = np.abs(np.diag(upper))
    return np.asarray(np.linalg.inv(upper) if (diagonal > 1e-13).all() else np.linalg.pinv(upper, rcond=1e-13))
