"""The table of few rows of this device: measured on small matrices; and how a calibration takes it."""

from __future__ import annotations

import pytest

from planner.bench.calibration.start import measured_table
from planner.bench.measurement import Ceilings
from planner.hardware.few_rows import FewRows


def test_a_table_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    from planner.bench import ceilings, few_rows

    monkeypatch.setitem(few_rows.LAYERS, "cpu", ((96, 64), (64, 96)))
    monkeypatch.setitem(few_rows._READ_BYTES, "cpu", 2**18)
    monkeypatch.setitem(ceilings._SIDES, "cpu", (64,))
    monkeypatch.setitem(ceilings._MOVED_BYTES, "cpu", 2**16)
    found = ceilings.measure_ceilings(torch.device("cpu"), torch.float32, 0.001, few_rows=True).few_rows
    assert found is not None
    assert found.rows == few_rows.ROWS["cpu"]
    assert min(found.times) > 0
    assert ceilings.measure_ceilings(torch.device("cpu"), torch.float32, 0.001).few_rows is None


def test_the_middle_of_several_tables_is_taken() -> None:
    tables = [FewRows((1, 2, 4), (1.0, two, 2.0)) for two in (1.9, 5.0, 2.1)]
    other = FewRows((1, 3), (1.0, 9.0))
    ceilings = [Ceilings(1e11, 1e10, 1e10, one) for one in (None, *tables, other)]
    assert measured_table(ceilings) == FewRows((1, 2, 4), (1.0, 2.1, 2.0))
    assert measured_table([Ceilings(1e11, 1e10, 1e10)]) is None
