"""What a calibration is made from: measurements of one environment, as columns, and the prediction of all of them.

A shape is one model with one request: language model, tower, compressor, prompt order, visual tokens, workload, batch;
or a released model with its knob turned, the size of its images, workload, batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import astuple, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.base.quantities import shown
from planner.bench.calibration.described import Known
from planner.bench.conditions import FINGERPRINT, fingerprint
from planner.bench.measurement import Measurement
from planner.configuration import Model, Run
from planner.costs.latency import LATENCY_STAGES, latency
from planner.costs.stages import Workload
from planner.hardware import Hardware
from planner.parts.llms import Llm
from planner.parts.released import Checkpoint
from planner.parts.towers import Tower

FloatArray = NDArray[np.float64]

TOTALS = ("ttft", "tpot")
"""Judged beside the stages."""
QUANTITIES = (*LATENCY_STAGES, *TOTALS)
DISTURBED, BESIDE = 0.15, 0.05
"""Least relative errors of a stage that was disturbed, and of the others of its measurement."""
_MOST_WAITED = 0.9


@dataclass(frozen=True)
class Group:
    """Measurements that one call predicts: they share all but language model, visual tokens, batch and devices."""

    places: NDArray[np.intp]
    """Of its measurements among all."""
    model: Model
    """Of parts: its language models are columns of shape (n,), so are its visual tokens. Or one released model."""
    batch: FloatArray
    tensor_parallel: FloatArray | int
    workload: Workload


@dataclass(frozen=True)
class Pool:
    """Measurements of one environment."""

    measurements: tuple[Measurement, ...]
    groups: tuple[Group, ...]
    shape_of: NDArray[np.intp]
    """Measurement -> its shape; the same shape measured again has the same number."""
    measured: FloatArray = field(repr=False)
    """Seconds, (measurements, LATENCY_STAGES); NaN for what did not run."""
    disturbed: FloatArray = field(repr=False)
    """Relative error that each time has beside the noise, (measurements, LATENCY_STAGES): 0 where it may be trusted."""
    environment: Mapping[str, Any] = field(hash=False, repr=False)
    """Of the first, with the latest time of all."""

    @property
    def precision(self) -> str:
        return self.measurements[0].model.precision

    @property
    def shapes(self) -> int:
        return int(self.shape_of.max()) + 1

    def predict(self, hardware: Hardware, sets: int = 0) -> FloatArray:
        """Seconds of every stage, (measurements, LATENCY_STAGES); 0 where nothing runs.

        Args:
            hardware: the profile.
            sets: of numbers that the profile holds in columns, the first axis of what comes back; 0 for a plain one.
        """
        return self._predict(hardware, "seconds", sets)

    def roofline(self, hardware: Hardware) -> FloatArray:
        """The same at the bare peaks: max(FLOPs / peak, bytes / bandwidth) of the stage."""
        return self._predict(hardware, "ideal_s")

    def _predict(self, hardware: Hardware, what: str, sets: int = 0) -> FloatArray:
        found = np.zeros((sets, *self.measured.shape) if sets else self.measured.shape)
        for group in self.groups:
            run = Run(hardware, self.precision, batch=group.batch, tensor_parallel=group.tensor_parallel)
            times = latency(group.model, group.workload, run)
            for column, stage in enumerate(LATENCY_STAGES):
                found[..., group.places, column] = getattr(getattr(times, stage), what)
        return found


def pool(
    measurements: Iterable[Measurement],
    llms: Iterable[Llm] = (),
    towers: Iterable[Tower] = (),
    models: Iterable[Checkpoint] = (),
) -> Pool:
    """Measurements as columns.

    Args:
        measurements: of one environment, of any models and shapes.
        llms: language models that are not in the catalogue.
        towers: vision towers that are not in the catalogue.
        models: released models that are no longer where they were when they were measured.

    Raises:
        InputError: no measurements, measurements of different environments, or of a model that is not known.
    """
    taken = tuple(measurements)
    if not taken:
        raise InputError("no measurements: take some with vlm-planner calibrate, or with measure -o")
    check_same_environment(taken)
    known = Known.of(llms, towers, models)
    numbers: dict[tuple[Any, ...], int] = {}
    shape_of = [numbers.setdefault(shape_key(one), len(numbers)) for one in taken]
    described = [known.model(one) for one in taken]
    members: dict[tuple[Any, ...], list[int]] = {}
    for place, (one, model) in enumerate(zip(taken, described, strict=True)):
        members.setdefault((one.workload, model.stack_key), []).append(place)
    groups = []
    for (workload, _), places in members.items():
        own = [taken[place] for place in places]
        gpus = np.array([one.model.tensor_parallel for one in own], float)
        groups.append(
            Group(
                places=np.array(places),
                model=described[places[0]].columns([described[place] for place in places]),
                batch=np.array([one.batch for one in own], float),
                tensor_parallel=1 if (gpus == 1).all() else gpus,
                workload=workload,
            )
        )
    return Pool(
        measurements=taken,
        groups=tuple(groups),
        shape_of=np.array(shape_of),
        measured=np.array([[one.seconds(stage) or np.nan for stage in LATENCY_STAGES] for one in taken]),
        disturbed=np.array([[disturbance(one, stage) for stage in LATENCY_STAGES] for one in taken]),
        environment={
            **taken[0].environment,
            "measured_at": max(str(one.environment.get("measured_at", "")) for one in taken),
        },
    )


def disturbance(one: Measurement, stage: str) -> float:
    """How far a stage's median may be off because something disturbed the measurement, relative; 0 where nothing did.

    A stage that samples complain of: by what they spread, drift or waited, at least `DISTURBED`. The other stages of
    the same measurement: at least `BESIDE`, for what disturbed one may have met the next.
    """
    if one.stable or stage not in one.samples:
        return 0.0
    if stage not in one.complaints:
        return BESIDE
    samples = one.samples[stage]
    waited = min(samples.waited or 0.0, _MOST_WAITED)
    return max(samples.spread, abs(samples.drift), waited / (1 - waited), DISTURBED)


def shape_key(measurement: Measurement) -> tuple[Any, ...]:
    """What makes two measurements ones of the same shape."""
    return (astuple(measurement.model), astuple(measurement.workload), measurement.batch)


def check_same_environment(measurements: Iterable[Measurement]) -> None:
    """Raises InputError, with both values, where two were made under different circumstances."""
    first: Mapping[str, Any] | None = None
    for one in measurements:
        facts = circumstances(one)
        first = facts if first is None else first
        for name in FINGERPRINT:
            if facts[name] != first[name]:
                raise InputError(
                    f"measurements of different environments are not pooled: {name} is {shown(first[name])} in one "
                    f"and {shown(facts[name])} in another; calibrate each separately"
                )


def circumstances(measurement: Measurement) -> dict[str, Any]:
    """The entries of FINGERPRINT; mode and precision as the measurement itself states them."""
    own = {"precision": measurement.model.precision, "mode": measurement.mode}
    return fingerprint({**measurement.environment, **own})
