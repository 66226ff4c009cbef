"""One of every thing that has a story, besides plans; each is made once, when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from bench.made import made

import planner
from planner.bench.calibrate import calibrate
from planner.bench.calibration.result import Calibration
from planner.bench.grid_verdict import GridVerdict, Order
from planner.bench.measurement import Energy, Measurement, MemoryUse, Method
from planner.bench.samples import Samples
from planner.bench.verdict import SMALL, Check, Verdict
from planner.costs.request import request_cost
from planner.hardware import find_hardware, hardware_catalog
from planner.laws.fitted import FittedLaw

REQUEST = {"query_tokens": 50, "generated_tokens": 32}
ROOT = Path(__file__).parents[2]
RUNS = ROOT / "fitted_laws" / "runs" / "qwen1.5_tokenpacker_reasoning.csv"
OLD = ROOT / "tests" / "files_0_1"


def measurement(**changes: Any) -> Measurement:
    """One in which everything was measured."""
    (one,) = made(llms=("Qwen2.5-0.5B",), visual_tokens=(36,), batches=(8,))
    found = replace(
        one,
        samples={
            "preprocess": Samples((0.011, 0.012, 0.013)),
            **{name: Samples(tuple(np.linspace(0.9, 1.1, 9) * own.median_s)) for name, own in one.samples.items()},
            "request": Samples((0.031, 0.032, 0.033)),
        },
        flops={"encoder": 381_000_000_000, "prefill": 103_000_000_000, "decode": 16_500_000_000},
        memory=MemoryUse(1_600_000_000, 41_000_000, 1_900_000_000, 1_010_000_000, 16),
        energy=Energy(12.34, True),
        notes=("preprocessing ran on 8 threads of the host",),
    )
    return replace(found, **changes)


def unsteady() -> Measurement:
    """One whose times may not be trusted, extrapolated from slices, without a whole request."""
    one = measurement()
    samples = {name: own for name, own in one.samples.items() if name != "request"}
    samples["prefill"] = Samples((0.001, 0.004, 0.009, 0.002, 0.008, 0.003), waited=0.4)
    method = Method("slices", 24, (4, 8))
    return replace(one, samples=samples, flops={}, method=method, energy=Energy(3.21, False, "too short"))


def verdict(measured: Measurement, *failing: str) -> Verdict:
    """Predictions of some of the quantities; those that are named failed."""
    rows = (
        ("params", "parameters", "parameters", 824_000_000.0, 824_000_000.0, 0.0, ""),
        ("flops_prefill", "FLOPs of prefill", "FLOPs", 1.03e11, 1.03e11, 0.0, ""),
        ("peak_memory_bytes", "peak memory", "bytes", 1.93e9, 1.9e9, 0.05, ""),
        ("ttft_s", "TTFT", "s", 0.0121, 0.0104, 0.15, ""),
        ("tpot_s", "TPOT", "s", 2e-05, 1e-05, 0.15, SMALL),
        ("encoder_s", "encoder", "s", 0.004, 0.0041, 1e9, ""),
        ("energy_joules", "energy", "joules", 65.0, 12.34, None, "no limit"),
    )
    checks = [
        Check(name, title, unit, predicted, own, tolerance, None if tolerance is None else name not in failing, note)
        for name, title, unit, predicted, own, tolerance, note in rows
    ]
    if failing:
        checks.append(Check("visual_tokens", "visual tokens", "", None, None, None, False, "9 were built, 36 planned"))
    hardware = {"name": "h100-sxm", "title": "NVIDIA H100 SXM5 80 GB", "source": "transferred", "origin": "of an A100"}
    reached = {"prefill_mfu": 0.31, "prefill_mfu_measured": 0.42, "decode_mbu": 0.55, "decode_mbu_measured": 1.3}
    return Verdict(tuple(checks), measured, hardware, reached)


def grid() -> GridVerdict:
    good, bad = verdict(measurement()), verdict(unsteady(), "ttft_s")
    inverted = (
        "Qwen2.5-0.5B with 36 is faster than Qwen2.5-0.5B with 9 (10 ms against 12 ms), predicted the other way",
    )
    return GridVerdict((good, bad), (Order("ttft_s", 3, 2, inverted), Order("tpot_s", 1, 1, ())))


def calibration() -> Calibration:
    models, counts = ("Qwen2.5-0.5B", "Qwen2.5-1.5B"), (1, 144, 576)
    return calibrate(made("h100-sxm", llms=models, visual_tokens=counts), hardware_catalog()["h100-sxm"])


def _next_run(**more: Any) -> Any:
    return planner.next_run("reasoning", budget="4 TFLOPs", **REQUEST, **more)


THINGS: dict[str, Callable[[], Any]] = {
    "law": lambda: planner.load_law("reasoning"),
    "law of a file": lambda: planner.load_law(str(OLD / "law-constrained.json")),
    "law of a joint fit": lambda: planner.load_law(str(OLD / "law-joint.json")),
    "given law": lambda: FittedLaw.given("log-linear", {"c0": 0.6, "c1": 0.04, "c2": 0.01}),
    "average": lambda: planner.load_law("reasoning", "auto"),
    "mix": lambda: planner.load_mix("reasoning=0.7,ocr=0.3"),
    "joint": lambda: planner.fit_joint(str(RUNS), "log-linear", by="llm", shared=["c0", "c1"]),
    "cost": lambda: request_cost("Qwen1.5-4B", 64, planner.Workload(**REQUEST)),
    "cost on a card": lambda: request_cost("Qwen2.5-72B", 1, planner.Workload(**REQUEST), hardware="l4", batch=8),
    "capacity": lambda: planner.capacity(
        "Qwen3-8B", "h100-sxm", budget=planner.Budget(ttft="300 ms"), query_tokens=2000, generated_tokens=20
    ),
    "closed loop": lambda: planner.capacity(
        "Qwen3-8B", "h100-sxm", concurrency=8, visual_tokens=64, compressor="tokenpacker", **REQUEST
    ),
    "static batches": lambda: planner.capacity(
        "Qwen3-8B", "h100-sxm", budget=planner.Budget(ttft="300 ms"), scheduler="static", **REQUEST
    ),
    "card": lambda: find_hardware("h100-sxm"),
    "measurement": measurement,
    "unsteady measurement": unsteady,
    "measurement of a file": lambda: Measurement.load(OLD / "measurement.json"),
    "measurements": lambda: made(llms=("Qwen2.5-0.5B", "Qwen2.5-7B"), visual_tokens=(1, 144)),
    "calibration": calibration,
    "calibration of a file": lambda: Calibration.load(OLD / "calibration.json"),
    "verdict": lambda: verdict(measurement()),
    "failed verdict": lambda: verdict(unsteady(), "ttft_s", "params"),
    "verdict of a file": lambda: Verdict.load(OLD / "verdict.json"),
    "grid": grid,
    "comparison": lambda: planner.compare(planner.read_runs(RUNS)),
    "holdout": lambda: planner.holdout(str(RUNS), "log-linear"),
    "next run": _next_run,
    "next runs by information": lambda: _next_run(criterion="d-optimal", together=2, sizes=["7B", "14B"]),
    "next evaluations": lambda: planner.next_run(
        budget=planner.Budget(ttft="40 ms"),
        models="qwen3-vl",
        image="1024x768",
        hardware="h100-sxm",
        together=2,
        **REQUEST,
    ),
    "next evaluations by FLOPs": lambda: planner.next_run(
        budget="30 TFLOPs", models="Qwen/Qwen3-VL-2B-Instruct", image="640x480", samples=100, model_sd=0, **REQUEST
    ),
    "optimum": lambda: planner.optimum("paper", budget="1 TFLOPs", query_tokens=50, generated_tokens=0),
    "optimum at its bound": lambda: planner.optimum(budget="4 TFLOPs", convention="paper", **REQUEST),
}


@cache
def thing(name: str) -> Any:
    """One of the things above, made once."""
    return THINGS[name]()
