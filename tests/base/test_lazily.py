from __future__ import annotations

import copy
import pickle

import pytest

from planner.base.lazily import Lazily


def nobody_knows(item: object) -> None:
    return None


def test_it_is_like_its_tuple() -> None:
    squares, whole = Lazily(5, lambda k: k * k, nobody_knows), (0, 1, 4, 9, 16)
    assert squares == whole
    assert whole == squares
    assert hash(squares) == hash(whole)
    assert repr(squares) == repr(whole)
    assert (squares[1], squares[-1], squares[1:3], squares[::-2]) == (1, 16, (1, 4), (16, 4, 0))
    assert pickle.loads(pickle.dumps(squares)) == copy.deepcopy(squares) == whole
    assert squares != whole[:4]
    assert squares != list(whole)
    assert 9 in squares
    with pytest.raises(IndexError):
        squares[5]


def test_an_item_is_made_once_when_it_is_read() -> None:
    made: list[int] = []
    items = Lazily(3, lambda k: made.append(k) or k, nobody_knows)  # type: ignore[func-returns-value]
    assert (len(items), made) == (3, [])
    assert (items[2], items[2], made) == (2, 2, [2])
    assert (tuple(items), made) == ((0, 1, 2), [2, 0, 1])


def test_what_is_known_to_be_an_item_is_not_looked_for() -> None:
    made: list[int] = []
    items = Lazily(3, lambda k: made.append(k) or k, {1: True, 7: False}.get)  # type: ignore[func-returns-value]
    assert (1 in items, 7 in items, made) == (True, False, [])
    assert (2 in items, made) == (True, [0, 1, 2])
    assert 8 not in items
