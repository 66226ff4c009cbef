"""Measurements of one device -> a hardware profile whose predictions fit it, with what that is worth.

The profile's efficiencies are fitted (`calibration.fit`); each shape is also predicted by fits that did not see it, or
did not see any shape of its language model.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from planner.base.errors import InputError, MeasurementError
from planner.base.quantities import format_percent
from planner.bench.calibration.fit import Fit, fit, without
from planner.bench.calibration.parameters import OF_BANDWIDTH, OF_COMPUTE, OVERLAP
from planner.bench.calibration.pool import Pool, circumstances, pool
from planner.bench.calibration.result import Calibration, Parameter, ShapeTimes
from planner.bench.calibration.start import start_of
from planner.bench.crosschecks import crosschecked
from planner.bench.measurement import Measurement
from planner.costs.latency import LATENCY_STAGES
from planner.hardware import Hardware
from planner.parts.llms import Llm
from planner.parts.released import Checkpoint, find_checkpoint
from planner.parts.towers import Tower

FloatArray = NDArray[np.float64]

FEWEST_SHAPES = 2
ENOUGH_SHAPES = 8
"""Fewer are fitted, with a warning."""
UNSTABLE_LIMIT = 0.5
"""Of the measurements, which may be unstable: with more of them nothing says which are right."""


def calibrate(
    measurements: Iterable[Measurement],
    hardware: Hardware | str | None = None,
    *,
    llms: Iterable[Llm] = (),
    towers: Iterable[Tower] = (),
    models: Iterable[str | os.PathLike[str] | Checkpoint] = (),
    allow_unstable: bool = False,
) -> Calibration:
    """Fit a hardware profile.

    Args:
        measurements: of one environment; different sizes, visual tokens and batches tell the parameters apart.
        hardware: what to start from: a card by name, or a profile; by default the catalogue's card of the device's
            name, else the ceilings that were measured.
        llms: language models that are not in the catalogue.
        towers: vision towers that are not in the catalogue.
        models: released models, as folders, that are no longer where they were when they were measured.

        allow_unstable: fit even where more than half of the measurements are unstable.

    Raises:
        InputError: measurements of different environments, of models that are not known, or of fewer than two shapes.
        MeasurementError: more than half of them are unstable.
    """
    taken = pool(crosschecked(measurements), llms, towers, map(find_checkpoint, models))
    if not allow_unstable:
        _refuse_unstable(taken)
    if taken.shapes < FEWEST_SHAPES:
        raise InputError(
            f"expected measurements of at least {FEWEST_SHAPES} shapes, got {taken.shapes}: measure more "
            "visual tokens, batches or language models"
        )
    start = start_of(taken, hardware)
    found = fit(taken, start)
    scale = found.scale
    by_llm = _without_llms(taken, found)
    seconds: dict[str, FloatArray] = {
        "roofline": taken.roofline(start),
        "before": taken.predict(start),
        "fitted": taken.predict(scale.hardware(found.logs)),
        "left_out": _each(
            taken, found, {shape: found.left_out[shape] for shape in range(taken.shapes)}, taken.shape_of
        ),
    }
    if by_llm:
        names = np.array([one.model.llm for one in taken.measurements])
        seconds["left_out_llm"] = _each(taken, found, by_llm, names)
    shapes = _shapes(taken, seconds)
    profile, notes = scale.profile(found.logs, _origin(taken, shapes))
    judged = _judged(shapes)
    reached = replace(profile.efficiency, ttft_error=judged.get("ttft_error"), tpot_error=judged.get("tpot_error"))
    conditions = {name: value for name, value in circumstances(taken.measurements[0]).items() if value is not None}
    profile = replace(profile, efficiency=reached, conditions=conditions)
    return Calibration(
        hardware=profile,
        start=start,
        parameters=_parameters(found, profile),
        shapes=shapes,
        noise=found.noise,
        environment=taken.environment,
        notes=(*notes, *_warnings(taken, found)),
        trends=found.trends,
    )


def _refuse_unstable(taken: Pool) -> None:
    unstable = [one for one in taken.measurements if not one.stable]
    if len(unstable) > UNSTABLE_LIMIT * len(taken.measurements):
        raise MeasurementError(
            f"{len(unstable)} of {len(taken.measurements)} measurements are unstable, such as: "
            f"{unstable[0].advice[0]}; measure again on an idle machine, or say allow_unstable=True"
        )


def _without_llms(taken: Pool, found: Fit) -> dict[str, FloatArray]:
    """Optimum without each language model; nothing where there is only one."""
    names = np.array([one.model.llm for one in taken.measurements])
    several = sorted(set(names.tolist()))
    if len(several) < 2:
        return {}
    return {name: without(taken, found.scale, found.noise, found.logs, names == name) for name in several}


def _each(
    taken: Pool, found: Fit, logs: Mapping[int, FloatArray] | Mapping[str, FloatArray], of: NDArray[np.generic]
) -> FloatArray:
    """Every measurement predicted by the optimum that did not see its shape, or its language model."""
    seconds = np.zeros(taken.measured.shape)
    for key, optimum in logs.items():
        own = of == key
        seconds[own] = taken.predict(found.scale.hardware(optimum))[own]
    return seconds


def _shapes(taken: Pool, seconds: Mapping[str, FloatArray]) -> tuple[ShapeTimes, ...]:
    shapes = []
    for place, one in enumerate(taken.measurements):
        facts = one.model
        measured = {stage: one.seconds(stage) for stage in LATENCY_STAGES}
        measured |= {"ttft": one.ttft_s, "tpot": one.tpot_s}
        predicted = {}
        for name, table in seconds.items():
            stages = dict(zip(LATENCY_STAGES, map(float, table[place]), strict=True))
            totals = {"ttft": sum(stages.values()) - stages["decode_step"], "tpot": stages["decode_step"]}
            predicted[name] = {what: value for what, value in (stages | totals).items() if value > 0}
        shapes.append(
            ShapeTimes(
                llm=facts.llm,
                params=facts.params,
                visual_tokens=facts.visual_tokens,
                vision=facts.vision,
                compressor=facts.compressor,
                prompt_order=facts.prompt_order,
                batch=one.batch,
                tensor_parallel=facts.tensor_parallel,
                workload=one.workload,
                image=facts.image,
                stable=one.stable,
                measured_s={what: value for what, value in measured.items() if value},
                predicted_s=predicted,
            )
        )
    return tuple(shapes)


def _parameters(found: Fit, profile: Hardware) -> tuple[Parameter, ...]:
    """In the units of the profile: shares are of its peaks, which may have been raised."""
    compute, bandwidth = found.scale.raised(profile)
    factors = dict.fromkeys(OF_COMPUTE, compute) | dict.fromkeys(OF_BANDWIDTH, bandwidth)
    low, high = found.ends
    parameters = []
    for place, name in enumerate(found.scale.names):
        factor = factors.get(name, 1.0)
        value, bottom, top, start = (
            float(np.exp(logs[place])) / factor for logs in (found.logs, low, high, found.scale.centre)
        )
        parameters.append(
            Parameter(
                name=name,
                value=value,
                low=bottom,
                high=top,
                start=start,
                identified=bool(found.identified[place]),
                at_bound=bool(found.at_bound[place]),
            )
        )
    return tuple(parameters)


def _judged(shapes: tuple[ShapeTimes, ...]) -> dict[str, float]:
    """Median errors of the shapes that the fit did not see."""
    found = {}
    for quantity in ("ttft", "tpot"):
        sizes = [abs(error) for one in shapes if (error := one.error("left_out", quantity)) is not None]
        if sizes:
            found[f"{quantity}_error"] = float(np.median(sizes))
    return found


def _origin(taken: Pool, shapes: tuple[ShapeTimes, ...]) -> str:
    """How many shapes, of what, on what, when, and how well."""
    names = list(dict.fromkeys(one.llm for one in sorted(shapes, key=lambda shape: shape.params)))
    models = ", ".join(names) if len(names) <= 3 else f"{', '.join(names[:2])} and {len(names) - 2} more"
    facts = taken.environment
    on = f"{facts.get('device')} ({taken.precision}, {taken.measurements[0].mode}, PyTorch {facts.get('torch')})"
    when = str(facts.get("measured_at", ""))[:10]
    count = "1 shape" if taken.shapes == 1 else f"{taken.shapes} shapes"
    text = f"fitted to {count} of {models} on {on}" + (f", {when}" if when else "")
    judged = [
        f"{name.removesuffix('_error').upper()} {format_percent(error, 1.0)}" for name, error in _judged(shapes).items()
    ]
    return f"{text}; median error of shapes left out: {', '.join(judged)}" if judged else text


def _warnings(taken: Pool, found: Fit) -> list[str]:
    notes = []
    if taken.shapes < ENOUGH_SHAPES:
        notes.append(f"only {taken.shapes} shapes: from {ENOUGH_SHAPES} on the intervals can be trusted")
    unstable = sum(not one.stable for one in taken.measurements)
    if unstable:
        advice = next(text for one in taken.measurements for text in one.advice)
        notes.append(f"{unstable} of {len(taken.measurements)} measurements were disturbed, such as: {advice}")
    at_bound = [
        name for name, bound in zip(found.scale.names, found.at_bound, strict=True) if bound and name != OVERLAP
    ]
    if at_bound:
        which = ", ".join(name.removesuffix("_s").replace("_", " ") for name in at_bound)
        notes.append(f"at a bound: {which}; the peaks of {found.scale.start.title} may not be those of this device")
    notes += map(str, found.trends)
    if not found.identified.all():
        notes.append("what these shapes do not determine stays near its previous value, as far as they allow")
    return notes
