"""Cold start: `import planner` and `vlm-planner plan` in fresh processes, beside the bare imports that they stand on.

CPU seconds (user and system) of whole processes with bytecode in place, in turn, so that a slow moment of the machine
hits all alike; `times_bare` is the median of the ratios within a round.

python benchmarks/startup.py [CHECKOUT ...]    other checkouts are timed in the same rounds
"""

from __future__ import annotations

import compileall
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
from environment import environment, write_result

REPEATS = 15
PLAN = ["plan", "--budget", "2TFLOPs", "--query-tokens", "50", "--generated-tokens", "32"]
BARE = "import numpy, typer, rich.table"
COMMANDS = {
    "import planner": ["-c", "import planner"],
    "vlm-planner plan": ["-m", "planner.cli", *PLAN],
    "vlm-planner plan --json": ["-m", "planner.cli", *PLAN, "--json"],
}
HERE = Path(__file__).parents[1]


def cpu_seconds(arguments: list[str], checkout: Path) -> float:
    """User and system seconds of one process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    place = os.environ | {"PYTHONPATH": str(checkout), "OPENBLAS_NUM_THREADS": "1"}
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL, cwd=checkout, env=place)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    checkouts = {"this version": HERE} | {Path(name).name: Path(name) for name in sys.argv[1:]}
    for checkout in checkouts.values():
        compileall.compile_dir(checkout / "planner", quiet=1)
    bare: list[float] = []
    seconds: dict[tuple[str, str], list[float]] = {}
    for _ in range(REPEATS):
        bare.append(cpu_seconds(["-c", BARE], HERE))
        for version, checkout in checkouts.items():
            for what, arguments in COMMANDS.items():
                seconds.setdefault((version, what), []).append(cpu_seconds(arguments, checkout))
    rows = [{"version": "", "what": BARE, "cpu_seconds_median": float(np.median(bare)), "times_bare": 1.0}]
    rows += [
        {
            "version": version,
            "what": what,
            "cpu_seconds_median": float(np.median(taken)),
            "times_bare": float(np.median(np.array(taken) / bare)),
        }
        for (version, what), taken in seconds.items()
    ]
    for row in rows:
        print(f"{row['times_bare']:5.2f} x  {row['cpu_seconds_median']:.3f} s  {row['version']} {row['what']}")
    write_result("startup", {"environment": environment(("numpy", "typer", "rich")), "repeats": REPEATS, "rows": rows})


if __name__ == "__main__":
    main()
