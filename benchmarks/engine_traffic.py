"""Does the traffic model predict a real engine? vLLM on the processor of this machine, under load.

    python benchmarks/engine_traffic.py               # calibrate to half of the recorded points, predict the others
    python benchmarks/engine_traffic.py --plot        # only draw docs/pictures/engine-traffic.png

`engine_serving.py` sets up vLLM, serves SmolLM2-135M, alone and with a vision tower and TokenPacker as `vlm-planner
build` saves it (through vLLM's backend for models of transformers), and runs `vllm bench serve`: Poisson arrivals,
requests of one size a point, the load generator on a core of its own. `engine_record.py` keeps the results. Which half
calibrates was settled before; v49-2 and v49-3 were measured twice, as something else ran on the load generator's core.

The calibration is that of `vlm-planner calibrate --from` with the files of that half, from the peaks of this processor.
Points of the other half are predicted by events, twice: from the rate, as a plan does ("rate": 8 drawn runs of as many
requests as were sent), and with the requests at the times at which they were sent ("replayed"), which leaves out what
chance does to the arrivals of a short run. Saturation is the rate at which requests are answered when all seats are
always taken. Bars for the medians over predicted points below .8 of it: throughput 15 %, TTFT and TPOT (p50, p95) 25 %.
"swapped": the halves in each other's place.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from engine_record import as_file, read_record, write_record
from engine_serving import LLM, TOWER, VISUAL_TOKENS
from environment import say

from planner.bench.calibration.engine import calibrate_engine
from planner.bench.calibration.engine_models import Parts
from planner.bench.calibration.engine_points import NUMBERS, points_of
from planner.bench.calibration.engine_points import Point as Predicted
from planner.bench.calibration.engine_replay import replay
from planner.bench.loadtests import LoadTest, read_load_tests
from planner.configuration import Model
from planner.hardware import Hardware
from planner.traffic.arrivals import Closed
from planner.traffic.events import simulate

PICTURE = Path(__file__).parents[1] / "docs" / "pictures" / "engine-traffic.png"
BELOW = 0.8
"""Of saturation."""
BARS = {"throughput": 0.15, "ttft_p50": 0.25, "ttft_p95": 0.25, "tpot_p50": 0.25, "tpot_p95": 0.25}
TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)
SEATS_FULL = 2000
"""Requests of the simulation in which all seats are taken."""


# ---- calibration and prediction ------------------------------------------------------------------------------------


def models() -> dict[str, Model]:
    """What runs behind the served names."""
    return {
        name: Model.of(LLM, tokens, vision=TOWER, compressor="tokenpacker") for name, tokens in VISUAL_TOKENS.items()
    }


def files_of(points: Iterable[dict[str, Any]], folder: Path, *, detailed: bool = True) -> list[Path]:
    """Written anew, as a user has them."""
    found = []
    for point in points:
        found.append(folder / f"{point['name']}.json")
        found[-1].write_text(json.dumps(as_file(point, detailed=detailed)), encoding="utf-8")
    return found


def tests_of(points: Iterable[dict[str, Any]], *, detailed: bool) -> tuple[LoadTest, ...]:
    """Recorded points as load tests."""
    with tempfile.TemporaryDirectory() as folder:
        return read_load_tests(files_of(points, Path(folder), detailed=detailed)).tests


def calibrated(points: Iterable[dict[str, Any]], start: Hardware) -> Any:
    """The profile that `calibrate --from` makes of points."""
    chosen = list(points)
    served = {one["served"] for one in chosen}
    with tempfile.TemporaryDirectory() as folder:
        return calibrate_engine(
            files_of(chosen, Path(folder)),
            start,
            models={name: model for name, model in models().items() if name in served},
        )


def predictions(points: list[dict[str, Any]], card: Hardware) -> dict[str, np.ndarray]:
    """(points, NUMBERS) by kind of prediction."""
    found = {}
    for kind, detailed in (("rate", False), ("replayed", True)):
        tests = tests_of(points, detailed=detailed)
        found[kind] = replay(points_of(tests, models(), card, Parts()), card).numbers
    return found


def saturation_per_second(point: Predicted, card: Hardware) -> float:
    """The rate at which requests are answered when all seats are always taken."""
    service = point.service(card)
    full = Closed(point.scheduler.max_num_seqs)
    return simulate(service.replica, service.requests, full, count=SEATS_FULL).requests_per_second


def judge(recorded: dict[str, Any], *, swapped: bool = False) -> dict[str, Any]:
    """Calibrate on the one half, predict all, and compare the other half."""
    points = [one | {"calibrates": one["calibrates"] is not swapped} for one in recorded["points"]]
    start = Hardware.from_dict(recorded["start"])
    calibration = calibrated([one for one in points if one["calibrates"]], start)
    card = calibration.hardware
    found = predictions(points, card)
    described = points_of(tests_of(points, detailed=False), models(), card, Parts())
    rows = []
    for place, (point, what) in enumerate(zip(points, described, strict=True)):
        saturation = saturation_per_second(what, card)
        row: dict[str, Any] = {
            "name": point["name"],
            "calibrates": point["calibrates"],
            "saturation_per_second": _round(saturation),
            "load": _round(point["requests_per_second"] / saturation),
            "measured": {name: _round(what.measured[name]) for name in BARS},
        }
        for kind, numbers in found.items():
            values = dict(zip(NUMBERS, numbers[place].tolist(), strict=True))
            row[kind] = {name: _round(values[name]) for name in BARS}
        rows.append(row)
    return {
        "profile": card.to_dict(),
        "parameters": [asdict(one) for one in calibration.parameters],
        "notes": list(calibration.notes),
        "points": rows,
        "median_errors": {kind: medians(rows, kind) for kind in found},
    }


def medians(rows: list[dict[str, Any]], kind: str, *, calibrates: bool = False) -> dict[str, float]:
    """Median relative errors of predicted points below `BELOW` of saturation, by number; of how many: "points"."""
    chosen = [row for row in rows if row["calibrates"] is calibrates and row["load"] < BELOW]
    errors = {name: [abs(row[kind][name] / row["measured"][name] - 1) for row in chosen] for name in BARS}
    return {"points": len(chosen)} | {name: _round(float(np.median(values))) for name, values in errors.items()}


def _round(value: float) -> float:
    return float(f"{value:.4g}")


# ---- what is shown -------------------------------------------------------------------------------------------------


def table(recorded: dict[str, Any]) -> str:
    """All points, in Markdown: measured, and predicted from the rate."""
    lines = [
        "| point | V | prompt | G | requests/s | load | throughput | TTFT p50 | TTFT p95 | TPOT p50 | TPOT p95 |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for point, row in zip(recorded["points"], recorded["prediction"]["points"], strict=True):
        head = [f"{point['name']}{' (calibrates)' if row['calibrates'] else ''}", point["visual_tokens"]]
        head += [round(point["prompt_tokens"]), point["generated_tokens"], point["requests_per_second"]]
        saturated = row["load"] >= BELOW
        cells = [f"{row['measured']['throughput']:.3g} / {row['rate']['throughput']:.3g}"]
        for name in list(BARS)[1:]:
            measured = f"{row['measured'][name] * 1e3:.0f}"
            cells.append(measured if saturated else f"{measured} / {row['rate'][name] * 1e3:.0f}")
        lines.append("| " + " | ".join(map(str, [*head, f"{row['load']:.2f}", *cells])) + " |")
    return "\n".join(lines)


def draw(recorded: dict[str, Any]) -> None:
    """Predicted against measured, log-log: throughput, TTFT and TPOT."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.lines import Line2D
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    rows = recorded["prediction"]["points"]
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.9))
    panels = (
        ("throughput, requests/s", {"throughput": "o"}, 1.0, 0.15),
        ("time to first token, ms", {"ttft_p50": "o", "ttft_p95": "^"}, 1e3, 0.25),
        ("time per output token, ms", {"tpot_p50": "o", "tpot_p95": "^"}, 1e3, 0.25),
    )
    for axis, (title, numbers, unit, bar) in zip(axes, panels, strict=True):
        shown = []
        for row in rows:
            colour = "#d55e00" if row["load"] >= BELOW else "#0072b2"
            for name, marker in numbers.items():
                if row["load"] >= BELOW and name != "throughput":
                    continue
                x, y = unit * row["measured"][name], unit * row["rate"][name]
                shown += [x, y]
                face = "none" if row["calibrates"] else colour
                axis.plot(x, y, marker, color=colour, markerfacecolor=face, markersize=5, alpha=0.85)
        ends = (min(shown) / 1.3, max(shown) * 1.3)
        axis.plot(ends, ends, color="0.4", linewidth=0.8)
        axis.fill_between(ends, [(1 - bar) * x for x in ends], [(1 + bar) * x for x in ends], color="0.9", linewidth=0)
        axis.set(xscale="log", yscale="log", xlim=ends, ylim=ends, xlabel="measured", title=title)
        ticks = [tick for tick in TICKS if ends[0] <= tick <= ends[1]]
        for side in (axis.xaxis, axis.yaxis):
            side.set_major_locator(FixedLocator(ticks))
            side.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            side.set_minor_locator(NullLocator())
        axis.title.set_fontsize(10)
    axes[0].set_ylabel("predicted from the rate")
    marks = [
        Line2D([], [], color="#0072b2", marker="o", linestyle="", label="predicted (throughput, median)"),
        Line2D([], [], color="#0072b2", marker="^", linestyle="", label="predicted, p95"),
        Line2D([], [], color="#0072b2", marker="o", markerfacecolor="none", linestyle="", label="calibrated on"),
        Line2D([], [], color="#d55e00", marker="o", linestyle="", label=f"above {BELOW:g} of saturation"),
    ]
    figure.legend(handles=marks, loc="lower center", ncols=4, frameon=False, fontsize=9)
    figure.suptitle("vLLM 0.32 on one CPU core, SmolLM2-135M alone and with images; grey: within the bars", fontsize=11)
    figure.tight_layout(rect=(0, 0.07, 1, 1))
    figure.savefig(PICTURE, dpi=110)
    plt.close(figure)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--plot", action="store_true", help="only draw the picture from the recorded results")
    given = asked.parse_args()
    recorded = read_record()
    if not given.plot:
        recorded["prediction"] = judge(recorded)
        recorded["swapped"] = {"median_errors": judge(recorded, swapped=True)["median_errors"]}
        write_record(recorded)
        print(table(recorded))
        say(json.dumps(recorded["prediction"]["median_errors"], indent=1))
    draw(recorded)


if __name__ == "__main__":
    main()
