"""The exact posterior against emcee, walking the same density."""

from __future__ import annotations

import numpy as np
import pytest

import planner
from planner.base.errors import InputError
from planner.laws.chain import chain_posterior, minimizer
from planner.laws.posterior import posterior
from planner.runs import Runs


@pytest.mark.filterwarnings("ignore")  # emcee and lmfit remark on their own chain
@pytest.mark.parametrize("form", ["additive", "multiplicative"])
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
