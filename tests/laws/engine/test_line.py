"""Forms with one parameter to search, or none: planted laws, and the best known answer on published runs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from planner.laws.engine.optimum import best_fit
from planner.laws.forms import Form, Parameter
from planner.laws.forms.form import FloatArray, Params
from planner.runs import Runs

C0, C1, C2 = (Parameter(name=name, low=low, linear=True) for name, low in (("c0", -math.inf), ("c1", 0.0), ("c2", 0.0)))
T0 = Parameter(name="T0", high=300.0, starts=(0.5, 100.0), size=10.0)
C3 = Parameter(name="c3", low=-math.inf, linear=True, starts=(-0.01, 0.01))


def _shifted(p: Params, n: FloatArray, t: FloatArray) -> FloatArray:
    return p["c0"] - p["c1"] * np.log(n) - p["c2"] * np.log(t + p["T0"])


def _crossed(p: Params, n: FloatArray, t: FloatArray) -> FloatArray:
    return p["c0"] - p["c1"] * np.log(n) - p["c2"] * np.log(t) - p["c3"] * np.log(n) * np.log(t)


SHIFTED = Form(
    name="line-shifted", formula="Y = c0 - c1 ln N - c2 ln(T + T0)", parameters=(C0, C1, C2, T0), function=_shifted,
    of_n=("c1",), of_t=("c2",),
)  # fmt: skip
CROSSED = Form(
    name="line-crossed", formula="Y = c0 - c1 ln N - c2 ln T - c3 ln N ln T", parameters=(C0, C1, C2, C3),
    function=_crossed, of_n=("c1",), of_t=("c2",),
)  # fmt: skip
N, T = (axis.ravel() for axis in np.meshgrid([0.5, 1.8, 4.0, 7.0], [1.0, 4, 16, 36, 64, 144, 576], indexing="ij"))


@pytest.mark.parametrize(
    ("form", "truth"),
    [
        (SHIFTED, {"c0": 0.6, "c1": 0.04, "c2": 0.03, "T0": 8.0}),
        (CROSSED, {"c0": 0.6, "c1": 0.03, "c2": 0.01, "c3": -0.002}),
    ],
)
def test_planted_laws_are_recovered_to_rounding(form: Form, truth: dict[str, float]) -> None:
    found = best_fit(form, N, T, form.value(truth, N, T), np.ones(len(N)))
    assert found.params == pytest.approx(truth, rel=1e-8)
    assert found.weighted_rss < 1e-28


def test_the_published_text_runs_have_their_known_shift(ocr: Runs) -> None:
    """A scan of the shift by plain regression finds nothing better than 1.834."""
    n, t = ocr.llm_params / 1e9, ocr.visual_tokens
    found = best_fit(SHIFTED, n, t, ocr.error, np.ones(len(ocr)))
    assert found.params["T0"] == pytest.approx(1.834, abs=5e-4)
    for shift in np.linspace(1.5, 2.2, 141):
        columns = np.stack([np.ones(len(n)), np.log(n), np.log(t + shift)], axis=1)
        residual = ocr.error - columns @ np.linalg.lstsq(columns, ocr.error, rcond=None)[0]
        assert found.weighted_rss <= float(residual @ residual) * (1 + 1e-12)


def test_no_coefficient_leaves_its_bound_and_a_bound_as_good_is_taken() -> None:
    rising = 0.5 + 0.01 * np.log(T) - 0.03 * np.log(N)
    found = best_fit(SHIFTED, N, T, rising, np.ones(len(N)))
    assert (found.params["c2"], found.params["T0"]) == (0.0, 0.0)
