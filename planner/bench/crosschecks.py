"""Times that must agree because the same work was done: where they do not, something disturbed one of them.

decode step          beside TPOT, which is the mean of decode steps in whole requests
sum of the stages    beside TTFT
one encoder          in all shapes with the same tower, images and batch
two short tests      a matrix product and a copy, before and after a measurement, and in all measurements

Disturbances lengthen times: of two that disagree the longer one is doubted. Short tests of many measurements are held
against what is usual: a copy can be twice as fast in memory that happens to be mapped by large pages, and one such
moment is no evidence against all others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

from planner.base.quantities import format_percent, format_seconds
from planner.base.stored import POSITIVE
from planner.bench.samples import Samples

if TYPE_CHECKING:
    from planner.bench.measurement import Ceilings, Measurement

AGREE = 0.10
"""Between 95 % intervals of two medians of one measurement, seconds from each other: quiet ones keep within 9 %."""
AGREE_ACROSS = 0.15
"""The same between measurements, with minutes and other clocks between them; a calibrated check allows as much."""
ENOUGH_TO_BE_USUAL = 4
"""Measurements whose median short test is what is usual; of fewer the fastest is right."""
HOST_S = {"decode_step": 2e-4, "ttft": 1e-3}
"""What a whole request does between its stages, by what is compared: picking tokens, joining embeddings."""
BEFORE_TOKEN = ("encoder", "compressor", "query_pass", "prefill")
"""Stages whose sum is the TTFT."""
CEILINGS = "ceilings"


@dataclass(frozen=True)
class Probe:
    """Two short tests of a device, a median of five runs each: they tell whether it is as fast as before."""

    matmul_s: Annotated[float, POSITIVE]
    """Of a small matrix product in the model's precision."""
    copy_s: Annotated[float, POSITIVE]
    """Of a copy beyond every cache."""


def disagreements(samples: Mapping[str, Samples], probes: Sequence[Probe] = ()) -> dict[str, tuple[str, ...]]:
    """What contradicts itself within one measurement: name of the doubted time -> why, in words."""
    found: dict[str, tuple[str, ...]] = {}
    if "tpot" in samples and "decode_step" in samples:
        step, mean = _reach(samples["decode_step"]), _reach(samples["tpot"])
        if _differ(step, mean, AGREE, HOST_S["decode_step"]):
            slow = "decode_step" if step.median > mean.median else "tpot"
            found[slow] = (_told("decode step", step.median, "TPOT", mean.median),)
    stages = [_reach(samples[name]) for name in BEFORE_TOKEN if name in samples]
    if "ttft" in samples and stages:
        both = _Reach(*(sum(getattr(one, end) for one in stages) for end in ("low", "median", "high")))
        whole = _reach(samples["ttft"])
        if _differ(both, whole, AGREE, HOST_S["ttft"]):
            longest = max(BEFORE_TOKEN, key=lambda name: samples[name].median_s if name in samples else 0.0)
            slow = "ttft" if whole.median > both.median else longest
            found[slow] = (_told("sum of the stages", both.median, "TTFT", whole.median),)
    if len(probes) > 1:
        for name, title in (("matmul_s", "matrix product"), ("copy_s", "copy")):
            first, last = getattr(probes[0], name), getattr(probes[-1], name)
            if _moved(first, last):
                told = _told(f"one {title} before", first, "after all stages", last)
                found[CEILINGS] = (*found.get(CEILINGS, ()), told)
    return found


def joined_complaints(*several: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """What several say of each name, in their order; names of which nothing is said are left out."""
    names = dict.fromkeys(name for one in several for name in one)
    found = {name: tuple(text for one in several for text in one.get(name, ())) for name in names}
    return {name: texts for name, texts in found.items() if texts}


def crosschecked(measurements: Iterable[Measurement]) -> tuple[Measurement, ...]:
    """The same, with what contradicts the others written into each: its `doubts`."""
    taken = list(measurements)
    doubts = [{kind: why for kind, why in one.doubts.items() if kind not in _SAME} for one in taken]
    for kind, (title, key, reach) in _SAME.items():
        groups: dict[object, list[tuple[int, _Reach]]] = {}
        for place, one in enumerate(taken):
            if (found := reach(one)) is not None:
                groups.setdefault(key(one), []).append((place, found))
        for members in groups.values():
            by_time = sorted((found for _, found in members), key=lambda found: found.high)
            right = by_time[(len(by_time) - 1) // 2 if kind in _PROBED and len(by_time) >= ENOUGH_TO_BE_USUAL else 0]
            for place, found in members:
                if found.median > right.median and _differ(found, right, AGREE_ACROSS, 0.0):
                    why = f"{title} takes {format_seconds(found.median)}, in another shape {_short(found, right)}"
                    doubts[place][kind] = (*doubts[place].get(kind, ()), why)
    return tuple(replace(one, doubts=own) if own != one.doubts else one for one, own in zip(taken, doubts, strict=True))


def ceilings_again(measurements: Iterable[Measurement], end: Ceilings) -> tuple[Measurement, ...]:
    """The same, doubted where the device reaches more or less at the end of a run than it did at its start.

    Args:
        measurements: those that were kept from an earlier run have ceilings of their own and are compared too.
        end: the ceilings, measured once more.
    """
    found = []
    for one in measurements:
        texts = []
        for name, title in (("matmul_flops_per_s", "matrix rates"), ("copy_bytes_per_s", "copy rates")):
            first, last = getattr(one.ceilings, name), getattr(end, name)
            if _moved(first, last):
                off = format_percent(abs(first - last), min(first, last))
                texts.append(f"{title} of the device at the start and at the end disagree by {off}")
        found.append(replace(one, doubts={**one.doubts, CEILINGS: tuple(texts)}) if texts else one)
    return tuple(found)


@dataclass(frozen=True)
class _Reach:
    """A median with the ends of its interval."""

    low: float
    median: float
    high: float


def _reach(one: Samples) -> _Reach:
    """By ranks; all samples where they are too few for that."""
    low, high = one.interval_s or (min(one.seconds), max(one.seconds))
    return _Reach(low, one.median_s, high)


def _differ(one: _Reach, other: _Reach, limit: float, slack_s: float) -> bool:
    """Whether the interval of the longer one begins beyond the end of the shorter one's by more than the limit."""
    slow, fast = (one, other) if one.median > other.median else (other, one)
    return slow.low - slack_s > (1 + limit) * fast.high


def _moved(first: float, last: float) -> bool:
    """Whether what a device reaches is not what it was."""
    return max(first, last) > (1 + AGREE_ACROSS) * min(first, last)


def _told(one: str, one_s: float, other: str, other_s: float) -> str:
    off = format_percent(abs(one_s - other_s), min(one_s, other_s))
    return f"{one} {format_seconds(one_s)} and {other} {format_seconds(other_s)} disagree by {off}"


def _short(slow: _Reach, fast: _Reach) -> str:
    return f"{format_seconds(fast.median)}: they disagree by {format_percent(slow.median - fast.median, fast.median)}"


def _of_encoder(one: Measurement) -> _Reach | None:
    return _reach(one.samples["encoder"]) if "encoder" in one.samples else None


def _encoder_key(one: Measurement) -> object:
    """What makes two encoders the same work: released models bring their own."""
    facts = one.model
    own = (facts.llm, facts.visual_tokens) if facts.image else ()
    return (facts.vision, facts.image, own, facts.precision, one.mode, one.batch, one.workload.images)


def _probed(name: str, one: Measurement) -> _Reach | None:
    times = [getattr(each, name) for each in one.probes]
    middle = Samples(tuple(times)).median_s if times else None
    return None if middle is None else _Reach(middle, middle, middle)


_SAME = {
    "encoder": ("the encoder", _encoder_key, _of_encoder),
    "matrix rate": ("a short matrix product", lambda one: one.model.precision, lambda one: _probed("matmul_s", one)),
    "copy rate": ("a short copy", lambda one: one.model.precision, lambda one: _probed("copy_s", one)),
}
"""Of measurements of one device: name of the doubt -> what it is called, what must be equal, and the time."""
_PROBED = ("matrix rate", "copy rate")
