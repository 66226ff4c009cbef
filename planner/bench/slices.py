"""Models too large for a device, measured by slices: the exact model with k and with 2 k decoder layers.

    y(L) = y(k) + (y(2k) - y(k)) / k * (L - k)

for every time, byte and FLOP of the language model: its layers are alike and run one after the other, all else in it
(embedding, output head) is there once. Tower, compressor and preprocessing are those of the whole model as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import torch

from planner.base.errors import InputError
from planner.base.quantities import format_percent, whole_number
from planner.bench.course import Course
from planner.bench.measure import measure
from planner.bench.measurement import SLICES, Ceilings, Energy, Measurement, MemoryUse, Method
from planner.bench.place import free_memory
from planner.bench.samples import WITHIN, Samples
from planner.costs.stages import Workload
from planner.vlm.build import Progress, build_recipe
from planner.vlm.recipe import Recipe

LAYERS = 4
"""k, where the layers are all of one kind."""
GROWING = ("query_pass", "prefill", "decode_step", "ttft", "tpot", "itl", "request")
"""Times that grow with the layers."""


def measure_by_slices(
    recipe: Recipe,
    workload: Workload,
    *,
    layers: int | None = None,
    batch: int = 1,
    dtype: str | torch.dtype = "bf16",
    device: str | torch.device = "cpu",
    mode: str = "eager",
    seconds: float = 1.0,
    within: float = WITHIN,
    seed: int = 0,
    ceilings: Ceilings | None = None,
    progress: Progress | None = None,
) -> Measurement:
    """As `measure`, of a model that need not fit: two models of fewer layers run, one after the other.

    Args:
        recipe: of the whole model.
        workload: one request.
        layers: k; 4 by default, a whole period where layers of several kinds alternate.
        batch, mode, seconds, within, seed, ceilings, progress: as `measure` takes them.
        dtype, device: as `build` takes them.

    Raises:
        InputError: a model of fewer than 2 k layers, or slices that do not fit either.
    """
    whole = recipe.llm.num_layers
    k = slice_layers(recipe) if layers is None else whole_number(layers, "layers", 1)
    if 2 * k > whole:
        raise InputError(
            f"{recipe.llm.name} has {whole} layers: expected slices of {k} and {2 * k}; measure it whole, with a "
            "smaller batch or request if it does not fit"
        )
    found: list[Measurement] = []
    course = Course(progress, (1.0, 1.0, 1.0))
    for count in (k, 2 * k, k):  # the mean of the outer two: what drifts evenly cancels out
        part = with_layers(recipe, count)
        model = build_recipe(part, {}, dtype=dtype, device=device, seed=seed)
        found.append(
            measure(
                model,
                part,
                workload,
                batch=batch,
                mode=mode,
                seconds=seconds,
                within=within,
                seed=seed,
                ceilings=found[0].ceilings if found else ceilings,
                progress=course.leg(len(found), f"{count} layers: "),
            )
        )
        del model
        free_memory()
    return extrapolated(between(found[0], found[2]), found[1], whole)


def slice_layers(recipe: Recipe) -> int:
    """k: at least 4, and a multiple of the period in which kinds of layers alternate."""
    kinds = list(recipe.llm_config.get("layer_types") or [])
    period = next((p for p in range(1, len(kinds)) if kinds[p:] == kinds[:-p]), None) if kinds else 1
    if period is None or recipe.llm.num_layers % period:
        raise InputError(f"{recipe.llm.name}: its kinds of layers do not repeat evenly; measure it whole")
    return -(-LAYERS // period) * period


def between(first: Measurement, second: Measurement) -> Measurement:
    """The mean of two measurements of the same slice, sample by sample, with what they differ by."""
    samples = {}
    for name, one in first.samples.items():
        pairs = zip(one.seconds, second.samples[name].seconds, strict=False)
        samples[name] = one.beside(second.samples[name], tuple((a + b) / 2 for a, b in pairs))
    return replace(first, samples=samples, slices=(first, second))


def with_layers(recipe: Recipe, layers: int) -> Recipe:
    """The same model with fewer decoder layers."""
    values: dict[str, Any] = {**recipe.llm_config, "num_hidden_layers": layers}
    if values.get("layer_types"):
        values["layer_types"] = list(values["layer_types"])[:layers]
    if isinstance(values.get("max_window_layers"), int):
        values["max_window_layers"] = min(values["max_window_layers"], layers)
    return replace(recipe, llm=recipe.llm.with_layers(layers), llm_config=values)


def extrapolated(small: Measurement, large: Measurement, layers: int) -> Measurement:
    """The measurement of the whole model from those of k and 2 k layers, sample by sample."""
    k = small.method.layers
    share = (layers - k) / (large.method.layers - k)

    def line(a: float, b: float) -> float:
        return a + (b - a) * share

    def whole(a: int | None, b: int | None) -> Any:
        return None if a is None or b is None else a + (b - a) * (layers - k) // (large.method.layers - k)

    samples = {}
    for name, one in small.samples.items():
        other = large.samples[name]
        if name in GROWING:
            samples[name] = _paired(one, other, share)
        else:
            samples[name] = one.beside(other, one.seconds + other.seconds)
    memory = {
        item.name: whole(getattr(small.memory, item.name), getattr(large.memory, item.name))
        for item in fields(MemoryUse)
    }
    memory["generated_tokens"] = small.memory.generated_tokens
    energy = small.energy
    if small.energy.joules is not None and large.energy.joules is not None:
        joules = line(small.energy.joules, large.energy.joules)
        valid = small.energy.valid and large.energy.valid and joules > 0
        energy = Energy(joules if joules > 0 else None, valid, large.energy.note)
    flops = {name: whole(count, large.flops[name]) for name, count in small.flops.items()}
    return replace(
        small,
        model=replace(small.model, params=whole(small.model.params, large.model.params)),
        samples=samples,
        flops=flops,
        memory=MemoryUse(**memory),
        energy=energy,
        process=None,
        method=Method(SLICES, layers, (k, large.method.layers)),
        slices=(*(small.slices or (small,)), large),
        notes=(*small.notes, *_amplified(small, large, share)),
    )


def _amplified(small: Measurement, large: Measurement, share: float) -> list[str]:
    """What the extrapolation makes of an error, said of the decode step and the prefill."""
    found = []
    for name in ("prefill", "decode_step"):
        a, b = small.seconds(name), large.seconds(name)
        if a is None or b is None:
            continue
        gain = share * (a + b) / max(a + (b - a) * share, 1e-12)
        text = f"{name.replace('_', ' ')}: 1 % between the slices' times changes it by {gain:.1f} %"
        if small.slices:
            first, second = (one.seconds(name) or 0.0 for one in small.slices)
            off = format_percent(abs(second / first - 1) if first else 0.0, 1.0)
            text += f"; two runs of the smaller slice differ by {off}"
        found.append(text)
    return found


def _paired(small: Samples, large: Samples, share: float) -> Samples:
    """Samples in the order in which they were taken, one of each model; never below the larger slice's."""
    both: Sequence[tuple[float, float]] = list(zip(small.seconds, large.seconds, strict=False))
    return small.beside(large, tuple(max(b, a + (b - a) * share) for a, b in both))
