"""What a table of few rows gives a calibration: quiet shapes of `verify_device.py`, predicted without and with it.

    python benchmarks/few_rows.py             fits, with the table that was recorded
    python benchmarks/few_rows.py --measure   measures the table first, on this device: some seconds, on an idle machine

The stage times are the medians that benchmarks/results/verify_cpu.json holds; shapes that were disturbed are left out.
Each is predicted by profiles fitted to all other shapes, and to those of the other language models only.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import Any

import numpy as np
from environment import RESULTS, environment, write_result

from planner.bench.calibrate import calibrate
from planner.bench.calibration.result import Calibration, ShapeTimes
from planner.bench.measurement import Ceilings, Energy, Measurement, MemoryUse, Method, ModelFacts
from planner.bench.samples import Samples
from planner.hardware import Hardware
from planner.hardware.few_rows import FewRows

SAMPLES = RESULTS / "verify_cpu.json"
NAME = "few_rows"
QUANTITIES = ("encoder", "compressor", "query_pass", "prefill", "decode_step", "ttft", "tpot")
JUDGED = ("left_out", "left_out_llm")


def as_measurement(one: ShapeTimes, hardware: Hardware, facts: dict[str, Any], table: FewRows | None) -> Measurement:
    """A recorded shape as the measurement that it was, with the median in place of its samples."""
    rate, bandwidth = next(iter(hardware.flops_per_s.values())), hardware.bandwidth_bytes_per_s
    return Measurement(
        model=ModelFacts(
            one.llm,
            one.visual_tokens,
            one.vision,
            one.compressor,
            one.prompt_order,
            facts["precision"],
            one.params,
            one.tensor_parallel,
        ),
        workload=one.workload,
        batch=one.batch,
        mode=facts["mode"],
        samples={name: Samples((seconds,)) for name, seconds in one.measured_s.items()},
        flops={},
        memory=MemoryUse(0, 0, 0, 0, one.workload.generated_tokens),
        energy=Energy(None, False),
        ceilings=Ceilings(rate, bandwidth, bandwidth, table),
        method=Method(),
        environment=facts,
    )


def errors(found: Calibration) -> dict[str, Any]:
    """Median sizes of the errors of what the fit did not see, by quantity."""
    return {
        quantity: {
            name: {key: round(value, 4) for key, value in asdict(one).items()}
            for name in JUDGED
            if (one := found.errors(name, quantity))
        }
        for quantity in QUANTITIES
    }


def by_batch(found: Calibration) -> dict[str, dict[str, float]]:
    """Median errors of the TPOT with their sign, by batch: what no median over all shapes shows."""
    batches = sorted({one.batch for one in found.shapes})
    return {
        name: {
            str(batch): round(
                float(np.median([one.error(name, "tpot") for one in found.shapes if one.batch == batch])), 4
            )
            for batch in batches
        }
        for name in JUDGED
    }


def parameters(found: Calibration) -> dict[str, Any]:
    return {one.name: {key: value for key, value in asdict(one).items() if key != "name"} for one in found.parameters}


def measured_table() -> dict[str, Any]:
    import torch

    from planner.bench.few_rows import LAYERS, measure_few_rows

    device = torch.device("cpu")
    found = [measure_few_rows(device, torch.float32) for _ in range(3)]
    middle = np.median([one.times for one in found], axis=0)
    return {
        "rows": list(found[0].rows),
        "times": [round(float(one), 4) for one in middle],
        "each_of_three": [[round(one, 4) for one in table.times] for table in found],
        "layer": LAYERS["cpu"],
        "precision": "fp32",
        "threads": torch.get_num_threads(),
        "environment": environment(("torch", "numpy")),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--measure", action="store_true", help="measure the table anew")
    options = parser.parse_args()
    own = RESULTS / f"{NAME}.json"
    table = measured_table() if options.measure else json.loads(own.read_text(encoding="utf-8"))["table"]
    recorded = json.loads(SAMPLES.read_text(encoding="utf-8"))["record"]
    before = Calibration.from_dict(recorded, "the recorded calibration")
    facts = dict(before.environment)
    quiet = [one for one in before.shapes if one.stable]
    few = FewRows(tuple(table["rows"]), tuple(table["times"]))
    result: dict[str, Any] = {
        "environment": environment(("numpy", "scipy")),
        "samples": {"file": SAMPLES.name, "shapes": len(quiet), "measured_at": facts["measured_at"]},
        "table": table,
    }
    for name, rows in (("without_the_table", None), ("with_the_table", few)):
        found = calibrate([as_measurement(one, before.start, facts, rows) for one in quiet], before.start)
        result[name] = {
            "errors": errors(found),
            "tpot_by_batch": by_batch(found),
            "noise": round(found.noise, 4),
            "parameters": parameters(found),
            "trends": [asdict(one) for one in found.trends],
            "notes": list(found.notes),
        }
    write_result(NAME, result)


if __name__ == "__main__":
    main()
