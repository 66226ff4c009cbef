"""One number that counts: a cell's score on a task, with the raw value and where it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from planner.base.dataclass import dataclass
from planner.base.errors import InputError, RunsError
from planner.base.quantities import shown
from planner.runs.results.cells import Cell
from planner.runs.results.reading import Reading
from planner.runs.results.scales import SUM, UNBOUNDED, Rule, rule_for

T = TypeVar("T")


@dataclass(frozen=True)
class Value:
    """A cell's score on a task."""

    cell: Cell
    task: str
    metric: str
    """Metric key in the file; a sum of keys is joined by +."""
    raw: float
    """The number in the file."""
    full_mark: float
    """The best value that the metric can have."""
    file: str
    model: str
    when: str = ""
    raw_se: float | None = None
    """Standard error on the scale of `raw`; None where no unit is sure."""
    samples: int | None = None
    """Evaluated samples."""
    chance: float = 0.0
    """What guessing scores, as a fraction of the full mark: 0 unless scores are counted from there."""

    @property
    def score(self) -> float:
        """Between 0 and 1."""
        return (self.raw / self.full_mark - self.chance) / (1 - self.chance)

    @property
    def error_se(self) -> float | None:
        return None if self.raw_se is None else self.raw_se / self.full_mark / (1 - self.chance)


class Unusable(Exception):
    """Why a reading has no score: it is left out with a remark, or refused where its task was asked for."""


def take(reading: Reading, cell: Cell, rules: Sequence[Rule], wanted: str | None, mark: float | None) -> Value:
    """The value of a reading.

    Args:
        reading: what a file says.
        cell: which model it is.
        rules: scales of the tool.
        wanted: part of a metric's name, where the user names one.
        mark: full mark, where the user names one.

    Raises:
        Unusable: no metric of known scale.
        InputError: the metric that the user names is not there, is not unique or has no full mark.
        RunsError: the value is above its full mark or below 0.
    """
    rule = rule_for(rules, reading.task)
    mark = mark if mark is not None else reading.full_mark
    metric = _wanted(reading, wanted) if wanted is not None else _default(reading, rule, mark)
    if mark is None:
        if rule is None or (not rule.metrics and not rule.marks):
            raise Unusable(f"the full mark of {plain(metric)} is not known; name it with scale=")
        mark = rule.mark(SUM.join(plain(part) for part in metric.split(SUM)))
    raw = sum(reading.values[part] for part in metric.split(SUM))
    if not 0 <= raw <= mark * (1 + 1e-9):
        problem = f"above its full mark {mark:g}" if raw > 0 else "below 0"
        raise RunsError(
            f"{reading.file}, task {reading.task}, {metric}: {raw:g} is {problem}; name the full mark with scale=, or "
            "the tasks to take with tasks="
        )
    return Value(
        cell=cell,
        task=reading.task,
        metric=SUM.join(plain(part) for part in metric.split(SUM)),
        raw=raw,
        full_mark=mark,
        file=reading.file,
        model=reading.model,
        when=reading.when,
        raw_se=reading.standard_errors.get(metric),
        samples=reading.samples,
    )


def plain(key: str) -> str:
    """A metric without the filter that says nothing: "exact_match,none" is exact_match."""
    return key.removesuffix(",none")


def _keys(reading: Reading, metric: str) -> list[str]:
    """Keys of a metric: with any filter, the one called none alone where it is there."""
    found = [key for key in reading.values if key == metric or key.partition(",")[0] == metric]
    unfiltered = [key for key in found if key in (metric, f"{metric},none")]
    return unfiltered or found


def _default(reading: Reading, rule: Rule | None, mark: float | None) -> str:
    for choice in rule.metrics if rule is not None else ():
        keys = [_keys(reading, part) for part in choice.split(SUM)]
        if all(len(found) == 1 for found in keys):
            return SUM.join(found[0] for found in keys)
        if all(keys):
            several = next(found for found in keys if len(found) > 1)
            raise Unusable(f"it has several filters ({'; '.join(several)}); name one with metric=")
    if not reading.values:
        why = f"holds no number ({'; '.join(reading.unread[:2])})" if reading.unread else "holds no number"
        raise Unusable(why)
    bounded = [key for key in reading.values if not UNBOUNDED.search(key)]
    if not bounded:
        raise Unusable(
            f"{', '.join(plain(key) for key in list(reading.values)[:4])} has no full mark, so no error is 1 minus it"
        )
    if mark is not None and len(bounded) == 1:
        return bounded[0]
    listed = ", ".join(plain(key) for key in bounded[:6])
    raise Unusable(
        f"the scale of its metrics is not known ({listed}); name one with metric= and its full mark with scale="
    )


def _wanted(reading: Reading, wanted: str) -> str:
    parts = []
    for part in (one.strip() for one in wanted.split(SUM)):
        if UNBOUNDED.search(part):
            raise InputError(
                f"metric: {shown(part)} of the task {reading.task} has no full mark, so no error is 1 minus it; "
                "choose an accuracy, or leave the task out"
            )
        found = _keys(reading, part) or [key for key in reading.values if part.lower() in key.lower()]
        if len(found) != 1:
            which = "fits several" if found else "is none"
            there = "; ".join(plain(key) for key in (found or reading.values)) or "none that is a number"
            raise InputError(
                f"metric: {shown(part)} {which} of {reading.file}, task {reading.task}; there are: {there}"
            )
        parts.append(found[0])
    return SUM.join(parts)


def by_task(values: Mapping[str, T], task: str) -> T | None:
    """What the user said of a task: by its name, without regard to case."""
    lower = {name.lower(): value for name, value in values.items()}
    return lower.get(task.lower())
