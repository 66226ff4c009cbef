"""The profiles that `latency.py` fits: of each card under its frameworks, and of cards that borrow from one like it."""

from __future__ import annotations

import importlib
import json
from dataclasses import fields, replace
from functools import partial
from importlib import metadata
from pathlib import Path

from latency_kernels import fit
from latency_shapes import FITTED, ask, ask_fp8, hardware_of
from links import TABLES

from planner.costs.silicon import SYSTEMS, System
from planner.hardware.catalog import HARDWARE, shipped_cards
from planner.hardware.efficiency import TRANSFERRED, Efficiency, _shipped
from planner.parts.llms import Llm

SHIPPED = Path(__file__).parent.parent / "planner" / "hardware" / "efficiency.json"
TRANSFERS = {
    # card: whose kernels and whose interconnect are most like its own
    "h100-pcie": ("h100-sxm", "rtx-pro-6000"),
    "a100-40gb": ("a100-80gb", "a100-80gb"),
    "l4": ("l40s", "l40s"),
    "a10g": ("l40s", "l40s"),
    "t4": ("l40s", "l40s"),
    "rtx-4090": ("l40s", "l40s"),
    "rtx-5090": ("rtx-pro-6000", "rtx-pro-6000"),
    "mi300x": ("h200", "h200"),
}
THROTTLED = ("rtx-4090", "rtx-5090")
"""The chips of an L40S and an RTX PRO 6000 with the rated peak halved: they come near it. Their share is that of the
same FLOPs per second, at most 95 %."""
LINKS = [item.name for item in fields(Efficiency) if item.name.startswith(("interconnect", "all_reduce"))]
TITLES = {"vllm": "vLLM", "sglang": "SGLang"}


def fit_card(card: str) -> Efficiency:
    """The numbers of a card under each of its frameworks, one within the other."""
    system, version = SYSTEMS[card], metadata.version("aiconfigurator-core")
    kinds = "bf16 and fp8" if "fp8" in hardware_of(card).flops_per_s else "bf16"
    found: list[Efficiency] = []
    for engine in system.engines:
        framework = f"{TITLES[engine]} {_engine_version(card, engine)}"
        shapes, low = ask(card, FITTED, engine=engine), ask_fp8(card, FITTED, engine=engine)
        own = partial(_stands_for, system, engine)
        numbers, kernels = fit(hardware_of(card), shapes, low, own)
        heads = sorted({shape.llm.head_dim for shape in shapes if own(shape.llm)})
        attention = " and ".join(_ATTENDS[kind] for kind in _kinds(system, engine))
        origin = (
            f"fitted to {kernels} kernel times of aiconfigurator-core {version} ({framework}, {kinds}; attention "
            f"{attention}, heads of {' and '.join(map(str, heads))})"
        )
        if card in TABLES:
            origin += f"; all-reduces as {TABLES[card].title} measured them: {TABLES[card].instead_of}"
        found.append(replace(numbers, framework=framework, origin=origin))
    first, *others = found
    return replace(first, multi_head=others[0]) if others else first


_ATTENDS = {False: "with grouped queries", True: "without grouped queries"}


def _stands_for(system: System, engine: str, llm: Llm) -> bool:
    return system.engine_of(llm) == engine


def _kinds(system: System, engine: str) -> list[bool]:
    """Whether the models that an engine stands for have grouped queries, or not, or both."""
    return [kind for kind, own in ((False, system.grouped), (True, system.multi_head)) if own == engine]


def write_efficiencies(found: dict[str, Efficiency]) -> None:
    """efficiency.json: the fitted cards, and those that borrow from them."""
    cards = {card: numbers.to_dict() for card, numbers in found.items()}
    for card, (kernels_of, link_of) in TRANSFERS.items():
        numbers = _transferred(card, kernels_of, link_of, found[kernels_of], found[link_of])
        other, link = found[kernels_of].multi_head, found[link_of].multi_head or found[link_of]
        if other is not None:
            numbers = replace(numbers, multi_head=_transferred(card, kernels_of, link_of, other, link))
        cards[card] = numbers.to_dict()
    content = {
        "about": "Efficiencies and launch costs of cards; what each number is stands in efficiency.py. Written by "
        "benchmarks/latency.py --fit from kernel times of aiconfigurator-core (NVIDIA, Apache-2.0); errors in "
        "benchmarks/results/latency.json.",
        "fitted_on": list(FITTED),
        "cards": cards,
    }
    SHIPPED.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    _shipped.cache_clear()
    shipped_cards.cache_clear()
    for shipped in shipped_cards():
        HARDWARE.register(shipped, replace=True)


def _transferred(card: str, kernels_of: str, link_of: str, kernels: Efficiency, link: Efficiency) -> Efficiency:
    """The numbers of a card that has none, from one like it."""
    origin = f"as fitted for {kernels_of}" + (f", interconnect as for {link_of}" if link_of != kernels_of else "")
    if link_of in TABLES:
        origin += f", whose all-reduces are those that {TABLES[link_of].title} measured"
    shares = {name: getattr(link, name) for name in LINKS}
    numbers = replace(kernels, **shares, source=TRANSFERRED, origin=origin, multi_head=None)
    return _at_same_rate(card, kernels_of, numbers) if card in THROTTLED else numbers


def _at_same_rate(card: str, like: str, numbers: Efficiency) -> Efficiency:
    ratio = hardware_of(like).rate("bf16") / hardware_of(card).rate("bf16")
    names = ("matmul_compute", "quantised_compute", "attention_compute")
    shares = {name: round(min(0.95, ratio * getattr(numbers, name)), 4) for name in names}
    return replace(numbers, **shares, origin=f"{numbers.origin}, compute at the same FLOPs per second, at most 95 %")


def _engine_version(card: str, engine: str) -> str:
    database = importlib.import_module("aiconfigurator_core.sdk.perf_database")
    return str(database.resolve_query_version(SYSTEMS[card].name, engine, "current"))
