"""What a run is expected to gain: by how much the expected true error of what is picked falls.

An error lies between 0 and 1. What is believed of it is Gaussian, N(m, s^2), and where that reaches outside, the error
is what it is cut to, so that what is expected of it is (phi, Phi: density and distribution of N(0, 1))

    g(m, s) = E min(max(X, 0), 1) = m (Phi(v) - Phi(u)) + s (phi(u) - phi(v)) + 1 - Phi(v),  u = -m/s, v = (1 - m)/s

A run moves m by b z, z ~ N(0, 1), and leaves s' = sqrt(s^2 - b^2): its gain is min g(m, s) - E min g(m + b z, s'),
which lies between 0 and 1. Where no candidate's belief reaches outside, g is m and the gain is known in closed form.

Letters: K candidates, C cells, S samples.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from planner.laws.normal import below, phi

FloatArray = NDArray[np.float64]

_REGRET_SAMPLES = 8192
_REACH = 6.0
"""Standard deviations within which a belief lies: 2e-9 of it is outside, in errors that are shown to four digits."""
_SURE = 8.0
"""Standard deviations that no belief moves by: the odds are 1e-15."""
_COARSE_STEP, _FINE_STEP, _END = 0.5, 0.025, 8.0
"""Of z: to see which candidates can be the least, and to integrate over."""
_MANY_STEP, _MANY_ROWS = 0.25, 4000
"""Where many gains are averaged, whose corners lie anywhere."""
_BLOCK = 2_000_000
"""Numbers that are held at a time."""


def expected_gain(errors: FloatArray, steps: FloatArray, sd: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Expected fall of the true error of what is picked, and the probability that something else is picked.

    Args:
        errors: m, predicted errors of the candidates, shape (..., K).
        steps: b, how far each moves per unit of z, (..., K); broadcasts against `errors`.
        sd: s, standard deviation of what is believed of each candidate's error, shape (K,).

    Returns:
        Both of the broadcast shape without its last axis.
    """
    if inside(errors, sd):
        return knowledge_gradient(errors, steps)
    m, b = np.broadcast_arrays(errors, steps)
    shape, count = m.shape[:-1], m.shape[-1]
    m, b = m.reshape(-1, count), b.reshape(-1, count)
    gain, changes = _bounded(m, b, sd)
    return gain.reshape(shape), changes.reshape(shape)


def expected_least(errors: FloatArray, sd: FloatArray) -> FloatArray:
    """min g(m, s) over the candidates, the last axis: the expected true error of what is picked, if nothing is run."""
    found: FloatArray = (errors if inside(errors, sd) else possible_error(errors, sd)).min(axis=-1)
    return found


def possible_error(mean: FloatArray, sd: FloatArray) -> FloatArray:
    """g(m, s): what is expected of an error that is believed to be N(m, s^2) and lies between 0 and 1."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        low, high = -mean / sd, (1 - mean) / sd
        under, over = below(low), below(-high)
        found = mean * (1 - under - over) + sd * (phi(low) - phi(high)) + over
    return np.clip(np.where(sd > 0, found, mean), 0.0, 1.0)


def knowledge_gradient(errors: FloatArray, steps: FloatArray) -> tuple[FloatArray, FloatArray]:
    """min m - E min (m + b z) for z ~ N(0, 1), exactly, and the probability that another candidate becomes the least.

    The least of lines in z is followed from z = -inf up, from corner to corner; a corner at z where the slope falls
    by d adds d (phi(z) - |z| Phi(-|z|)).

    Args:
        errors: m, predicted errors of the candidates, shape (..., K).
        steps: b, how far each moves per unit of z; broadcasts against `errors`.

    Returns:
        The expected gain and the probability, each of the broadcast shape without its last axis.
    """
    m, b = (np.array(array) for array in np.broadcast_arrays(errors, steps))
    shape, candidates = m.shape[:-1], m.shape[-1]
    m, b = m.reshape(-1, candidates), b.reshape(-1, candidates)
    gain, stays = np.zeros(len(m)), np.zeros(len(m))
    rows = np.arange(len(m))
    line = np.argmin(np.where(b == b.max(axis=1, keepdims=True), m, np.inf), axis=1)  # the least as z -> -inf
    reached = np.full(len(m), -np.inf)
    while len(rows):
        slope = b[rows, line]
        fall = slope[:, None] - b[rows]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            corners = np.where(fall > 0, (m[rows] - m[rows, line][:, None]) / fall, np.inf)
        corner = np.maximum(corners.min(axis=1), reached)
        holds_zero = (reached <= 0) & (corner > 0)
        stays[rows] += np.where(holds_zero, below(corner) - below(reached), 0.0)
        following = np.argmin(np.where(corners <= corner[:, None], b[rows], np.inf), axis=1)
        on = np.isfinite(corner)
        rows, line, reached, slope = rows[on], following[on], corner[on], slope[on]
        gain[rows] += (slope - b[rows, line]) * np.maximum(
            phi(reached) - np.abs(reached) * below(-np.abs(reached)), 0.0
        )
    return gain.reshape(shape), np.clip(1 - stays, 0.0, 1.0).reshape(shape)


def expected_regret(errors: FloatArray, loadings: FloatArray, seed: int = 0) -> float:
    """E[error of the candidate with the least prediction - least error], by samples in opposite pairs.

    Args:
        errors: predictions, shape (K,).
        loadings: L of the candidates, shape (K, columns).
        seed: the same seed gives the same number.
    """
    half = np.random.default_rng(seed).standard_normal((_REGRET_SAMPLES // 2, loadings.shape[1]))
    drawn = errors + np.concatenate([half, -half]) @ loadings.T
    if not inside(errors, np.sqrt(np.einsum("kr,kr->k", loadings, loadings))):
        drawn = np.clip(drawn, 0.0, 1.0)
    return float(np.mean(drawn[:, np.argmin(errors)] - drawn.min(axis=1)))


def rivals(errors: FloatArray, loadings: FloatArray) -> NDArray[np.intp]:
    """Positions of the candidates that could be the least, whatever is run: those to which no other is better for sure.

    Another is better for sure where its prediction is less by more than eight standard deviations of the difference.
    """
    variance = np.einsum("kr,kr->k", loadings, loadings)
    apart = np.sqrt(np.maximum(variance[:, None] + variance - 2 * loadings @ loadings.T, 0.0))
    worse = errors[:, None] - errors > _SURE * apart + 1e-12
    return np.flatnonzero(~worse.any(axis=1))


def inside(errors: FloatArray, sd: FloatArray) -> bool:
    """Whether nothing that is believed of any candidate's error lies below 0 or above 1."""
    return bool((errors - _REACH * sd >= 0).all() and (errors + _REACH * sd <= 1).all())


def _bounded(m: FloatArray, b: FloatArray, sd: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The gain and the probability of C cells, m and b of shape (C, K), by integrating over z."""
    left = np.sqrt(np.maximum(sd**2 - b**2, 0.0))
    now = possible_error(m, np.broadcast_to(sd, m.shape))
    kept = _ever_least(m, b, left, now)
    z, weight = _nodes(_FINE_STEP if len(m) < _MANY_ROWS else _MANY_STEP)
    gain, changes = np.empty(len(m)), np.empty(len(m))
    rows = max(1, int(_BLOCK / (len(kept) * len(z))))
    for i in range(0, len(m), rows):
        part = slice(i, i + rows)
        after = possible_error(m[part, kept, None] + b[part, kept, None] * z, left[part, kept, None])
        picked = now[part][:, kept]
        # of what is picked now the mean over z is what it is now, so that the same z can be taken for both
        pick = picked.argmin(axis=1)
        same = np.take_along_axis(after, pick[:, None, None], axis=1)[:, 0]
        gain[part] = np.maximum((same - after.min(axis=1)) @ weight, 0.0)
        changes[part] = (after.min(axis=1) < same) @ weight
    return gain, np.clip(changes, 0.0, 1.0)


def _ever_least(m: FloatArray, b: FloatArray, left: FloatArray, now: FloatArray) -> NDArray[np.intp]:
    """Positions of the candidates that are the least of some cell at some z; they are few."""
    z, _ = _nodes(_COARSE_STEP)
    found = set(now.argmin(axis=1).tolist())
    rows = max(1, int(_BLOCK / (m.shape[1] * len(z))))
    for i in range(0, len(m), rows):
        part = slice(i, i + rows)
        after = possible_error(m[part, :, None] + b[part, :, None] * z, left[part, :, None])
        found.update(np.unique(after.argmin(axis=1)).tolist())
    return np.array(sorted(found))


def _nodes(step: float) -> tuple[FloatArray, FloatArray]:
    """Values of z at equal distances, and how likely each is."""
    z = np.arange(-_END, _END + step / 2, step)
    density = np.exp(-(z**2) / 2)
    return z, density / density.sum()
