"""Distinct rows by whole numbers are those that NumPy finds by comparing rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.planning.distinct import distinct_rows

SIZES = st.floats(-1e12, 1e12) | st.sampled_from([0.5e9, 7e9])
ROW = st.tuples(st.integers(-2, 5), SIZES, st.integers(1, 9).map(float))


@given(st.lists(ROW, min_size=1, max_size=60), st.integers(1, 5))
def test_they_are_those_of_numpy(rows: list[tuple[int, float, float]], times: int) -> None:
    columns = [np.array(column) for column in zip(*(rows * times), strict=True)]
    _, first, which = np.unique(np.column_stack(columns), axis=0, return_index=True, return_inverse=True)
    found = distinct_rows(*columns)
    assert found[0].tolist() == first.tolist()
    assert found[1].tolist() == which.ravel().tolist()


@pytest.mark.parametrize("count", [15, 16, 255, 256])
def test_keys_of_every_width(count: int) -> None:
    """225 keys need one byte, 256 and 65025 two, 65536 four."""
    values = np.random.default_rng(0).permutation(count)
    first, which = distinct_rows(values, values[::-1])
    assert values[first].tolist() == list(range(count))
    assert (which == values).all()


def test_of_no_rows_there_are_none() -> None:
    first, which = distinct_rows(np.zeros(0), np.zeros(0))
    assert len(first) == len(which) == 0
