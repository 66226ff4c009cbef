"""Time of a hold-out of many runs at many sizes.

    python benchmarks/holdout_speed.py      less than a minute

Planted: Y = .3 / N^.25 + .2 / T^.3 + .1 with noise of .003, five token counts at each of 49 sizes, 245 runs: spread
evenly in ln N from .5B to 70B, or around five sizes, less than 4 % apart. Processor time of one process, one thread,
after a small hold-out to warm up.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pandas as pd
from environment import environment, say, write_result

import planner

TOKENS = (16.0, 36.0, 64.0, 144.0, 576.0)
SIZES = {
    "spread evenly": np.geomspace(0.5, 70, 49),
    "around five sizes": np.concatenate([b * np.linspace(1, 1.04, 10) for b in (0.5, 1.8, 4.0, 7.0, 14.0)])[:49],
}


def runs(sizes: Any) -> pd.DataFrame:
    n, t = (axis.ravel() for axis in np.meshgrid(sizes, TOKENS))
    error = 0.3 * n**-0.25 + 0.2 * t**-0.3 + 0.1 + 0.003 * np.random.default_rng(0).standard_normal(len(n))
    names = [f"M-{size:.4f}B" for size in n]
    return pd.DataFrame({"llm": names, "llm_params": 1e9 * n, "visual_tokens": t, "error": error})


def main() -> None:
    planner.holdout(runs(SIZES["spread evenly"][::8]))
    rows = []
    for name, sizes in SIZES.items():
        start = time.process_time()
        found = planner.holdout(runs(sizes))
        seconds = time.process_time() - start
        folds = len(found.rollout) + len(found.leave_one_n) + len(found.leave_one_t)
        rows.append(
            {"sizes": name, "runs": found.law.n_runs, "folds": folds, "seconds": seconds, "notes": list(found.notes)}
        )
        say(f"{name}: {folds} folds, {seconds:.2f} s")
    write_result("holdout_speed", {"environment": environment(("numpy",)), "rows": rows})


if __name__ == "__main__":
    main()
