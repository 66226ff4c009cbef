"""Plan: the pick, what stands beside it, and what it rests on."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planner.base.quantities import (
    format_bytes,
    format_flops,
    format_fraction,
    format_params,
    format_percent,
    format_seconds,
    format_tokens,
)
from planner.configuration import Model, Run
from planner.costs.flops import Flops
from planner.costs.latency import Latency
from planner.costs.memory import Memory
from planner.costs.stages import STAGES, Workload
from planner.hardware import Hardware
from planner.laws.combined import Law
from planner.laws.fitted import FittedLaw
from planner.parts.compressors import Compressor
from planner.parts.llms import Llm
from planner.parts.towers import Tower
from planner.planning.deployment import Deployment
from planner.planning.limits import RELAXED_BY, Limit
from planner.planning.record import record
from planner.planning.request import Budget, Load
from planner.planning.table import CandidateTable
from planner.planning.words import load_text, price_text, way_to_run

if TYPE_CHECKING:
    import pandas as pd


_WRITERS: list[Callable[..., Path]] = []  # what writes a plan's page: a later room, which planner/__init__ names here
_TIMES = {"TTFT": "ttft_s", "TPOT": "tpot_s", "request": "request_s"}


@dataclass(frozen=True)
class Candidate:
    """One configuration that could be deployed."""

    llm: Llm
    visual_tokens: int
    """Per image."""
    predicted_error: float
    """The law's error, between 0 and 1 inside its data."""
    flops: Flops
    """FLOPs of one request by stage, in the plan's convention."""
    vision: Tower
    compressor: Compressor
    prompt_order: str
    """"image-first" or "text-first"."""
    precision: str
    """Of the LLM's matrices."""
    kv_precision: str | None
    """Of the KV cache; None: that of what is not quantised."""
    tensor_parallel: int
    """GPUs that share the model."""
    batch: int
    """Requests that run together."""
    memory: Memory = field(hash=False)
    """Bytes on one device, for the whole batch."""
    latency: Latency | None = field(hash=False)
    """Seconds of a batch by stage; None without hardware."""
    quantities: Mapping[str, float] = field(hash=False)
    """What the limits look at, by name with unit ("total_flops", "ttft_s")."""
    interval: tuple[float, float] | None = None
    """95 % interval of the predicted error, over every form that the runs allow; None where the law has no runs."""
    probability_best: float | None = None
    """Probability that no candidate under the budget has a smaller error; None for a law of a joint fit."""
    expected_regret: float | None = None
    """How much larger its error is expected to be than that of the best candidate under the budget."""

    @property
    def model(self) -> Model:
        """What is made."""
        return Model(self.llm, self.vision, self.compressor, self.visual_tokens, self.prompt_order)

    def run(self, hardware: Hardware | None = None) -> Run:
        """How it runs, on such hardware."""
        return Run(hardware, self.precision, self.kv_precision, self.batch, self.tensor_parallel)

    @property
    def total_flops(self) -> float:
        return float(self.flops.total)

    def __str__(self) -> str:
        return str(self.model)

    def to_dict(self) -> dict[str, Any]:
        return {
            "llm": self.llm.name,
            "llm_params": self.llm.nominal_params,
            "visual_tokens": self.visual_tokens,
            "predicted_error": self.predicted_error,
            "flops": self.flops.to_dict(),
            "vision": self.vision.name,
            "compressor": self.compressor.name,
            "prompt_order": self.prompt_order,
            "precision": self.precision,
            "kv_precision": self.kv_precision,
            "tensor_parallel": self.tensor_parallel,
            "batch": self.batch,
            **{name: value for name, value in self.quantities.items() if name != "total_flops"},
            "interval": None if self.interval is None else list(self.interval),
            "probability_best": self.probability_best,
            "expected_regret": self.expected_regret,
        }


@dataclass(frozen=True)
class SlackOfPick:
    """What one limit is to the pick."""

    limit: Limit
    used: float
    """Share of the limit that the pick uses."""
    binds: bool
    """Whether a better candidate would fit without this limit, all others kept."""
    relaxed: Candidate | None
    """The better pick if the limit were 10 % looser; None if that buys nothing."""

    def to_dict(self) -> dict[str, Any]:
        return {
            "title": self.limit.title,
            "quantity": self.limit.column,
            "at_least": self.limit.at_least,
            "limit": self.limit.value,
            "used": self.used,
            "binds": self.binds,
            "relaxed_by": RELAXED_BY,
            "relaxed": None if self.relaxed is None else self.relaxed.to_dict(),
        }


@dataclass(frozen=True)
class Plan:
    """The best (LLM, visual tokens) pair under a budget, with the cost of everything that runs."""

    best: Candidate
    """The candidate with the smallest predicted error that fits the budget."""
    runners_up: tuple[Candidate, ...]
    """The next best that fit, best first."""
    tied: tuple[Candidate, ...]
    """What fits and cannot be told from the best at 95 %, cheapest first; the pick is among them."""
    frontier: tuple[Candidate, ...]
    """Candidates that fit and that no cheaper one beats, by ascending FLOPs or else by the first limit; the last has
    the error of the pick."""
    next_up: Candidate | None
    """The candidate just above the budget that would be better, if there is one."""
    best_of_each: tuple[Candidate, ...]
    """The best of each compressor, tower and prompt order that fits, best first; () where only one was tried."""
    limits: tuple[SlackOfPick, ...]
    """Every limit, and what 10 % more of it would buy."""
    law: Law
    """That of the pick's compressor."""
    laws: Mapping[str, Law] = field(hash=False)
    """By name of each compressor that was tried: one law for all of them, or each its own."""
    budget: Budget
    load: Load
    """The request that was planned for."""
    deployment: Deployment
    table: CandidateTable
    """Every candidate that was compared."""
    speed_limit_tokens: int | None = None
    """Visual tokens below which fewer save less than 5 % of the pick's TTFT; None without hardware."""
    extrapolates: tuple[str, ...] = ()
    """Where the pick lies outside what the law was fitted to."""
    assumptions: tuple[str, ...] = ()
    """What has to hold for the law to speak of this use."""

    @property
    def workload(self) -> Workload:
        """The request that was planned for; of a distribution the mean one."""
        return self.load.mean

    @property
    def candidates_count(self) -> int:
        """Candidates that were compared."""
        return len(self.table)

    @property
    def fitting_count(self) -> int:
        """How many of them fit the budget."""
        return int(self.table.fits.sum())

    def to_dict(self) -> dict[str, Any]:
        """The plan as plain JSON types: the answer, what it rests on, and what gives it again."""
        return record(self)

    def report(self, path: str | os.PathLike[str], verdict: Any = None, *, overwrite: bool = False) -> Path:
        """Write the deployment recommendation: a page (.html), the same as text (.md), or all its numbers (.json).

        Args:
            path: the file; its suffix says which kind.
            verdict: what was measured of the pick: a Verdict, its dictionary, or its JSON file. Without it the page
                says that nothing is measured yet, and how to measure.
            overwrite: whether a file that is there may be replaced.

        Raises:
            InputError: another suffix, a verdict that cannot be read, or a file that cannot be written.
            OutputExistsError: the file exists and `overwrite` is false.
        """
        return _WRITERS[-1](self, path, verdict, overwrite=overwrite)

    def to_frame(self) -> pd.DataFrame:
        """Every candidate as a row of a DataFrame, best first; see `CandidateTable.to_frame`."""
        return self.table.to_frame()

    def __str__(self) -> str:
        """A few plain lines; `vlm-planner plan` shows tables."""
        best, budget = self.best, self.budget
        of = "" if budget.flops is None else f" of {format_flops(budget.flops)}"
        cost = f"{format_flops(best.total_flops)}{of} ({budget.convention} count)"
        running = [stage for stage in STAGES if getattr(best.flops, stage) > 0]
        stages = ", ".join(
            f"{stage.replace('_', ' ')} {format_percent(getattr(best.flops, stage), best.total_flops)}"
            for stage in running
        )
        lines = [
            f"best under the budget: {best}",
            *filter(None, (way_to_run(self), load_text(self.load))),
            f"predicted error {error_text(best)} ({law_title(self.law)})",
            f"cost: {cost}: {stages}",
        ]
        if best.latency is not None:
            times = (f"{title} {format_seconds(best.quantities[name])}" for title, name in _TIMES.items())
            memory = format_bytes(float(best.memory.peak))
            lines.append(f"time: {', '.join(times)} ({best.latency.source}); memory per device {memory}")
        if price := price_text(self):
            lines.append(f"price: {price}")
        held = [one.limit.title for one in self.limits if one.binds]
        if len(self.limits) > 1:
            lines.append(f"binding: {', '.join(held) or 'nothing, no better candidate was tried'}")
        if len(self.tied) > 1:
            lines.append(tied_text(self))
        if self.runners_up:
            second = self.runners_up[0]
            lines.append(f"next best: {second}, error {format_fraction(second.predicted_error)}")
        lines += [f"extrapolates: {text}" for text in self.extrapolates]
        lines += [f"assumes: {text}" for text in self.assumptions]
        return "\n".join(lines)


def set_report_writer(writer: Callable[..., Path]) -> None:
    """Name what `Plan.report` calls. It stands in a room that this one may not import; `planner` itself names it."""
    _WRITERS.append(writer)


def error_text(candidate: Candidate) -> str:
    """A predicted error with its interval: "0.5019 (95 %: 0.4985 to 0.5051)"."""
    text = format_fraction(candidate.predicted_error)
    if candidate.interval is None:
        return text
    low, high = candidate.interval
    return f"{text}, 95 % interval {format_fraction(low)} to {format_fraction(high)}"


def tied_text(plan: Plan) -> str:
    """The tied candidates in a sentence, with the cheapest of them."""
    cheapest = plan.tied[0]
    if cheapest == plan.best:
        ending = "the pick is the cheapest of them"
    else:
        other = "" if cheapest.compressor == plan.best.compressor else f" ({cheapest.compressor.name})"
        ending = f"the cheapest is {cheapest}{other} at {format_flops(cheapest.total_flops)}"
    told = "cannot be told from the best at 95 % under every form that the runs allow"
    return f"{len(plan.tied)} candidates {told}; {ending}"


def law_title(law: Law) -> str:
    """A law in a few words: "law reasoning, additive, 28 runs, at a bound: D"."""
    parts = [f"law {law.name}" if law.name else "law", law.form]
    joint = law.joint.get("groups", {}) if isinstance(law, FittedLaw) else {}
    parts += (
        [f"{law.n_runs} runs" + (f", fitted jointly with {len(joint) - 1} other group" if joint else "")]
        if law.n_runs
        else []
    )
    parts.append(law.status + (f": {', '.join(law.at_bound)}" if law.at_bound else ""))
    return ", ".join(parts)


@dataclass(frozen=True)
class ContinuousOptimum:
    """The best (N, V) on a budget if every size could be had."""

    llm_params: float
    visual_tokens: float
    """Per image."""
    predicted_error: float
    closed_form: bool
    """Whether a formula gives it (multiplicative and log-linear forms)."""
    limit: str | None
    """"min" or "max" where the optimum is at the least or the most visual tokens allowed."""
    visual_tokens_interval: tuple[float, float] | None = None
    """95 % profile interval of the visual tokens, cut to those allowed; None for a law without runs."""

    def to_dict(self) -> dict[str, Any]:
        ends = self.visual_tokens_interval
        return {**vars(self), "visual_tokens_interval": None if ends is None else list(ends)}

    def __str__(self) -> str:
        tokens = "1 visual token" if self.visual_tokens == 1 else f"{format_tokens(self.visual_tokens)} visual tokens"
        error = format_fraction(self.predicted_error)
        return f"{format_params(self.llm_params)} parameters with {tokens}, predicted error {error}"
