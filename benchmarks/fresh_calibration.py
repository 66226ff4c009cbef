"""A calibration with the default shapes on this device: how near it comes to what it did not see, batch by batch.

    python benchmarks/fresh_calibration.py KEPT     fits what `vlm-planner calibrate --keep KEPT` measured

Measure first, on an idle machine: 20 to 30 minutes on two cores. Measurements that the program calls unstable are
used all the same, each by its own noise, and counted: they say how quiet the machine was.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

import numpy as np
from environment import environment, write_result

from planner.bench.calibrate import calibrate
from planner.bench.calibration.result import Calibration
from planner.bench.calibration.take import read_folder
from planner.bench.crosschecks import crosschecked

NAME = "fresh_calibration"
QUANTITIES = ("encoder", "compressor", "query_pass", "prefill", "decode_step", "ttft", "tpot")
JUDGED = ("left_out", "left_out_llm")
PARTS = ("decode_step", "tpot")


def by_batch(found: Calibration) -> dict[str, Any]:
    """Median sizes of the errors by batch with nothing cached, and by the tokens that were cached."""
    told: dict[str, Any] = {}
    for name in JUDGED:
        for quantity in PARTS:
            cells: dict[str, list[float]] = {}
            for one in found.shapes:
                cached = one.workload.cached_tokens
                key = f"{cached} cached tokens" if cached else f"batch {one.batch}"
                if (error := one.error(name, quantity)) is not None:
                    cells.setdefault(key, []).append(error)
            medians = {key: round(float(np.median(np.abs(errors))), 4) for key, errors in sorted(cells.items())}
            told.setdefault(name, {})[quantity] = medians
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("kept", help="folder of measurements, as calibrate --keep writes it")
    taken = read_folder(parser.parse_args().kept)
    unstable = [one for one in crosschecked(taken) if not one.stable]
    found = calibrate(taken, allow_unstable=True)
    write_result(
        NAME,
        {
            "environment": environment(("torch", "transformers", "numpy")),
            "shapes": [
                {
                    "llm": one.llm,
                    "visual_tokens": one.visual_tokens,
                    "batch": one.batch,
                    "cached_tokens": one.workload.cached_tokens,
                    "stable": one.stable,
                    "measured_s": {name: round(seconds, 6) for name, seconds in one.measured_s.items()},
                    "left_out_s": {name: round(seconds, 6) for name, seconds in one.predicted_s["left_out"].items()},
                }
                for one in found.shapes
            ],
            "unstable": {"measurements": len(unstable), "of": len(taken)},
            "advice": sorted({text.partition(" (")[0] for one in unstable for text in one.advice}),
            "errors": {
                quantity: {
                    name: {key: round(value, 4) for key, value in asdict(one).items()}
                    for name in JUDGED
                    if (one := found.errors(name, quantity))
                }
                for quantity in QUANTITIES
            },
            "median_errors_by_shape": by_batch(found),
            "noise": round(found.noise, 4),
            "trends": [asdict(one) for one in found.trends],
            "notes": list(found.notes),
        },
    )


if __name__ == "__main__":
    main()
