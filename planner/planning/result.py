"""Plan: the pick, what stands beside it, and what it rests on."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.base.quantities import (
    format_flops,
    format_fraction,
    format_percent,
    format_score,
)
from planner.base.result import Result, above
from planner.costs.stages import STAGES, Workload
from planner.laws.combined import Law
from planner.planning.candidate import Candidate, SlackOfPick, error_text
from planner.planning.deployment import Deployment
from planner.planning.given import Given
from planner.planning.limits import LimitKind, find_limit
from planner.planning.margin import Margin
from planner.planning.pick_facts import published_on, warnings_of, weights_text
from planner.planning.ranking import COST, ERROR
from planner.planning.request import Budget, Load
from planner.planning.table import CandidateTable
from planner.planning.tried import Tried
from planner.planning.under_load.served import Carried, Served
from planner.planning.words import (
    binding_text,
    cost_order_text,
    expected_worse,
    gain_text,
    law_title,
    load_carried,
    load_text,
    parts_text,
    price_text,
    tenths,
    tied_text,
    time_text,
    way_to_run,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True, repr=False)
class Plan(Result):
    """The best (LLM, visual tokens) pair under a budget, with the cost of everything that runs."""

    best: Candidate
    """The candidate with the smallest predicted error that fits the budget, or the one of the smallest cost. Of errors
    that are hardly larger, by less than half of what the smallest is expected to lose to the best, that of the
    likeliest to be best."""
    runners_up: tuple[Candidate, ...]
    """The next best that fit, best first, but none that is more probably the best than the pick."""
    tied: Sequence[Candidate]
    """What fits and is tied with the best at the 95 % level, cheapest first; the pick is among them. () where no
    candidate has an interval."""
    frontier: tuple[Candidate, ...]
    """Candidates that fit and that no cheaper one beats, by ascending FLOPs or else by the first limit; the last has
    the error of the pick."""
    next_up: Candidate | None
    """The candidate just above the budget that would be better, if there is one."""
    best_of_each: tuple[Candidate, ...]
    """The best of each compressor, tower and prompt order that fits, best first; () where only one was tried."""
    limits: tuple[SlackOfPick, ...]
    """Every limit, and what 10 % more of it would buy."""
    laws: Mapping[str, Law] = field(hash=False)
    """By name of each compressor that was tried: one law for all of them, or each its own; {} where candidates are
    ordered by cost alone."""
    budget: Budget
    load: Load
    """The request that was planned for."""
    deployment: Deployment
    tried: Tried
    """The values that were chosen from, and how many candidates they make."""
    all_candidates: CandidateTable | None = field(default=None, repr=False, compare=False)
    """Every candidate that was compared; None of a plan that was read from a file. See `table`."""
    speed_limit_tokens: int | None = None
    """Visual tokens below which fewer save less than 5 % of the pick's TTFT; None without hardware."""
    extrapolates: tuple[str, ...] = ()
    """Where the pick lies outside what the law was fitted to."""
    assumptions: tuple[str, ...] = ()
    """What has to hold for the law to speak of this use."""
    next_other_model: Candidate | None = None
    """The next best of another released model, where only differences of errors are known and the next best is the
    pick's own model with another knob or precision; else None."""
    notes: tuple[str, ...] = ()
    """What was made of what was asked for, where that is not what it says: such as a law that was kept."""
    as_measured: tuple[str, ...] = ()
    """Axes ("compressor", "family", "recipe") along which all candidates were said to be as the law was measured."""
    made_with: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False, compare=False)
    """Versions that it was planned with, of a plan that was read from a file; {} of one that was planned here."""
    earlier_sha256: str = field(default="", repr=False, compare=False)
    """Hash of the file that it was read from, if an earlier version wrote it."""
    carried: Carried | None = field(default=None, hash=False)
    """The pick under the load, by the level that confirmed it; None without a load. See `traffic`."""
    at_scale: Candidate | None = field(default=None, hash=False)
    """The best where the load is `scale` times as large; None where that was not asked for."""
    stored_traffic: Served | None = field(default=None, repr=False, compare=False)
    """Of a plan that was read from a file: what its file holds of `traffic`."""
    given: Given = field(default_factory=Given, repr=False, compare=False)
    """Names and files that it was asked for with; of a plan that was read from a file nothing."""
    rank_by: str = ERROR
    """By what candidates are ordered: "error", or a cost alone: "cost" (the first limit), or the keyword of a limit."""

    @cached_property
    def traffic(self) -> Served | None:
        """The pick and its rivals under the load, simulated when first asked for; None without a load."""
        if self.carried is None or self.stored_traffic is not None:
            return self.stored_traffic
        from planner.planning.under_load.outlook import served  # only who asks for it pays for it

        return served(self)

    @property
    def law(self) -> Law:
        """That of the pick's compressor. Raises InputError where candidates are ordered by cost alone."""
        if self.by_cost:
            raise InputError(
                "the plan orders by cost alone and has no law, so it says nothing of quality; plan without rank_by= "
                "for what a law says"
            )
        return self.laws[self.best.compressor.name]

    @property
    def by_cost(self) -> bool:
        """Whether candidates are ordered by cost alone."""
        return self.rank_by != ERROR

    @property
    def level_known(self) -> bool:
        """Whether errors are predicted, and not only by how much they differ."""
        return self.best.above_pick is None

    @property
    def gain_over_next(self) -> Margin | None:
        """By how much the pick is expected to be better than the next, where only differences of errors are known;
        None where errors are predicted, and where nothing else fits."""
        return self.runners_up[0].above_pick if self.runners_up else None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What keeps a released pick from being served as it is: no engine that serves it, weights to fine-tune."""
        return warnings_of(self)

    @property
    def published(self) -> tuple[str, ...]:
        """Whether results of the released pick and of the next best are published on the tasks asked for."""
        return published_on(self)

    @property
    def cost_kind(self) -> LimitKind:
        """The kind of limit whose quantity is the cost that candidates are ordered by, or the frontier runs along."""
        return find_limit(self.rank_by) if self.rank_by not in (ERROR, COST) else self.limits[0].limit.kind

    @property
    def sha256(self) -> str:
        """SHA-256 of what `to_dict` holds, by which a verdict names the plan."""
        from planner.planning.plan_file import HASH

        return str(self.to_dict()[HASH])

    @property
    def workload(self) -> Workload:
        """The request that was planned for; of a distribution the mean one."""
        return self.load.mean

    @property
    def candidates_count(self) -> int:
        """Candidates that were compared."""
        return self.tried.compared_count

    @property
    def fitting_count(self) -> int:
        """How many of them fit the budget."""
        return self.tried.fitting_count

    @property
    def table(self) -> CandidateTable:
        """Every candidate that was compared. Raises InputError for a plan that was read from a file, which has none."""
        if self.all_candidates is None:
            raise InputError(
                f"the plan was read from a file, which does not hold the {self.candidates_count} candidates that were "
                "compared; planner.replan(plan) makes them again"
            )
        return self.all_candidates

    def to_dict(self) -> dict[str, Any]:
        """The plan as plain JSON types: the answer, what it rests on, and what gives it again."""
        from planner.planning.plan_file import PLAN_FILE, record

        return PLAN_FILE.to_dict(record(self))

    @classmethod
    def from_dict(cls, content: Any, origin: str = "the plan") -> Plan:
        """The plan of a dictionary made by `to_dict`, equal in everything but `table`, which a file does not hold.

        Args:
            content: the dictionary.
            origin: how an error names it.

        Raises:
            InputError: no plan, one of a newer version, one that was changed after it was made, or a damaged one.
        """
        from planner.planning.plan_file import restored

        return cls(**restored(content, origin))

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the plan as JSON at full precision, atomically; `planner.load_plan` reads it.

        Raises:
            OutputExistsError: the file exists and `overwrite` is false.
            InputError: it cannot be written.
        """
        from planner.planning.plan_file import PLAN_FILE, record

        return PLAN_FILE.write(path, record(self), overwrite=overwrite)

    def to_frame(self) -> pd.DataFrame:
        """Every candidate as a row of a DataFrame, best first; see `CandidateTable.to_frame`."""
        return self.table.to_frame()

    def plot(self) -> Figure:
        """The frontier, what comes near it, and the pick; see `planner.plot_frontier`."""
        return above().picture_of(self)

    def __repr__(self) -> str:
        cost = f"{format_flops(self.best.total_flops)} ({self.budget.convention} count)"
        error = "by cost alone" if self.by_cost else f"{self.best.predicts} {format_fraction(self.best.error)}"
        if not self.level_known:
            error = gain_text(self)
        return f"Plan({self.best}, {error}, {cost}; {self.fitting_count} of {self.candidates_count} fit)"

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
            f"{'cheapest that fits' if self.by_cost else 'best under the budget'}: {best}",
            *filter(None, (way_to_run(self), load_text(self.load))),
            _quality(self),
            *filter(None, (parts_text(self),)),
            f"cost: {cost}: {stages}",
        ]
        if best.latency is not None:
            lines.append(time_text(self))
        if self.carried is not None:
            lines.append(load_carried(self))
        if price := price_text(self):
            lines.append(f"price: {price}")
        if len(self.limits) > 1 and not self.by_cost:
            lines.append(binding_text(self.limits) or "binds: no limit alone")
        if len(self.tied) > 1:
            lines.append(tied_text(self))
        if self.runners_up:
            second = self.runners_up[0]
            scored = "" if second.score is None else f", score {format_score(second.score)}"
            kind, next_best = self.cost_kind, f"next best: {second}"
            if self.by_cost:
                lines.append(f"next: {second}, {kind.title} {kind.show(second.quantities[kind.column])}")
            elif second.above_pick is not None:
                gap = second.above_pick.points
                lines.append(f"{next_best}, {tenths(abs(gap))} points {'better' if expected_worse(self) else 'worse'}")
            else:
                lines.append(f"{next_best}, {second.predicts} {format_fraction(second.error)}{scored}")
        if weights := weights_text(self):
            lines.append(f"weights: {weights}")
        lines += [f"warning: {text}" for text in self.warnings]
        lines += [f"note: {text}" for text in (*self.notes, *self.published)]
        lines += [f"extrapolates: {text}" for text in self.extrapolates]
        lines += [f"assumes: {text}" for text in self.assumptions]
        return "\n".join(lines)


def _quality(plan: Plan) -> str:
    """What is known of the pick's error, in a line."""
    if plan.by_cost:
        return cost_order_text(plan)
    told = f"predicted {plan.best.predicts} {error_text(plan.best)}" if plan.level_known else gain_text(plan)
    return f"{told} ({law_title(plan.law)})"
