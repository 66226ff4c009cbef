"""A plan among all released models, warm and in a fresh process: all knobs, 1 to 8 GPUs a model.

Each model in its own dtype, and several precisions of each.

    python benchmarks/released_speed.py

CPU seconds; a fresh process is compared with the bare imports that it stands on. Writes results/released_speed.json.
"""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np
from environment import environment, say, write_result
from startup import BARE, HERE, cpu_seconds

import planner

REPEATS = 9
COMMAND = "plan --models released --hardware h100-sxm --ttft 150ms --image 1024x768 --tensor-parallel 1,2,4,8"
TOKENS = ["--query-tokens", "120", "--generated-tokens", "200"]
CASES: dict[str, tuple[str, ...] | None] = {
    "each model's own dtype": None,
    "four precisions": ("bf16", "fp8", "int8", "int4"),
}
WARM_GOAL_S = 0.150
COLD_GOAL = 4.5
"""CPU time of the command over that of the bare imports."""


def plan(precision: tuple[str, ...] | None) -> planner.Plan:
    return planner.plan(
        budget=planner.Budget(ttft="150 ms"),
        models="released",
        image="1024x768",
        hardware="h100-sxm",
        precision=precision,
        tensor_parallel=(1, 2, 4, 8),
        query_tokens=120,
        generated_tokens=200,
    )


def row(what: str, precision: tuple[str, ...] | None) -> dict[str, Any]:
    """Warm and cold times of one case."""
    candidates = plan(precision).candidates_count
    warm = []
    for _ in range(REPEATS):
        start = time.process_time()
        plan(precision)
        warm.append(time.process_time() - start)
    command = ["-m", "planner.cli", *COMMAND.split(), *TOKENS]
    command += [] if precision is None else ["--precision", ",".join(precision)]
    cold = np.array([(cpu_seconds(["-c", BARE], HERE), cpu_seconds(command, HERE)) for _ in range(REPEATS)])
    warm_s, times_bare = float(np.median(warm)), float(np.median(cold[:, 1] / cold[:, 0]))
    say(f"{what}: {1e3 * warm_s:.0f} ms warm, {times_bare:.2f} x bare cold")
    return {
        "what": what,
        "candidates": candidates,
        "warm_cpu_seconds_median": warm_s,
        "warm_goal_s": WARM_GOAL_S,
        "cold_cpu_seconds_median": float(np.median(cold[:, 1])),
        "cold_times_bare": times_bare,
        "cold_goal": COLD_GOAL,
    }


def main() -> None:
    load_before = os.getloadavg()[0]
    rows = [row(what, precision) for what, precision in CASES.items()]
    content = {
        "environment": environment(("numpy", "typer", "rich")),
        "repeats": REPEATS,
        "load_average": {"before": load_before, "after": os.getloadavg()[0]},
        "rows": rows,
    }
    write_result("released_speed", content)


if __name__ == "__main__":
    main()
