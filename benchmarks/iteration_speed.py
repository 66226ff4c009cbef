"""How many iterations of a serving engine are timed per second, on one core?

    python benchmarks/iteration_speed.py

A million iterations of up to 200 decode steps, half of them with up to 4,000 tokens of prompts behind others: a dense
model, experts, windows, latents and recurrent layers, with the profile of a card and with a table of few rows.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy: one core is one core

import statistics
import time
from dataclasses import replace
from typing import Any

import numpy as np
from environment import environment, write_result

import planner
from planner.configuration import Model
from planner.hardware import Hardware, find_hardware
from planner.hardware.few_rows import FewRows
from planner.parts.released import find_checkpoint

COUNT = 1_000_000
REPEATS = 5
RELEASED = (
    "Qwen/Qwen3-VL-30B-A3B-Instruct",
    "google/gemma-3-12b-it",
    "Qwen/Qwen3.5-9B",
    "LiquidAI/LFM2.5-VL-1.6B",
    "meta-llama/Llama-4-Scout-17B-16E-Instruct",
)


def drawn() -> tuple[np.ndarray, ...]:
    """Decode steps, their context, tokens of prompts, pairs and heads."""
    rng = np.random.default_rng(0)
    decodes = rng.integers(0, 200, COUNT).astype(float)
    tokens = np.where(rng.random(COUNT) < 0.5, rng.integers(1, 4000, COUNT), 0).astype(float)
    done = rng.integers(0, 8000, COUNT)
    pairs = tokens * (done + (tokens + 1) / 2)
    return decodes, decodes * rng.integers(100, 4000, COUNT), tokens, pairs, decodes + (tokens > 0)


def timed(name: str, model: Any, card: Hardware, numbers: tuple[np.ndarray, ...]) -> dict[str, Any]:
    times = planner.iterations(model, card)
    taken = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        times.seconds(*numbers)
        taken.append(time.perf_counter() - start)
    single = time.perf_counter()
    for _ in range(200):
        times.seconds(16.0, 16_000.0, 512.0)
    single = (time.perf_counter() - single) / 200
    return {
        "model": name,
        "millions_per_second": round(COUNT / statistics.median(taken) / 1e6, 2),
        "one_alone_us": round(single * 1e6, 1),
    }


def main() -> None:
    numbers = drawn()
    card = find_hardware("h100-sxm")
    table = FewRows((1, 2, 4, 8, 16, 32, 64, 128, 256), (1.0, 1.0, 1.01, 1.02, 1.05, 1.1, 1.2, 1.5, 2.2))
    tabled = replace(card, efficiency=replace(card.efficiency, few_rows={"bf16": table}))
    unlike = replace(card, efficiency=replace(card.efficiency, overlap=1.4))
    rows = [
        timed("Qwen2.5-7B", "Qwen2.5-7B", card, numbers),
        timed("Qwen2.5-7B, table of few rows", "Qwen2.5-7B", tabled, numbers),
        timed("Qwen2.5-7B, another overlap", "Qwen2.5-7B", unlike, numbers),
    ]
    for hub_id in RELEASED:
        llm = find_checkpoint(hub_id).llm
        model = replace(Model.of("Qwen2.5-7B", 0), llm=llm)
        rows.append(timed(llm.name, model, card, numbers))
        rows.append(timed(f"{llm.name}, table of few rows", model, tabled, numbers))
    write_result("iteration_speed", {"environment": environment(("numpy",)), "iterations": COUNT, "rows": rows})


if __name__ == "__main__":
    main()
