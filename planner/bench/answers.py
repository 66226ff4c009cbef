"""What a deployer asks of measurements, in plain words with the numbers behind them.

    fewer tokens   saving(V) = 1 - TTFT(fewest V) / TTFT(V); it counts where it is above 5 % and above its noise
    where          share of a stage in TTFT + (G - 1) TPOT
    batch          the smallest batch whose requests per second are within 5 % of the best

The same questions are answered by predictions of a profile, which have no noise. Letters: V visual tokens, G generated.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from planner.bench.measurement import Measurement
from planner.bench.samples import Samples
from planner.costs.hardware import Hardware
from planner.costs.latency import request_latency
from planner.costs.stages import IMAGE_FIRST, Workload
from planner.models.specs import CompressorSpec, LlmSpec, VisionSpec
from planner.quantities import format_factor, format_percent, format_seconds, format_significant

MATTERS = 0.05
"""A smaller part of a time, or of a throughput, is not worth a change."""
MEASURED, PREDICTED = "measured", "predicted"
_TITLES = {
    "encoder": "the vision encoder",
    "compressor": "the compressor",
    "query_pass": "the query pass",
    "prefill": "the prefill",
    "decode": "decoding",
}
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


@dataclass(frozen=True)
class FewerTokens:
    """Do fewer visual tokens make this deployment faster, and down to how many?"""

    subject: str
    batch: int
    source: str
    visual_tokens: tuple[int, ...]
    """Ascending."""
    ttft_s: tuple[float, ...]
    saving: tuple[float, ...]
    """Of each TTFT, by going to the fewest."""
    noise: tuple[float, ...]
    """What a saving may be off by: two standard errors."""
    enough: int
    """Fewer tokens than these save next to nothing."""

    @property
    def faster(self) -> bool:
        """Whether the fewest tokens are faster than the most."""
        return self.enough < self.visual_tokens[-1]

    @property
    def sentence(self) -> str:
        fewest, most = self.visual_tokens[0], self.visual_tokens[-1]
        first, last = self.ttft_s[0], self.ttft_s[-1]
        times = f"TTFT {format_seconds(last)} at {most}, {format_seconds(first)} at {fewest}"
        if not self.faster:
            noisy = self.noise[-1] > MATTERS
            limit = "the noise" if noisy else format_percent(MATTERS, 1.0)
            text = "Fewer visual tokens do not make it faster"
            return f"{text}: from {most} to {fewest} they save less than {limit} ({times})."
        text = f"Fewer visual tokens make it {format_factor(last / first)} times faster ({times})"
        if self.enough == fewest:
            return f"{text}; every step down to {fewest} counts."
        left = self.saving[self.visual_tokens.index(self.enough)]
        gain = "nothing" if left <= 0 else format_percent(left, 1.0)
        return f"{text}, but from {self.enough} tokens down there is {gain} left to gain."

    def to_dict(self) -> dict[str, Any]:
        return {"question": "fewer_tokens", "sentence": self.sentence, "faster": self.faster, **asdict(self)}


@dataclass(frozen=True)
class WhereTimeGoes:
    """Which stage does the time go to?"""

    subject: str
    visual_tokens: int
    batch: int
    source: str
    seconds: Mapping[str, float] = field(hash=False)
    """By stage, longest first."""

    @property
    def total_s(self) -> float:
        return sum(self.seconds.values())

    @property
    def shares(self) -> dict[str, float]:
        return {name: seconds / self.total_s for name, seconds in self.seconds.items()}

    @property
    def sentence(self) -> str:
        (first, share), *others = self.shares.items()
        tokens = "1 visual token" if self.visual_tokens == 1 else f"{self.visual_tokens} visual tokens"
        rest = ", ".join(f"{format_percent(part, 1.0)} {_TITLES[name]}" for name, part in others if part >= 0.005)
        text = f"With {tokens} at batch {self.batch}, {format_percent(share, 1.0)} of "
        text += f"{format_seconds(self.total_s)} goes to {_TITLES[first]}"
        return f"{text}; {rest}." if rest else f"{text}."

    def to_dict(self) -> dict[str, Any]:
        return {"question": "where_time_goes", "sentence": self.sentence, "shares": self.shares, **asdict(self)}


@dataclass(frozen=True)
class FullBatch:
    """What batch fills the device?"""

    subject: str
    visual_tokens: int
    source: str
    batches: tuple[int, ...]
    """Ascending."""
    requests_per_s: tuple[float, ...]
    request_s: tuple[float, ...]
    """Of the whole batch, which every request waits for."""
    enough: int
    """The smallest batch within 5 % of the best throughput."""

    @property
    def still_growing(self) -> bool:
        """Whether a larger batch than any here may do more."""
        return self.enough == self.batches[-1]

    @property
    def sentence(self) -> str:
        place = self.batches.index(self.enough)
        rate, took = self.requests_per_s[place], self.request_s[place]
        tokens = "1 visual token" if self.visual_tokens == 1 else f"{self.visual_tokens} visual tokens"
        doing = f"{format_significant(rate)} requests/s, {format_seconds(took)} each"
        factor = rate / self.requests_per_s[0]
        than = f", {format_factor(factor)} times the throughput of batch {self.batches[0]}"
        if self.still_growing:
            return f"With {tokens} the largest batch here, {self.enough}, does not fill it yet: {doing}{than}."
        than = than if place else ""
        return f"With {tokens} a batch of {self.enough} fills it: {doing}{than}; larger ones only take longer."

    def to_dict(self) -> dict[str, Any]:
        growing = self.still_growing
        return {"question": "full_batch", "sentence": self.sentence, "still_growing": growing, **asdict(self)}


Answer = FewerTokens | WhereTimeGoes | FullBatch


def answers_of(measurements: Iterable[Measurement]) -> tuple[Answer, ...]:
    """What measurements answer: of tokens where a model ran with several, of batches likewise, of stages always."""
    return answers(tuple(_measured(one) for one in measurements))


def predicted_answers(
    hardware: Hardware,
    llm: LlmSpec,
    workload: Workload,
    visual_tokens: Sequence[int],
    batches: Sequence[int],
    *,
    vision: VisionSpec,
    compressor: CompressorSpec,
    prompt_order: str = IMAGE_FIRST,
    precision: str = "bf16",
) -> tuple[Answer, ...]:
    """The same answers by a profile's predictions, for every combination of visual tokens and batch."""
    latency = request_latency(
        llm,
        np.array(visual_tokens, float),
        workload,
        vision=vision,
        compressor=compressor,
        hardware=hardware,
        prompt_order=prompt_order,
        precision=precision,
        batch=np.array(batches, float)[:, None],
    )
    points = []
    for row, batch in enumerate(batches):
        for column, tokens in enumerate(visual_tokens):
            one = latency.at(row, column)
            stages = {name: float(getattr(one, name).seconds) for name in _BEFORE}
            stages["decode"] = float(one.request_s - one.ttft_s)
            points.append(
                Point(
                    subject=_subject(llm.name, workload),
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
    shape = [facts.compressor, facts.prompt_order, facts.vision, facts.precision, one.mode]
    return Point(
        subject=f"{_subject(facts.llm, one.workload)}; {', '.join(shape)}",
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
