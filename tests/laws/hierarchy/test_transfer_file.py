"""What is shipped of measured compressors is what the evidence says today.

Where this fails after rows or variances have changed: python -m fitted_laws.make_transfer
"""

from __future__ import annotations

import json

import numpy as np
import pytest

from fitted_laws import make_transfer
from planner.laws.hierarchy.cells import Cells
from planner.laws.hierarchy.shipped import shipped_posterior
from planner.planning.transfer.spreads import shipped_spreads


def test_the_file_is_what_its_script_makes() -> None:
    shipped = json.loads(make_transfer.FILE.read_text(encoding="utf-8"))
    assert make_transfer.agree(shipped, make_transfer.make_transfer())


@pytest.mark.parametrize("label", ["general", "text"])
@pytest.mark.parametrize("tokens", [1, 36, 64, 576])
def test_a_swap_is_what_the_hierarchy_says_of_two_cells(label: str, tokens: int) -> None:
    """TokenPacker's cell against QueCC's, of one new model on one new task, predicted together."""
    new = np.array(["new"] * 2)
    both = Cells(
        study=new, table=new, task=new, task_class=np.array([label] * 2), family=new, recipe=new, checkpoint=new,
        compressor=np.array(["quecc", "tokenpacker"]), population=np.array(["trained"] * 2),
        llm_params=np.full(2, 7e9), visual_tokens=np.full(2, float(tokens)),
    )  # fmt: skip
    found = shipped_posterior().predict(both)
    variance = found.covariance[0, 0] + found.covariance[1, 1] - 2 * found.covariance[0, 1]
    spreads = shipped_spreads()
    assert spreads.measured is not None
    t = np.log2(np.array([float(tokens)]) / 144)
    apart = (spreads.measured.at("quecc", t, {label: 1.0}) - spreads.measured.at("tokenpacker", t, {label: 1.0}))[0]
    sds = make_transfer.shipped_variances().sds
    on_task = spreads.compressor_task**2 + (spreads.compressor_task_slope * t[0]) ** 2
    ours = apart[1:] @ apart[1:] + 2 * on_task + 2 * sds["model at T"] ** 2
    # rounding to five digits, small directions left out, and a curve between two token counts
    assert np.sqrt(ours) == pytest.approx(np.sqrt(variance), rel=0.03)
    assert apart[0] == pytest.approx(found.mean[0] - found.mean[1], abs=0.0005)


def test_other_compressors_than_those_that_were_measured_have_their_population() -> None:
    spreads = shipped_spreads()
    sds = make_transfer.shipped_variances().sds
    assert spreads.compressor == sds["compressor"]
    assert spreads.family_slope == sds["slope in N: family"]
    assert spreads.count(["visual-reasoning (mean of the paper's benchmarks)"]) == 9
    assert spreads.shares(["GQA", "DocVQA", "nobody's"]) == pytest.approx({"general": 1 / 3, "text": 1 / 3, "": 1 / 3})
