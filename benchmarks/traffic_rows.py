"""Closed loops beside those of a public planner for vLLM, row by row.

    python benchmarks/traffic_rows.py            our side, beside the rows that are there
    python benchmarks/traffic_rows.py --take     the planner's side anew; needs aiconfigurator-core 0.12.0

NVIDIA's aiconfigurator looks for the batch that serves the most requests per second within a mean TTFT and TPOT. Its
rate is that of a closed loop of as many users, which is what ours is compared with; the rate at random arrivals within
the same limits at p95 stands beside. Our kernel times were fitted to tables of the same package, of an earlier vLLM on
most cards: what is compared is how iterations are filled and timed as a whole, not the kernels.
"""

from __future__ import annotations

import json
import statistics
import sys
from typing import Any

from environment import RESULTS, environment, say, write_result

import planner
from planner.base.errors import PlannerError
from planner.configuration import Model, Run
from planner.costs.stages import Workload
from planner.traffic.arrivals import Closed
from planner.traffic.events import REQUESTS, simulate
from planner.traffic.service import Service
from planner.traffic.usual import vllm_defaults

SYSTEMS = {
    "h100_sxm": ("h100-sxm", "0.24.0"),
    "a100_sxm": ("a100-80gb", "0.14.0"),
    "l40s": ("l40s", "0.24.0"),
    "h200_sxm": ("h200", "0.24.0"),
}
"""The package's name of a card, ours, and the vLLM whose kernels it has."""
ASKED = (
    # model, GPUs, precision, tokens in, out, most milliseconds of TTFT and TPOT
    ("Qwen3-8B", 1, "bf16", 849, 200, 150, 30),
    ("Qwen3-8B", 1, "bf16", 2000, 100, 400, 40),
    ("Qwen3-8B", 1, "bf16", 300, 500, 200, 25),
    ("Qwen3-0.6B", 1, "bf16", 849, 200, 150, 15),
    ("Qwen3-32B", 2, "bf16", 849, 200, 300, 40),
    ("Qwen3-8B", 1, "fp8", 849, 200, 200, 30),
    ("Qwen3-0.6B", 1, "bf16", 849, 200, 300, 30),
    ("Qwen3-32B", 4, "bf16", 2000, 200, 500, 50),
    ("Qwen3-8B", 2, "bf16", 849, 200, 150, 20),
)
ROWS = RESULTS / "traffic_rows.json"
COUNT = 4000
"""Requests of a closed loop."""


def taken() -> list[dict[str, Any]]:
    """The planner's rows, without combinations that its tables do not hold or within whose limits it finds none."""
    from aiconfigurator_core.sdk import common, config, perf_database
    from aiconfigurator_core.sdk.backends.factory import get_backend
    from aiconfigurator_core.sdk.models import get_model

    rows = []
    for system, (card, version) in SYSTEMS.items():
        database = perf_database.get_database(system, "vllm", version)
        for name, gpus, precision, tokens_in, tokens_out, ttft_ms, tpot_ms in ASKED:
            how = config.ModelConfig(tp_size=gpus)
            if precision == "fp8":
                how.gemm_quant_mode = common.GEMMQuantMode.fp8
            asked = config.RuntimeConfig(isl=tokens_in, osl=tokens_out, ttft=ttft_ms, tpot=tpot_ms)
            backend = get_backend("vllm")  # it keeps steps of one model, whatever model it is asked for next
            try:
                model = get_model(f"Qwen/{name}", how, "vllm")
                found = backend.find_best_agg_result_under_constraints(model, database, asked).get_summary_df()
            except Exception as error:  # whatever the package raises where it has no numbers
                say(f"{card} {name} {precision}: {error}")
                continue
            if found is None or found.empty:
                say(f"{card} {name} {precision}: nothing within the limits")
                continue
            best = found.iloc[0]
            rows.append(
                {
                    "card": card, "vllm": version, "model": name, "gpus": gpus, "precision": precision,
                    "tokens_in": tokens_in, "tokens_out": tokens_out,
                    "ttft_limit_s": ttft_ms / 1e3, "tpot_limit_s": tpot_ms / 1e3, "users": int(best.bs),
                    "published": {
                        "requests_per_second": round(float(best.request_rate), 3),
                        "ttft_s": round(float(best.ttft) / 1e3, 6), "tpot_s": round(float(best.tpot) / 1e3, 6),
                    },
                }
            )  # fmt: skip
    return rows


def closed_loop(model: Model, run: Run, load: Workload, users: int, count: int = REQUESTS) -> dict[str, float]:
    """Requests per second and mean times of so many users."""
    assert run.hardware is not None
    server = Service(model, run, (load,), (1.0,), vllm_defaults(run.hardware))
    loop = simulate(server.replica, server.requests, Closed(users), count=count)
    return {
        "requests_per_second": loop.requests_per_second,
        "ttft_s": loop.mean_ttft.value,
        "tpot_s": loop.mean_tpot.value,
    }


def compared(row: dict[str, Any]) -> dict[str, Any]:
    """A row with our closed loop, and the rate at random arrivals."""
    model, load = Model.of(row["model"], 0), Workload(row["tokens_in"], row["tokens_out"], images=0)
    run = Run.of(row["card"], precision=row["precision"], tensor_parallel=row["gpus"])
    assert run.hardware is not None
    own = closed_loop(model, run, load, row["users"], count=COUNT)
    budget = planner.Budget(ttft_s=row["ttft_limit_s"], tpot_s=row["tpot_limit_s"])
    try:
        most = planner.capacity(
            model, run.hardware, budget=budget, workload=load, precision=row["precision"], tensor_parallel=row["gpus"]
        ).requests_per_second
    except PlannerError as error:
        say(str(error))
        most = None
    digits = {name: float(f"{value:.4g}") for name, value in own.items()}
    ratios = {name: round(own[name] / row["published"][name], 3) for name in own}
    return {**row, "closed_loop": digits, "ratio": ratios, "at_random_p95": most and float(f"{most:.4g}")}


def main(arguments: list[str]) -> None:
    there = taken() if "--take" in arguments else json.loads(ROWS.read_text(encoding="utf-8"))["rows"]
    rows = []
    for row in there:
        say(f"{row['card']} {row['model']} {row['tokens_in']} in {row['tokens_out']} out")
        rows.append(compared(row))
    ratios = {name: [row["ratio"][name] for row in rows] for name in ("requests_per_second", "ttft_s", "tpot_s")}
    summary = {
        name: {"median": statistics.median(values), "least": min(values), "most": max(values)}
        for name, values in ratios.items()
    }
    write_result(
        "traffic_rows",
        {
            "source": "aiconfigurator-core 0.12.0, find_best_agg_result_under_constraints, backend vllm",
            "environment": environment(("numpy",)),
            "rows_compared": len(rows),
            "ratio": summary,
            "rows": rows,
        },
    )


if __name__ == "__main__":
    main(sys.argv[1:])
