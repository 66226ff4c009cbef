"""Time of intervals and of resampled fits, beside lmfit's conf_interval, all in one run.

    python benchmarks/interval_speed.py

Data: the 28 published reasoning runs. Every time is the median of repeated calls on a law that was fitted before; no
cloud of nodes is kept from one call to the next. lmfit's conf_interval gives parameters only, holds those at a bound,
and is wrong beside an active bound (benchmarks/coverage.py); it is here for its time.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from environment import environment, say, write_result

import planner
from planner.laws.bootstrap import KINDS, bootstrap
from planner.laws.fitted import FittedLaw
from planner.laws.forms import FORMS
from planner.laws.intervals import profiler

REPEATS, LMFIT_REPEATS = 21, 5
REPLICATES = 1000
LLM_PARAMS = np.array([0.5, 1.8, 4.0, 7.0, 14.0, 32.0, 72.0])[:, None] * 1e9
VISUAL_TOKENS = np.array([1.0, 4.0, 9.0, 16.0, 36.0, 64.0, 144.0, 576.0])


def timed(call: Callable[[], object], repeats: int) -> dict[str, float]:
    """Median and extremes of the seconds of repeated calls, after one call to warm up."""
    call()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return {"seconds": float(np.median(seconds)), "seconds_min": min(seconds), "seconds_max": max(seconds)}


def parameters(law: FittedLaw) -> object:
    return profiler(law).parameters()


def predictions(law: FittedLaw) -> object:
    return profiler(law).predictions(LLM_PARAMS, VISUAL_TOKENS)


def optimum(law: FittedLaw) -> object:
    return planner.optimum(law, budget=1e12, query_tokens=50, generated_tokens=0).visual_tokens_interval


def lmfit_parameters(law: FittedLaw) -> object:
    import lmfit

    result = law.to_lmfit()
    result.kws.clear()  # its search for the ends is Levenberg-Marquardt, which knows no options of least_squares
    return lmfit.conf_interval(result, result, sigmas=[0.95])


def measure() -> dict[str, Any]:
    runs = planner.read_runs(Path(str(resources.files("fitted_laws") / "runs" / "qwen1.5_tokenpacker_reasoning.csv")))
    laws = {form: planner.fit(runs, form) for form in FORMS.names()}
    cells = LLM_PARAMS.size * VISUAL_TOKENS.size
    rows: list[dict[str, Any]] = []

    def add(what: str, law: FittedLaw, call: Callable[[], object], repeats: int = REPEATS) -> None:
        rows.append({"what": what, "form": law.form, **timed(call, repeats), "repeats": repeats})
        say(f"{what} ({law.form}): {rows[-1]['seconds'] * 1e3:.4g} ms")

    for law in laws.values():
        add("profile intervals of all parameters", law, partial(parameters, law))
        add(f"profile intervals of {cells} predictions", law, partial(predictions, law))
        add("V* and its profile interval", law, partial(optimum, law))
        for kind in KINDS:
            add(f"{REPLICATES} bootstrap refits, {kind}", law, partial(bootstrap, law, REPLICATES, kind=kind))
        add("lmfit conf_interval of all parameters", law, partial(lmfit_parameters, law), LMFIT_REPEATS)
    own = {row["form"]: row["seconds"] for row in rows if row["what"] == "profile intervals of all parameters"}
    for row in rows:
        if row["what"].startswith("lmfit"):
            row["times_slower"] = row["seconds"] / own[row["form"]]
    return {"environment": environment(("numpy", "scipy", "lmfit")), "runs": len(runs), "rows": rows}


def main() -> None:
    warnings.simplefilter("ignore")  # lmfit warns where its search ends at a bound
    with np.errstate(all="ignore"):
        result = measure()
    write_result("interval_speed", result)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
