"""What a deployer asks of measurements, worked out of the times of several shapes: `planner.bench.questions`.

The same questions are answered by predictions of a profile, which have no noise. Letters: V visual tokens, G generated.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace

import numpy as np

from planner.base.dataclass import dataclass
from planner.bench.measurement import Measurement
from planner.bench.questions import MATTERS, MEASURED, PREDICTED, Answer, FewerTokens, FullBatch, WhereTimeGoes
from planner.bench.samples import Samples
from planner.configuration import Model, Run
from planner.costs.latency import latency
from planner.costs.stages import Workload

__all__ = [
    "MATTERS",
    "MEASURED",
    "PREDICTED",
    "Answer",
    "FewerTokens",
    "FullBatch",
    "Point",
    "WhereTimeGoes",
    "answers",
    "answers_of",
    "predicted_answers",
]

_BEFORE = ("encoder", "compressor", "query_pass", "prefill")


@dataclass(frozen=True)
class Point:
    """One shape: times of a batch of requests."""

    subject: str
    """Which model and request, all but visual tokens and batch."""
    visual_tokens: int
    batch: int
    stages_s: Mapping[str, float] = field(hash=False)
    """By name; decode of all G - 1 further tokens."""
    ttft_s: float
    request_s: float
    noise: float = 0.0
    """Relative standard error of the TTFT."""
    source: str = MEASURED


def answers_of(measurements: Iterable[Measurement]) -> tuple[Answer, ...]:
    """What measurements answer: of tokens where a model ran with several, of batches likewise, of stages always."""
    return answers(tuple(_measured(one) for one in measurements))


def predicted_answers(
    model: Model, run: Run, workload: Workload, visual_tokens: Sequence[int], batches: Sequence[int]
) -> tuple[Answer, ...]:
    """The same answers by a profile's predictions, for every combination of visual tokens and batch.

    Args:
        model: its own number of visual tokens does not matter.
        run: on the hardware of the profile; its own batch does not matter.
        workload: one request.
        visual_tokens: to be compared.
        batches: to be compared.
    """
    many = replace(model, visual_tokens=np.array(visual_tokens, float))
    times = latency(many, workload, replace(run, batch=np.array(batches, float)[:, None]))
    points = []
    for row, batch in enumerate(batches):
        for column, tokens in enumerate(visual_tokens):
            one = times.at(row, column)
            stages = {name: float(getattr(one, name).seconds) for name in _BEFORE}
            stages["decode"] = float(one.request_s - one.ttft_s)
            points.append(
                Point(
                    subject=_subject(model.llm.name, workload),
                    visual_tokens=int(tokens),
                    batch=int(batch),
                    stages_s={name: seconds for name, seconds in stages.items() if seconds > 0},
                    ttft_s=float(one.ttft_s),
                    request_s=float(one.request_s),
                    source=PREDICTED,
                )
            )
    return answers(points)


def answers(points: Iterable[Point]) -> tuple[Answer, ...]:
    """What shapes answer, model by model."""
    by_subject: dict[tuple[str, str], list[Point]] = {}
    for point in points:
        by_subject.setdefault((point.subject, point.source), []).append(point)
    found: list[Answer] = []
    for own in by_subject.values():
        found += [_fewer_tokens(some) for some in _series(own, "batch", "visual_tokens")]
        found += _where(own)
        found += [_full_batch(some) for some in _series(own, "visual_tokens", "batch")]
    return tuple(found)


def _series(points: Sequence[Point], fixed: str, varied: str) -> list[list[Point]]:
    """Points that differ in one number only, ascending; each number once, two at least."""
    groups: dict[int, dict[int, Point]] = {}
    for point in points:
        groups.setdefault(getattr(point, fixed), {})[getattr(point, varied)] = point
    return [[own[value] for value in sorted(own)] for _, own in sorted(groups.items()) if len(own) > 1]


def _fewer_tokens(series: Sequence[Point]) -> FewerTokens:
    first = series[0]
    saving = [1 - first.ttft_s / point.ttft_s for point in series]
    noise = [0.0, *(2 * math.hypot(first.noise, point.noise) for point in series[1:])]
    limits = [max(MATTERS, one) for one in noise]
    enough = max(
        point.visual_tokens for point, saved, limit in zip(series, saving, limits, strict=True) if saved <= limit
    )
    return FewerTokens(
        subject=first.subject,
        batch=first.batch,
        source=first.source,
        visual_tokens=tuple(point.visual_tokens for point in series),
        ttft_s=tuple(point.ttft_s for point in series),
        saving=tuple(saving),
        noise=tuple(noise),
        enough=enough,
    )


def _where(points: Sequence[Point]) -> list[Answer]:
    """Of the smallest shape and of the largest one."""
    ordered = sorted(
        (point for point in points if point.stages_s), key=lambda point: (point.batch, point.visual_tokens)
    )
    shown = [ordered[0], ordered[-1]] if len(ordered) > 1 else ordered
    return [
        WhereTimeGoes(
            subject=point.subject,
            visual_tokens=point.visual_tokens,
            batch=point.batch,
            source=point.source,
            seconds=dict(sorted(point.stages_s.items(), key=lambda stage: -stage[1])),
        )
        for point in shown
    ]


def _full_batch(series: Sequence[Point]) -> FullBatch:
    rates = [point.batch / point.request_s for point in series]
    enough = next(point.batch for point, rate in zip(series, rates, strict=True) if rate >= (1 - MATTERS) * max(rates))
    return FullBatch(
        subject=series[0].subject,
        visual_tokens=series[0].visual_tokens,
        source=series[0].source,
        batches=tuple(point.batch for point in series),
        requests_per_s=tuple(rates),
        request_s=tuple(point.request_s for point in series),
        enough=enough,
    )


def _measured(one: Measurement) -> Point:
    stages = {name: seconds for name in _BEFORE if (seconds := one.seconds(name))}
    further = max(one.workload.generated_tokens - 1, 0) * (one.tpot_s or 0.0)
    ttft_s = one.ttft_s or sum(stages.values())
    facts = one.model
    size = facts.image.partition(", ")[0]  # a knob of the same image changes its tokens, which are compared
    name = f"{facts.llm}, {size}" if size else facts.llm
    shape = [facts.compressor, facts.prompt_order, facts.vision, facts.precision, one.mode]
    return Point(
        subject=f"{_subject(name, one.workload)}; {', '.join(shape)}",
        visual_tokens=facts.visual_tokens,
        batch=one.batch,
        stages_s=stages | ({"decode": further} if further else {}),
        ttft_s=ttft_s,
        request_s=ttft_s + further,
        noise=_standard_error(one.samples.get("ttft")),
    )


def _standard_error(samples: Samples | None) -> float:
    """Of a median, relative, by the middle half: 1.253 sigma / sqrt(n), sigma = middle half / 1.349."""
    if samples is None:
        return 0.0
    return 1.253 / 1.349 * samples.spread / math.sqrt(len(samples.seconds))


def _subject(llm: str, workload: Workload) -> str:
    texts = {
        "query": workload.query_tokens,
        "system": workload.system_tokens,
        "cached": workload.cached_tokens,
        "answer": workload.generated_tokens,
    }
    counts = ", ".join(f"{count} {name}" for name, count in texts.items() if count)
    images = "" if workload.images == 1 else f", {workload.images} images"
    return f"{llm}, {counts} tokens{images}"
