"""Non-negative least squares of groups that have some columns in common: which coefficients are not zero.

    minimise |y_g - O_g o_g - S_g s|^2 over all groups g, with own coefficients o_g and shared ones s

On a face (the coefficients that are not held at zero) the normal matrix is an arrow: a small block for each group, and
the shared columns along its border. So each group's own columns are projected out, all groups at once, what is left of
the shared ones is solved for, and the own coefficients follow. Faces are exchanged in blocks until no coefficient is
negative and none that is held would rather grow: block principal pivoting, with single exchanges where blocks no longer
help (Kim and Park 2011, algorithm 1).

Letters: n rows, G groups, m rows of the longest group, k own and s shared columns.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]
BoolArray = NDArray[np.bool_]

_DEPENDENT = 1e-12  # of a column's length: what is left of it beside the others below this is rounding
_FLAT = 1e-13  # of |y|: a slope below this is rounding
_FULL_EXCHANGES = 3  # of blocks that need not help, before exchanges turn single
_ROUNDS_MAX = 40  # beside one for each coefficient


@dataclass(frozen=True)
class Arrow:
    """Columns of unit length, group by group."""

    own: FloatArray
    """(G, m, k); zero where a group has fewer rows."""
    shared: FloatArray
    """(G, m, s)"""
    y: FloatArray
    """(G, m)"""
    own_bounded: BoolArray
    """Which of a group's own coefficients are at least zero, (k,)."""
    shared_bounded: BoolArray
    """(s,)"""

    @classmethod
    def of(
        cls,
        own: FloatArray,
        shared: FloatArray,
        y: FloatArray,
        group: IntArray,
        groups_count: int,
        own_bounded: BoolArray,
        shared_bounded: BoolArray,
    ) -> tuple[Arrow, FloatArray, FloatArray]:
        """The problem of rows in any order, and the lengths of its columns, (G, k) and (s,).

        Args:
            own: (n, k), each row of its own group's columns.
            shared: (n, s).
            y: (n,).
            group: of each row, (n,).
            groups_count: G.
            own_bounded: (k,).
            shared_bounded: (s,).
        """
        n = len(y)
        order = np.argsort(group, kind="stable")
        starts = np.searchsorted(group[order], np.arange(groups_count))
        place = np.arange(n) - starts[group[order]]
        rows = np.full((groups_count, int(place.max()) + 1), n)
        rows[group[order], place] = order
        table = np.concatenate([np.column_stack([own, shared, y]), np.zeros((1, own.shape[1] + shared.shape[1] + 1))])
        padded, k = table[rows], own.shape[1]
        own, shared, y = padded[..., :k], padded[..., k:-1], padded[..., -1]
        lengths = np.sqrt(np.einsum("gmk,gmk->gk", own, own)), np.sqrt(np.einsum("gms,gms->s", shared, shared))
        lengths = np.where(lengths[0] > 0, lengths[0], 1.0), np.where(lengths[1] > 0, lengths[1], 1.0)
        return cls(own / lengths[0][:, None], shared / lengths[1], y, own_bounded, shared_bounded), *lengths

    def solve(self) -> tuple[FloatArray, FloatArray] | None:
        """Own (G, k) and shared (s,) coefficients of the optimum; None where columns depend on each other."""
        groups, k = self.own.shape[0], self.own.shape[2]
        bounded = np.concatenate([np.tile(self.own_bounded, groups), self.shared_bounded])
        face = np.ones(len(bounded), bool)
        flat = _FLAT * float(np.sqrt(np.einsum("gm,gm->", self.y, self.y)))
        fewest, spare = len(face) + 1, _FULL_EXCHANGES
        for _ in range(_ROUNDS_MAX + len(face)):
            found = self._on(face[: groups * k].reshape(groups, k), face[groups * k :])
            if found is None:
                return None
            own, shared, residual = found
            c = np.concatenate([own.ravel(), shared])
            slope = np.concatenate(
                [np.einsum("gmk,gm->gk", self.own, residual).ravel(), np.einsum("gms,gm->s", self.shared, residual)]
            )
            wrong = bounded & np.where(face, c < 0, slope > flat)
            count = int(wrong.sum())
            if not count:
                return own, shared
            if count < fewest:
                fewest, spare = count, _FULL_EXCHANGES
            elif spare:
                spare -= 1
            else:
                last = np.flatnonzero(wrong)[-1]
                wrong[:] = False
                wrong[last] = True
            face = face ^ wrong
        return None

    def _on(self, own_face: BoolArray, shared_face: BoolArray) -> tuple[FloatArray, FloatArray, FloatArray] | None:
        """Least squares on a face: own (G, k) and shared (s,) coefficients, and the residual (G, m)."""
        columns = self.own * own_face[:, None]
        k, left = columns.shape[2], np.concatenate([self.shared * shared_face, self.y[..., None]], axis=2)
        basis, upper = np.zeros_like(columns), np.zeros((len(columns), k, k))
        lift = np.zeros((len(columns), k, left.shape[2]))  # Q^T of what is left
        for i in range(k):
            q, there = columns[..., i], columns[..., i].any(axis=1)
            for j in range(i):  # modified Gram-Schmidt: k is small, and held columns are zero
                upper[:, j, i] = np.einsum("gm,gm->g", basis[..., j], q)
                q = q - upper[:, j, i, None] * basis[..., j]
            length = np.sqrt(np.einsum("gm,gm->g", q, q))
            if (there & (length <= _DEPENDENT)).any():
                return None
            upper[:, i, i] = np.where(there, length, 1.0)
            basis[..., i] = q / upper[:, i, i, None]
            lift[:, i] = np.einsum("gm,gms->gs", basis[..., i], left)
            left = left - basis[..., i, None] * lift[:, i, None]
        flat = left.reshape(-1, left.shape[2])
        shared, _, _, singular = np.linalg.lstsq(flat[:, :-1], flat[:, -1], rcond=_DEPENDENT)
        if (singular > _DEPENDENT).sum() < (shared_face & self.shared.any(axis=(0, 1))).sum():
            return None
        wanted, own = lift[..., -1] - lift[..., :-1] @ shared, np.zeros(own_face.shape)
        for i in reversed(range(k)):
            known = np.einsum("gj,gj->g", upper[:, i, i + 1 :], own[:, i + 1 :])
            own[:, i] = (wanted[:, i] - known) / upper[:, i, i]  # zero where its column is not there
        return own, shared, left[..., -1] - left[..., :-1] @ shared
