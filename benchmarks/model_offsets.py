"""How far do models stand off a law in N? The default of `next-run --models`, from a published grid with replicates.

    python benchmarks/model_offsets.py RUNS.csv     columns llm, llm_params, visual_tokens, task, score, error_se

For each task with every model at the same token counts: a line in ln N is fitted to the models' mean errors over the
token counts. With M models, residuals r, projection P on what the line leaves, standard errors s of the means:

    E r'r = (M - 2) tau^2 + sum P_mm s_m^2

so that tau^2 of a task is estimated without bias, and may come out below 0; its mean over the tasks is recorded, with
the spread over tasks as its error: of Table 13 of PaliGemma 2 (arXiv 2412.03555v1), of its tasks with scores of 0 to 1.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from environment import environment, say, write_result
from numpy.typing import NDArray

from planner.runs import Runs, read_runs

FloatArray = NDArray[np.float64]


def offset_variance(sizes: FloatArray, errors: FloatArray, standard_errors: FloatArray) -> float:
    """tau^2 of one task.

    Args:
        sizes: of the M models.
        errors: of each model at each of T token counts, (M, T).
        standard_errors: of these, (M, T).
    """
    count = errors.shape[1]
    design = np.column_stack([np.ones(len(sizes)), np.log(sizes)])
    left = np.eye(len(sizes)) - design @ np.linalg.pinv(design)
    residual = left @ errors.mean(axis=1)
    explained = np.diag(left) @ (standard_errors**2).sum(axis=1) / count**2
    return float((residual @ residual - explained) / (len(sizes) - design.shape[1]))


def grids(runs: Runs) -> dict[str, tuple[FloatArray, FloatArray, FloatArray]]:
    """Sizes, errors and standard errors of each task, (M,), (M, T), (M, T). Raises ValueError where a cell lacks."""
    assert runs.error_se is not None
    assert runs.task is not None
    tasks = np.array(runs.task)
    found = {}
    for task in dict.fromkeys(runs.task):
        mine = tasks == task
        sizes, row = np.unique(runs.llm_params[mine], return_inverse=True)
        tokens, column = np.unique(runs.visual_tokens[mine], return_inverse=True)
        whole = np.full((2, len(sizes), len(tokens)), np.nan)
        whole[0, row, column], whole[1, row, column] = runs.error[mine], runs.error_se[mine]
        if np.isnan(whole).any():
            raise ValueError(f"{task}: not every model was measured at every number of visual tokens")
        found[str(task)] = sizes, whole[0], whole[1]
    return found


def summary(variances: list[float]) -> dict[str, Any]:
    """The root of their mean, with one standard error each way."""
    mean, error = float(np.mean(variances)), float(np.std(variances, ddof=1) / np.sqrt(len(variances)))
    ends = [float(f"{np.sqrt(max(value, 0.0)):.3g}") for value in (mean - error, mean + error)]
    return {"tasks": len(variances), "model_sd": float(f"{np.sqrt(max(mean, 0.0)):.3g}"), "one_standard_error": ends}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path)
    file = parser.parse_args().runs
    found = {task: offset_variance(*grid) for task, grid in grids(read_runs(file)).items()}
    for task, variance in sorted(found.items(), key=lambda pair: pair[1]):
        say(f"{task}: tau^2 {variance:.2e}")
    content = {
        "environment": environment(("numpy",)),
        "runs": {"file": file.name, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()},
        **summary(list(found.values())),
        "variance_by_task": {task: float(f"{variance:.3g}") for task, variance in found.items()},
    }
    write_result("model_offsets", content)


if __name__ == "__main__":
    main()
