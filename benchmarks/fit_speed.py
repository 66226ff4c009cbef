"""Time and residual of one fit against the ways in which people fit such a law today, all in one run.

    python benchmarks/fit_speed.py          about ten minutes: the loop grid search takes most of it
    python benchmarks/fit_speed.py --quick  the loop visits 1 % of its grid and its time is scaled; marked in the result

Data: the 28 published reasoning runs. Peers of the multiplicative form: the grid search of the paper's released code
(five million candidates in Python loops; it visits a random 20 % of them), the same grid vectorised, scipy's curve_fit
and lmfit with restarts. Peers of the additive form: curve_fit and lmfit with restarts, and the PyPI package chinchilla,
which fits E + A/N^alpha + B/D^beta. Times are medians of repeated calls, where one call is below a second.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from environment import environment, say, write_result
from numpy.typing import NDArray

import planner
from planner.laws.forms import FORMS, get_form

RESTARTS = 20
GRID = (np.linspace(0.2, 0.7, 50), np.linspace(0, 0.2, 100), np.linspace(0, 0.05, 100), np.linspace(0, 0.3, 10))
VISITED_SHARE = 0.2  # what the released search visits
STARTS = {
    "additive": (("A", 0.01, 1), ("alpha", 0.005, 1), ("B", 0.01, 1), ("beta", 0.005, 1), ("D", 0, 0.4)),
    "multiplicative": (("A", 0.01, 1), ("alpha", 0.005, 1), ("beta", 0.005, 1), ("D", 0, 0.4)),
}

FloatArray = NDArray[np.float64]


def timed(call: Callable[[], float], repeats: int) -> tuple[float, float]:
    """(median seconds, RSS) of a fit that returns its RSS."""
    seconds, rss = [], 0.0
    for _ in range(repeats):
        start = time.perf_counter()
        rss = call()
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds)), rss


def loop_grid_search(n: FloatArray, t: FloatArray, y: FloatArray, share: float) -> float:
    """Every candidate scored run by run in Python, in random order, up to a share of the grid; the best RSS."""
    candidates = np.array(np.meshgrid(*GRID)).T.reshape(-1, 4)
    np.random.default_rng(0).shuffle(candidates)
    runs = [(float(a), float(b), float(c)) for a, b, c in zip(n, t, y, strict=True)]
    best = float("inf")
    for a, alpha, beta, d in candidates[: int(share * len(candidates))]:
        loss = 0.0
        for size, tokens, error in runs:
            loss += (a / size**alpha / tokens**beta + d - error) ** 2
        best = min(best, loss)
    return best


def vectorised_grid_search(n: FloatArray, t: FloatArray, y: FloatArray) -> float:
    """The same grid, all of it, in NumPy."""
    a, alpha, beta, d = GRID
    power = n ** -alpha[:, None, None] * t ** -beta[None, :, None]
    best = float("inf")
    for scale in a:
        for offset in d:
            best = min(best, float(((scale * power + offset - y) ** 2).sum(-1).min()))
    return best


def starts(form: str) -> list[dict[str, float]]:
    random = np.random.default_rng(0)
    return [{name: float(random.uniform(low, high)) for name, low, high in STARTS[form]} for _ in range(RESTARTS)]


def scipy_restarts(form: str, n: FloatArray, t: FloatArray, y: FloatArray) -> float:
    from scipy.optimize import curve_fit

    names = get_form(form).param_names

    def model(_: Any, *values: float) -> FloatArray:
        return get_form(form).value(dict(zip(names, values, strict=True)), n, t)

    best = float("inf")
    for start in starts(form):
        with contextlib.suppress(RuntimeError):  # a start from which it does not converge
            found, *_ = curve_fit(model, None, y, p0=[start[name] for name in names], bounds=(0, np.inf))
            best = min(best, float(((model(None, *found) - y) ** 2).sum()))
    return best


def lmfit_restarts(form: str, n: FloatArray, t: FloatArray, y: FloatArray) -> float:
    import lmfit

    def residual(params: Any) -> FloatArray:
        return get_form(form).value(params.valuesdict(), n, t) - y

    best = float("inf")
    for start in starts(form):
        params = lmfit.Parameters()
        for name, value in start.items():
            params.add(name, value=value, min=0)
        result = lmfit.minimize(residual, params, nan_policy="omit")
        best = min(best, float((residual(result.params) ** 2).sum()))
    return best


def chinchilla_fit(n: FloatArray, t: FloatArray, y: FloatArray) -> tuple[float, float, float]:
    """(seconds, RSS, offset D): least squares from a grid of 3^5 starts, without the time of its own picture.

    It rounds sizes to whole numbers, so N is given in millions, and takes the logarithms of A and B.
    """
    from chinchilla import Chinchilla

    grid = {
        "E": np.linspace(0.05, 0.3, 3),
        "a": np.linspace(-1.0, 2.0, 3),
        "b": np.linspace(-3.0, 0.0, 3),
        "alpha": np.linspace(0.05, 0.4, 3),
        "beta": np.linspace(0.03, 0.3, 3),
    }
    with tempfile.TemporaryDirectory() as folder:
        fitter = Chinchilla(
            folder, param_grid=grid, loss_fn=lambda true, predicted: (true - predicted) ** 2, log_level=logging.CRITICAL
        )
        fitter.visualizer.optim = lambda *_, **__: None
        for size, tokens, error in zip(n, t, y, strict=True):
            fitter.database.append(C=6 * size * 1e3 * tokens, N=size * 1e3, D=tokens, loss=error)
        start = time.perf_counter()
        fitter.fit(parallel=False)
        seconds = time.perf_counter() - start
        found = {name: float(getattr(fitter, name)) for name in ("E", "A", "B", "alpha", "beta")}
    params = {name: found[name] for name in ("A", "alpha", "B", "beta")} | {"D": found["E"]}
    rss = float(((get_form("additive").value(params, n * 1e3, t) - y) ** 2).sum())
    return seconds, rss, found["E"]


def own_with_offset(runs: planner.Runs, lowest_offset: float) -> float:
    """RSS of our fit where D may fall to the offset that an unbounded peer ended at."""
    import lmfit

    params = lmfit.Parameters()
    params.add("D", value=0.0, min=lowest_offset)
    rss = planner.fit(runs, "additive", params=params).rss
    assert rss is not None
    return rss


def measure(quick: bool) -> dict[str, Any]:
    runs = planner.read_runs(Path(str(resources.files("fitted_laws") / "runs" / "qwen1.5_tokenpacker_reasoning.csv")))
    n, t, y = runs.llm_params / 1e9, runs.visual_tokens, runs.error
    rows: list[dict[str, Any]] = []

    def add(name: str, form: str, seconds: float, rss: float, note: str = "") -> None:
        rows.append({"what": name, "form": form, "seconds": seconds, "rss": rss, "note": note})
        say(f"{name} ({form}): {seconds:.4g} s, RSS {rss:.6g}")

    def own(form: str) -> float:
        rss = planner.fit(runs, form).rss
        assert rss is not None
        return rss

    for form in FORMS.names():
        own(form)  # warm up
        add("vlm-planner fit", form, *timed(partial(own, form), 101))
    for form in STARTS:
        note = f"{RESTARTS} random starts, bounds at zero"
        add("scipy curve_fit", form, *timed(partial(scipy_restarts, form, n, t, y), 3), note)
        add("lmfit", form, *timed(partial(lmfit_restarts, form, n, t, y), 3), note)
    seconds, rss, offset = chinchilla_fit(n, t, y)
    note = f"BFGS from a grid of 3^5 starts, no bounds: it ends at D = {offset:.3g}, a negative error at infinite size"
    add("chinchilla", "additive", seconds, rss, note)
    seconds, rss = timed(lambda: own_with_offset(runs, offset), 3)
    add("vlm-planner fit, D down to chinchilla's", "additive", seconds, rss, "through lmfit.Parameters")
    add("grid search, NumPy", "multiplicative", *timed(lambda: vectorised_grid_search(n, t, y), 3), "all candidates")
    share = 0.01 if quick else VISITED_SHARE
    seconds, rss = timed(lambda: loop_grid_search(n, t, y, share), 1)
    note = f"{share:.0%} of {np.prod([len(axis) for axis in GRID]):,} candidates, as the released code" * (not quick)
    if quick:
        seconds, note = seconds * VISITED_SHARE / share, "scaled from 1 % to the 20 % that the released code visits"
    add("grid search, Python loops", "multiplicative", seconds, rss, note)
    best = {row["form"]: row for row in rows if row["what"] == "vlm-planner fit"}
    for row in rows:
        row["times_slower"] = row["seconds"] / best[row["form"]]["seconds"]
        row["rss_ratio"] = row["rss"] / best[row["form"]]["rss"]
    return {"environment": environment(("numpy", "scipy", "lmfit", "chinchilla")), "runs": len(runs), "rows": rows}


def main() -> None:
    warnings.simplefilter("ignore")  # peers warn about steps out of range
    with contextlib.redirect_stdout(io.StringIO()), np.errstate(all="ignore"):
        result = measure("--quick" in sys.argv[1:])
    write_result("fit_speed", result)


if __name__ == "__main__":
    os.environ.setdefault("MPLBACKEND", "agg")  # chinchilla imports matplotlib
    main()
