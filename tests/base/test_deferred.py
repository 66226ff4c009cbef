"""Entries that are worked out when they are first read."""

from __future__ import annotations

import copy
import pickle

import pytest

from planner.base.deferred import Deferred


def test_what_takes_time_is_worked_out_once_and_when_it_is_read() -> None:
    calls = []

    def later() -> list[int]:
        calls.append(1)
        return [1, 2]

    entries = Deferred({"a": 1}, b=later)
    assert list(entries) == ["a", "b"]
    assert len(entries) == 2
    assert "b" in entries
    assert "c" not in entries
    assert "not yet asked for: b" in repr(entries)
    assert (entries["a"], calls) == (1, [])
    assert entries["b"] == entries.get("b") == [1, 2]
    assert calls == [1]
    assert entries == {"a": 1, "b": [1, 2]}
    with pytest.raises(KeyError):
        entries["c"]


def test_a_copy_has_all_values() -> None:
    entries = Deferred({"a": 1}, b=lambda: [2])
    assert pickle.loads(pickle.dumps(entries)) == copy.deepcopy(entries) == {"a": 1, "b": [2]}
