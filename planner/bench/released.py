"""measure() of released models: built with random weights, fed what their image rules cut."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from planner.base.errors import InputError, MeasurementError
from planner.base.quantities import shown, whole_number
from planner.bench.counting import flops_of
from planner.bench.course import Course, weights_of
from planner.bench.crosschecks import crosschecked
from planner.bench.environment import environment
from planner.bench.keeping import Cell, kept_measurement, kept_or_taken, make_folder
from planner.bench.measure import measured
from planner.bench.measurement import EAGER, WHOLE, Ceilings, Measurement, ModelFacts
from planner.bench.methods import AUTO
from planner.bench.place import free_memory, measurable_device
from planner.bench.released_stages import ReleasedStages
from planner.bench.runnable import Subject
from planner.bench.samples import WITHIN
from planner.configuration import ReleasedModel
from planner.costs.stages import Workload
from planner.make.pixels import find_maker
from planner.make.released import build_released
from planner.make.vision import leave_out_unused_layers
from planner.parts.released import published_files
from planner.vlm.build import DTYPES, Progress
from planner.vlm.build_time import build_seconds

_NAMES = {dtype: name for name, dtype in DTYPES.items()}


def measure_released(
    model: Any,
    released: ReleasedModel,
    workload: Workload,
    *,
    batch: int = 1,
    mode: str = EAGER,
    seconds: float = 1.0,
    within: float = WITHIN,
    seed: int = 0,
    ceilings: Ceilings | None = None,
    progress: Progress | None = None,
) -> Measurement:
    """Times, memory, FLOPs and energy of a batch of equal requests, as `planner.bench.measure.measure` takes them.

    Layers of the tower behind the one whose features are used are left out, as engines do: after this, `model` runs
    without them.

    Args:
        model: of `build_released`, on its device.
        released: what it was built from, with its knobs and one size of image.
        workload: one request, with images.
        batch: requests that run together.
        mode: "eager".
        seconds, within: of sampling for each stage, as `planner.bench.measure.measure` takes them.
        seed: of the inputs.
        ceilings: of this device and precision, measured now if not given.
        progress: told what is done.

    Raises:
        InputError: a kind of model whose image inputs cannot be made, another mode, no image, a dtype that is not
            measured.
        MeasurementError: too little memory.
    """
    check_measurable(released, workload, mode)
    whole_number(batch, "batch", 1)
    if not (isinstance(seconds, int | float) and 0 < seconds < math.inf):
        raise InputError(f"seconds: expected a number above 0, got {shown(seconds)}")
    maker = find_maker(released, published_files(released.checkpoint)["config.json"])
    leave_out_unused_layers(model, released, maker)
    dtype = next(iter(model.get_decoder().parameters())).dtype
    if dtype not in _NAMES:
        raise InputError(f"weights in {dtype}: expected {', '.join(_NAMES.values())}")
    facts = ModelFacts(
        **released.names,
        source=source_of(released),
        precision=_NAMES[dtype],
        params=sum(weight.numel() for weight in model.parameters()),
    )
    subject = Subject(
        facts=facts,
        layers=released.llm.num_layers,
        stages=lambda requests, how: ReleasedStages(model, released, maker, workload, requests, seed=seed),
        counted=lambda: counted_flops(ReleasedStages(model, released, maker, workload, 1, seed=seed)),
        preprocess=None,
        notes=_notes(released),
        build_s=build_seconds(model),
    )
    try:
        with torch.no_grad():
            return measured(subject, workload, batch, mode, seconds, ceilings, progress, within)
    except torch.OutOfMemoryError:
        raise MeasurementError(
            f"{released} at batch {batch} does not fit in the memory of {model.device}: take a smaller batch, image or "
            "model"
        ) from None


def _notes(released: ReleasedModel) -> tuple[str, ...]:
    """What is left out."""
    deaf = ("requests hold text and images: the audio part takes memory and is not measured",)
    return (
        "cutting and resizing images on the host is not measured",
        *(deaf if released.checkpoint.encoder.audio_params else ()),
    )


def counted_flops(stages: ReleasedStages) -> dict[str, int]:
    """FLOPs of one request by stage, without those that make masks; `stages` are of one request."""
    found = flops_of(stages)
    return found | {"encoder": found["encoder"] - stages.masking_flops}


def sweep_released(
    released: ReleasedModel,
    batches: Sequence[int],
    workload: Workload,
    *,
    precision: str | None = None,
    device: str | None = None,
    method: str = AUTO,
    mode: str = EAGER,
    seconds: float = 1.0,
    within: float = WITHIN,
    seed: int = 0,
    folder: Path | None = None,
    retakes: int | None = None,
    progress: Progress | None = None,
) -> tuple[Measurement, ...]:
    """A released model with random weights, measured with several batches.

    Args:
        released: with one size of image.
        batches: requests that run together.
        workload: one request.
        precision: "bf16" on a GPU and "fp32" elsewhere by default.
        device: a GPU where there is one.
        method: "auto" or "whole".
        mode, seconds, within, seed: as `measure_released` takes them.
        folder: gets a file for each batch as soon as it is measured, and is read first.
        retakes: of an unstable measurement, two by default; the steadiest take is kept.
        progress: told what is done.

    Raises:
        InputError: what cannot be built or measured; a folder of measurements from another environment.
    """
    check_measurable(released, workload, mode, method)
    place = measurable_device(device)
    chosen = precision or precision_here(place)
    if chosen not in DTYPES:
        raise InputError(f"precision: expected {', '.join(DTYPES)}, got {shown(chosen)}")
    find_maker(released, published_files(released.checkpoint)["config.json"])
    if folder is not None:
        make_folder(folder)
    here = environment(place, chosen, mode)
    found: list[Measurement] = []
    models: list[Any] = []
    course = Course(progress, weights_of(batches))
    names = {**released.names, "source": source_of(released)}
    for batch in batches:
        ceilings = found[-1].ceilings if found else None
        options: dict[str, Any] = {"mode": mode, "seconds": seconds, "within": within, "seed": seed}
        options["progress"] = course.leg(len(found), f"{released}, batch {batch}: ")
        options |= {"batch": whole_number(batch, "batch", 1), "ceilings": ceilings}

        def take(how: dict[str, Any] = options) -> Measurement:
            if not models:
                models.append(build_released(released, dtype=chosen, device=place, seed=seed, progress=progress))
            return measure_released(models[0], released, workload, **how)

        file = None if folder is None else folder / _file_name(names, batch, workload)
        cell = Cell(names, chosen, workload, batch, released.llm.num_layers)
        kept = None if file is None else kept_measurement(file, cell, here)
        found.append(kept_or_taken(file, kept, take, retakes))
    models.clear()
    free_memory()
    return crosschecked(found)


def source_of(released: ReleasedModel) -> str:
    """Where it is found again: its hub id, or the folder or config.json that it was read from."""
    return released.checkpoint.hub_id or str(Path(released.checkpoint.source).absolute())


def precision_here(device: str | torch.device | None) -> str:
    """What is measured where no precision is asked for: bf16 on a GPU, else fp32."""
    return "bf16" if measurable_device(device).type == "cuda" else "fp32"


def check_measurable(released: ReleasedModel, workload: Workload, mode: str, method: str = AUTO) -> None:
    """Raises InputError for what is not measured of released models."""
    if mode != EAGER:
        raise InputError(f"mode {shown(mode)}: a released model is measured in the mode eager")
    if method not in (AUTO, WHOLE):
        raise InputError(f"method {shown(method)}: a released model is measured whole; expected {AUTO} or {WHOLE}")
    if released.image is None or not workload.images:
        raise InputError(f"{released.checkpoint.name} is measured with images: give the size of one and --images 1")


def _file_name(names: Mapping[str, Any], batch: int, workload: Workload) -> str:
    request = "-".join(str(count) for count in vars(workload).values())
    return re.sub(r"[^\w.-]+", "_", f"{names['llm']}-{names['image']}-b{batch}-q{request}") + ".json"
