"""Does the tied set hold the truly best candidate, and is it no larger than it must be?

    python benchmarks/tied_set.py [--data-sets 500]

Truths: the three forms as fitted to the published reasoning runs, with Gaussian noise of the size that they leave.
Every data set has the published design (28 runs); the law is fitted in the additive form, as a user would who does not
know the truth, and in the true form. Candidates: all language models of the catalogue with QueCC, text-first, under
budgets at which several candidates come near the best.

An oracle that knows the sampling error of every difference by simulation (the same data sets, true form) gives the size
that a set must have: it holds what is at most 1.645 standard errors worse than the best, one-sided 95 %.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from environment import environment, say, write_result
from numpy.typing import NDArray

import planner
from planner.costs.request import request_flops
from planner.costs.stages import Workload
from planner.laws.fitted import FittedLaw
from planner.laws.forms import FORMS, get_form
from planner.laws.uncertainty import Asked, uncertainty
from planner.parts.catalog import DEFAULT_VISION, find_compressor, find_llms, find_vision
from planner.parts.llms import stacked
from planner.runs import Runs

FloatArray = NDArray[np.float64]

BUDGETS_FLOPS = (1e12, 2e12, 4e12, 8e12, 16e12, 40e12)
ONE_SIDED_95 = 1.645


def candidates() -> tuple[FloatArray, FloatArray, FloatArray]:
    """Sizes, visual tokens and FLOPs of every candidate, flat."""
    llms, tower, quecc = find_llms("all"), find_vision(DEFAULT_VISION), find_compressor("quecc")
    tokens = np.array(quecc.visual_tokens(tower), float)
    flops = request_flops(
        stacked(llms), tokens, Workload(50, 32), vision=tower, compressor=quecc, prompt_order="text-first"
    )
    sizes = np.repeat([llm.nominal_params for llm in llms], len(tokens))
    return sizes, np.tile(tokens, len(llms)), np.asarray(flops.total).ravel()


def simulated(law: FittedLaw, random: np.random.Generator) -> Runs:
    """The published design with errors from the law and noise of the size that its fit left."""
    assert law.data is not None
    assert law.rss is not None
    sigma = np.sqrt(law.rss / (law.n_runs - len(law.params)))
    truth = get_form(law.form).value(law.params, law.data.n, law.data.t)
    return Runs(
        llm=tuple(f"{size:g}" for size in law.data.n),
        llm_params=law.data.n * law.n_unit_params,
        visual_tokens=law.data.t,
        error=truth + sigma * random.standard_normal(len(truth)),
    )


def measure(form: str, data_sets: int) -> list[dict[str, Any]]:
    truth = planner.load_law("reasoning", form)
    assert isinstance(truth, FittedLaw)
    sizes, tokens, flops = candidates()
    true_error = np.asarray(truth.predict(sizes, tokens))
    random = np.random.default_rng(0)
    tables = [simulated(truth, random) for _ in range(data_sets)]
    laws = {"true form": [planner.fit(table, form) for table in tables]}
    if form != "additive":
        laws["additive"] = [planner.fit(table, "additive") for table in tables]
    estimates = np.array([law.predict(sizes, tokens) for law in laws["true form"]])
    rows = []
    for budget in BUDGETS_FLOPS:
        fits = np.flatnonzero(flops <= budget)
        best = true_error[fits].min()
        good = np.flatnonzero(true_error[fits] <= best + 1e-12)
        own = estimates[:, fits]
        picks = own.argmin(axis=1)
        gaps = own - own[np.arange(data_sets), picks][:, None]
        true_gaps = true_error[fits] - true_error[fits][picks][:, None]
        spread = np.sqrt(np.mean((gaps - true_gaps) ** 2, axis=0))
        oracle = gaps <= ONE_SIDED_95 * spread
        row: dict[str, Any] = {
            "truth": form,
            "budget_flops": budget,
            "candidates": len(fits),
            "oracle_coverage": float(oracle[:, good].any(axis=1).mean()),
            "oracle_size_mean": float(oracle.sum(axis=1).mean()),
        }
        for name, fitted in laws.items():
            held, counts = [], []
            for law in fitted:
                known = uncertainty(law)
                assert known is not None
                pick = int(np.argmin(law.predict(sizes[fits], tokens[fits])))
                names = np.full(len(sizes[fits]), "")
                tied = known.ask(Asked(sizes[fits], tokens[fits], names, pick)).not_worse
                held.append(bool(tied[good].any()))
                counts.append(int(tied.sum()))
            row[f"coverage, fitted in {name}"] = float(np.mean(held))
            row[f"size_mean, fitted in {name}"] = float(np.mean(counts))
        shown = (f"{key}: {value:.4g}" if isinstance(value, float) else f"{key}: {value}" for key, value in row.items())
        say(", ".join(shown))
        rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-sets", type=int, default=500)
    count = parser.parse_args().data_sets
    rows = [row for form in FORMS.names() for row in measure(form, count)]
    write_result("tied_set", {"environment": environment(("numpy",)), "data_sets": count, "rows": rows})


if __name__ == "__main__":
    main()
