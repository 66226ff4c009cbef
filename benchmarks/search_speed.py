"""How fast is the search? Candidates per second on one core, and whole plans.

    python benchmarks/search_speed.py

One evaluation of a candidate: predicted error, FLOPs, TTFT, TPOT, request latency, throughput, energy, price and peak
memory. The grid: all language models of the catalogue, visual tokens of two towers, four compressors, both prompt
orders, three precisions, four numbers of GPUs and eight batch sizes. A plan adds the limits, the ranking, the pick's
uncertainty and what relaxing each limit would buy.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy: one core is one core

import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from environment import environment, say, write_result

import planner
from planner.configuration import PROMPT_ORDERS
from planner.parts.catalog import compressor_catalog, find_llms, find_vision
from planner.planning.deployment import as_deployment
from planner.planning.request import Load
from planner.planning.space import Axes, evaluate

TOWERS = ("CLIP-ViT-L/14-336", "SigLIP-so400m/14-384")
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128)
REPEATS = 7


def seconds(work: Callable[[], Any]) -> tuple[float, float]:
    """Median and least of some runs, after one that warms up."""
    work()
    taken = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken), min(taken)


def main() -> None:
    towers, compressors = [find_vision(name) for name in TOWERS], list(compressor_catalog().values())
    law = planner.load_law("reasoning")
    tokens = {(one.name, tower.name): one.visual_tokens(tower) for one in compressors for tower in towers}
    laws = {one.name: law for one in compressors}
    axes = Axes(find_llms("all"), tuple(towers), tuple(compressors), PROMPT_ORDERS, tokens, laws)
    budget = planner.Budget(8e12, ttft_s=0.1, tpot_s=0.02, request_s=2.0)
    deployment = as_deployment(budget, "h100-sxm", ("bf16", "fp8", "int4"), None, (1, 2, 4, 8), BATCHES, 8, 3.0)
    request = planner.Workload(50, 32)
    count = len(evaluate(axes, deployment, Load(request, request), "full").table)
    middle, least = seconds(lambda: evaluate(axes, deployment, Load(request, request), "full"))
    rows = [row("evaluate the whole grid", count, middle, least)]
    sweep: dict[str, Any] = {"hardware": "h100-sxm", "workload": request, "price_per_hour": 3.0}
    limits = planner.Budget(
        8e12, ttft_s=0.1, tpot_s=0.02, request_s=2.0, memory_bytes=60 * 2**30, energy_joules=500.0,
        price_per_million_requests=900.0,
    )  # fmt: skip
    many = {"llms": "all", "compressor": ("quecc", "tokenpacker", "average-pool")}
    ways = {"prompt_order": PROMPT_ORDERS, "precision": ("bf16", "fp8"), "tensor_parallel": (1, 2)}
    for what, more in (
        ("default sweep, every limit", {"batch": 1}),
        ("default sweep, every limit, batches 1 to 64", {}),
        ("all models, every limit", {"batch": 1, "llms": "all"}),
        ("all models, three compressors, every limit, batches 1 to 64", many),
        ("the same in both prompt orders, two precisions, on one GPU and on two", many | ways),
    ):
        options: dict[str, Any] = {**sweep, **more}
        plan = planner.plan(budget=limits, **options)
        middle, least = seconds(partial(planner.plan, budget=limits, **options))
        rows.append(row(what, plan.candidates_count, middle, least))
    write_result("search_speed", {"environment": environment(("numpy",)), "threads": 1, "rows": rows})


def row(what: str, candidates: int, middle: float, least: float) -> dict[str, Any]:
    found = {
        "what": what,
        "candidates": candidates,
        "seconds": middle,
        "seconds_min": least,
        "candidates_per_second": candidates / middle,
    }
    say(f"{what}: {candidates} candidates in {1e3 * middle:.1f} ms")
    return found


if __name__ == "__main__":
    main()
