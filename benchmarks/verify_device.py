"""Predicted against measured on this device: the shapes of a calibration, the ceilings, slices against the whole.

    python benchmarks/verify_device.py                  a GPU where there is one, else the CPU; keeps what it measures
    python benchmarks/verify_device.py --keep FOLDER    in a folder of one's own: a run that was ended goes on
    python benchmarks/verify_device.py --plot           only draw the picture from the recorded results

Shapes: three language models with random weights, visual tokens from one to all patches, batches up to 32 (4 on a CPU).
FLOPs, bytes of weights and KV cache must be those predicted, to the last one; peak memory within 5 % or 300 MB. Times
are predicted four ways: by the bare roofline, by the profile before calibration, by the profile fitted to all other
shapes, and by the one fitted to the other language models only. Then the decode step at batch 1 with a static cache and
compiled, as a share of the measured copy bandwidth, a full batch's prefill as a share of the measured matrix rate, and
the largest model by slices against the same model whole.

On a CPU about 20 minutes, on an idle machine only: samples that waited for a core are marked, and counted below.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from environment import RESULTS, environment, say, write_result

from planner.bench.calibrate import calibrate
from planner.bench.calibration.result import PREDICTIONS, Calibration
from planner.bench.calibration.take import measure_device
from planner.bench.expected import Expected
from planner.bench.measure import measure
from planner.bench.measurement import Measurement
from planner.bench.samples import merged_advice
from planner.bench.slices import measure_by_slices
from planner.bench.verify import judge
from planner.costs.stages import Workload
from planner.parts.catalog import find_llms
from planner.vlm.build import build_recipe, read_device
from planner.vlm.recipe import make_recipe

PICTURES = Path(__file__).parent.parent / "docs" / "pictures"
QUANTITIES = ("encoder", "compressor", "query_pass", "prefill", "decode_step", "ttft", "tpot")


@dataclass(frozen=True)
class Setting:
    """What is run on one kind of device."""

    llms: tuple[str, ...]
    vision: str
    visual_tokens: tuple[int, ...]
    batches: tuple[int, ...]
    workload: Workload
    precision: str
    fast_modes: tuple[str, ...]
    """Modes of the decode step at batch 1."""
    full_batch: int
    """Of the prefill that should fill the device."""
    seconds: float


GPU = Setting(
    llms=("Qwen2.5-0.5B", "Qwen2.5-1.5B", "Qwen2.5-7B"),
    vision="CLIP-ViT-L/14-336",
    visual_tokens=(1, 16, 144, 576),
    batches=(1, 8, 32),
    workload=Workload(query_tokens=50, generated_tokens=16),
    precision="bf16",
    fast_modes=("static", "compile"),
    full_batch=32,
    seconds=0.5,
)
CPU = Setting(
    llms=("SmolLM2-135M", "SmolLM2-360M", "Qwen2.5-0.5B"),
    vision="CLIP-ViT-B/16-224",
    visual_tokens=(1, 4, 49, 196),
    batches=(1, 4),
    workload=Workload(query_tokens=50, generated_tokens=6),
    precision="fp32",
    fast_modes=("static",),
    full_batch=4,
    seconds=0.8,
)


def counts(measurements: tuple[Measurement, ...], setting: Setting) -> dict[str, Any]:
    """Shapes whose counted numbers are those predicted, and how far peak memory is off."""
    exact: dict[str, int] = {}
    peaks, within = [], 0
    for one in measurements:
        recipe = make_recipe(llm=one.model.llm, visual_tokens=one.model.visual_tokens, vision=setting.vision)
        verdict = judge(Expected(recipe, one.workload, one.batch, setting.precision, 1, None), one)
        for check in verdict.checks:
            if check.tolerance == 0.0:
                exact[check.name] = exact.get(check.name, 0) + bool(check.passed)
        peak = verdict.check("peak_memory_bytes")
        within += bool(peak.passed)
        peaks.append(abs(peak.error or 0.0))
    peaks.sort()
    return {
        "shapes": len(measurements),
        "equal": exact,
        "peak_memory_within_5_percent_or_300_mb": within,
        "peak_memory_median_error": round(peaks[len(peaks) // 2], 4),
        "peak_memory_largest_error": round(peaks[-1], 4),
    }


def times(found: Calibration) -> dict[str, Any]:
    """Median errors by quantity and way to predict."""
    table: dict[str, Any] = {}
    for quantity in QUANTITIES:
        row = {name: found.errors(name, quantity) for name in PREDICTIONS}
        table[quantity] = {
            name: {key: round(value, 4) for key, value in asdict(errors).items()}
            for name, errors in row.items()
            if errors
        }
    return table


def fast_decode(setting: Setting, device: torch.device) -> list[dict[str, Any]]:
    """The decode step of the largest model at batch 1."""
    recipe = make_recipe(llm=setting.llms[-1], visual_tokens=setting.visual_tokens[1], vision=setting.vision)
    rows = []
    for mode in ("eager", *setting.fast_modes):
        model = build_recipe(recipe, {}, dtype=setting.precision, device=device)
        one = measure(model, recipe, setting.workload, mode=mode, seconds=setting.seconds)
        rows.append(
            {
                "llm": one.model.llm,
                "mode": mode,
                "decode_step_s": one.seconds("decode_step"),
                "share_of_copy_bandwidth": _rounded(one.decode_mbu()),
                "copy_bytes_per_s": one.ceilings.copy_bytes_per_s,
                "stable": one.stable,
            }
        )
        say(f"decode, {mode}: {rows[-1]['share_of_copy_bandwidth']} of the copy bandwidth")
        del model
        gc.collect()
    return rows


def full_prefill(setting: Setting, device: torch.device) -> dict[str, Any]:
    """The prefill of a batch that should fill the device."""
    recipe = make_recipe(llm=setting.llms[-1], visual_tokens=setting.visual_tokens[-1], vision=setting.vision)
    model = build_recipe(recipe, {}, dtype=setting.precision, device=device)
    one = measure(model, recipe, setting.workload, batch=setting.full_batch, seconds=setting.seconds)
    return {
        "llm": one.model.llm,
        "batch": one.batch,
        "prompt_tokens": setting.workload.prefilled_text_tokens + one.model.visual_tokens,
        "prefill_s": one.seconds("prefill"),
        "share_of_matrix_rate": _rounded(one.mfu("prefill")),
        "matmul_flops_per_s": one.ceilings.matmul_flops_per_s,
        "stable": one.stable,
    }


def slices_against_whole(setting: Setting, device: torch.device) -> list[dict[str, Any]]:
    """The largest model whole, and from two slices of it."""
    rows = []
    for visual_tokens in (setting.visual_tokens[0], setting.visual_tokens[-1]):
        recipe = make_recipe(llm=setting.llms[-1], visual_tokens=visual_tokens, vision=setting.vision)
        model = build_recipe(recipe, {}, dtype=setting.precision, device=device)
        whole = measure(model, recipe, setting.workload, seconds=2 * setting.seconds)
        del model
        gc.collect()
        sliced = measure_by_slices(
            recipe, setting.workload, dtype=setting.precision, device=device, seconds=2 * setting.seconds
        )
        off = {
            name: _rounded((sliced.seconds(name) or 0.0) / (whole.seconds(name) or 1.0) - 1)
            for name in ("query_pass", "prefill", "decode_step", "ttft", "tpot", "request")
        }
        rows.append(
            {
                "llm": whole.model.llm,
                "visual_tokens": visual_tokens,
                "layers_measured": list(sliced.method.layers_measured),
                "layers": sliced.method.layers,
                "error": off,
                "flops_equal": dict(sliced.flops) == dict(whole.flops),
                "weights_equal": sliced.memory.weights_bytes == whole.memory.weights_bytes,
                "kv_cache_equal": sliced.memory.kv_cache_bytes == whole.memory.kv_cache_bytes,
                "stable": whole.stable and sliced.stable,
            }
        )
        say(f"slices, {visual_tokens} visual tokens: {off}")
    return rows


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def run(keep: Path) -> tuple[str, dict[str, Any], Calibration]:
    device = read_device("cuda" if torch.cuda.is_available() else "cpu")
    setting = GPU if device.type == "cuda" else CPU
    measurements, left_out = measure_device(
        find_llms(list(setting.llms)),
        visual_tokens=setting.visual_tokens,
        batches=setting.batches,
        query_tokens=setting.workload.query_tokens,
        generated_tokens=setting.workload.generated_tokens,
        vision=setting.vision,
        precision=setting.precision,
        device=device.type,
        seconds=setting.seconds,
        keep=keep,
        progress=lambda what, done, total: say(f"{what} ({done} of {total})"),
        say=say,
    )
    found = calibrate(measurements)
    facts = dict(measurements[0].environment)
    result = {
        "environment": environment(("torch", "transformers", "numpy", "scipy")),
        "device": {name: facts.get(name) for name in ("device", "driver", "cuda", "precision", "threads", "mode")},
        "gpu": facts["device"] if device.type == "cuda" else "not measured: no GPU was there",
        "setting": asdict(setting),
        "left_out": list(left_out),
        "disturbed": sum(not one.stable for one in measurements),
        "advice": list(merged_advice(text for one in measurements for text in one.advice)),
        "counts": counts(measurements, setting),
        "median_errors": times(found),
        "predictions": dict(PREDICTIONS),
        "notes": list(found.notes),
        "decode_at_batch_1": fast_decode(setting, device),
        "prefill_of_a_full_batch": full_prefill(setting, device),
        "slices_against_whole": slices_against_whole(setting, device),
        "record": found.to_dict(),
    }
    return device.type, result, found


def draw(kind: str, found: Calibration) -> None:
    from planner.tell.plots import calibration, save

    save(calibration(found), PICTURES / f"calibration-{kind}.png", overwrite=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--keep", type=Path, help="folder for measurements")
    parser.add_argument("--plot", action="store_true", help="only draw the picture from the recorded results")
    options = parser.parse_args()
    if options.plot:
        for file in sorted(RESULTS.glob("verify_*.json")):
            draw(file.stem.removeprefix("verify_"), _recorded(json.loads(file.read_text(encoding="utf-8"))))
        return
    keep = options.keep or Path(tempfile.mkdtemp(prefix="vlm-planner-measured-"))
    print(f"measurements are kept in {keep}", file=sys.stderr)
    kind, result, found = run(keep)
    write_result(f"verify_{kind}", result)
    draw(kind, found)


def _recorded(result: dict[str, Any]) -> Calibration:
    return Calibration.from_dict(result["record"], "the recorded result")


if __name__ == "__main__":
    main()
