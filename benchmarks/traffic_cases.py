"""What a queue does to a plan of static batches, and published rates of serving engines beside ours.

    python benchmarks/traffic_cases.py

1. Two H100, 30 requests per second, 120-token question, 200-token answer, TTFT within 150 ms at p95; each GPU serves
   half of the requests. Of two configurations: what batches one after the other promise, the queue that they really
   have (a server that takes whoever waits, up to a batch, when the last batch is done), and continuous batching.
2. Qwen3-8B in bf16 on one H100, 849 tokens in and 200 out: a public planner for vLLM 0.24 gives 29.5 requests per
   second at a TTFT of 116 ms and a TPOT of 29.4 ms. Its rate is that of a closed loop at a batch, so it is compared
   with our closed loop of as many users: rate x (TTFT + (G - 1) TPOT), Little's law. Percentiles of requests at random
   stand beside, as another thing.
3. A decode step that the same planner publishes, of Qwen3-0.6B on an A100.

Kernel times are those of the shipped profiles, host costs are not calibrated: nothing here was fitted to these cases.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from environment import environment, say, write_result
from traffic_rows import closed_loop

import planner
from planner.configuration import Model, Run
from planner.costs.latency import latency
from planner.costs.stages import Workload
from planner.traffic.arrivals import Poisson
from planner.traffic.events import simulate
from planner.traffic.scheduler import Scheduler
from planner.traffic.service import Service

RATE, GPUS, TTFT_S = 30.0, 2, 0.150
SIGLIP = "SigLIP-so400m/14-384"
PICKS = {
    "Qwen3-8B bf16, 81 tokens": (Model.of("Qwen3-8B", 81, compressor="tokenpacker", vision=SIGLIP), "bf16"),
    "Qwen3-14B fp8, 729 tokens": (Model.of("Qwen3-14B", 729, compressor="none", vision=SIGLIP), "fp8"),
}
QUESTION = Workload(120, 200)
PUBLISHED = {"requests_per_second": 29.5, "ttft_s": 0.116, "tpot_s": 0.0294}
TEXT = Workload(849, 200, images=0)
STEP = {"vllm_s": 0.0110, "sglang_s": 0.0166}
"""Of 160 sequences, each at a context of 949 tokens."""
COUNT = 200_000
"""Requests in front of static batches."""


def rounded(values: Any) -> Any:
    """Four digits, however deep."""
    if isinstance(values, dict):
        return {name: rounded(value) for name, value in values.items()}
    if isinstance(values, list):
        return [rounded(value) for value in values]
    return float(f"{values:.4g}") if isinstance(values, float) and math.isfinite(values) else values


def queue_of_batches(model: Model, run: Run, most: int, rate: float) -> dict[str, float]:
    """TTFT where requests at random wait for batches one after the other."""
    whole = latency(model, QUESTION, Run(run.hardware, run.precision, batch=np.arange(1.0, most + 1)))
    ttft, request = (np.broadcast_to(np.asarray(one), most) for one in (whole.ttft_s, whole.request_s))
    comes = np.cumsum(np.random.default_rng(0).exponential(1 / rate, COUNT))
    now, first, found = 0.0, 0, np.empty(COUNT)
    while first < COUNT:
        now = max(now, comes[first])
        size = min(int(np.searchsorted(comes, now, side="right")) - first, most)
        found[first : first + size] = now + ttft[size - 1] - comes[first : first + size]
        first, now = first + size, now + request[size - 1]
    kept = found[COUNT // 10 :]
    return {"mean_ttft_s": float(kept.mean()), "p95_ttft_s": float(np.percentile(kept, 95))}


def in_batches(model: Model, run: Run) -> dict[str, Any]:
    """As if nobody waited, and what waiting makes of it: of the batch that serves the most within the limit, and of the
    smallest that serves half of the rate, which is what a plan for that rate takes."""
    assert run.hardware is not None
    budget, each = planner.Budget(ttft_s=TTFT_S), RATE / GPUS
    found = planner.capacity(
        model, run.hardware, budget=budget, workload=QUESTION, precision=run.precision, scheduler="static"
    )
    most = int(found.at.batch or 0)
    whole = latency(model, QUESTION, Run(run.hardware, run.precision, batch=np.arange(1.0, most + 1)))
    rates = np.broadcast_to(np.asarray(whole.throughput_requests_per_s), most)
    ttft = np.broadcast_to(np.asarray(whole.ttft_s), most)
    enough = [batch for batch in range(1, most + 1) if rates[batch - 1] > each]
    queues = [
        {
            "batch": batch,
            "requests_per_second": float(rates[batch - 1]),
            "ttft_without_a_queue_s": float(ttft[batch - 1]),
            **queue_of_batches(model, run, batch, each),
        }
        for batch in dict.fromkeys((min(enough), most) if enough else ())
    ]
    return {
        "batch": most,
        "requests_per_second": found.requests_per_second,
        "gpus": math.ceil(RATE / found.requests_per_second),
        "queues_at_half_the_rate": queues,
    }


def continuous(model: Model, run: Run, early: bool = False) -> dict[str, Any]:
    """The load of one GPU, and the most that it carries; with iterations that are filled early, or not."""
    card = run.hardware
    assert card is not None
    scheduler = replace(Scheduler.vllm(card.memory_bytes, card.name), async_scheduling=early)
    server = Service(model, run, (QUESTION,), (1.0,), scheduler)
    there = simulate(server.replica, server.requests, Poisson(RATE / GPUS))
    limit = planner.Budget(ttft_s=TTFT_S)
    most = planner.capacity(
        model, card, budget=limit, workload=QUESTION, precision=run.precision, scheduler=scheduler
    ).to_dict()
    return {
        "requests_per_second": RATE / GPUS,
        "ttft_s": {name: there.ttft(q).value for name, q in (("p50", 50), ("p95", 95), ("p99", 99))},
        "ttft_p95_interval_s": [there.ttft(95).low, there.ttft(95).high],
        "mean_tpot_s": there.mean_tpot.value,
        "running": there.running,
        "keeps_the_limit": there.ttft(95).value <= TTFT_S,
        "max_requests_per_second": most["max_requests_per_second"],
        "unstable_above": most["unstable_above"],
        "gpus": math.ceil(RATE / most["max_requests_per_second"]),
    }


def case_of_a_queue() -> dict[str, Any]:
    found = {}
    for name, (model, precision) in PICKS.items():
        run = Run.of("h100-sxm", precision=precision)
        say(name)
        found[name] = {
            "static": in_batches(model, run),
            "continuous": continuous(model, run),
            "continuous, --async-scheduling": continuous(model, run, early=True),
        }
    return found


def published_rate() -> dict[str, Any]:
    say("published rate")
    decodes = TEXT.generated_tokens - 1
    users = round(PUBLISHED["requests_per_second"] * (PUBLISHED["ttft_s"] + decodes * PUBLISHED["tpot_s"]))
    model, run = Model.of("Qwen3-8B", 0), Run.of("h100-sxm")
    assert run.hardware is not None
    own = closed_loop(model, run, TEXT, users)
    at_random = {}
    for percentile in (50.0, 95.0):
        budget = planner.Budget(ttft_s=0.150, tpot_s=0.030)
        most = planner.capacity(model, run.hardware, budget=budget, workload=TEXT, percentile=percentile).to_dict()
        names = ("max_requests_per_second", "ttft_s", "tpot_s", "mean_ttft_s", "mean_tpot_s", "bound", "unstable_above")
        at_random[f"p{percentile:g}"] = {name: most[name] for name in names}
    return {
        "published": PUBLISHED,
        "users": users,
        "closed_loop": own,
        "ratio": {name: own[name] / value for name, value in PUBLISHED.items()},
        "within_1_25": bool(1 / 1.25 <= own["requests_per_second"] / PUBLISHED["requests_per_second"] <= 1.25),
        "at_random_within_150_ms_and_30_ms": at_random,
    }


def published_step() -> dict[str, Any]:
    own = float(planner.iterations("Qwen3-0.6B", "a100-80gb").seconds(160.0, 160.0 * 949))
    return {"published": STEP, "own_s": own, "ratio_to_vllm": own / STEP["vllm_s"]}


def main() -> None:
    write_result(
        "traffic_cases",
        rounded(
            {
                "environment": environment(("numpy",)),
                "two_h100": {"requests_per_second": RATE, "ttft_p95_limit_s": TTFT_S, **case_of_a_queue()},
                "qwen3_8b_849_in_200_out": published_rate(),
                "qwen3_0_6b_decode_step_a100": published_step(),
            }
        ),
    )


if __name__ == "__main__":
    main()
