"""From a table of measured runs to a plan: fit, look at the status, save, plan with other models.

The table stands for your own runs; here it is drawn from a known law with a little noise.
"""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

import planner

sizes, tokens = np.array([0.5e9, 1.5e9, 3e9, 7e9]), np.array([1, 4, 16, 64, 144])
n, t = (grid.ravel() for grid in np.meshgrid(sizes, tokens, indexing="ij"))
noise = np.random.default_rng(0).normal(0, 0.002, n.size)
table = pd.DataFrame(
    {
        "llm": [f"Qwen2.5-{size / 1e9:g}B" for size in n],
        "llm_params": n,
        "visual_tokens": t,
        "error": 0.25 / (n / 1e9) ** 0.3 + 0.2 / t**0.3 + 0.15 + noise,
        "compressor": "quecc",
        "task": "my-task",
    }
)

law = planner.fit(table, name="my-task")
print(f"{law.status}: {law.advice}")
print({name: round(value, 3) for name, value in law.params.items()})

with tempfile.TemporaryDirectory() as folder:
    path = law.save(Path(folder) / "my-task.json")
    print(planner.plan(path, budget="3 TFLOPs", query_tokens=80, generated_tokens=16))
