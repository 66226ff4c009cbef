"""Laws of published results, for plans that name a task: alone, or with runs of one's own.

A complete grid of one's own tells its law better than any published result, so it keeps it: at least so many language
models and numbers of visual tokens, and most of their cells. Fewer runs give the level, and the hierarchy the rest.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np

from planner.base.errors import InputError
from planner.base.quantities import shown
from planner.laws.combined import AVERAGE, CombinedLaw, Law
from planner.laws.fitted import FittedLaw
from planner.laws.hierarchy.law import EvidenceLaw, evidence_law
from planner.laws.hierarchy.mix import OwnCell
from planner.laws.hierarchy.naming import series_of
from planner.laws.hierarchy.tasks import EvidenceTask, task_of_runs
from planner.planning.choices import LawLike, law_of
from planner.planning.own_names import catalogued
from planner.runs import Runs, read_runs
from planner.runs.tasks import task_names

LEVELS_MIN, SHARE_MIN = 3, 0.75
"""Language models and numbers of visual tokens of a complete grid, and the share of their cells that it has."""


def law_on_task(
    law: LawLike | Mapping[str, LawLike], task: str | Mapping[str, float], form: str | None
) -> tuple[Law, tuple[str, ...]]:
    """The law of a task or of a mix of tasks, by published results and runs of one's own.

    Args:
        law: one's own law or CSV of runs; None: published results alone.
        task: a name, or names with their shares of the workload.
        form: one form alone; of a complete grid only.

    Returns:
        The law, and how runs of one's own stand to the task, in sentences, where that needs saying.

    Raises:
        UnknownNameError: the evidence holds no such task, and it is no class.
        InputError: a law without runs, or runs that cannot be reckoned with: those of another task, above all.
    """
    published = evidence_law(task)
    if law is None:
        if form is not None:
            raise InputError(f"form={form!r}: published results of a task have no form; leave out form=")
        return published, ()
    if isinstance(law, Mapping):
        raise InputError("task: published results know all compressors; give one law, not one for each compressor")
    if len(published.mix) > 1:
        raise InputError("task: runs of one's own are of one task; name that one, or leave out law=")
    runs, asked = _own_runs(law), published.mix[0].asked
    whose = os.fspath(law) if isinstance(law, str | os.PathLike) else law.name or "the law that was given"
    found: Law
    if isinstance(runs, FittedLaw):
        _check_tasks(runs, asked)
        found = law_of(law, form) if _is_complete(runs) else evidence_law(task, _cells_of_law(runs, published))
    else:
        own = _of_task(runs, asked)
        grid = _complete_grid(own)
        found = evidence_law(task, _cells_of_runs(own, published)) if grid is None else law_of(grid, form)
    return found, _notes(found, published.name, runs, whose)


def _notes(law: Law, asked: str, runs: Runs | FittedLaw, whose: str) -> tuple[str, ...]:
    """How runs of one's own stand to the task that was asked for, where that needs saying.

    Args:
        law: that the plan rests on.
        asked: name of the task.
        runs: one's own.
        whose: how they are named: "runs.csv".
    """
    notes = []
    named = task_names(runs) if isinstance(runs, Runs) else runs.tasks
    if not named:
        notes.append(f"the runs of {whose} name no task and are taken as those of {asked}")
    elif isinstance(runs, Runs) and (without := sum(not one for one in runs.task or ())):
        notes.append(f"runs of {whose} that name no task are left out: {without} of {len(runs.task or ())}")
    if not isinstance(law, EvidenceLaw):
        notes.append(
            f"the runs of {whose} are a complete grid and keep their own law; published results of {asked} are left out"
        )
    return tuple(notes)


def _own_runs(law: LawLike) -> Runs | FittedLaw:
    """A table of runs, or a law that has its own. Raises InputError."""
    if isinstance(law, str | os.PathLike) and os.fspath(law).lower().endswith(".csv"):
        return read_runs(law)
    found = law_of(law, None)
    own = found.runs_of if isinstance(found, CombinedLaw) and found.kind == AVERAGE else found
    if not isinstance(own, FittedLaw) or own.data is None:
        raise InputError(
            f"task: expected a law that was fitted to runs of the task, or their CSV, got {shown(str(law))}"
        )
    return own


def _is_complete(law: FittedLaw) -> bool:
    return _is_grid(len(law.llm_params_levels), len(law.visual_tokens_levels), law.n_runs)


def _is_grid(sizes: int, tokens: int, cells: int) -> bool:
    """Whether so many cells are a complete grid of so many sizes and numbers of visual tokens."""
    return min(sizes, tokens) >= LEVELS_MIN and cells >= SHARE_MIN * sizes * tokens


def _cells_of_law(law: FittedLaw, published: EvidenceLaw) -> tuple[OwnCell, ...]:
    """The runs that a law was fitted to. A size is one language model, named by the family where there is one."""
    assert law.data is not None
    data = law.data.with_tokens
    way = law.compressors[0] if len(law.compressors) == 1 else ""
    families = {series_of(name) for name in law.llms}
    family = f"{families.pop()}-" if len(families) == 1 else ""
    return tuple(
        OwnCell(f"{family}{n / 1e9:g}B", n, t, way, published.mix[0].task, y, None)
        for n, t, y in zip((data.n * law.n_unit_params).tolist(), data.t.tolist(), data.y.tolist(), strict=True)
    )


def _check_tasks(law: FittedLaw, asked: EvidenceTask) -> None:
    """Raise InputError for a law of another task, or of several together."""
    if not all(_is_asked(name, asked) for name in law.tasks):
        raise _of_another(f"the law {law.name}" if law.name else "the law", law.tasks, asked)


def _of_task(runs: Runs, asked: EvidenceTask) -> Runs:
    """The runs of the task, or all where none names a task. Raises InputError where they are of others alone."""
    names = task_names(runs)
    if not names:
        return runs
    own = [name for name in names if _is_asked(name, asked)]
    if not own and len(names) > 1:
        listed = ", ".join(sorted(names))
        raise InputError(f"task: the runs are of {listed}, none of them is {asked.name}; name one of them, or a class")
    if not own:
        raise _of_another("the runs", names, asked)
    if len(own) > 1:
        raise InputError(
            f"task: the runs are of several tasks that {asked.name} stands for ({', '.join(own)}); give runs of one"
        )
    return runs if len(names) == 1 and all(runs.task or ()) else runs.select(task=own[0])


def _of_another(what: str, names: Sequence[str], asked: EvidenceTask) -> InputError:
    verb = "is" if what.startswith("the law") else "are"
    return InputError(
        f"task: expected runs of {asked.name}, {what} {verb} of {', '.join(names)}; give runs of {asked.name}, ask for "
        "the task that they are of, or leave them out"
    )


def _is_asked(name: str, asked: EvidenceTask) -> bool:
    """Whether what runs call their task is the task asked for; of a class, one of it or one that nobody has measured.

    A mean over tasks ("gqa+pope") is of a class where each of them is.
    """
    found = task_of_runs(name)
    if asked.measured:
        return found is not None and found.name == asked.name
    if found is None:
        parts = [part for one in name.split("+") if (part := task_of_runs(one)) is not None]
        return all(part.task_class == asked.task_class for part in parts)
    return found.task_class == asked.task_class


def _complete_grid(runs: Runs) -> FittedLaw | None:
    """The law of a table that is a complete grid with one compressor; None of any other."""
    cells = set(zip(runs.llm_params, runs.visual_tokens, strict=True))
    sizes, tokens = ({cell[i] for cell in cells if cell[1] > 0} for i in (0, 1))
    ways = len(set(runs.compressor or ("",)))
    if ways > 1 or not _is_grid(len(sizes), len(tokens), len(cells)):
        return None
    from planner.laws.fit import fit  # few runs do not pay for its import

    return fit(runs)


def _cells_of_runs(runs: Runs, published: EvidenceLaw) -> tuple[OwnCell, ...]:
    frame = runs.to_frame()
    task = published.mix[0].task
    way = frame["compressor"].fillna("") if "compressor" in frame else [""] * len(frame)
    se = frame["error_se"] if "error_se" in frame else [np.nan] * len(frame)
    columns = (frame["llm"], frame["llm_params"], frame["visual_tokens"], way, frame["error"], se)
    return tuple(
        OwnCell(
            catalogued(str(llm)),
            float(n),
            float(t),
            str(own_way),
            task,
            float(error),
            None if np.isnan(s) else float(s),
        )
        for llm, n, t, own_way, error, s in zip(*columns, strict=True)
    )
