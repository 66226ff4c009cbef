"""Cold start: `import planner` and `vlm-planner plan` in fresh processes, beside numpy alone.

python benchmarks/startup.py
"""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
from environment import environment, write_result

REPEATS = 15
PLAN = ["plan", "--budget", "2TFLOPs", "--query-tokens", "50", "--generated-tokens", "32"]
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "import numpy": ["-c", "import numpy"],
    "import planner": ["-c", "import planner"],
    "vlm-planner plan": ["-m", "planner.cli", *PLAN],
    "vlm-planner plan --json": ["-m", "planner.cli", *PLAN, "--json"],
}


def main() -> None:
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(REPEATS):  # interleaved, so that a slow moment of the machine hits all alike
        for name, arguments in COMMANDS.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
            seconds[name].append(time.perf_counter() - start)
    rows = [
        {"what": name, "seconds_median": float(np.median(taken)), "seconds_max": max(taken)}
        for name, taken in seconds.items()
    ]
    write_result("startup", {"environment": environment(("numpy", "typer", "rich")), "repeats": REPEATS, "rows": rows})


if __name__ == "__main__":
    main()
