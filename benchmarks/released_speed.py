"""A plan among all released models, warm and in a fresh process: all knobs, dtypes as published, 1 to 8 GPUs a model.

    python benchmarks/released_speed.py

CPU seconds; a fresh process is compared with the bare imports that it stands on. Writes results/released_speed.json.
"""

from __future__ import annotations

import time

import numpy as np
from environment import environment, write_result
from startup import BARE, HERE, cpu_seconds

import planner

REPEATS = 9
COMMAND = "plan --models released --hardware h100-sxm --ttft 150ms --image 1024x768 --tensor-parallel 1,2,4,8"
TOKENS = ["--query-tokens", "120", "--generated-tokens", "200"]


def plan() -> planner.Plan:
    return planner.plan(
        budget=planner.Budget(ttft="150 ms"),
        models="released",
        image="1024x768",
        hardware="h100-sxm",
        tensor_parallel=(1, 2, 4, 8),
        query_tokens=120,
        generated_tokens=200,
    )


def main() -> None:
    candidates = plan().candidates_count
    warm = []
    for _ in range(REPEATS):
        start = time.process_time()
        plan()
        warm.append(time.process_time() - start)
    pairs = [
        (cpu_seconds(["-c", BARE], HERE), cpu_seconds(["-m", "planner.cli", *COMMAND.split(), *TOKENS], HERE))
        for _ in range(REPEATS)
    ]
    cold = np.array(pairs)
    write_result(
        "released_speed",
        {
            "environment": environment(("numpy", "typer", "rich")),
            "repeats": REPEATS,
            "candidates": candidates,
            "warm_cpu_seconds_median": float(np.median(warm)),
            "cold_cpu_seconds_median": float(np.median(cold[:, 1])),
            "cold_times_bare": float(np.median(cold[:, 1] / cold[:, 0])),
        },
    )


if __name__ == "__main__":
    main()
