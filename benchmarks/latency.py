"""Predicted seconds against measured kernels: fit the efficiencies of each card on some models, judge them on others.

    python benchmarks/latency.py            judge the shipped efficiencies, about one minute
    python benchmarks/latency.py --fit      fit them first: rewrites planner/hardware/efficiency.json
    python benchmarks/latency.py --check    judge only, and fail where a median error is above 10 %
    python benchmarks/latency.py --plot     only draw docs/pictures/latency.png from the recorded results

The measured side is aiconfigurator-core (Apache-2.0): kernel times of serving engines with CUDA graphs, interpolated,
here of SGLang where it has data. Element-wise kernels are formulas there, and so are 26 us a layer that it adds to a
prefill with QK-norm. Shapes: prompts of 32 to 2048 tokens, batches of 1 to 32, on one GPU, and on 2, 4 and 8 for two
models of each group. Every group of kernels is fitted by itself (least squares of log ratios, soft L1) on the kernels
of the fitted models; the judged models' time to first token (TTFT: a prefill) and time per output token (TPOT: a
decode step) had no part in it. The bare roofline beside it: max(FLOPs / peak, bytes / bandwidth) of the whole stage.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from dataclasses import fields, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from environment import RESULTS, environment, say, write_result
from latency_kernels import BATCHES, FITTED, JUDGED, PROMPTS, Shape, ask, ask_fp8, fit, hardware_of
from numpy.typing import NDArray

from planner.base.errors import InputError
from planner.configuration import Model, Run
from planner.costs.latency import Latency, latency
from planner.costs.silicon import SYSTEMS, Engine
from planner.costs.stage_time import Place, StageTime
from planner.costs.stages import Workload
from planner.hardware import Hardware, find_hardware
from planner.hardware.catalog import HARDWARE, shipped_cards
from planner.hardware.efficiency import TRANSFERRED, Efficiency, _shipped
from planner.parts.catalog import DEFAULT_VISION, find_compressor, find_vision, llm_catalog
from planner.parts.llms import Llm, stacked

FloatArray = NDArray[np.float64]

LIMIT = 0.10
"""What a median error may be."""
SHIPPED = Path(__file__).parent.parent / "planner" / "hardware" / "efficiency.json"
PICTURE = Path(__file__).parent.parent / "docs" / "pictures" / "latency.png"

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
IMPLAUSIBLE_LINKS = {"l40s": "17.8, 5.5 and 1.7 GB/s at 2, 4 and 8 GPUs, far below PCIe gen4 x16"}
"""Cards whose all-reduces in the tables mean less than their interconnect can have: its shares stay the defaults."""
THROTTLED = ("rtx-4090", "rtx-5090")
"""The chips of an L40S and an RTX PRO 6000 with the rated peak halved: they come near it. Their share is that of the
same FLOPs per second, at most 95 %."""


# ---- the judgement -------------------------------------------------------------------------------------------------


def predicted(hardware: Hardware, llm: Llm, gpus: int, precision: str = "bf16") -> Latency:
    """All batches (down) and prompts (across) of a model: a prompt is made of visual tokens here."""
    model = Model(llm, find_vision(DEFAULT_VISION), find_compressor("none"), np.array(PROMPTS, float))
    run = Run(hardware, precision, batch=np.array(BATCHES)[:, None], tensor_parallel=gpus)
    return latency(model, Workload(query_tokens=0, generated_tokens=2), run)


def pairs_of(hardware: Hardware, shapes: list[Shape], *, prefill: bool, precision: str = "bf16") -> FloatArray:
    """Rows of measured, predicted and bare-roofline seconds."""
    tables: dict[tuple[str, int], StageTime] = {}
    rows = []
    for shape in shapes:
        if shape.prefill != prefill:
            continue
        key = (shape.llm.name, shape.gpus)
        if key not in tables:
            latency = predicted(hardware, shape.llm, shape.gpus, precision)
            tables[key] = latency.prefill if prefill else latency.decode_step
        grid = (len(BATCHES), len(PROMPTS))
        stage = tables[key].at(Place(grid, (BATCHES.index(shape.batch), PROMPTS.index(shape.tokens))))
        rows.append((sum(shape.seconds.values()), stage.seconds, stage.ideal_s))
    return np.array(rows)


def errors(pairs: FloatArray) -> dict[str, float | int]:
    """Relative errors of the prediction, and of the bare roofline."""
    measured, ours, ideal = pairs.T
    off, bare = np.abs(ours / measured - 1), np.abs(ideal / measured - 1)
    return {
        "shapes": len(pairs),
        "median_error": _round(np.median(off)),
        "p90_error": _round(np.quantile(off, 0.9)),
        "median_bias": _round(np.median(ours / measured - 1)),
        "roofline_median_error": _round(np.median(bare)),
        "roofline_p90_error": _round(np.quantile(bare, 0.9)),
    }


def judge(card: str, fitted: list[Shape], judged: list[Shape], fp8: list[Shape]) -> dict[str, Any]:
    """Errors of one card."""
    hardware = hardware_of(card)
    result: dict[str, Any] = {"title": hardware.title, "source": hardware.efficiency.source}
    for name, prefill in (("ttft", True), ("tpot", False)):
        for group, shapes in (
            ("fitted", [shape for shape in fitted if shape.gpus == 1]),
            ("judged", [shape for shape in judged if shape.gpus == 1]),
            ("judged_tensor_parallel", [shape for shape in judged if shape.gpus > 1]),
        ):
            result.setdefault(group, {})[name] = errors(pairs_of(hardware, shapes, prefill=prefill))
        if fp8:
            pairs = pairs_of(hardware, fp8, prefill=prefill, precision="fp8")
            result.setdefault("judged_fp8", {})[name] = errors(pairs)
    result["points"] = {
        name: _as_text(_thinned(pairs_of(hardware, judged, prefill=prefill)))
        for name, prefill in (("ttft", True), ("tpot", False))
    }
    return result


def engine_spread(card: str, judged: list[Shape]) -> dict[str, float]:
    """How far the package's own engines are from each other: no prediction can be surer than that."""
    system, usual = SYSTEMS[card]
    names = [name for name in JUDGED if name not in ("Vicuna-7B-v1.5", "Qwen1.5-1.8B")]  # extrapolated by vLLM
    spread: dict[str, float] = {}
    own = {_key(shape): sum(shape.seconds.values()) for shape in judged if shape.gpus == 1}
    for engine in ("vllm", "sglang", "trtllm"):
        if engine == usual or system == "b60":
            continue
        others = ask(card, names, engine=engine)
        off = [abs(sum(s.seconds.values()) / own[_key(s)] - 1) for s in others if _key(s) in own]
        if off:
            spread[engine] = _round(np.median(off))
    return spread


def _key(shape: Shape) -> tuple[str, int, int, bool]:
    return shape.llm.name, shape.batch, shape.tokens, shape.prefill


def speed() -> dict[str, float]:
    """Time per estimate of both tools, on one core."""
    llms = stacked(list(llm_catalog().values()) * 50)
    model = Model(llms, find_vision(DEFAULT_VISION), find_compressor("quecc"), np.arange(1.0, 577.0))
    best = np.inf
    for _ in range(5):
        start = time.perf_counter()
        times = latency(model, Workload(50, 32), Run(find_hardware("h100-sxm")))
        size = np.size(times.request_s)
        best = min(best, (time.perf_counter() - start) / size)
    start = time.perf_counter()
    engine = Engine.of(llm_catalog()["Qwen1.5-7B"], "h100-sxm")
    engine.prefill(1, 64)
    setup_s = time.perf_counter() - start
    start = time.perf_counter()
    for prompt in range(64, 564):
        engine.prefill(1, prompt)
        engine.decode_step(1, prompt)
    each = (time.perf_counter() - start) / 500
    return {
        "candidates_in_one_call": size,
        "ours_s": float(f"{best:.3g}"),
        "aiconfigurator_s": float(f"{each:.3g}"),
        "aiconfigurator_setup_of_a_model_s": float(f"{setup_s:.3g}"),
    }


def _as_text(pairs: FloatArray) -> str:
    """A point is three numbers, in milliseconds: a list of lists would fill thousands of lines."""
    return "; ".join(" ".join(f"{1e3 * x:.4g}" for x in row) for row in pairs)


def _thinned(pairs: FloatArray, points: int = 250) -> FloatArray:
    chosen: FloatArray = pairs[np.linspace(0, len(pairs) - 1, min(points, len(pairs))).astype(int)]
    return chosen


def _round(value: Any) -> float:
    return round(float(value), 4)


# ---- files ---------------------------------------------------------------------------------------------------------


LINKS = [item.name for item in fields(Efficiency) if item.name.startswith(("interconnect", "all_reduce"))]


def _without_link(numbers: Efficiency, measured: str) -> tuple[Efficiency, str]:
    """The same with default shares of the interconnect, and what to say of it."""
    said = f"; the interconnect is not calibrated: the kernel times would mean {measured}, so default shares stand in"
    return replace(numbers, **{name: getattr(Efficiency(), name) for name in LINKS}), said


def write_efficiencies(found: dict[str, tuple[Efficiency, int]]) -> None:
    """efficiency.json: the fitted cards, and those that borrow from them."""
    version = metadata.version("aiconfigurator-core")
    cards: dict[str, dict[str, Any]] = {}
    for card, (numbers, kernels) in found.items():
        engine = f"{SYSTEMS[card][1]} {_engine_version(card)}"
        kinds = "bf16 and fp8" if "fp8" in hardware_of(card).flops_per_s else "bf16"
        origin = f"fitted to {kernels} kernel times of aiconfigurator-core {version} ({engine}, {kinds})"
        cards[card] = replace(numbers, origin=origin).to_dict()
        if card in IMPLAUSIBLE_LINKS:
            numbers, said = _without_link(numbers, IMPLAUSIBLE_LINKS[card])
            found[card] = (numbers, kernels)
            cards[card] = replace(numbers, origin=origin + said).to_dict()
    for card, (kernels_of, link_of) in TRANSFERS.items():
        kernels_from, link_from = found[kernels_of][0], found[link_of][0]
        link = {name: getattr(link_from, name) for name in LINKS}
        origin = f"as fitted for {kernels_of}" + (f", interconnect as for {link_of}" if link_of != kernels_of else "")
        origin += _without_link(link_from, IMPLAUSIBLE_LINKS[link_of])[1] if link_of in IMPLAUSIBLE_LINKS else ""
        numbers = Efficiency.from_dict({**kernels_from.to_dict(), **link, "source": TRANSFERRED, "origin": origin})
        cards[card] = (_at_same_rate(card, kernels_of, numbers) if card in THROTTLED else numbers).to_dict()
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


def _at_same_rate(card: str, like: str, numbers: Efficiency) -> Efficiency:
    ratio = hardware_of(like).rate("bf16") / hardware_of(card).rate("bf16")
    names = ("matmul_compute", "quantised_compute", "attention_compute")
    shares = {name: round(min(0.95, ratio * getattr(numbers, name)), 4) for name in names}
    return replace(numbers, **shares, origin=f"{numbers.origin}, compute at the same FLOPs per second, at most 95 %")


def _engine_version(card: str) -> str:
    database = importlib.import_module("aiconfigurator_core.sdk.perf_database")
    return str(database.resolve_query_version(*SYSTEMS[card], "current"))


def draw() -> None:
    """The recorded points of the judged models, log-log, a panel for each card."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.lines import Line2D
    from matplotlib.patches import Rectangle

    recorded = json.loads((RESULTS / "latency.json").read_text(encoding="utf-8"))["cards"]
    columns = 5
    lines = -(-len(recorded) // columns)
    figure, axes = plt.subplots(lines, columns, figsize=(2.9 * columns, 3.0 * lines), sharex=True, sharey=True)
    ends = (0.7, 3000.0)
    for axis, card in zip(axes.flat, recorded.values(), strict=False):
        axis.plot(ends, ends, color="0.4", linewidth=0.8)
        axis.fill_between(ends, [0.9 * x for x in ends], [1.1 * x for x in ends], color="0.88", linewidth=0)
        for name, colour, marker in (("ttft", "#0072b2", "o"), ("tpot", "#d55e00", "^")):
            points = np.array([point.split() for point in card["points"][name].split(";")], float)
            axis.plot(points[:, 0], points[:, 2], ".", color="0.7", markersize=2, zorder=1)
            axis.plot(points[:, 0], points[:, 1], marker, color=colour, markersize=3, alpha=0.6, markeredgewidth=0)
        ttft, tpot = (card["judged"][name] for name in ("ttft", "tpot"))
        axis.set_title(card["title"], fontsize=9)
        text = "\n".join(
            f"{label} {100 * x['median_error']:.0f} % (roofline {100 * x['roofline_median_error']:.0f} %)"
            for label, x in (("TTFT", ttft), ("TPOT", tpot))
        )
        axis.text(0.04, 0.96, text, transform=axis.transAxes, va="top", fontsize=7.5)
        axis.set(xscale="log", yscale="log", xlim=ends, ylim=ends)
    for axis in axes.flat[len(recorded) :]:
        axis.set_visible(False)
    marks = [
        Line2D([], [], color="#0072b2", marker="o", linestyle="", label="time to first token (prefill)"),
        Line2D([], [], color="#d55e00", marker="^", linestyle="", label="time per output token (decode step)"),
        Line2D([], [], color="0.7", marker=".", linestyle="", label="bare roofline"),
        Rectangle((0, 0), 1, 1, color="0.88", label="within 10 %"),
    ]
    figure.legend(handles=marks, loc="lower center", ncols=4, frameon=False, fontsize=9)
    figure.supxlabel("measured kernels (aiconfigurator), ms", fontsize=10, y=0.055)
    figure.supylabel("predicted, ms", fontsize=10)
    figure.suptitle("Models that were left out of the fit; median errors in the corner", fontsize=11)
    figure.tight_layout(rect=(0, 0.05, 1, 1))
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fit", action="store_true", help="fit, and rewrite planner/hardware/efficiency.json")
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a median error is above 10 %%")
    parser.add_argument("--plot", action="store_true", help="only draw the picture from the recorded results")
    options = parser.parse_args()
    if options.plot:
        draw()
        return
    try:
        Engine.of(llm_catalog()["Qwen1.5-7B"], "h100-sxm")
    except InputError as error:
        say(f"skipped: {error}")
        return
    fitted = {card: ask(card, FITTED) for card in SYSTEMS}
    if options.fit:
        found = {card: fit(hardware_of(card), fitted[card], ask_fp8(card, FITTED)) for card in SYSTEMS}
        write_efficiencies(found)
    cards = {}
    for card in SYSTEMS:
        judged = ask(card, JUDGED)
        cards[card] = judge(card, fitted[card], judged, ask_fp8(card, JUDGED))
        cards[card]["engines_apart"] = engine_spread(card, judged)
        say(f"{card}: " + ", ".join(f"{x} {cards[card]['judged'][x]['median_error']:.1%}" for x in ("ttft", "tpot")))
    high = [
        f"{card} {name} {content['judged'][name]['median_error']:.1%}"
        for card, content in cards.items()
        for name in ("ttft", "tpot")
        if content["judged"][name]["median_error"] > LIMIT
    ]
    if options.check:
        sys.exit(f"median errors above {LIMIT:.0%}: {', '.join(high)}" if high else 0)
    write_result(
        "latency",
        {
            "about": "Relative errors against aiconfigurator, by card; points: measured, predicted, roofline, ms.",
            "environment": environment(("numpy", "scipy", "aiconfigurator-core")),
            "fitted_models": list(FITTED),
            "judged_models": list(JUDGED),
            "speed": speed(),
            "cards": cards,
        },
    )
    draw()


if __name__ == "__main__":
    main()
