"""Is it as fast as the version before? Both checkouts in turn, in fresh processes, in CPU seconds.

    python benchmarks/against_before.py CHECKOUT

fits        the published runs in three forms
search      the grid and the plans of search_speed.py, by the copy of each checkout: names differ, the work does not
start       `vlm-planner plan` from cold, bytecode in place, beside the bare imports that it stands on
explorer    every fourth state of explore_speed.py, from its link to all that the page shows

CPU time (user and system, one thread) is what a shared machine leaves comparable. Each round runs both checkouts, and
takes turns at who is first; a ratio is the median of the ratios within a round.
"""

from __future__ import annotations

import compileall
import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy: CPU time of one thread

import numpy as np
from environment import environment, say, write_result
from startup import BARE, PLAN, cpu_seconds

ROUNDS = 7
STARTS = 3  # of the command line in a round: one takes less than the rest of the round
FITS, SEARCHES = 101, 5
EVERY = 4  # of the explorer's states
FORMS = ("additive", "multiplicative", "log-linear")
GRID = "evaluate the whole grid"
BEFORE, NOW = "before", "now"
HERE = Path(__file__).parents[1]

GOALS: dict[str, tuple[str, float]] = {
    **{f"fit, {form}": ("seconds at most", 1.1) for form in FORMS},
    f"search: {GRID}": ("seconds at most", 1 / 0.9),
}
"""What is compared -> what is asked of now / before."""
RATE_GOAL = 1e6
"""Candidates per second of the grid."""
START_GOAL = 2.5
"""CPU time of a plan from cold over that of the bare imports."""


def cpu_median(work: Callable[[], Any], repeats: int) -> float:
    """Median CPU seconds of a call, after one that warms up."""
    work()
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return float(np.median(taken))


def measure_one(checkout: Path) -> dict[str, Any]:
    """{"seconds": {what: CPU seconds}, "candidates": of the grid}, by the package and the benchmarks of a checkout."""
    sys.path[:0] = [str(checkout / "benchmarks"), str(checkout)]
    planner, search, explore = (load(name) for name in ("planner", "search_speed", "explore_speed"))
    if Path(planner.__file__).parents[1] != checkout or Path(search.__file__).parents[1] != checkout:
        raise SystemExit(f"{checkout} is not what was imported: {planner.__file__}, {search.__file__}")
    found: dict[str, float] = {}
    runs = planner.read_runs(Path(str(resources.files("fitted_laws") / "runs" / "qwen1.5_tokenpacker_reasoning.csv")))
    for form in FORMS:
        found[f"fit, {form}"] = cpu_median(partial(planner.fit, runs, form), FITS)

    kept: dict[str, Any] = {}
    search.seconds = lambda work: (cpu_median(work, SEARCHES),) * 2
    search.write_result = lambda name, content: kept.update(content)
    search.main()
    found |= {f"search: {row['what']}": row["seconds"] for row in kept["rows"]}
    candidates = {row["what"]: row["candidates"] for row in kept["rows"]}

    for what, states in explore.cases().items():
        links = [explore.write_link(state, explore.OFFER) for state in states[::EVERY]]
        explore.answer(links[0], explore.OFFER)
        times = [cpu_of(partial(explore.answer, link, explore.OFFER)) for link in links[1:]]
        found[f"explorer: {what}"] = float(np.median(times))
    return {"seconds": found, "candidates": candidates}


def load(name: str) -> Any:
    """A module of the checkout that is measured; types are those of this one, where they are known."""
    return importlib.import_module(name)


def cpu_of(work: Callable[[], Any]) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def round_of(checkouts: dict[str, Path], number: int) -> tuple[dict[str, dict[str, Any]], dict[str, float]]:
    """What both checkouts take, and how often the bare imports a plan from cold does."""
    found: dict[str, dict[str, Any]] = {}
    starts: dict[str, list[float]] = {BEFORE: [], NOW: []}
    bare: list[float] = []
    order = list(checkouts) if number % 2 == 0 else list(checkouts)[::-1]
    for name in order:
        done = subprocess.run(
            [sys.executable, __file__, "--one", str(checkouts[name])], check=True, capture_output=True, text=True
        )
        found[name] = json.loads(done.stdout.splitlines()[-1])
    for _ in range(STARTS):
        bare.append(cpu_seconds(["-c", BARE], HERE))
        for name in order:
            starts[name].append(cpu_seconds(["-m", "planner.cli", *PLAN], checkouts[name]))
    for name in order:
        found[name]["seconds"]["plan from cold"] = float(np.median(starts[name]))
    return found, {name: float(np.median(np.array(taken) / bare)) for name, taken in starts.items()}


def rows_of(rounds: list[dict[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """One row for each thing that both do."""
    rows = []
    for what in rounds[0][NOW]["seconds"]:
        if what not in rounds[0][BEFORE]["seconds"]:
            continue
        seconds = {name: np.array([one[name]["seconds"][what] for one in rounds]) for name in (BEFORE, NOW)}
        ratios = seconds[NOW] / seconds[BEFORE]
        row: dict[str, Any] = {
            "what": what,
            "before_s": float(np.median(seconds[BEFORE])),
            "now_s": float(np.median(seconds[NOW])),
            "times_before": float(np.median(ratios)),
            "times_before_range": [float(ratios.min()), float(ratios.max())],
        }
        count = {name: rounds[0][name]["candidates"].get(what.removeprefix("search: ")) for name in (BEFORE, NOW)}
        if count[NOW] is not None:
            row["candidates"] = count[NOW]
            if count[NOW] != count[BEFORE]:
                row["candidates_before"] = count[BEFORE]
            row["candidates_per_second"] = count[NOW] / row["now_s"]
        if what in GOALS:
            row["goal"] = GOALS[what][1]
            row["met"] = row["times_before"] <= row["goal"]
        rows.append(row)
    return rows


def main() -> None:
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measure_one(Path(sys.argv[2]))))
        return
    checkouts = {BEFORE: Path(sys.argv[1]).resolve(), NOW: HERE}
    for checkout in checkouts.values():
        compileall.compile_dir(checkout / "planner", quiet=1)
    load_before = os.getloadavg()[0]
    rounds, times_bare = [], []
    for number in range(ROUNDS):
        found, bare = round_of(checkouts, number)
        rounds.append(found)
        times_bare.append(bare)
        say(f"round {number + 1} of {ROUNDS}: plan from cold {bare[NOW]:.2f} times the bare imports")
    rows = rows_of(rounds)
    load = {"before": load_before, "after": os.getloadavg()[0]}
    start = float(np.median([bare[NOW] for bare in times_bare]))
    rate = next(row["candidates_per_second"] for row in rows if row["what"] == f"search: {GRID}")
    content = {
        "environment": environment(("numpy", "typer", "rich", "starlette")),
        "before": described(checkouts[BEFORE]),
        "rounds": ROUNDS,
        "load_average": load,
        "machine": "quiet" if load_before < 0.5 else "shared with other work: the ratios hold, seconds are too high",
        "cold_start": {
            "times_bare_imports": start,
            "before_times_bare_imports": float(np.median([bare[BEFORE] for bare in times_bare])),
            "goal": START_GOAL,
            "met": start <= START_GOAL,
        },
        "grid": {"candidates_per_second": rate, "goal": RATE_GOAL, "met": rate >= RATE_GOAL},
        "rows": rows,
    }
    write_result("against_before", content)
    for row in rows:
        say(f"{row['times_before']:5.2f} x  {1e3 * row['now_s']:8.2f} ms  {row['what']}")


def described(checkout: Path) -> str:
    """Its commit."""
    done = subprocess.run(["git", "describe", "--always"], cwd=checkout, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


if __name__ == "__main__":
    main()
