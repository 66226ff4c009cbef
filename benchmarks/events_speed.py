"""How long are an engine's events simulated, and how much do runs of a length scatter?

    python benchmarks/events_speed.py

A hundred thousand requests at nine tenths of the load that a replica bears, on one core: a dense model, experts,
recurrent layers and attention windows, prompts of one length and spread ones, with and without a bound on the KV cache.
Then the standard deviation over seeds of the 95th percentile of the time to the first token, by the length of the run.
"""

from __future__ import annotations

import math
import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy: one core is one core

import time
from typing import Any

import numpy as np
from environment import environment, write_result

from planner.configuration import Model, Run
from planner.costs.iteration import Iterations
from planner.parts.released import find_checkpoint
from planner.traffic.arrivals import Closed, Poisson
from planner.traffic.events import simulate
from planner.traffic.replica import Replica
from planner.traffic.requests import Requests
from planner.traffic.scheduler import Scheduler

REQUESTS = 100_000
LOAD = 0.9
SEEDS = 12
LENGTHS = (1000, 4000, 16_000)
RELEASED = (
    "Qwen/Qwen3-VL-8B-Instruct",
    "Qwen/Qwen3-VL-30B-A3B-Instruct",
    "Qwen/Qwen3.5-9B",
    "google/gemma-3-12b-it",
)
PROMPTS = {
    "fixed": Requests.fixed(849, 200),
    "spread": Requests.spread(849, 200, prompt_cv=0.6, generated_cv=0.6),
}
SCHEDULER = Scheduler(max_num_seqs=256)
KV_TOKENS = (math.inf, 150_000.0)


def replica(name: str, kv_tokens: float) -> Replica:
    iterations = Iterations(Model.of(find_checkpoint(name).llm, 0), Run.of("h100-sxm"))
    return Replica(iterations, SCHEDULER, kv_tokens)


def most(server: Replica, requests: Requests) -> float:
    """Requests per second that it answers with all seats taken."""
    return simulate(server, requests, Closed(SCHEDULER.max_num_seqs), count=3000).requests_per_second


def timed(name: str, prompts: str, kv_tokens: float) -> dict[str, Any]:
    rate = LOAD * most(replica(name, kv_tokens), PROMPTS[prompts])
    server = replica(name, kv_tokens)  # without the tables of the first
    start = time.perf_counter()
    found = simulate(server, PROMPTS[prompts], Poisson(rate), count=REQUESTS)
    seconds = time.perf_counter() - start
    return {
        "model": name.rpartition("/")[2],
        "prompts": prompts,
        "kv_tokens": kv_tokens if math.isfinite(kv_tokens) else None,
        "requests_per_second": round(rate, 2),
        "running": round(found.running, 1),
        "preemptions": found.preemptions,
        "seconds": round(seconds, 2),
        "simulated_per_second": round(REQUESTS / seconds),
    }


def scatter(name: str, requests: Requests) -> list[dict[str, Any]]:
    server = replica(name, math.inf)
    rate = LOAD * most(server, requests)
    rows = []
    for count in LENGTHS:
        p95 = [
            simulate(server, requests, Poisson(rate), count=count, seed=seed).ttft(95).value for seed in range(SEEDS)
        ]
        rows.append(
            {"requests": count, "p95_ttft_s": round(float(np.mean(p95)), 4), "sd": round(np.std(p95) / np.mean(p95), 4)}
        )
    return rows


def main() -> None:
    rows = [timed(name, prompts, kv) for name in RELEASED for prompts in PROMPTS for kv in KV_TOKENS]
    write_result(
        "events_speed",
        {
            "environment": environment(("numpy",)),
            "requests": REQUESTS,
            "load": LOAD,
            "rows": rows,
            "scatter": {prompts: scatter(RELEASED[0], requests) for prompts, requests in PROMPTS.items()},
        },
    )


if __name__ == "__main__":
    main()
