"""Tables of few rows: what they hold, how they are stored, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from planner.base.errors import InputError
from planner.hardware import Hardware, find_hardware
from planner.hardware.efficiency import Efficiency
from planner.hardware.few_rows import FewRows, table_of
from planner.hardware.host_costs import HostCosts

TABLE = FewRows((1, 2, 3, 4, 8), (1.0, 2.1, 3.2, 2.0, 2.4))


def test_rows_between_two_entries_lie_on_the_line_between_them() -> None:
    """Three rows may take longer than four: no curve is laid through all entries."""
    assert TABLE.at(3.0) == 3.2
    assert TABLE.at(6.0) == pytest.approx(2.2)
    assert TABLE.at(np.array([[1.0, 1.5], [8.0, 100.0]])) == pytest.approx(np.array([[1.0, 1.55], [2.4, 2.4]]))


def test_one_16_bit_format_stands_for_the_other_and_nothing_else_does() -> None:
    tables = {"bf16": TABLE}
    assert table_of(tables, "bf16") is table_of(tables, "fp16") is TABLE
    assert table_of(tables, "fp32") is table_of(tables, "int4") is table_of({}, "bf16") is None


def test_a_profile_keeps_its_tables_and_an_old_one_has_none(tmp_path: Path) -> None:
    card = find_hardware("l4")
    host = HostCosts(1e-4, 2e-3, 5e-3, "fitted to a log")
    mine = replace(card, efficiency=replace(card.efficiency, few_rows={"bf16": TABLE}, host=host))
    back = Hardware.load(mine.save(tmp_path / "mine.json"))
    assert back == mine
    assert back.efficiency.few_rows["bf16"].at(6.0) == TABLE.at(6.0)
    assert hash(back) == hash(mine)
    old = Efficiency().to_dict()
    assert not {"few_rows", "host"} & old.keys()
    assert Efficiency.from_dict(old).few_rows == {}
    assert Efficiency.from_dict(old).host == HostCosts()


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        ({"bf16": {"rows": [1, 2, 2], "times": [1, 2, 3]}}, "rows: expected at least two numbers that rise from 1"),
        ({"bf16": {"rows": [2, 4], "times": [1, 2]}}, "rows: expected at least two numbers that rise from 1"),
        ({"bf16": {"rows": [1], "times": [1]}}, "rows: expected at least two numbers that rise from 1"),
        ({"bf16": {"rows": [1, 2], "times": [1, 0]}}, "times: expected 1 and then a number above 0 for each of the 2"),
        ({"bf16": {"rows": [1, 2], "times": [2, 4]}}, "times: expected 1 and then a number above 0 for each of the 2"),
        ({"bf16": {"rows": [1, 2], "times": [1]}}, "times: expected 1 and then a number above 0 for each of the 2"),
        ({"bf17": {"rows": [1, 2], "times": [1, 2]}}, "few_rows: no precision is called 'bf17'"),
        ({"bf16": {"rows": [1, 2], "times": [1, 2], "row": 1}}, "entry of a table by rows"),
        ({"bf16": 3}, "expected an object"),
        ([1.0, 2.0], "expected an object"),
    ],
)
def test_a_damaged_table_is_refused_in_one_sentence(damage: Any, complaint: str) -> None:
    with pytest.raises(InputError) as caught:
        Efficiency.from_dict({"few_rows": damage})
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_host_s_costs_need_a_source() -> None:
    with pytest.raises(InputError, match="expected what the host's costs were fitted to"):
        HostCosts(step_s=1e-4)
    with pytest.raises(InputError, match="prefill_s: expected seconds from 0 on, got -1"):
        HostCosts(prefill_s=-1, source="a log")
    with pytest.raises(InputError, match="few_rows: bf16: expected a table, got 3"):
        Efficiency(few_rows={"bf16": 3})  # type: ignore[dict-item]
