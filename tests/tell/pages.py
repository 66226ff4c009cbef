"""Plans of every kind, and what stands on a page."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import planner
from planner.base.file_format import content_hash
from planner.bench.measurement import Ceilings, Energy, Measurement, MemoryUse, Method, ModelFacts
from planner.bench.samples import Samples
from planner.bench.verdict import Check, Verdict
from planner.planning.plan_file import HASH
from planner.planning.result import Plan

REQUEST: dict[str, int] = {"query_tokens": 50, "generated_tokens": 32}
NUMBER = re.compile(r"\d(?:[\d.,]*\d)?")


def _given() -> planner.FittedLaw:
    params = {"A": 0.4, "alpha": 0.1, "B": 0.19, "beta": 0.05, "D": 0.0}
    return planner.FittedLaw.given("additive", params, name="mine", llms=("Qwen1.5-4B",))


def _measured(name: str) -> planner.FittedLaw:
    """The shipped law under another name, so that no name loads it."""
    law = planner.load_law("reasoning")
    assert isinstance(law, planner.FittedLaw)
    return replace(law, name=name)


PLANS: dict[str, Callable[[], Plan]] = {
    "flops": lambda: planner.plan(budget="2 TFLOPs", **REQUEST),
    "paper": lambda: planner.plan(budget="1 TFLOPs", convention="paper", **REQUEST),
    "contested": lambda: planner.plan(form="additive", budget="4 TFLOPs", **REQUEST),
    "outside": lambda: planner.plan(budget="5 TFLOPs", llms="qwen2.5", prompt_order="text-first", **REQUEST),
    "limits": lambda: planner.plan(
        budget=planner.Budget(ttft_s=0.03, requests_per_second=12, memory_bytes="40 GiB", energy_joules=500),
        hardware="l40s",
        price_per_hour=1.2,
        scheduler="static",
        **REQUEST,
    ),
    "at least": lambda: planner.plan(
        budget=planner.Budget(requests_per_second=30), hardware="h100-sxm", scheduler="static", **REQUEST
    ),
    "memory": lambda: planner.plan(budget=planner.Budget(memory_bytes="12 GiB"), **REQUEST),
    "ways": lambda: planner.plan(
        budget="2 TFLOPs", compressor=["quecc", "average-pool"], prompt_order=["image-first", "text-first"], **REQUEST
    ),
    "gpus": lambda: planner.plan(
        budget=planner.Budget(tpot_s=0.02, price_per_million_requests=400),
        hardware="h100-sxm",
        llms="qwen2.5",
        precision=["bf16", "fp8"],
        kv_precision="fp8",
        tensor_parallel=[1, 2],
        gpus=4,
        price_per_hour=3,
        **REQUEST,
    ),
    "two": lambda: planner.plan(
        budget=planner.Budget(requests_per_second=20), hardware="l4", gpus=2, scheduler="static", **REQUEST
    ),
    "mix": lambda: planner.plan(
        planner.load_mix("reasoning=0.7,ocr=0.3"), budget="12 TFLOPs", llms="qwen2.5", **REQUEST
    ),
    "auto": lambda: planner.plan(planner.load_law("reasoning", "auto"), budget="2 TFLOPs", **REQUEST),
    "joint": lambda: planner.plan("quecc", budget="2 TFLOPs", visual_tokens=[1, 4, 9, 16, 36], **REQUEST),
    "own laws": lambda: planner.plan(
        {"quecc": "quecc", "tokenpacker": _measured("mine"), "average-pool": _measured("mine"), "none": _measured("x")},
        budget="3 TFLOPs",
        compressor=["quecc", "tokenpacker", "average-pool", "none"],
        **REQUEST,
    ),
    "given": lambda: planner.plan(_given(), budget="2 TFLOPs", **REQUEST),
    "only one": lambda: planner.plan(budget="2 TFLOPs", llms="Qwen1.5-4B", visual_tokens=16, **REQUEST),
    "images": lambda: planner.plan(
        budget="9 TFLOPs", workload=planner.Workload(50, 32, cached_tokens=7, system_tokens=5, images=2)
    ),
}


@cache
def plan(name: str) -> Plan:
    """One of the plans above, made once."""
    return PLANS[name]()


def as_file(content: dict[str, Any], folder: Path, name: str = "plan.json") -> Path:
    """As `vlm-planner plan -o` writes it."""
    path = folder / name
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def rehashed(content: dict[str, Any]) -> dict[str, Any]:
    """A changed plan with the hash of its new content, as somebody who knows how would write it."""
    return content | {HASH: content_hash(content, HASH)}


ON_H100 = {"device": "NVIDIA H100 80GB HBM3", "device_type": "cuda", "torch": "2.13.0", "cores": 2}
H100 = {"name": "h100-sxm", "title": "NVIDIA H100 SXM5 80 GB", "source": "roofline", "origin": ""}
SLICED = Method("slices", layers=40, layers_measured=(2, 4))


def check(name: str, measured: float | None, predicted: float | None = None, **changes: Any) -> Check:
    """One check of a verdict; a prediction passes unless told otherwise."""
    unit = "bytes" if name.endswith("_bytes") else "s"
    own: dict[str, Any] = {"title": name.removesuffix("_s").upper(), "unit": unit, "tolerance": 0.15, "passed": True}
    return Check(name=name, predicted=predicted, measured=measured, **own | changes)


CHECKS = (
    check("params", 4271000000.0, 4271000000.0, title="parameters", unit="parameters", tolerance=0.0),
    check("flops_prefill", 7.3e11, 7.3e11, title="FLOPs of prefill", unit="FLOPs"),
    check("ttft_s", 0.031, 0.0284),
    check("decode_step_s", 0.0039, 0.0051, title="decode step", passed=False, note="bound by launches"),
    check("peak_memory_bytes", 4.9e9, 5.06e9, title="peak memory"),
    check("energy_joules", None, 65.0, title="energy", unit="joules", tolerance=None, passed=None, note="no meter"),
)


def measured_of(
    name: str, checks: tuple[Check, ...], environment: Mapping[str, Any] | None = None, method: Method = SLICED
) -> Measurement:
    """A measurement of the pick of a plan, as it was planned, in which the checks found what they say."""
    best, load, card = plan(name).best, plan(name).load, plan(name).deployment.hardware
    if environment is None:
        environment = ON_H100 if card is None else ON_H100 | {"device": card.title}
    numbers = {one.name: one.measured for one in checks if one.measured is not None}
    times = {one.removesuffix("_s"): seconds for one, seconds in numbers.items() if one.endswith("_s")}
    peak = int(numbers.get("peak_memory_bytes", 0))
    return Measurement(
        model=ModelFacts(
            best.llm.name, best.visual_tokens, best.vision.name, best.compressor.name, best.prompt_order,
            best.precision, int(numbers.get("params", 0)), best.tensor_parallel,
        ),
        workload=load.tail,
        batch=best.batch,
        mode="compile",
        samples={one: Samples((seconds,) * 5) for one, seconds in (times or {"prefill": 0.02}).items()},
        flops={one.removeprefix("flops_"): int(count) for one, count in numbers.items() if one.startswith("flops_")},
        memory=MemoryUse(peak, 0, peak, peak, load.tail.generated_tokens),
        energy=Energy(None, False, "no meter"),
        ceilings=Ceilings(7e14, 2.8e12, 2.9e12),
        method=method,
        environment=environment,
    )  # fmt: skip


def verdict(*checks: Check, of: str = "flops", plan_sha256: str | None = None, **measured: Any) -> Verdict:
    """What was measured of the pick of a plan, by default with something of everything."""
    found = checks or CHECKS
    if plan(of).deployment.hardware is not None:
        return replace(verdict_of(of, *found, **measured), plan_sha256=plan_sha256)
    return Verdict(found, measured_of(of, found, **measured), H100, plan_sha256=plan_sha256)


def verdict_of(name: str, *checks: Check, **measured: Any) -> Verdict:
    """What was measured of the pick of a plan, on the hardware that it was planned for."""
    card = plan(name).deployment.hardware
    told = None if card is None else {"name": card.name, "title": card.title, "source": "roofline", "origin": ""}
    return Verdict(checks, measured_of(name, checks, **measured), told)


def with_measured(found: Verdict, **changes: Any) -> Verdict:
    """The same verdict, of a measurement that differs."""
    return replace(found, measurement=replace(found.measurement, **changes))


class Page(HTMLParser):
    """What stands in an HTML file: its elements, and all text that is seen or read out."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.seen: list[str] = []
        self._hidden = 0
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.elements.append((tag, found))
        self.seen += [found[name] for name in ("alt", "aria-label", "title") if name in found]
        self._hidden += tag in ("style", "script")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("style", "script")

    def handle_data(self, data: str) -> None:
        if not self._hidden and data.strip():
            self.seen.append(data)

    def all(self, *tags: str) -> list[dict[str, str]]:
        return [attributes for tag, attributes in self.elements if tag in tags]

    @property
    def text(self) -> str:
        return "\n".join(self.seen)
