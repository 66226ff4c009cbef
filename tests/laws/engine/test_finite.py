"""Numbers in place of what is none: bit for bit those of numpy, in the same order in memory."""

from __future__ import annotations

import numpy as np
import pytest

from planner.laws.engine.finite import finite


@pytest.mark.parametrize("odd", [[], [np.nan], [np.inf, -np.inf], [np.nan, -np.inf, -0.0, 1e300]])
@pytest.mark.parametrize("order", ["C", "F"])
def test_as_numpy_replaces(odd: list[float], order: str) -> None:
    values = np.random.default_rng(len(odd)).standard_normal((4, 5))
    values.flat[: len(odd)] = odd
    given = np.asarray(values, order=order)
    found, wanted = finite(given, 7.0, 1e100), np.nan_to_num(given, nan=7.0, posinf=1e100, neginf=-1e100)
    assert found.tobytes() == wanted.tobytes() and found.strides == wanted.strides
    assert not np.shares_memory(found, given)


def test_a_view_that_repeats_becomes_an_array_of_its_own() -> None:
    wide = np.broadcast_to(np.arange(3.0), (2, 3))
    found = finite(wide, 0.0, 1.0)
    found[0, 0] = 5.0
    assert found[1, 0] == 0.0
