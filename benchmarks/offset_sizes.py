"""How large are language models' own offsets on published grids, in units of the noise? What a belief takes for likely.

Each series of three models or more (`leave_one_out.py`) says how well each size of offsets suits it: with equal prior
odds of all of them, the probabilities of a belief are proportional to that. The shares of the sizes that suit all
series together best are found by expectation and maximisation, a series at a time:

    share(size) = mean over series of share(size) likelihood(size) / sum of these over sizes

Tasks of one study are series of their own, although they share their models: orientation, no estimate to the digit.

    python benchmarks/offset_sizes.py
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from environment import environment, say, write_result
from leave_one_out import FloatArray, all_series, belief_of

from planner.laws.belief.misfit import LLM_SIZES, PRIOR_ODDS

LLMS = 3
"""Models of a series that say something of offsets beside a line in ln N."""
ROUNDS = 500
PART, ODDS = 3, 2
"""Where models' offsets stand among the sizes of a belief, and among its prior odds."""


def likelihoods() -> Iterator[tuple[str, FloatArray]]:
    """Of each series its grid, and the likelihood of each size up to a factor."""
    prior = np.where(np.array(LLM_SIZES) > 0, PRIOR_ODDS[ODDS], 1.0)
    for series in all_series():
        if len(set(series.runs.llm.tolist())) >= LLMS:
            known = belief_of(series.runs).components
            size = known.sizes[known.sized, PART]
            yield series.grid, np.array([known.weights[size == one].sum() for one in LLM_SIZES]) / prior


def shares(found: FloatArray) -> FloatArray:
    """Of each size, from likelihoods of shape (series, sizes)."""
    share = np.full(found.shape[1], 1 / found.shape[1])
    for _ in range(ROUNDS):
        each = found * share
        share = (each / each.sum(axis=1, keepdims=True)).mean(axis=0)
    return share


def main() -> None:
    grids, found = zip(*likelihoods(), strict=True)
    names, table = np.array(grids), np.array(found)
    result = {}
    for grid in ("all", *dict.fromkeys(grids)):
        own = table if grid == "all" else table[names == grid]
        share = dict(zip(map(str, LLM_SIZES), shares(own).round(3).tolist(), strict=True))
        result[grid] = {"series": len(own), "share_of_each_size": share}
        say(f"{grid}: {len(own)} series, {share}")
    write_result("offset_sizes", {"environment": environment(("numpy",)), "grids": result})


if __name__ == "__main__":
    main()
