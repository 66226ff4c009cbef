"""Predicted seconds against measured kernels: fit the efficiencies of each card on some models, judge them on others.

    python benchmarks/latency.py            judge the shipped efficiencies, about two minutes
    python benchmarks/latency.py --fit      fit them first: rewrites planner/hardware/efficiency.json
    python benchmarks/latency.py --check    judge only, and fail where a median error is above 10 %
    python benchmarks/latency.py --plot     only draw docs/pictures/latency.png from the recorded results

The measured side is aiconfigurator-core (Apache-2.0): kernel times of serving engines with CUDA graphs, interpolated.
A profile for each card and framework: vLLM for models with grouped queries, and SGLang for those without, whose decode
attention the tables of vLLM measure with up to 8 heads only (on a B200 and an Arc B60 with up to 96: vLLM for both).
What lies beyond a table is said to be "silicon" too, so that nothing there tells what was measured. An A100's tables
hold heads of 128 only. Tables say no time below reading at the peak of the memory: where keys and values stay in a
cache (96 MB of an L40S), they say just that. Element-wise kernels are formulas there, and so are 26 us a layer that it
adds to a prefill with QK-norm.

Shapes: prompts of 32 to 2048 tokens, batches of 1 to 32, on one GPU, and on 2, 4 and 8 for some models of each group;
decode steps of batches of 64 to 256 over 256 to 4096 tokens ("large"). Every group of kernels is fitted by itself
(least squares of log ratios, soft L1) on the kernels of the fitted models, attention on models of the framework's kind;
the judged models' time to first token (TTFT: a prefill) and time per output token (TPOT: a decode step) had no part in
it. The bare roofline beside it: max(FLOPs / peak, bytes / bandwidth) of the whole stage.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from environment import RESULTS, environment, say, write_result
from latency_kernels import attention_errors
from latency_profiles import fit_card, write_efficiencies
from latency_shapes import (
    BATCHES,
    FITTED,
    JUDGED,
    LARGE_BATCHES,
    LARGE_CONTEXTS,
    PROMPTS,
    Shape,
    ask,
    ask_fp8,
    hardware_of,
)
from numpy.typing import NDArray

from planner.base.errors import InputError
from planner.configuration import Model, Run
from planner.costs.frameworks import chosen, is_multi_head
from planner.costs.latency import Latency, latency
from planner.costs.silicon import SYSTEMS, Engine
from planner.costs.stage_time import Place, StageTime
from planner.costs.stages import Workload
from planner.hardware import Hardware, find_hardware
from planner.parts.catalog import DEFAULT_VISION, find_compressor, find_vision, llm_catalog
from planner.parts.llms import Llm, stacked

FloatArray = NDArray[np.float64]
Grid: TypeAlias = tuple[Sequence[int], Sequence[int]]
"""Batches and prompts."""

LIMIT = 0.10
"""What a median error may be."""
JUDGEMENTS = ("ttft", "tpot", "decode_attention")
PICTURE = Path(__file__).parent.parent / "docs" / "pictures" / "latency.png"


# ---- the judgement -------------------------------------------------------------------------------------------------


def predicted(hardware: Hardware, llm: Llm, gpus: int, precision: str, grid: Grid) -> Latency:
    """All batches (down) and prompts (across) of a model: a prompt is made of visual tokens here."""
    batches, prompts = grid
    model = Model(llm, find_vision(DEFAULT_VISION), find_compressor("none"), np.array(prompts, float))
    run = Run(hardware, precision, batch=np.array(batches)[:, None], tensor_parallel=gpus)
    return latency(model, Workload(query_tokens=0, generated_tokens=2), run)


def pairs_of(
    hardware: Hardware, shapes: list[Shape], *, prefill: bool, precision: str = "bf16", large: bool = False
) -> FloatArray:
    """Rows of measured, predicted and bare-roofline seconds."""
    tables: dict[tuple[str, int], StageTime] = {}
    rows = []
    batches, prompts = grid = (LARGE_BATCHES, LARGE_CONTEXTS) if large else (BATCHES, PROMPTS)
    for shape in shapes:
        if shape.prefill != prefill or shape.large != large:
            continue
        key = (shape.llm.name, shape.gpus)
        if key not in tables:
            latency = predicted(hardware, shape.llm, shape.gpus, precision, grid)
            tables[key] = latency.prefill if prefill else latency.decode_step
        sizes = (len(batches), len(prompts))
        stage = tables[key].at(Place(sizes, (batches.index(shape.batch), prompts.index(shape.tokens))))
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
    """Errors of one card: of all judged models, each against the kernels of its own framework, and by framework."""
    hardware, system = hardware_of(card), SYSTEMS[card]
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
    result["frameworks"] = {}
    for engine in system.engines:
        own = [shape for shape in judged if shape.gpus == 1 and system.engine_of(shape.llm) == engine]
        numbers = chosen(hardware.efficiency, is_multi_head(own[0].llm))
        result["frameworks"][numbers.framework] = {
            "judged_models": [name for name in JUDGED if any(shape.llm.name == name for shape in own)],
            "ttft": errors(pairs_of(hardware, own, prefill=True)),
            "tpot": errors(pairs_of(hardware, own, prefill=False)),
            "tpot_large": errors(pairs_of(hardware, own, prefill=False, large=True)),
            **attention_errors(hardware, numbers, own),
            "decode_attention_large": attention_errors(hardware, numbers, [one for one in own if one.large])[
                "decode_attention"
            ],
        }
    result["points"] = {
        name: _as_text(_thinned(pairs_of(hardware, judged, prefill=prefill)))
        for name, prefill in (("ttft", True), ("tpot", False))
    }
    return result


def engine_spread(card: str, judged: list[Shape]) -> dict[str, float]:
    """How far the package's other engines are from those that stand for the models with grouped queries: no prediction
    can be surer than that."""
    system = SYSTEMS[card]
    grouped = [name for name in JUDGED if not is_multi_head(llm_catalog()[name])]
    spread: dict[str, float] = {}
    own = {_key(shape): sum(shape.seconds.values()) for shape in judged if shape.gpus == 1 and not shape.large}
    for engine in ("vllm", "sglang", "trtllm"):
        if engine == system.grouped or system.name == "b60":
            continue
        others = ask(card, grouped, engine=engine, gpus=(1,))
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
    if options.fit:
        write_efficiencies({card: fit_card(card) for card in SYSTEMS})
    cards = {}
    for card in SYSTEMS:
        judged = ask(card, JUDGED)
        cards[card] = judge(card, ask(card, FITTED), judged, ask_fp8(card, JUDGED))
        cards[card]["engines_apart"] = engine_spread(card, judged)
        for framework, found in cards[card]["frameworks"].items():
            say(f"{card}, {framework}: " + ", ".join(f"{x} {found[x]['median_error']:.1%}" for x in JUDGEMENTS))
    high = [
        f"{card} ({framework}) {name} {own[name]['median_error']:.1%}"
        for card, content in cards.items()
        for framework, own in content["frameworks"].items()
        for name in JUDGEMENTS
        if own[name]["median_error"] > LIMIT
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
