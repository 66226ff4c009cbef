"""Taking the measurements of a calibration, one after the other, and reading those that were taken before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate, groupby, pairwise
from pathlib import Path
from typing import Any

from planner.base.errors import InputError
from planner.base.quantities import shown
from planner.bench.calibration.pool import check_same_environment
from planner.bench.calibration.shapes import LADDER, NO_MORE, ON_CPU, ON_GPU, Shape, plan_shapes
from planner.bench.course import Course, Progress, weights_of
from planner.bench.crosschecks import ceilings_again
from planner.bench.measurement import Measurement
from planner.bench.retakes import settled
from planner.bench.samples import WITHIN
from planner.configuration import IMAGE_FIRST, Model, Run
from planner.costs.stages import Workload
from planner.parts.catalog import DEFAULT_COMPRESSOR, find_compressor, find_llms, find_vision
from planner.parts.llms import Llm

Sweep = Callable[..., Sequence[Measurement]]
"""`planner.bench.sweep.sweep`."""


def take(
    shapes: Sequence[Shape],
    workload: Workload,
    *,
    sweep: Sweep,
    keep: Path | None = None,
    sources: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    retakes: int | None = None,
    **options: Any,
) -> tuple[Measurement, ...]:
    """Measurements of shapes, each on the whole model with random weights.

    Args:
        shapes: what to measure.
        workload: one request.
        sweep: what measures one model in several batches.
        keep: folder that gets each measurement as soon as it is taken, and is read first: a run that was ended goes on
            where it stopped.
        sources: language model -> its config.json, for those that are not in the catalogue.
        progress: told what is done.
        retakes: of a measurement that is unstable, or contradicts the others; two by default.
        **options: of `sweep`, but for the parts of the models.

    Raises:
        InputError: what cannot be built or measured; kept measurements of another environment.
    """
    found: list[Measurement] = []
    sweeps = _sweeps(shapes)
    sizes = weights_of([shape.llm.params * shape.batch for shape in shapes])
    ends = list(accumulate((len(tokens) * len(batches) for _, tokens, batches, _ in sweeps), initial=0))
    course = Course(progress, [sum(sizes[start:end]) for start, end in pairwise(ends)])

    def swept(
        model: Model, tokens: list[int], batches: list[int], cached: int, told: Progress | None, **how: Any
    ) -> Sequence[Measurement]:
        return sweep(
            (sources or {}).get(model.llm.name, model.llm.name),
            tokens,
            batches,
            replace(workload, cached_tokens=workload.cached_tokens + cached),
            vision=model.tower,
            compressor=model.compressor,
            prompt_order=model.prompt_order,
            method="whole",
            folder=keep,
            progress=told,
            **{**options, **how},
        )

    for leg, (model, tokens, batches, cached) in enumerate(sweeps):
        last = len(found) + len(tokens) * len(batches)
        told = course.leg(leg, f"shapes {len(found) + 1} to {last} of {len(shapes)}: ")
        found += swept(model, tokens, batches, cached, told, retakes=retakes)
        check_same_environment(found)  # before hours are spent on what is not pooled

    def again(place: int) -> Measurement:
        shape = shapes[place]
        told = course.leg(len(sweeps) - 1, f"shape {place + 1} of {len(shapes)} again: ")
        asked = ([shape.visual_tokens], [shape.batch], shape.cached_tokens)
        (one,) = swept(shape.model, *asked, told, retakes=0, fresh=True)
        return one

    return settled(found, again, retakes)


def _sweeps(shapes: Sequence[Shape]) -> list[tuple[Model, list[int], list[int], int]]:
    """Shapes as sweeps: visual tokens of otherwise equal models that run with the same batches behind as much."""
    found: list[tuple[Model, list[int], list[int], int]] = []
    for (model, cached), group in groupby(shapes, key=lambda shape: (shape.model, shape.cached_tokens)):
        batches, tokens = [shape.batch for shape in group], int(model.visual_tokens)
        if found and replace(found[-1][0], visual_tokens=tokens) == model and found[-1][2:] == (batches, cached):
            found[-1][1].append(tokens)
        else:
            found.append((model, [tokens], batches, cached))
    return found


def measure_device(
    llms: Sequence[Llm] = (),
    *,
    visual_tokens: Sequence[int] | None = None,
    batches: Sequence[int] | None = None,
    query_tokens: int | None = None,
    generated_tokens: int | None = None,
    vision: str | None = None,
    compressor: str = DEFAULT_COMPRESSOR,
    prompt_order: str = IMAGE_FIRST,
    precision: str | None = None,
    device: str | None = None,
    mode: str = "eager",
    seconds: float | None = None,
    within: float = WITHIN,
    seed: int = 0,
    keep: Path | None = None,
    sources: Mapping[str, str] | None = None,
    retakes: int | None = None,
    progress: Progress | None = None,
    ready: Callable[[], None] = lambda: None,
    say: Callable[[str], None] = lambda text: None,
) -> tuple[tuple[Measurement, ...], tuple[str, ...]]:
    """Measures the shapes that fit, and says which do not; what is left out has the defaults of `shapes`.

    Args:
        llms: language models.
        visual_tokens, batches: every combination; where neither they nor the request are given, more small batches and
            a long cache beside the defaults.
        query_tokens, generated_tokens: of a request.
        vision: name of a tower, or the path of its config.json.
        compressor, prompt_order: as `make_recipe` takes them.
        precision: "bf16" on a GPU and "fp32" elsewhere by default.
        device: a GPU where there is one.
        mode, seconds, within, seed: as `measure` takes them.
        keep, sources, retakes, progress: as `take` takes them.
        ready: called when what is asked for is known to be right, before anything is measured.
        say: told in a sentence what will be measured, and what is left out.

    Returns:
        Measurements, and what was left out.

    Raises:
        InputError: what cannot be built or measured, or nothing that fits.
    """
    from planner.bench.ceilings import measure_ceilings
    from planner.bench.sweep import sweep
    from planner.vlm.build import DTYPES, default_device, free_bytes, read_device

    place = read_device(device or default_device())
    default = ON_GPU if place.type == "cuda" else ON_CPU
    tower, kind = vision or default.vision, precision or default.precision
    if kind not in DTYPES:
        raise InputError(f"precision: expected {', '.join(DTYPES)}, got {shown(kind)}")
    squeeze, spec = find_compressor(compressor), find_vision(tower)
    workload = Workload(
        default.workload.query_tokens if query_tokens is None else query_tokens,
        default.workload.generated_tokens if generated_tokens is None else generated_tokens,
    )
    made = squeeze.visual_tokens(spec)
    asked = any(one is not None for one in (visual_tokens, batches, query_tokens, generated_tokens))
    plan = plan_shapes(
        free_bytes(place),
        llms or (find_llms(list(default.llms)) if default.llms else ()),
        visual_tokens or [count for count in default.visual_tokens if count in made] or made,
        batches or default.batches,
        workload=workload,
        like=Model(find_llms(LADDER[0])[0], spec, squeeze, made[0], prompt_order),
        run=Run(precision=kind),
        more=NO_MORE if asked else default.more,
    )
    ready()
    for note in plan.notes:
        say(note)
    say(f"measuring {len(plan.shapes)} shapes on {place}, {kind}, {mode}")
    spent = seconds or default.seconds
    found = take(
        plan.shapes,
        workload,
        sweep=sweep,
        keep=keep,
        sources=sources,
        retakes=retakes,
        progress=progress,
        precision=kind,
        device=str(place),
        mode=mode,
        seconds=spent,
        within=within,
        seed=seed,
        ceilings=measure_ceilings(place, DTYPES[kind], min(spent, 0.5), few_rows=True),
    )
    return ceilings_again(found, measure_ceilings(place, DTYPES[kind], min(spent, 0.5))), plan.notes


def read_folder(folder: str | Path) -> tuple[Measurement, ...]:
    """All measurements of a folder. Raises InputError for one that holds none, or a file that is none."""
    place = Path(folder)
    if not place.is_dir():
        raise InputError(f"{place}: no such folder; expected one of measurements, as measure -o or --keep writes it")
    files = sorted(place.glob("*.json"))
    if not files:
        raise InputError(f"{place} holds no measurements; expected files that measure -o or --keep wrote")
    return tuple(Measurement.load(file) for file in files)
