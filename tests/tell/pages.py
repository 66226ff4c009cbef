"""Plans of every kind, and what stands on a page."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import planner
from planner.base.file_format import content_hash
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
    "contested": lambda: planner.plan(budget="4 TFLOPs", **REQUEST),
    "outside": lambda: planner.plan(budget="5 TFLOPs", llms="qwen2.5", prompt_order="text-first", **REQUEST),
    "limits": lambda: planner.plan(
        budget=planner.Budget(ttft_s=0.03, requests_per_second=12, memory_bytes="40 GiB", energy_joules=500),
        hardware="l40s",
        price_per_hour=1.2,
        **REQUEST,
    ),
    "at least": lambda: planner.plan(budget=planner.Budget(requests_per_second=30), hardware="h100-sxm", **REQUEST),
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
    "two": lambda: planner.plan(budget=planner.Budget(requests_per_second=20), hardware="l4", gpus=2, **REQUEST),
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


def verdict(**changes: Any) -> dict[str, Any]:
    """What was measured of the pick of "flops"."""
    check = {"tolerance": 0.15, "passed": True, "note": ""}
    checks = [
        {"name": "params", "title": "parameters", "unit": "parameters", "predicted": 4271000000.0,
         "measured": 4271000000.0, "error": 0.0, **check, "tolerance": 0.0},
        {"name": "flops_prefill", "title": "FLOPs of prefill", "unit": "FLOPs", "predicted": 7.3e11, "measured": 7.3e11,
         "error": 0.0, **check},
        {"name": "ttft_s", "title": "TTFT", "unit": "s", "predicted": 0.0284, "measured": 0.031,
         "error": 0.0284 / 0.031 - 1, **check},
        {"name": "decode_step_s", "title": "decode step", "unit": "s", "predicted": 0.0051, "measured": 0.0039,
         "error": 0.0051 / 0.0039 - 1, **check, "passed": False, "note": "bound by launches"},
        {"name": "peak_memory_bytes", "title": "peak memory", "unit": "bytes", "predicted": 5.06e9, "measured": 4.9e9,
         "error": 5.06 / 4.9 - 1, **check},
        {"name": "energy_joules", "title": "energy", "unit": "joules", "predicted": 65.0, "measured": None,
         "error": None, "tolerance": None, "passed": None, "note": "no meter"},
    ]  # fmt: skip
    return {
        "format": "vlm-planner verdict",
        "format_version": 1,
        "passed": False,
        "stable": True,
        "model": {
            "llm": "Qwen1.5-4B", "visual_tokens": 64, "vision": "CLIP-ViT-L/14-336", "compressor": "quecc",
            "prompt_order": "image-first", "precision": "bf16", "batch": 1, "tensor_parallel": 1, "params": 4271000000,
        },
        "workload": {**REQUEST, "cached_tokens": 0, "system_tokens": 0, "images": 1},
        "hardware": {"name": "h100-sxm", "title": "NVIDIA H100 SXM5 80 GB", "source": "calibrated"},
        "method": {"kind": "slices", "mode": "compile", "layers_measured": [2, 4], "layers": 40, "text": "two slices"},
        "checks": checks,
        "advice": ["lock the clocks"],
        "environment": {"torch": "2.13.0", "cores": 2},
        "plan_sha256": None,
    } | changes  # fmt: skip


def check(name: str, measured: float | None, predicted: float | None = None, **changes: Any) -> dict[str, Any]:
    """One entry of a verdict; a prediction passes unless told otherwise."""
    unit = "bytes" if name.endswith("_bytes") else "s"
    error = predicted / measured - 1 if predicted and measured else None
    own = {"name": name, "title": name.removesuffix("_s").upper(), "unit": unit, "note": "", "tolerance": 0.15}
    return own | {"predicted": predicted, "measured": measured, "error": error, "passed": True} | changes


def verdict_of(name: str, *checks: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """What was measured of the pick of a plan, as it was planned."""
    found = plan(name).to_dict()
    same = ("llm", "visual_tokens", "vision", "compressor", "prompt_order", "precision", "batch", "tensor_parallel")
    return verdict(
        model={key: found["best"][key] for key in same} | {"params": 1},
        workload=dict(found["workload"]),
        hardware={"name": found["hardware"], "title": found["hardware_profile"]["title"], "source": "roofline"},
        checks=list(checks),
        passed=all(one["passed"] is not False for one in checks),
        **changes,
    )


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
