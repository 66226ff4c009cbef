"""compare_measurements(): two measurements of the same shapes beside each other, before and after a change.

    ratio = median after / median before

with its 95 % interval by the percentile bootstrap of both medians: own code, which draws the resampled medians from
their exact distribution instead of resampling. The m-th smallest of n draws from n samples is the sample at
ceil(n U), U ~ Beta(m, n - m + 1); with an even n the median is the mean of two neighbours, drawn together. Where a side
was measured several times, runs are resampled first, then their samples; one run alone does not know how much runs
differ.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.base.errors import InputError, UnknownNameError
from planner.base.quantities import shown
from planner.bench.comparison import Change, MeasurementComparison, ShapeChange, Unlike
from planner.bench.measurement import TIMED, Measurement

FloatArray = NDArray[np.float64]

DRAWS = 10_000
LEVEL = 0.95
_TITLES = {"ttft": "TTFT", "tpot": "TPOT", "itl": "token latency"}
_NOT_COMPARED = ("measured_at", "precision", "mode")
"""Entries of an environment that say when, or that the measurement itself states."""
_FACTS = ("llm", "visual_tokens", "vision", "compressor", "prompt_order", "image", "tensor_parallel")
_NAMED_MAX = 2


def compare_measurements(
    before: Measurement | Sequence[Measurement],
    after: Measurement | Sequence[Measurement],
    *,
    only: Sequence[str] = (),
    seed: int = 0,
) -> MeasurementComparison:
    """What a change made of times and memory, shape by shape; only shapes that are in both are compared.

    Args:
        before: measurements, of one shape or several; several of the same shape are runs of it.
        after: the same, with the change.
        only: names of what is compared, "ttft_s", "peak_memory_bytes"; () for everything.
        seed: of the bootstrap.

    Raises:
        UnknownNameError: `only` names something that was not measured on both sides.
        InputError: no measurements, or none of the same model, visual tokens, request and batch in both.
    """
    sides = [[one] if isinstance(one, Measurement) else list(one) for one in (before, after)]
    for name, side in zip(("before", "after"), sides, strict=True):
        if not side:
            raise InputError(f"{name}: expected measurements, got none")
    pairs, lonely = _pairs(*map(_by_shape, sides))
    if not pairs:
        raise InputError(
            f"before has {_listed(sides[0])}, after has {_listed(sides[1])}: expected at least one shape in both, with "
            "the same model, visual tokens, request and batch"
        )
    random = np.random.default_rng(seed)
    changes = [tuple(_changes(ones, others, random)) for ones, others in pairs]
    known = list(dict.fromkeys(one.name for some in changes for one in some))
    for name in only:
        if name not in known:
            raise UnknownNameError("quantity", name, known)
    return MeasurementComparison(
        shapes=tuple(
            ShapeChange(
                title=shape_title(ones[0]),
                changes=tuple(one for one in some if not only or one.name in only),
                unstable=(*_unstable("before", ones), *_unstable("after", others)),
                runs=(len(ones), len(others)),
            )
            for (ones, others), some in zip(pairs, changes, strict=True)
        ),
        unlike=_unlike(pairs),
        left_out=tuple(lonely),
        level=LEVEL,
        draws=DRAWS,
    )


def ratio_interval(
    before: Sequence[Sequence[float]], after: Sequence[Sequence[float]], random: np.random.Generator, draws: int = DRAWS
) -> tuple[float, float]:
    """The 95 % interval of the ratio of medians, after over before.

    Args:
        before: the samples of each run, above 0.
        after: the same.
        random: draws.
        draws: how many.
    """
    logs = _drawn(after, random, draws) - _drawn(before, random, draws)
    low, high = np.exp(np.quantile(logs, ((1 - LEVEL) / 2, (1 + LEVEL) / 2)))
    return float(low), float(high)


def bootstrap_medians(samples: Sequence[float], random: np.random.Generator, draws: int) -> FloatArray:
    """Medians of so many resamples of the samples, drawn from their exact distribution."""
    ordered = np.sort(np.asarray(samples, float))
    count = len(ordered)
    middle = (count + 1) // 2
    lower = random.beta(middle, count - middle + 1, draws)
    found: FloatArray = ordered[_place(lower, count)]
    if count % 2 == 0:
        upper = lower + (1 - lower) * random.beta(1, count - middle, draws)
        found = (found + ordered[_place(upper, count)]) / 2
    return found


def _place(share: FloatArray, count: int) -> NDArray[np.intp]:
    return np.minimum((share * count).astype(np.intp), count - 1)


def _drawn(runs: Sequence[Sequence[float]], random: np.random.Generator, draws: int) -> FloatArray:
    """Logarithms of medians, on average over as many runs as there are, each drawn among them."""
    if len(runs) == 1:
        found: FloatArray = np.log(bootstrap_medians(runs[0], random, draws))
        return found
    total = np.zeros(draws)
    for _ in runs:
        chosen = random.integers(0, len(runs), draws)
        fresh = np.stack([np.log(bootstrap_medians(samples, random, draws)) for samples in runs])
        total += fresh[chosen, np.arange(draws)]
    return total / len(runs)


def shape_title(one: Measurement) -> str:
    """ "Qwen2.5-0.5B with 36 visual tokens, batch 8, 50 query and 16 answer tokens"."""
    facts, load = one.model, one.workload
    tokens = f" ({facts.image})" if facts.image else ""
    count = "1 visual token" if facts.visual_tokens == 1 else f"{facts.visual_tokens} visual tokens"
    counts = {"query": load.query_tokens, "system": load.system_tokens, "cached": load.cached_tokens}
    said = [f"{number} {name}" for name, number in {**counts, "answer": load.generated_tokens}.items() if number]
    images = "" if load.images == 1 else f", {load.images} images"
    return f"{facts.llm}{tokens} with {count}, batch {one.batch}, {' + '.join(said) or 'no'} tokens{images}"


# ---- which belong together -------------------------------------------------------------------------------------------

Shapes = Mapping[tuple[Any, ...], list[Measurement]]


def _by_shape(found: Iterable[Measurement]) -> Shapes:
    """By shape, then precision, mode and method: runs of the same are together."""
    shapes: dict[tuple[Any, ...], list[Measurement]] = {}
    for one in found:
        shape = tuple(getattr(one.model, name) for name in _FACTS), one.workload, one.batch
        shapes.setdefault((shape, (one.model.precision, one.mode, one.method.kind)), []).append(one)
    return shapes


def _pairs(before: Shapes, after: Shapes) -> tuple[list[tuple[list[Measurement], list[Measurement]]], list[str]]:
    """Runs of the same shape; run otherwise (another precision, another mode) only where that is not ambiguous."""
    matched = {key: key for key in before if key in after}
    for key in before:
        alike = [other for other in after if other[0] == key[0] and other not in matched.values()]
        rivals = [other for other in before if other[0] == key[0] and other not in matched]
        if key not in matched and len(alike) == len(rivals) == 1:
            matched[key] = alike[0]
    lonely = [f"only before: {shape_title(ones[0])}" for key, ones in before.items() if key not in matched]
    lonely += [f"only after: {shape_title(ones[0])}" for key, ones in after.items() if key not in matched.values()]
    return [(before[key], after[other]) for key, other in matched.items()], lonely


def _listed(found: Sequence[Measurement]) -> str:
    titles = list(dict.fromkeys(map(shape_title, found)))
    more = f" and {len(titles) - _NAMED_MAX} more" if len(titles) > _NAMED_MAX else ""
    return "; ".join(titles[:_NAMED_MAX]) + more


def _unlike(pairs: Sequence[tuple[list[Measurement], list[Measurement]]]) -> tuple[Unlike, ...]:
    """What the environments do not have in common, by name."""
    found: dict[str, Unlike] = {}
    for ones, others in pairs:
        sides = [[_circumstances(one) for one in side] for side in (ones, others)]
        for name in dict.fromkeys(key for side in sides for facts in side for key in facts):
            values = [dict.fromkeys(shown(facts.get(name)) for facts in side) for side in sides]
            if list(values[0]) != list(values[1]) or len(values[0]) > 1:
                before, after = (", ".join(value.strip("'") for value in side) for side in values)
                found.setdefault(name, Unlike(name, before, after))
    return tuple(found.values())


def _circumstances(one: Measurement) -> dict[str, Any]:
    own = {"precision": one.model.precision, "mode": one.mode, "method": one.method.kind}
    there = {
        name: value
        for name, value in one.environment.items()
        if name not in _NOT_COMPARED and isinstance(value, str | int | float | bool | None)
    }
    return {**own, **there}


def _unstable(side: str, found: Sequence[Measurement]) -> Iterator[str]:
    for one in found:
        if not one.stable:
            yield f"{side}: {one.advice[0]}"


# ---- numbers ---------------------------------------------------------------------------------------------------------


def _changes(
    before: Sequence[Measurement], after: Sequence[Measurement], random: np.random.Generator
) -> Iterator[Change]:
    """Of everything that was measured on both sides: times in the order of a request, then memory and energy."""
    for name in TIMED:
        runs = [[one.samples[name].seconds for one in side if name in one.samples] for side in (before, after)]
        if not all(runs) or min(min(samples) for side in runs for samples in side) <= 0:
            continue
        first, second = map(_middle, runs)
        low, high = ratio_interval(runs[0], runs[1], random)
        counts = tuple(sum(map(len, side)) for side in runs)
        yield Change(f"{name}_s", _TITLES.get(name, name.replace("_", " ")), "s", first, second, low, high, counts)
    for quantity, title, values in _exact(before, after):
        yield Change(quantity, title, quantity.rpartition("_")[2], *values)


def _middle(runs: Sequence[Sequence[float]]) -> float:
    """The median of a run; of several the geometric mean of theirs."""
    medians = [float(np.median(one)) for one in runs]
    return medians[0] if len(medians) == 1 else math.exp(sum(map(math.log, medians)) / len(medians))


def _exact(
    before: Sequence[Measurement], after: Sequence[Measurement]
) -> Iterator[tuple[str, str, tuple[float, float]]]:
    """What has no noise that samples show: bytes and FLOPs; energy where both sides have a valid one."""
    for quantity, title, read in _EXACT:
        sides = [[number for one in side if (number := read(one))] for side in (before, after)]
        if all(sides):
            first, second = (float(np.median(side)) for side in sides)
            if first != second or quantity in _ALWAYS:
                yield quantity, title, (first, second)


_EXACT: tuple[tuple[str, str, Callable[[Measurement], float | None]], ...] = (
    ("peak_memory_bytes", "peak memory", lambda one: one.memory.peak_bytes),
    ("weights_bytes", "weights", lambda one: one.memory.weights_bytes),
    ("kv_cache_bytes", "KV cache", lambda one: one.memory.kv_cache_bytes),
    ("request_flops", "FLOPs of a request", lambda one: sum(one.flops.values())),
    ("energy_joules", "energy", lambda one: one.energy.joules if one.energy.valid else None),
)
_ALWAYS = ("peak_memory_bytes", "energy_joules")
"""Shown where they are equal, too."""
