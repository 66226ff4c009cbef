"""Files as evaluation tools write them, built as the tools' own code builds them."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

GRID = [(size, tokens) for size in ("0.5B", "1.8B", "7B") for tokens in (16, 64, 256)]
CELL = r"llava-(?P<llm>.+)-tp(?P<tokens>\d+)"


def accuracy(size: str, tokens: int, shift: float = 0.0) -> float:
    """Score of a planted law."""
    return round(1 - (0.3 * float(size[:-1]) ** -0.2 + 0.2 * tokens**-0.3 + 0.1) + shift, 6)


def harness(
    folder: Path,
    model: str,
    results: Mapping[str, Mapping[str, Any]],
    *,
    samples: Mapping[str, tuple[int, int]] | None = None,
    groups: Mapping[str, Sequence[str]] | None = None,
    time: str = "20250101_100000",
    arguments: str = "",
    lm_eval: bool = False,
) -> Path:
    """A results file of lmms-eval (`evaluation_tracker.py`, `evaluator.py`), or of lm-evaluation-harness."""
    tasks = {task: {"alias": task, **{_key(key): value for key, value in one.items()}} for task, one in results.items()}
    counts = {task: (100, 100) for task in results if task not in (groups or {})} | dict(samples or {})
    document = {
        "results": tasks,
        "group_subtasks": {**{task: [] for task in results}, **{k: list(v) for k, v in (groups or {}).items()}},
        "configs": {task: {"task": task} for task in results},
        "versions": {},
        "n-shot": dict.fromkeys(results, 0),
        "higher_is_better": {},
        "n-samples": {task: {"original": n[0], "effective": n[1]} for task, n in counts.items()},
        "config": {"model": "llava", "model_args": arguments or f"pretrained={model}", "limit": None},
        "git_hash": "abc",
        "date": time,
        "task_hashes": {},
        "model_source": "llava",
        "model_name": model,
        "model_name_sanitized": model.replace("/", "__"),
    }
    if lm_eval:
        document["lm_eval_version"] = "0.4.13"
    name = f"results_{time}.json" if lm_eval else f"{time}_results.json"
    place = folder / model.replace("/", "__")
    place.mkdir(parents=True, exist_ok=True)
    path = place / name
    path.write_text(json.dumps(document, indent=2), encoding="utf-8")
    return path


def _key(key: str) -> str:
    """A metric's key with its filter: both tools write "metric,filter"."""
    return key if "," in key or key in ("samples", " ") else f"{key},none"


def kit(folder: Path, model: str, dataset: str, rows: Sequence[Mapping[str, Any]], end: str = "acc.csv") -> Path:
    """A score file of VLMEvalKit: `dump_csv` quotes every cell."""
    place = folder / model / "T20250101-100000"
    place.mkdir(parents=True, exist_ok=True)
    path = place / f"{model}_{dataset}_{end}"
    if path.suffix == ".json":
        path.write_text(json.dumps(rows[0] if len(rows) == 1 else list(rows), indent=4), encoding="utf-8")
        return path
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(rows)
    return path
