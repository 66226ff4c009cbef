"""verify(): predicted against measured, for one configuration.

Parameters, FLOPs, and bytes of weights and KV cache must be equal; memory at the peak within 5 % or 300 MB; times
within a tolerance that depends on where the prediction comes from. A stage may miss by more where it hardly counts: by
less than 5 % of the TTFT.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import torch

from planner.base.errors import InputError
from planner.base.file_format import file_name
from planner.base.quantities import format_bytes
from planner.bench.conditions import unlike
from planner.bench.devices import recognise
from planner.bench.environment import environment
from planner.bench.expected import as_planned
from planner.bench.foreign import differences, need_own_threads, refusal
from planner.bench.measurement import EAGER, Measurement
from planner.bench.methods import AUTO
from planner.bench.place import measurable_device
from planner.bench.planned import Planned
from planner.bench.retakes import steadied
from planner.bench.samples import WITHIN
from planner.bench.time_checks import check_times
from planner.bench.verdict import Check, Verdict
from planner.costs.request import RequestCost
from planner.hardware import CPU, Hardware, find_hardware
from planner.planning.result import Plan
from planner.vlm.build import Progress
from planner.vlm.weights import RANDOM

MEMORY_TOLERANCE, MEMORY_SLACK_BYTES = 0.05, 300e6
AnyPlanned = TypeVar("AnyPlanned", bound=Any)
"""A `Planned` that is a dataclass."""


def verify(
    model: Any | None,
    plan: Plan | Mapping[str, Any] | str | Path | Planned,
    *,
    weights: str = RANDOM,
    measurement: Measurement | str | Path | None = None,
    hardware: str | Path | Hardware | None = None,
    device: str | torch.device | None = None,
    method: str = AUTO,
    mode: str = "eager",
    seconds: float = 1.0,
    within: float = WITHIN,
    retakes: int | None = None,
    tolerance: float | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Verdict:
    """Builds the pick with random weights, unless a model is given, measures it, and judges the plan's numbers.

    Args:
        model: of `build` or `build_released`, on the device where it is to be measured; None to build it here.
        plan: a plan, its dictionary or file; the pick is verified, be it of parts or a released model.
        weights: of a model that is built here: "random"; a folder that `build` wrote; of a released model also a folder
            with its safetensors, or "pretrained", from the hub.
        measurement: of just this pick, or its file, to judge in place of a new one: nothing is built, and how to
            measure (device, method, mode, seconds, seed) is not looked at.
        hardware: a profile to predict times with, in place of the plan's.
        device: where to build; a GPU where there is one.
        method: "whole", "slices", or "auto": by slices where the whole does not fit the device.
        mode: "eager", "static" or "compile"; a released model runs in the eager mode.
        seconds, within: of sampling for each stage, as `measure` takes them.
        retakes: of an unstable measurement, two by default; the steadiest take is judged.
        tolerance: relative, of TTFT, TPOT and the request's time; by default 15 % for a calibrated profile, or twice
            its own median error where that is more, up to 30 %: beyond that nothing is judged; 50 % for others.
        seed: of weights and inputs.
        progress: told what is done.

    Raises:
        InputError: a plan that cannot be built or measured here, a measurement of something else than its pick, a
            profile of this processor that was calibrated with another number of threads; in one sentence.
    """
    wanted = plan if isinstance(plan, Planned) else as_planned(plan, hardware=hardware)
    if measurement is not None:
        if model is not None or weights != RANDOM:
            raise InputError("measurement: it was made of its own model; leave out model and weights")
        return judge(wanted, measured_of(wanted, measurement), tolerance=tolerance)
    need_own_threads(wanted.hardware, environment(measurable_device(device), wanted.precision, mode))
    wanted.check(method, mode)
    if weights != RANDOM:
        if model is not None:
            raise InputError("weights: a model is given, which has its own; leave out one of them")
        model = wanted.load(weights, device)
    options: dict[str, Any] = {"device": device, "method": method, "mode": mode, "seconds": seconds, "within": within}
    options["seed"] = seed
    found = steadied(lambda: wanted.measured(model, progress=progress, **options), retakes)
    return judge(wanted, found, tolerance=tolerance)


def measured_of(wanted: Planned, measurement: Measurement | str | Path) -> Measurement:
    """A measurement, or that of a file, if it is of what was planned. Raises InputError for one of something else."""
    found = measurement if isinstance(measurement, Measurement) else Measurement.load(measurement)
    unlike = differences(found, wanted.model, wanted.workload, wanted.run)
    if unlike:
        origin = "the measurement" if isinstance(measurement, Measurement) else file_name(measurement)
        raise refusal(origin, unlike, "measure the pick itself: leave out measurement")
    return found


def judge(wanted: Planned, measurement: Measurement, *, tolerance: float | None = None) -> Verdict:
    """A measurement beside what was expected.

    Args:
        wanted: the configuration as it was planned.
        measurement: of a model that should be that one.
        tolerance: of TTFT, TPOT and the request's time, relative.
    """
    found = measurement.with_ttft()
    static = measurement.mode != EAGER and measurement.of_its_mode
    cost = wanted.cost()
    checks = (
        *_identity(wanted, found),
        *_counts(wanted, found, cost),
        *_bytes(wanted, found, static),
        *check_times(wanted, found, cost, tolerance),
        _energy(found, cost),
    )
    card = wanted.hardware
    told = None
    if card is not None:
        source = "roofline" if card.efficiency.source == "default" else card.efficiency.source
        told = {"name": card.name, "title": card.title, "source": source, "origin": card.efficiency.origin}
        if otherwise := unlike(card.conditions, found.environment):
            told["unlike"] = otherwise
    return Verdict(checks, found, told, _utilisation(wanted, found), wanted.plan_sha256)


def _utilisation(wanted: Planned, found: Measurement) -> dict[str, float]:
    """MFU of the prefill and MBU of the decode step, against the profile's peaks and the measured ceilings."""
    shares = {"prefill_mfu_measured": found.mfu("prefill"), "decode_mbu_measured": found.decode_mbu()}
    card = wanted.hardware
    if card is not None and found.model.precision in card.flops_per_s:
        shares["prefill_mfu"] = found.mfu("prefill", card.rate(found.model.precision))
    if card is not None:
        shares["decode_mbu"] = found.decode_mbu(card.bandwidth_bytes_per_s)
    return {name: share for name, share in shares.items() if share is not None}


def _identity(wanted: Planned, found: Measurement) -> Iterator[Check]:
    """Whether the model and the device are those of the plan; a check for each that is not."""
    for one in differences(found, wanted.model, wanted.workload, wanted.run):
        word = "planned for" if one.name == "hardware" else "planned"
        note = f"{word} {one.planned}, measured {'on ' if one.name == 'hardware' else ''}{one.measured}"
        yield Check(one.name, one.title, "", None, None, None, False, note)
    for text in wanted.stale:
        yield Check("plan", "the plan's numbers", "", None, None, None, False, text)


def _counts(wanted: Planned, found: Measurement, cost: RequestCost) -> Iterator[Check]:
    """Parameters and FLOPs: equal, or wrong."""
    yield _equal("params", "parameters", "parameters", wanted.params, found.model.params)
    for stage in ("encoder", "compressor", "query_pass", "prefill", "decode"):
        predicted, counted = float(getattr(cost.flops, stage)), found.flops.get(stage, 0)
        if predicted or counted:
            yield _equal(f"flops_{stage}", f"FLOPs of {stage.replace('_', ' ')}", "FLOPs", predicted, counted)


def _bytes(wanted: Planned, found: Measurement, static: bool) -> Iterator[Check]:
    """Weights and cache: equal, or wrong; the peak nearly so. A static cache has room for the whole answer."""
    memory, kept = found.memory, wanted.workload.generated_tokens if static else 0
    kept_note = "room for the whole answer" if static else "after the prefill"
    predicted = {
        "weights_bytes": ("weights", float(wanted.memory(0).weights), memory.weights_bytes, ""),
        "kv_cache_bytes": ("KV cache", float(wanted.memory(kept).kv_cache), memory.kv_cache_bytes, kept_note),
    }
    for name, (title, planned, held, note) in predicted.items():
        if wanted.tensor_parallel == 1:
            yield _equal(name, title, "bytes", planned, held, note)
        else:  # norms and biases stand on every device: equal shares are not exact
            within = abs(planned - held) <= MEMORY_TOLERANCE * held
            yield Check(name, title, "bytes", planned, float(held), MEMORY_TOLERANCE, within, "on the first device")
    expected_memory = wanted.memory(memory.generated_tokens)
    peak = float(expected_memory.peak) - float(expected_memory.reserve)
    off = abs(peak - memory.peak_bytes)
    slack = max(MEMORY_TOLERANCE * memory.peak_bytes, MEMORY_SLACK_BYTES)
    note = f"tensors of a request of {memory.generated_tokens} tokens; or within {format_bytes(MEMORY_SLACK_BYTES)}"
    yield Check(
        "peak_memory_bytes",
        "peak memory",
        "bytes",
        peak,
        float(memory.peak_bytes),
        MEMORY_TOLERANCE,
        off <= slack,
        note,
    )
    if memory.driver_bytes is not None:
        note = "as the driver reports it, context and other programs included"
        measured = float(memory.driver_bytes)
        yield Check("driver_bytes", "memory in use", "bytes", float(expected_memory.peak), measured, None, None, note)


def _energy(found: Measurement, cost: RequestCost) -> Check:
    energy, card = found.energy, cost.hardware
    predicted = None
    if card is not None and card.power_w is not None and cost.latency is not None:
        predicted = card.power_w * cost.tensor_parallel / float(cost.latency.throughput_requests_per_s)
    note = energy.note if energy.valid or energy.joules is None else f"not reliable: {energy.note}"
    return Check("energy_joules", "energy of a request", "joules", predicted, energy.joules, None, None, note)


def _equal(name: str, title: str, unit: str, predicted: float, measured: float, note: str = "") -> Check:
    return Check(name, title, unit, float(predicted), float(measured), 0.0, float(predicted) == float(measured), note)


def with_device_profile(wanted: AnyPlanned, device: str | torch.device | None = None) -> AnyPlanned:
    """The same, with times predicted for this device where the plan names no hardware."""
    if wanted.hardware is not None or wanted.tensor_parallel > 1:
        return wanted
    place = measurable_device(device)
    if place.type != "cuda":
        return replace(wanted, hardware=find_hardware(CPU))
    properties = torch.cuda.get_device_properties(place)
    facts = {"device": properties.name, "device_type": "cuda", "device_memory_bytes": properties.total_memory}
    return replace(wanted, hardware=recognise(facts))
