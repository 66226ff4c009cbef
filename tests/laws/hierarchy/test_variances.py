"""The shipped variances, and what is read off them."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from fitted_laws.make_variances import estimated, stale
from planner.base.errors import InputError, UnknownNameError
from planner.laws.hierarchy.effects import EFFECTS, Effect
from planner.laws.hierarchy.noise import Noise
from planner.laws.hierarchy.rows import shipped_rows
from planner.laws.hierarchy.student_tail import Tail
from planner.laws.hierarchy.variances import Variances, shipped_variances, transfer_sds

NONE = Noise({}, {}, median=0.01, spread=0.7, task_spread=0.5)
FREE = [effect.name for effect in EFFECTS if effect.fixed_sd is None]


def test_shipped_variances_are_those_of_the_table_of_effects() -> None:
    shipped = shipped_variances()
    assert sorted(shipped.sds) == sorted(FREE)
    assert all(0 < sd < 0.5 for sd in shipped.sds.values())
    assert 3 <= shipped.tail.dof <= 30 and 0.5 < shipped.tail.scale < 1.5
    assert all(0 < noise < 0.1 for noise in shipped.noise.study.values())
    assert shipped.of(EFFECTS)[3:] == pytest.approx([shipped.sds[name] for name in FREE])


def test_transfer_sums_the_variances_of_what_changes() -> None:
    variances = Variances({name: (i + 1) / 1000 for i, name in enumerate(FREE)}, NONE, Tail(4, 1.0), 0, 0.0)
    sds = variances.sds
    transfer = variances.transfer_sds()
    assert transfer.compressor_offset == pytest.approx(math.hypot(sds["compressor"], sds["compressor x task"]))
    assert transfer.family_slope_n == sds["slope in N: family"]
    assert transfer.family_offset == pytest.approx(math.hypot(sds["family"], sds["family x task"]))
    assert transfer_sds() == shipped_variances().transfer_sds()


def test_noise_is_the_study_s_times_the_task_s_and_the_row_s() -> None:
    noise = replace(NONE, study={"a": 0.003, "b": 0.01}, task={"q": 2.0})
    found = noise.variance(np.array(["b", "a", "a"]), np.array(["q", "r", "r"]), np.array([np.nan, 0.004, np.nan]))
    assert found == pytest.approx([4e-4, 25e-6, 9e-6])
    with pytest.raises(InputError, match="study: the noise of 'c' was not estimated"):
        noise.variance(np.array(["c"]), np.array(["q"]), np.array([0.1]))


def test_an_effect_without_a_standard_deviation_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="moon"):
        shipped_variances().of([Effect("moon", ("task",))])


def test_reading_them_loads_no_scipy() -> None:
    code = "import sys; from planner.laws.hierarchy.variances import transfer_sds; transfer_sds(); "
    code += "sys.exit('scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_shipped_variances_are_those_of_the_shipped_rows() -> None:
    assert stale(shipped_rows(), shipped_variances()) == "", "run python -m fitted_laws.make_variances"
    some = shipped_rows().where(np.arange(1000))
    assert "1000" in stale(some, shipped_variances())


@pytest.mark.slow
def test_shipped_variances_are_estimated_again() -> None:
    shipped = shipped_variances()
    again = estimated(shipped_rows())
    for name, sd in shipped.sds.items():
        assert again.sds[name] == pytest.approx(sd, rel=0.03, abs=3e-4), name
