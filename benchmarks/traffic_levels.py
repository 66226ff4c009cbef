"""How near do the closed form and the numerical level of traffic come to events, and how fast are all three?

    python benchmarks/traffic_levels.py           # 220 settings that the formulas were not developed with
    python benchmarks/traffic_levels.py 0 40      # others, without writing the result
    python benchmarks/traffic_levels.py speed     # the times alone again, into the result: on an idle machine

A setting is a model, a card, GPUs that share the model, an image's tokens, text, answer, cached tokens, how lengths
spread, where images are encoded, and a load below .9 of what is stable: all drawn from a seed. Iteration times are
those of `planner.costs.iteration`, with constants of the host that are drawn too, as no profile is calibrated for them.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy: one core is one core

import json
import math
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from environment import RESULTS, environment, say, write_result

import planner
from planner.base.errors import PlannerError
from planner.configuration import Model, Run
from planner.costs.stages import Workload
from planner.hardware import find_hardware
from planner.hardware.host_costs import HostCosts
from planner.traffic.arrivals import Poisson
from planner.traffic.batch import Batch
from planner.traffic.chain import chain
from planner.traffic.demand import Demand
from planner.traffic.events import REQUESTS, simulate
from planner.traffic.levels import LEVELS, At
from planner.traffic.limits import Limits
from planner.traffic.outcome import Outcome
from planner.traffic.rate import largest_rate
from planner.traffic.replica import Replica
from planner.traffic.requests import Requests
from planner.traffic.scheduler import Scheduler
from planner.traffic.service import Service
from planner.traffic.steady import steady

REPORTED = range(2000, 2220)
"""Seeds; 0 to 99 and 1000 to 1219 were looked at while the formulas were made."""
RATES_OF = 4
"""Every so many settings, the largest rate within limits is found too."""
EVENTS_TIMED = 10
"""Settings."""
COUNT = 24_000
"""Requests that are simulated."""
LLMS = ("Qwen2.5-0.5B", "Qwen2.5-1.5B", "Qwen2.5-3B", "Qwen2.5-7B", "Qwen2.5-14B", "Qwen3-4B", "Qwen3-8B", "Qwen3-14B")
CARDS = ("h100-sxm", "a100-80gb", "l40s", "l4", "rtx-4090")
TOWER, COMPRESSOR = "SigLIP-so400m/14-384", "average-pool"
VISUAL = (0, 9, 81, 729)
MODELS = {(llm, v): Model.of(llm, v, compressor=COMPRESSOR, vision=TOWER) for llm in LLMS for v in VISUAL}
ERRORS = ("tpot_mean", "tpot_p95", "ttft_mean", "ttft_p95", "latency_p95")


@dataclass(frozen=True)
class Setting:
    seed: int
    replica: Replica
    requests: Requests
    load: float
    text: dict[str, Any]

    @property
    def rate(self) -> float:
        return self.load * float(Batch.of(self.replica, self.requests).capacity[0])


def drawn(seed: int) -> Setting:
    """One that fits into memory."""
    rng = random.Random(seed)

    def between(low: float, high: float) -> float:
        return math.exp(rng.uniform(math.log(low), math.log(high)))

    while True:
        llm, card, shared = rng.choice(LLMS), find_hardware(rng.choice(CARDS)), rng.choice((1, 1, 1, 2, 4))
        visual = rng.choice(VISUAL)
        place = rng.choice(("in-process", "in-process", "in-process", "apart"))
        text, answer = int(between(20, 2000)), int(between(8, 500))
        cached = rng.choice((0, 0, 0, int(between(50, 3000))))
        spread = rng.choice((0.0, 0.0, rng.uniform(0.2, 1.0)))
        answers_spread = spread and rng.choice((0.0, spread))
        host = HostCosts(between(1e-4, 3e-3), rng.choice((0.0, between(1e-3, 2e-2))), 0.0, "drawn for the benchmark")
        load = rng.uniform(0.1, 0.9)
        try:
            model = MODELS[llm, visual]
            profile = replace(card, efficiency=replace(card.efficiency, host=host))
            scheduler = Scheduler.vllm(card.memory_bytes, card.name)
            parallel = shared > 1 and place == "in-process"
            scheduler = replace(scheduler, encoder=place, encoder_data_parallel=parallel)
            images = 1 if visual else 0
            kind = Workload(text, answer, cached, images=images)
            served = Service(model, Run(profile, "bf16", tensor_parallel=shared), (kind,), (1.0,), scheduler)
            requests = Requests.spread(
                visual + text,
                answer,
                prompt_cv=spread,
                generated_cv=answers_spread,
                cached_tokens=cached,
                images=images,
            )
            found = Setting(seed, served.replica, requests, load, {})
            capacity = found.rate
        except PlannerError:
            continue
        told = {
            "llm": llm,
            "hardware": f"{shared} x {card.name}",
            "visual_tokens": visual,
            "text_tokens": text,
            "cached_tokens": cached,
            "generated_tokens": answer,
            "spread": [round(spread, 2), round(answers_spread, 2)],
            "encoder": place if visual else "",
            "load": round(load, 3),
            "requests_per_second": round(capacity, 3),
        }
        return replace(found, text=told)


def errors(found: dict[str, float], truth: dict[str, float]) -> dict[str, float]:
    return {name: round(found[name] / truth[name] - 1, 4) for name in ERRORS if name in truth}


def of_events(outcome: Outcome) -> dict[str, float]:
    return {
        "tpot_mean": outcome.mean_tpot.value,
        "tpot_p95": outcome.tpot(95).value,
        "ttft_mean": outcome.mean_ttft.value,
        "ttft_p95": outcome.ttft(95).value,
        "latency_p95": outcome.latency(95).value,
    }


def of_level(at: At) -> dict[str, float]:
    return {
        "tpot_mean": at.means_s["tpot"],
        "tpot_p95": at.times_s["tpot"],
        "ttft_mean": at.means_s["ttft"],
        "ttft_p95": at.times_s["ttft"],
        "latency_p95": at.times_s["latency"],
    }


def timed(what: Callable[..., Any], *given: Any, **more: Any) -> tuple[Any, float]:
    start = time.perf_counter()
    found = what(*given, **more)
    return found, time.perf_counter() - start


def compared(setting: Setting) -> dict[str, Any]:
    """Errors of the levels against events, or why the numerical one does not answer."""
    found, rough = (
        LEVELS[name].at(setting.replica, setting.requests, setting.rate, 95.0) for name in ("chain", "steady")
    )
    row: dict[str, Any] = {"seed": setting.seed, **setting.text}
    if found.events_only:
        return {**row, "events_only": found.events_only}
    comes = Poisson(setting.rate)
    outcome = simulate(setting.replica, setting.requests, comes, count=COUNT, seed=setting.seed)
    if not outcome.stable:
        return {**row, "unstable_in_events": round(outcome.requests_per_second, 3)}
    truth, tail = of_events(outcome), outcome.ttft(95)
    return {
        **row,
        "running": round(outcome.running, 1),
        "ttft_p95_interval": round((tail.high - tail.low) / 2 / tail.value, 4),
        "chain": errors(of_level(found), truth),
        "steady": errors(of_level(rough), truth),
    }


def rates(setting: Setting) -> dict[str, Any]:
    """The largest rates of all levels within limits that are a few times what a request alone takes."""
    rng = random.Random(setting.seed + 1)
    alone = LEVELS["chain"].at(setting.replica, setting.requests, 1e-3 * setting.rate, 95.0).times_s
    limits = Limits(ttft_s=alone["ttft"] * rng.uniform(1.5, 5), tpot_s=alone["tpot"] * rng.uniform(1.2, 3))
    found = {name: largest_rate(setting.replica, setting.requests, limits, 95.0, level=name) for name in LEVELS}
    truth, near = found["events"], found["chain"]
    row = {"seed": setting.seed, "limits_s": [limits.ttft_s, limits.tpot_s], "events": truth.requests_per_second}
    row |= {"bound": truth.bound, "capacity": truth.unstable_above}
    for name in ("steady", "chain"):
        rate = found[name].requests_per_second
        row[name] = None if rate is None or not truth.requests_per_second else rate / truth.requests_per_second - 1
    return {**row, "events_only": near.events_only} if near.events_only else row


def quantiles(rows: list[dict[str, Any]], level: str) -> dict[str, Any]:
    """Median and 90th percentile of the absolute errors."""
    found = {}
    for name in ERRORS:
        off = [abs(row[level][name]) for row in rows]
        found[name] = [round(float(one), 4) for one in np.percentile(off, (50, 90))] if off else []
    return {"settings": len(rows), **found}


def steady_speed() -> float:
    """Candidates per second, in blocks as a search takes them."""
    times, rng, count, block = planner.iterations("Qwen2.5-7B", "h100-sxm"), np.random.default_rng(0), 131_072, 8192
    prompt, answer = rng.integers(100, 3000, count).astype(float), rng.integers(20, 500, count).astype(float)
    rate = rng.uniform(0.2, 8, count)

    def run() -> None:
        for start in range(0, count, block):
            part = slice(start, start + block)
            steady(times, Scheduler(), 400_000.0, Demand.fixed(prompt[part], answer[part]), rate[part])

    return count / min(timed(run)[1] for _ in range(3))


def speeds() -> dict[str, Any]:
    """Of all levels; of the numerical one over every fourth setting that it answers, the best of three each."""
    chains: list[float] = []
    events: list[float] = []
    for seed in REPORTED[::RATES_OF]:
        setting = drawn(seed)
        taken = [timed(chain, setting.replica, setting.requests, setting.rate) for _ in range(3)]
        if not taken[0][0].events_only:
            chains.append(1e3 * min(seconds for _, seconds in taken))
            if len(events) < EVENTS_TIMED:
                events.append(timed(simulate, setting.replica, setting.requests, Poisson(setting.rate))[1])
    return {
        "steady_candidates_per_second": round(steady_speed()),
        "chain_ms_median_90_percent_largest": [round(float(one), 1) for one in np.percentile(chains, (50, 90, 100))],
        "chain_settings": len(chains),
        "events_requests_per_second": round(REQUESTS / statistics.median(events)),
    }


def main() -> None:
    if sys.argv[1:] == ["speed"]:
        content = json.loads((RESULTS / "traffic_levels.json").read_text(encoding="utf-8"))
        write_result("traffic_levels", {**content, "speed": speeds()})
        return
    given = [int(one) for one in sys.argv[1:]]
    seeds = range(*given) if given else REPORTED
    rows, found = [], []
    for seed in seeds:
        setting = drawn(seed)
        rows.append(compared(setting))
        say(" ".join(f"{key}={value}" for key, value in rows[-1].items()))
        if seed % RATES_OF == 0:
            found.append(rates(setting))
            say(f"    {found[-1]}")
    told = [row for row in rows if "chain" in row]
    bands = {"all": (0.0, 0.9), "below .7": (0.0, 0.7), ".7 to .9": (0.7, 0.9)}
    held = {name: [one for one in told if low <= one["load"] < high] for name, (low, high) in bands.items()}
    off = [abs(row["chain"]) for row in found if row.get("chain") is not None]
    content = {
        "environment": environment(("numpy",)),
        "errors": "absolute, relative to events: [median, 90th percentile]",
        "chain": {name: quantiles(some, "chain") for name, some in held.items()},
        "steady": {name: quantiles(some, "steady") for name, some in held.items()},
        "ttft_p95_interval_of_events": round(statistics.median(row["ttft_p95_interval"] for row in told), 4),
        "events_only": dict(Counter(_kind(row["events_only"]) for row in rows if "events_only" in row)),
        "unstable_in_events": sum("unstable_in_events" in row for row in rows),
        "largest_rate_within_p95": {
            "settings": len(found),
            "chain_answers": len(off),
            "chain_median_and_90th_percentile": [round(float(one), 4) for one in np.percentile(off, (50, 90))],
            "chain_within_5_percent": sum(one <= 0.05 for one in off),
            "chain_worst": round(max(off), 4),
            "steady_median_and_90th_percentile": [
                round(float(one), 4)
                for one in np.percentile(
                    [abs(row["steady"]) for row in found if row.get("steady") is not None], (50, 90)
                )
            ],
        },
        "largest_rates": found,
        "settings": rows,
    }
    if given:
        say(str({key: value for key, value in content.items() if key not in ("settings", "largest_rates")}))
    else:
        write_result("traffic_levels", {**content, "speed": speeds()})


def _kind(reason: str) -> str:
    words = ("seats", "KV cache", "load", "prompts")
    return next((word for word in words if word in reason), reason)


if __name__ == "__main__":
    main()
