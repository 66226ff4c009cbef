"""The pick and its neighbours in (LLM, visual tokens): is the order of candidates right too?

Every finished cell lies on disk before the next one begins, so that a run that was ended goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

from planner.base.errors import InputError
from planner.base.quantities import format_seconds
from planner.bench.course import Course, weights_of
from planner.bench.crosschecks import crosschecked
from planner.bench.environment import environment
from planner.bench.expected import Expected
from planner.bench.grid_verdict import GridVerdict, Order
from planner.bench.keeping import kept_measurement, kept_or_taken, make_folder
from planner.bench.measurement import Measurement
from planner.bench.place import measurable_device
from planner.bench.ranks import world_size
from planner.bench.sweep import cell_of, file_name
from planner.bench.verdict import Verdict
from planner.bench.verify import judge, verify
from planner.parts.catalog import llm_catalog
from planner.vlm.build import Progress
from planner.vlm.recipe import make_recipe

_ORDERED = ("ttft_s", "tpot_s")
_TOLD_APART = 0.05
"""Two cells whose medians differ by less are called equally fast, as are those whose middle halves overlap."""


def neighbours(wanted: Expected) -> tuple[Expected, ...]:
    """The pick, and what stands beside it: the next smaller and larger LLM of its family, the next fewer and more
    visual tokens, and both at once."""
    r = wanted.recipe
    family = sorted(
        (llm for llm in llm_catalog().values() if llm.family == r.llm.family), key=lambda llm: llm.nominal_params
    )
    names = [llm.name for llm in family]
    llms = [r.llm.name] if r.llm.name not in names else _beside(names, r.llm.name)
    counts = _beside(list(r.compressor.visual_tokens(r.vision)), r.visual_tokens)
    cells = [(llm, count) for llm in llms for count in counts]
    cells.sort(key=lambda cell: cell != (r.llm.name, r.visual_tokens))
    found = []
    for llm, count in cells:
        if llm == r.llm.name:
            recipe = replace(r, visual_tokens=count)
        else:
            other = make_recipe(
                llm=llm,
                visual_tokens=count,
                vision=r.vision,
                compressor=r.compressor,
                prompt_order=r.prompt_order,
            )
            recipe = replace(other, vision_config=r.vision_config)
        found.append(replace(wanted, recipe=recipe))
    return tuple(found)


def verify_grid(
    wanted: Expected,
    folder: str | Path,
    *,
    device: str | None = None,
    mode: str = "eager",
    retakes: int | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> GridVerdict:
    """Verifies the pick and its neighbours; measurements are kept in a folder and taken from there if they fit.

    Args:
        wanted: the pick as it was planned.
        folder: is made if it is not there.
        device: where to build.
        mode: "eager", "static" or "compile".
        retakes: of an unstable measurement, of this run or kept from an earlier one; two by default.
        progress: told what is done.
        **options: of `verify`.

    Raises:
        InputError: a folder that cannot be written, or what `verify` raises.
    """
    if world_size() > 1 or wanted.tensor_parallel > 1:
        raise InputError("--grid measures on one device: leave it out with torchrun, and for a plan of several devices")
    place = Path(folder)
    make_folder(place)
    target = measurable_device(device)
    here = environment(target, wanted.precision, mode)
    tolerance = options.pop("tolerance", None)
    taken: list[Measurement] = []
    cells = neighbours(wanted)
    course = Course(progress, weights_of([cell.recipe.llm.params for cell in cells]))
    for step, cell in enumerate(cells):
        file = place / file_name(cell)

        def take(cell: Expected = cell, step: int = step) -> Measurement:
            told = course.leg(step, f"cell {step + 1} of {len(cells)}, {cell.recipe}: ")
            return verify(None, cell, device=target, mode=mode, retakes=0, progress=told, **options).measurement

        found = kept_or_taken(file, kept_measurement(file, cell_of(cell), here), take, retakes)
        taken.append(found)
    verdicts = [judge(*pair, tolerance=tolerance) for pair in zip(cells, crosschecked(taken), strict=True)]
    return GridVerdict(tuple(verdicts), tuple(order_of(verdicts, name) for name in _ORDERED))


def order_of(verdicts: Sequence[Verdict], name: str) -> Order:
    """Every pair of cells that the measurements tell apart, and whether the predictions order it alike."""
    timed = [_Timed(cell, *found) for cell in verdicts if (found := _times(cell, name)) is not None]
    agreeing, inverted = 0, []
    for one, other in combinations(timed, 2):
        fast, slow = sorted((one, other), key=lambda cell: cell.median_s)
        if slow.median_s - fast.median_s < _TOLD_APART * slow.median_s or slow.low_s <= fast.high_s:
            continue
        if fast.predicted_s < slow.predicted_s:
            agreeing += 1
            continue
        times = f"{format_seconds(fast.median_s)} against {format_seconds(slow.median_s)}"
        inverted.append(f"{_title(fast.cell)} is faster than {_title(slow.cell)} ({times}), predicted the other way")
    return Order(name, agreeing + len(inverted), agreeing, tuple(inverted))


@dataclass(frozen=True)
class _Timed:
    """A cell with one of its times."""

    cell: Verdict
    low_s: float
    """Quartiles of the samples, and their median."""
    median_s: float
    high_s: float
    predicted_s: float


def _times(cell: Verdict, name: str) -> tuple[float, float, float, float] | None:
    """Lower quartile, median, upper quartile, predicted; None where one is missing."""
    samples = cell.measurement.samples.get(name.removesuffix("_s"))
    predicted = cell.check(name).predicted if name in cell.names else None
    if samples is None or predicted is None:
        return None
    low, high = samples.quartiles_s
    return low, samples.median_s, high, predicted


def _title(cell: Verdict) -> str:
    model = cell.measurement.model
    return f"{model.llm} with {model.visual_tokens}"


def _beside(values: list[Any], value: Any) -> list[Any]:
    place = values.index(value)
    return values[max(place - 1, 0) : place + 2]
