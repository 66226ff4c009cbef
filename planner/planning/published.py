"""Laws of published results, for plans that name a task: alone, or with runs of one's own.

A complete grid of one's own tells its law better than any published result, so it keeps it: at least so many language
models and numbers of visual tokens, and most of their cells. Fewer runs give the level, and the hierarchy the rest.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np

from planner.base.errors import InputError
from planner.base.quantities import shown
from planner.laws.combined import AVERAGE, CombinedLaw, Law
from planner.laws.fitted import FittedLaw
from planner.laws.hierarchy.law import EvidenceLaw, OwnCell, evidence_law
from planner.laws.hierarchy.naming import series_of
from planner.laws.hierarchy.tasks import task_named
from planner.planning.choices import LawLike, law_of
from planner.runs import Runs, read_runs

LEVELS_MIN, SHARE_MIN = 3, 0.75
"""Language models and numbers of visual tokens of a complete grid, and the share of their cells that it has."""


def law_on_task(law: LawLike | Mapping[str, LawLike], task: str | Mapping[str, float], form: str | None) -> Law:
    """The law of a task or of a mix of tasks, by published results and runs of one's own.

    Args:
        law: one's own law or CSV of runs; None: published results alone.
        task: a name, or names with their shares of the workload.
        form: one form alone; of a complete grid only.

    Raises:
        UnknownNameError: the evidence holds no such task, and it is no class.
        InputError: a law without runs, or runs that cannot be reckoned with.
    """
    published = evidence_law(task)
    if law is None:
        if form is not None:
            raise InputError(f"form={form!r}: published results of a task have no form; leave out form=")
        return published
    if isinstance(law, Mapping):
        raise InputError("task: published results know all compressors; give one law, not one for each compressor")
    if len(published.mix) > 1:
        raise InputError("task: runs of one's own are of one task; name that one, or leave out law=")
    runs = _own_runs(law)
    if isinstance(runs, Runs):
        return evidence_law(task, _cells_of_runs(runs, published))
    if _is_complete(runs):
        return law_of(law, form)  # `kept_note` says so
    return evidence_law(task, _cells_of_law(runs, published))


def kept_note(law: Law, published: str | Mapping[str, float], name: LawLike | Mapping[str, LawLike]) -> tuple[str, ...]:
    """That runs of one's own keep their law though published results of a task were asked for; () where they do not.

    Args:
        law: that the plan rests on.
        published: the task that was asked for.
        name: what was given as one's own.
    """
    if isinstance(law, EvidenceLaw):
        return ()
    whose = os.fspath(name) if isinstance(name, str | os.PathLike) else law.name or "the law that was given"
    return (
        f"the runs of {whose} are a complete grid and keep their own law; published results of "
        f"{evidence_law(published).name} are left out",
    )


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
    sizes, tokens = law.llm_params_levels, law.visual_tokens_levels
    return min(len(sizes), len(tokens)) >= LEVELS_MIN and law.n_runs >= SHARE_MIN * len(sizes) * len(tokens)


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


def _cells_of_runs(runs: Runs, published: EvidenceLaw) -> tuple[OwnCell, ...]:
    """Runs of a table. Raises InputError for runs of several tasks, none of which is the one asked for."""
    frame = runs.to_frame()
    task = published.mix[0].task
    if "task" in frame and frame["task"].nunique() > 1:
        own = frame["task"].map(lambda name: getattr(task_named(name), "name", None)) == task
        if not own.any():
            names = ", ".join(sorted(map(str, frame["task"].unique())))
            raise InputError(f"task: the runs are of {names}, none of them is {task}; name one of them, or a class")
        frame = frame[own]
    way = frame["compressor"].fillna("") if "compressor" in frame else [""] * len(frame)
    se = frame["error_se"] if "error_se" in frame else [np.nan] * len(frame)
    columns = (frame["llm"], frame["llm_params"], frame["visual_tokens"], way, frame["error"], se)
    return tuple(
        OwnCell(str(llm), float(n), float(t), str(own_way), task, float(error), None if np.isnan(s) else float(s))
        for llm, n, t, own_way, error, s in zip(*columns, strict=True)
    )
