"""The exact posterior against emcee, walking the same density."""

from __future__ import annotations

import numpy as np
import pytest
from extensions.shifted_form import SHIFTED

import planner
from planner.base.errors import InputError
from planner.laws.chain import chain_posterior, minimizer
from planner.laws.forms import FORMS
from planner.laws.posterior import posterior
from planner.runs import Runs


@pytest.mark.filterwarnings("ignore")  # emcee and lmfit remark on their own chain
@pytest.mark.parametrize("form", ["additive", pytest.param("multiplicative", marks=pytest.mark.slow)])
def test_emcee_agrees_with_the_exact_draws(reasoning: Runs, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    law = planner.fit(reasoning, form)
    walked, exact = chain_posterior(law, steps=700, burn=200).params, posterior(law, 5000).params
    for name, values in exact.items():
        spread = np.subtract(*np.quantile(values, [0.95, 0.05]))
        difference = np.quantile(walked[name], [0.1, 0.5, 0.9]) - np.quantile(values, [0.1, 0.5, 0.9])
        assert np.abs(difference / spread).max() < 0.12, name  # 100 short chains: about 0.04 of the spread each
    capsys.readouterr()


def test_a_form_without_exponents_needs_no_chain(reasoning: Runs) -> None:
    with pytest.raises(InputError, match="the posterior is a t distribution"):
        minimizer(planner.fit(reasoning, "log-linear"))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.slow
def test_the_chain_of_another_form_agrees_with_its_draws_and_its_profile(capsys: pytest.CaptureFixture[str]) -> None:
    """So well determined that posterior and profile are one Gaussian; 100 short chains tell them to a tenth."""
    FORMS.register(SHIFTED)
    try:
        truth = {"A": 0.30, "a": 0.35, "B": 0.5, "c": 6.0, "b": 0.4, "D": 0.10}
        n, t = (axis.ravel() for axis in np.meshgrid((0.5, 1.8, 4.0, 7.0, 14.0), (1.0, 4, 16, 36, 64, 144, 576)))
        error = SHIFTED.value(truth, n, t) + 5e-4 * np.random.default_rng(0).standard_normal(35)
        runs = Runs(llm=tuple(f"{x:g}" for x in n), llm_params=n * 1e9, visual_tokens=t, error=error)
        law = planner.fit(runs, "shifted")
        assert set(minimizer(law).params) == {"A", "ln_a", "B", "c", "ln_b", "D"}
        walked, drawn = chain_posterior(law, steps=900, burn=300).params, posterior(law, 4000).params
        intervals = planner.intervals(law)
        for name, values in drawn.items():
            spread = np.subtract(*np.quantile(values, [0.95, 0.05]))
            difference = np.quantile(walked[name], [0.1, 0.5, 0.9]) - np.quantile(values, [0.1, 0.5, 0.9])
            assert np.abs(difference / spread).max() < 0.12, name
            low, high = np.quantile(walked[name], [0.025, 0.975])
            width = intervals[name].high - intervals[name].low
            assert high - low == pytest.approx(width, rel=0.15), name
            assert (low + high) / 2 == pytest.approx((intervals[name].low + intervals[name].high) / 2, abs=0.12 * width)
    finally:
        FORMS.remove("shifted")
    capsys.readouterr()
