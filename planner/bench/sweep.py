"""Several shapes of one language model, measured one after the other; what is on disk is not measured again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from planner.base.errors import InputError
from planner.base.quantities import shown, whole_number
from planner.bench.course import Course, weights_of
from planner.bench.crosschecks import crosschecked
from planner.bench.environment import environment
from planner.bench.expected import Expected
from planner.bench.keeping import Cell, kept_measurement, kept_or_taken, make_folder
from planner.bench.measure import measure
from planner.bench.measurement import Ceilings, Measurement
from planner.bench.methods import AUTO, check_images, check_method, in_slices
from planner.bench.place import free_memory, measurable_device
from planner.bench.samples import WITHIN
from planner.bench.slices import measure_by_slices
from planner.costs.stages import Workload
from planner.parts.compressors import Compressor
from planner.parts.towers import Tower
from planner.vlm.build import DTYPES, Progress, build_recipe, weights_bytes
from planner.vlm.recipe import make_recipe


def sweep(
    llm: str,
    visual_tokens: Sequence[int],
    batches: Sequence[int],
    workload: Workload,
    *,
    vision: str | Tower | None = None,
    compressor: str | Compressor | None = None,
    prompt_order: str | None = None,
    precision: str | None = None,
    device: str | None = None,
    method: str = AUTO,
    mode: str = "eager",
    seconds: float = 1.0,
    within: float = WITHIN,
    seed: int = 0,
    folder: Path | None = None,
    retakes: int | None = None,
    fresh: bool = False,
    ceilings: Ceilings | None = None,
    progress: Progress | None = None,
) -> tuple[Measurement, ...]:
    """All combinations of visual tokens and batches.

    Args:
        llm: name or path of a config.json.
        visual_tokens: per image, each that the compressor can make.
        batches: requests that run together.
        workload: one request.
        vision, compressor, prompt_order: as `make_recipe` takes them.
        precision: "bf16" on a GPU and "fp32" elsewhere by default.
        device: a GPU where there is one.
        method: "whole", "slices" or "auto".
        mode, seconds, within, seed: as `measure` takes them.
        folder: gets a file for each shape as soon as it is measured, and is read first; what is unstable there is taken
            again.
        retakes: of an unstable measurement, two by default; the steadiest take is kept.
        fresh: measure what is in the folder again, and replace it.
        ceilings: of this device and precision, measured with the first shape if not given.
        progress: told what is done.

    Raises:
        InputError: what cannot be built or measured; a folder of measurements from another environment.
    """
    place = measurable_device(device)
    chosen = precision or ("bf16" if place.type == "cuda" else "fp32")
    if chosen not in DTYPES:
        raise InputError(f"precision: expected {', '.join(DTYPES)}, got {shown(chosen)}")
    check_method(method)
    check_images(workload)
    if folder is not None:
        make_folder(folder)
    parts: dict[str, Any] = {"vision": vision, "compressor": compressor, "prompt_order": prompt_order}
    recipes = [make_recipe(llm=llm, visual_tokens=whole_number(v, "visual_tokens", 1), **parts) for v in visual_tokens]
    here = environment(place, chosen, mode)
    found: list[Measurement] = []
    course = Course(progress, weights_of([recipe.llm.params * batch for recipe in recipes for batch in batches]))
    for recipe in recipes:
        models: list[Any] = []
        for batch in batches:
            wanted = Expected(recipe, workload, whole_number(batch, "batch", 1), chosen, 1, None)
            options: dict[str, Any] = {"batch": batch, "mode": mode, "seconds": seconds, "within": within}
            options |= {"seed": seed, "progress": course.leg(len(found), f"{recipe}, batch {batch}: ")}
            options |= {"ceilings": found[-1].ceilings if found else ceilings}

            def take(
                wanted: Expected = wanted, models: list[Any] = models, how: dict[str, Any] = options
            ) -> Measurement:
                loaded = models[0] if models else None
                if in_slices(method, wanted, place, 0 if loaded is None else weights_bytes(loaded)):
                    models.clear()
                    free_memory()
                    return measure_by_slices(wanted.recipe, workload, dtype=chosen, device=place, **how)
                if not models:
                    if how["progress"] is not None:
                        how["progress"]("building it", 0, 1)
                    models.append(build_recipe(wanted.recipe, {}, dtype=chosen, device=place, seed=seed))
                return measure(models[0], wanted.recipe, workload, **how)

            file = None if folder is None else folder / file_name(wanted)
            kept = None if file is None or fresh else kept_measurement(file, cell_of(wanted), here)
            found.append(kept_or_taken(file, kept, take, retakes))
        models.clear()
        free_memory()
    return crosschecked(found)


def cell_of(wanted: Expected) -> Cell:
    """Of a model made of parts."""
    layers = wanted.recipe.llm.num_layers
    return Cell(wanted.model.names, wanted.precision, wanted.workload, wanted.batch, layers, wanted.params)


def file_name(wanted: Expected) -> str:
    """Of a cell, in a folder of measurements."""
    w, r = wanted.workload, wanted.recipe
    request = "-".join(str(count) for count in vars(w).values())
    text = f"{r.llm.name}-{r.compressor.name}-{r.visual_tokens}-{r.prompt_order}-b{wanted.batch}-q{request}"
    return re.sub(r"[^\w.-]+", "_", text) + ".json"
