"""Time of a joint fit of many tasks, beside scipy.optimize.lsq_linear on the same bounded least squares.

    python benchmarks/joint_speed.py        less than a minute

Data: PaliGemma 2, three LLMs at two resolutions on every task (arXiv 2412.03555, Table 13), 192 runs of 32 tasks with
standard errors, in the log-linear form with one slope in ln N for all of them: 65 parameters, of which 33 are at least
zero. Beside the whole fit (groups, weights, separate fits for the criterion, laws with their statuses) stands its
solver alone, and lsq_linear by its two methods, which is given the table of columns for nothing. Then the same with
each task several times over, where the structure of the columns counts. Times are medians of the processor time of
repeated calls in one process, one thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd
from environment import environment, say, write_result

import planner
from planner.laws.forms import get_form
from planner.laws.joint.exact import Linear
from planner.laws.joint.fit import problem_of
from planner.laws.joint.groups import data_of, groups_of

REPEATS = 15
COPIES = (1, 4)
METHODS = ("bvls", "trf")


def milliseconds(call: Callable[[], Any]) -> float:
    """Median of repeated calls, after one to warm up."""
    call()
    taken = []
    for _ in range(REPEATS):
        start = time.process_time()
        call()
        taken.append(time.process_time() - start)
    return 1e3 * float(np.median(taken))


def tasks(copies: int) -> planner.Runs:
    """The published table; further copies of a task have errors of their own, by the table's standard errors."""
    rows = pd.read_csv(str(resources.files("fitted_laws") / "evidence" / "rows.csv"))
    rows = rows[rows.table == "2412.03555 Table 13"]
    random = np.random.default_rng(0)
    parts = [
        rows.assign(task=rows.task + f" {k}" * (k > 0), error=rows.error + (k > 0) * rows.error_se * noise)
        for k, noise in enumerate(random.standard_normal((copies, len(rows))))
    ]
    columns = ["llm", "llm_params", "visual_tokens", "task", "error", "error_se"]
    return planner.read_runs(pd.concat(parts)[columns].reset_index(drop=True))


def measure(copies: int) -> dict[str, Any]:
    from scipy.optimize import lsq_linear

    runs = tasks(copies)
    groups, _ = groups_of(runs, "task")
    problem = problem_of(
        get_form("log-linear"), ("c1",), [len(group.runs) for group in groups], data_of(groups, "auto", 1e9)[0]
    )
    assert isinstance(problem, Linear)
    least = problem.projected
    columns = least.columns(least.terms(np.zeros(0), least.places), least.places) * least.root_weight[:, None]
    low = np.where(least.bounded, 0.0, -np.inf)
    joint = planner.fit_joint(runs, "log-linear", by="task", shared="c1")
    best = problem.solve({})
    row = {
        "tasks": len(groups),
        "runs": len(runs),
        "parameters": problem.parameters_count,
        "c1": next(iter(joint.laws.values())).params["c1"],
        "fit_ms": milliseconds(lambda: planner.fit_joint(runs, "log-linear", by="task", shared="c1")),
        "solver_ms": milliseconds(lambda: problem.solve({})),
    }

    def profiles() -> None:
        for law in planner.fit_joint(runs, "log-linear", by="task", shared="c1").laws.values():
            law.joint["profile"]

    row["fit_with_intervals_of_every_task_ms"] = milliseconds(profiles)
    for method in METHODS:

        def theirs(method: str = method) -> Any:
            return lsq_linear(columns, least.y, (low, np.inf), method=method)

        found = theirs().x
        row |= {
            f"lsq_linear_{method}_ms": milliseconds(theirs),
            f"lsq_linear_{method}_largest_difference": float(np.abs(found - best.coefficients).max()),
            f"lsq_linear_{method}_rss_less_ours": float(np.sum((columns @ found - least.y) ** 2)) - best.rss,
        }
    fastest = min(row[f"lsq_linear_{method}_ms"] for method in METHODS)
    row |= {"fit_to_lsq_linear": row["fit_ms"] / fastest, "solver_to_lsq_linear": row["solver_ms"] / fastest}
    say(", ".join(f"{name} {value:.4g}" for name, value in row.items()))
    return row


def main() -> None:
    rows = [measure(copies) for copies in COPIES]
    write_result("joint_speed", {"environment": environment(("numpy", "scipy")), "repeats": REPEATS, "rows": rows})


if __name__ == "__main__":
    main()
