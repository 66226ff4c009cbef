"""How often does a nominal 95 % interval hold the truth? Simulated runs, our intervals beside the usual ones.

    python benchmarks/coverage.py                     1000 data sets of each truth, about ten minutes on two cores
    python benchmarks/coverage.py --data-sets 5000    more of them
    python benchmarks/coverage.py --quick             100 data sets, no lmfit; prints the table, writes nothing

Slow methods see fewer data sets: the bootstraps the first 500, lmfit the first 100. Every row says how many it saw.

Three truths, each fitted with its own form: the additive law of the published reasoning runs, whose D is at its bound;
the multiplicative law through the same runs with D = 0.15 inside; and the multiplicative law with D = 0. Design: the
published 4 LLM sizes x 7 visual token counts. Noise: Gaussian, of the size that the form leaves in the published runs.

Quantities: every parameter, alpha / beta, the error at cells inside the range and at 14B (twice the largest size), and
V*, the best number of visual tokens at 50 query tokens, at 1 TFLOPs in the paper's count. An open end covers its side.

Methods:

    profile      planner.laws.intervals
    leverage     residual bootstrap of leverage-corrected residuals, percentiles
    residual     residual bootstrap of plain residuals, percentiles
    linearised   t interval from the Jacobian at the optimum, bounds ignored, as from scipy's curve_fit
    lmfit        lmfit.conf_interval of law.to_lmfit(), which holds parameters that are at a bound and gives them none;
                 parameters only
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from environment import environment, say, write_result
from numpy.typing import NDArray

import planner
from planner.laws.bootstrap import bootstrap
from planner.laws.fitted import FitData, FittedLaw
from planner.laws.forms import get_form
from planner.laws.intervals import ExactProfiler, profiler

FloatArray = NDArray[np.float64]
Ends = tuple[float, float]

LEVEL = 0.95
DATA_SETS, QUICK_DATA_SETS = 1000, 100
SEEN_BY = {"leverage": 500, "residual": 500, "lmfit": 100}
"""How many of the data sets a slow method sees."""
REPLICATES = 1000
WORKERS = 2
TEXT_TOKENS = 50.0
BUDGET_FLOPS = 1e12
TOKENS_MIN, TOKENS_MAX = 1.0, 576.0
CELLS = ((0.5, 1.0), (0.5, 576.0), (1.8, 16.0), (4.0, 64.0), (7.0, 1.0), (7.0, 576.0), (14.0, 1.0), (14.0, 144.0))
"""Where the error is predicted: (N in billions, T)."""
METHODS = ("profile", "leverage", "residual", "linearised", "lmfit")
OPEN_RATIO = 1e12  # stands for an infinite ratio or V*, so that quantiles stay numbers


@dataclass(frozen=True)
class Truth:
    """A law to simulate from."""

    name: str
    form: str
    params: dict[str, float]
    noise: float
    """Standard deviation of one run."""


def best_tokens(log_gains: FloatArray, alpha: FloatArray, beta: FloatArray) -> FloatArray:
    """V* of the additive form: the root of  A alpha N^-alpha / (S + V) = B beta V^-(beta + 1)  on the whole budget.

    Args:
        log_gains: ln(B / A), A and B as the form states them; any shape.
        alpha: of the same shape.
        beta: of the same shape.

    Returns:
        V* between TOKENS_MIN and TOKENS_MAX, by bisection on ln V: the sides cross once.
    """
    gain = log_gains + np.log(beta) - np.log(alpha)
    low, high = np.full(gain.shape, np.log(TOKENS_MIN)), np.full(gain.shape, np.log(TOKENS_MAX))
    for _ in range(42):  # to 1e-12 in ln V
        middle = (low + high) / 2
        log_total = np.log(TEXT_TOKENS + np.exp(middle))
        log_n = np.log(BUDGET_FLOPS / 2e9) - log_total
        rises = middle - log_total - alpha * log_n > gain - beta * middle  # one more token costs more than it gains
        low, high = np.where(rises, low, middle), np.where(rises, middle, high)
    tokens: FloatArray = np.exp((low + high) / 2)
    return tokens


def tokens_of_ratio(ratio: FloatArray) -> FloatArray:
    """V* = S / (alpha / beta - 1) of the multiplicative form, OPEN_RATIO where alpha <= beta."""
    above = ratio > 1
    tokens: FloatArray = np.where(above, TEXT_TOKENS / np.where(above, ratio - 1, 1.0), OPEN_RATIO)
    return tokens


def quantities(form: str, params: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Everything of which the coverage is counted, each of the shape of the parameters."""
    found = dict(params)
    alpha, beta = params["alpha"], params["beta"]
    ratio = np.where(beta > 0, alpha / np.where(beta > 0, beta, 1.0), OPEN_RATIO)
    found["alpha / beta"] = ratio
    for n, t in CELLS:
        found[cell_name(n, t)] = get_form(form).value(params, n, t)  # type: ignore[arg-type]  # arrays for floats
    if form == "additive":
        tiny = 1e-300
        log_gains = np.log(np.maximum(params["B"], tiny)) - np.log(np.maximum(params["A"], tiny))
        found["V*"] = best_tokens(log_gains, np.maximum(alpha, tiny), np.maximum(beta, tiny))
    else:
        found["V*"] = tokens_of_ratio(ratio)
    return found


def cell_name(n: float, t: float) -> str:
    return f"Y({n:g}B, {t:g})"


def profile_intervals(law: FittedLaw) -> dict[str, Ends]:
    profile = profiler(law, LEVEL)
    found = {name: (interval.low, interval.high) for name, interval in profile.parameters().items()}
    assert isinstance(profile, ExactProfiler)
    ratio = profile.exponent_ratio()
    found["alpha / beta"] = ratio.low, ratio.high
    n, t = np.array(CELLS).T
    low, high = profile.predictions(n * 1e9, t)
    found |= {cell_name(*cell): (float(low[i]), float(high[i])) for i, cell in enumerate(CELLS)}
    best = planner.optimum(law, budget=BUDGET_FLOPS, query_tokens=int(TEXT_TOKENS), generated_tokens=0)
    assert best.visual_tokens_interval is not None
    found["V*"] = best.visual_tokens_interval
    return found


def bootstrap_intervals(law: FittedLaw, kind: str) -> dict[str, Ends]:
    draws = bootstrap(law, REPLICATES, kind=kind, seed=1)
    tails = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    ends = {name: np.quantile(values, tails) for name, values in quantities(law.form, draws.params).items()}
    return {name: (float(low), float(high)) for name, (low, high) in ends.items()}


def linearised_intervals(law: FittedLaw) -> dict[str, Ends]:
    from scipy.special import stdtrit

    data, form = _data(law), get_form(law.form)
    names = form.param_names
    values = np.array([law.params[name] for name in names])
    jacobian = form.gradient(law.params, data.n, data.t)
    residual = data.y - form.value(law.params, data.n, data.t)
    dof = len(data.y) - len(names)
    covariance = np.linalg.pinv(jacobian.T @ jacobian, rcond=1e-14) * float(residual @ residual) / dof
    step = 1e-5 * np.maximum(np.abs(values), 1e-3)
    moved = np.concatenate([values[None], values + np.diag(step), values - np.diag(step)])
    k, found = len(names), {}
    for name, value in quantities(law.form, dict(zip(names, moved.T, strict=True))).items():
        gradient = (value[1 : k + 1] - value[k + 1 :]) / (2 * step)
        half = float(stdtrit(dof, (1 + LEVEL) / 2) * np.sqrt(max(gradient @ covariance @ gradient, 0.0)))
        found[name] = float(value[0]) - half, float(value[0]) + half
    return found


def lmfit_intervals(law: FittedLaw) -> dict[str, Ends]:
    """Of the parameters that lmfit varies; none where its search fails."""
    import lmfit

    result = law.to_lmfit()
    result.kws.clear()  # its search for the ends is Levenberg-Marquardt, which knows no options of least_squares
    try:
        found = lmfit.conf_interval(result, result, sigmas=[LEVEL])
    except (lmfit.MinimizerException, ValueError):
        return {}
    return {name: (float(ends[0][1]), float(ends[-1][1])) for name, ends in found.items()}


def _data(law: FittedLaw) -> FitData:
    assert law.data is not None  # every law here was fitted
    return law.data


@cache
def published() -> planner.Runs:
    return planner.read_runs(Path(str(resources.files("fitted_laws") / "runs" / "qwen1.5_tokenpacker_reasoning.csv")))


def truths() -> tuple[Truth, ...]:
    import lmfit

    offset = lmfit.Parameters()
    offset.add("D", value=0.15, vary=False)
    found = []
    for name, form, params in (
        ("additive, D at its bound", "additive", None),
        ("multiplicative, D = 0.15", "multiplicative", offset),
        ("multiplicative, D = 0", "multiplicative", None),
    ):
        law = planner.fit(published(), form, params=params)
        assert law.rss is not None
        noise = (law.rss / (law.n_runs - len(law.params))) ** 0.5
        found.append(Truth(name, form, dict(law.params), noise))
    return tuple(found)


def one_data_set(job: tuple[Truth, int, tuple[str, ...]]) -> tuple[str, dict[str, dict[str, Ends]], dict[str, float]]:
    """(truth, method -> quantity -> interval, seconds of each method) of one simulated table of runs."""
    truth, seed, methods = job
    runs = published()
    random = np.random.default_rng([seed, len(truth.name)])
    model = get_form(truth.form).value(truth.params, runs.llm_params / 1e9, runs.visual_tokens)
    law = planner.fit(replace(runs, error=model + truth.noise * random.standard_normal(len(runs))), truth.form)
    ways: dict[str, Callable[[FittedLaw], dict[str, Ends]]] = {
        "profile": profile_intervals,
        "leverage": partial(bootstrap_intervals, kind="leverage"),
        "residual": partial(bootstrap_intervals, kind="residual"),
        "linearised": linearised_intervals,
        "lmfit": lmfit_intervals,
    }
    found, seconds = {}, {}
    for method in methods:
        start = time.perf_counter()
        found[method] = ways[method](law)
        seconds[method] = time.perf_counter() - start
    return truth.name, found, seconds


def summary(truth: Truth, results: list[dict[str, dict[str, Ends]]]) -> list[dict[str, Any]]:
    """A row for each method and quantity."""
    values = quantities(truth.form, {name: np.array(value) for name, value in truth.params.items()})
    true = {name: float(value) for name, value in values.items()}
    rows = []
    for method in METHODS:
        asked = [result[method] for result in results if method in result]
        for name, value in true.items():
            ends = np.array([intervals[name] for intervals in asked if name in intervals])
            if not len(ends):
                continue
            low, high = ends.T  # comparisons with NaN, an open end, are false
            slack = 1e-9 * abs(value)
            below, above = float(np.mean(value < low - slack)), float(np.mean(value > high + slack))
            covered = 1 - below - above
            width = float(np.median(high - np.where(np.isnan(low), 0.0, low)))
            rows.append(
                {
                    "truth": truth.name,
                    "method": method,
                    "quantity": name,
                    "true_value": value,
                    "data_sets": len(asked),
                    "intervals": len(ends),
                    "coverage": round(covered, 4),
                    "coverage_se": round(float(np.sqrt(covered * (1 - covered) / len(ends))), 4),
                    "truth_below": round(below, 4),
                    "truth_above": round(above, 4),
                    "open_below": round(float(np.mean(np.isnan(low))), 4),
                    "open_above": round(float(np.mean(np.isnan(high))), 4),
                    "median_width": width if np.isfinite(width) else None,
                }
            )
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """Coverage in percent: a line for each truth and quantity, a column for each method."""
    cells = {(row["truth"], row["quantity"], row["method"]): 100 * row["coverage"] for row in rows}
    lines = [f"{'':26}{'':14}" + "".join(f"{method:>12}" for method in METHODS)]
    for truth, name in dict.fromkeys((row["truth"], row["quantity"]) for row in rows):
        numbers = (cells.get((truth, name, method)) for method in METHODS)
        lines.append(f"{truth:26}{name:14}" + "".join(f"{'' if n is None else f'{n:.1f}':>12}" for n in numbers))
    return "\n".join(lines)


def measure(data_sets: int, methods: tuple[str, ...]) -> dict[str, Any]:
    everything = truths()
    jobs = [
        (truth, seed, tuple(method for method in methods if seed < SEEN_BY.get(method, data_sets)))
        for truth in everything
        for seed in range(data_sets)
    ]
    results: dict[str, list[dict[str, dict[str, Ends]]]] = {truth.name: [] for truth in everything}
    seconds: dict[str, list[float]] = {method: [] for method in METHODS}
    start = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(WORKERS, initializer=quiet) as pool:
        for number, (name, found, taken) in enumerate(pool.imap(one_data_set, jobs, chunksize=5), start=1):
            results[name].append(found)
            for method, value in taken.items():
                seconds[method].append(value)
            if number % 100 == 0:
                say(f"{number} of {len(jobs)} data sets, {time.perf_counter() - start:.0f} s")
    rows = [row for truth in everything for row in summary(truth, results[truth.name])]
    return {
        "environment": environment(("numpy", "scipy", "lmfit")),
        "level": LEVEL,
        "runs": len(published()),
        "bootstrap_replicates": REPLICATES,
        "truths": [{"name": t.name, "form": t.form, "params": t.params, "noise": t.noise} for t in everything],
        "seconds_median": {method: float(np.median(taken)) for method, taken in seconds.items() if taken},
        "rows": rows,
    }


def quiet() -> None:
    """In every worker: lmfit warns where its search ends at a bound."""
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")


def main() -> None:
    parser = argparse.ArgumentParser(description="Coverage of nominal 95 % intervals by simulation.")
    parser.add_argument("--data-sets", type=int, default=DATA_SETS, help="simulated tables of runs for each truth")
    parser.add_argument("--quick", action="store_true", help="100 data sets, no lmfit, nothing written")
    arguments = parser.parse_args()
    result = measure(QUICK_DATA_SETS, METHODS[:-1]) if arguments.quick else measure(arguments.data_sets, METHODS)
    say(table(result["rows"]))
    if not arguments.quick:
        write_result("coverage", result)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # one core to each worker
    main()
