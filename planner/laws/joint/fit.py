"""From a table of runs to a joint fit: `fit_joint`."""

from __future__ import annotations

import contextlib
import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from planner.base.dataclass import dataclass
from planner.base.errors import FitError, UnknownNameError
from planner.base.result import Result
from planner.laws.compare import aicc
from planner.laws.fit import fit
from planner.laws.fitted import AT_A_BOUND, CONVERGED, LOSSES, NOT_IDENTIFIED, FitData, FittedLaw
from planner.laws.forms import DEFAULT_FORM, Form, get_form
from planner.laws.joint.exact import Exact
from planner.laws.joint.general import General
from planner.laws.joint.groups import Group, check_levels, data_of, groups_of
from planner.laws.joint.laws import laws_of
from planner.laws.joint.problem import Problem, S, Whole
from planner.laws.weighting import ABSOLUTE, RELATIVE, stated_sd
from planner.laws.zero_tokens import usable
from planner.runs import Runs, read_runs

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True, repr=False)
class JointFit(Result):
    """Laws of several groups, fitted together; each is a FittedLaw that predicts, plans and saves like any other."""

    by: str
    """The column whose values name the groups."""
    form: str
    shared: tuple[str, ...]
    """Parameters that are one number for all groups."""
    laws: Mapping[str, FittedLaw]
    """The law of every group, in alphabetical order."""
    rss: float
    """Sum of squared residuals over all groups, unweighted."""
    n_runs: int
    """Distinct runs; an uncompressed one that ends several series counts once."""
    parameters_count: int
    """Parameters of all groups, a shared one counted once."""
    aicc: float | None
    """Small-sample Akaike criterion of the joint fit; None with too few runs for it."""
    aicc_separate: float | None
    """The same of separate fits; None where a group cannot be fitted alone. The lower of the two is the better."""
    remarks: tuple[str, ...] = ()
    """What grouping left out."""

    @property
    def status(self) -> str:
        """The worst status among the groups."""
        statuses = {law.status for law in self.laws.values()}
        return next(status for status in (NOT_IDENTIFIED, AT_A_BOUND, CONVERGED) if status in statuses)

    def __getitem__(self, group: str) -> FittedLaw:
        """The law of one group. Raises UnknownNameError."""
        if group not in self.laws:
            raise UnknownNameError("group", group, self.laws)
        return self.laws[group]

    def __repr__(self) -> str:
        shared = f" share {', '.join(self.shared)}" if self.shared else ", nothing shared"
        groups = f"{len(self.laws)} groups by {self.by}{shared}"
        return f"JointFit({self.form}, {groups}; {self.n_runs} runs, {self.status})"

    def to_frame(self) -> pd.DataFrame:
        """A row for each group: its runs, its status, how well its law fits them, and the parameters."""
        import pandas as pd

        rows = [
            {"group": name, "runs": law.n_runs, "status": law.status, "rss": law.rss, "rmse": law.rmse, **law.params}
            for name, law in self.laws.items()
        ]
        return pd.DataFrame(rows)

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain JSON types."""
        facts = {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}
        del facts["laws"]
        return facts | {"status": self.status, "groups": {name: law.to_dict() for name, law in self.laws.items()}}


def fit_joint(
    runs: Runs | pd.DataFrame | str,
    form: str = DEFAULT_FORM,
    *,
    by: str,
    shared: Iterable[str] = (),
    weights: str = "auto",
    error_se: str = RELATIVE,
    n_unit_params: float = 1e9,
    name: str = "",
    vision: str = "",
) -> JointFit:
    """Fit a form to every group of the runs, with `shared` parameters in common; on the command line `fit --by`.

    One group, or nothing shared, is the ordinary fit of every group, and its intervals are those of `profiler`.

    Args:
        runs: as `read_runs` takes them.
        form: as `fit` takes it.
        by: one of `COLUMNS`.
        shared: names of parameters.
        weights: as for `fit`.
        error_se: as for `fit`; absolute ones are the noise of all groups together.
        n_unit_params: unit of N in the fitted parameters.
        name: begins the name of every law; a law is called by its group alone without it.
        vision: the vision tower of the runs, where known.

    Raises:
        UnknownNameError: no such column, form, weighting or parameter.
        FitError: a group that cannot tell one of its own parameters, or whose cells have unlike tasks.
        RunsError: the table is bad.
        InputError: absolute standard errors that the fit does not weigh by.
    """
    shape, table = get_form(form), read_runs(runs)
    if not shape.of_n:
        raise FitError(f"the {shape.name} form is for runs of one language model: fit each group alone")
    form = shape.name
    names = tuple(dict.fromkeys((shared,) if isinstance(shared, str) else shared))
    for entry in names:
        if entry not in shape.param_names:
            raise UnknownNameError(f"parameter of the {shape.name} form", entry, shape.param_names)
    names = tuple(entry for entry in shape.param_names if entry in names)
    groups, remarks = groups_of(usable(table, shape), by)
    title = {group.name: f"{name}.{group.name}" if name else group.name for group in groups}

    def alone(group: Group) -> FittedLaw:
        law = fit(
            group.runs,
            form,
            weights=weights,
            error_se=error_se,
            n_unit_params=n_unit_params,
            name=title[group.name],
            vision=vision,
        )
        return replace(law, tasks=group.tasks, remarks=group.remarks + law.remarks)

    data, weighting = data_of(groups, weights, n_unit_params)
    stated = _stated_sd(groups, weighting, error_se)
    n_runs = len({cell for group in groups for cell in group.cells})  # an uncompressed run may end several series
    if len(groups) == 1 or not names:
        laws, count = {group.name: alone(group) for group in groups}, len(groups) * len(shape.param_names)
        score = separate_score = aicc(_weighted_rss(laws, groups, data), n_runs, count)
    else:
        check_levels(groups, shape, names)
        problem = problem_of(shape, names, [len(group.runs) for group in groups], data)
        count = problem.parameters_count
        if n_runs < count:
            raise FitError(
                f"too few runs: {len(groups)} groups that share {', '.join(names)} have {count} parameters, "
                f"the table has {n_runs} runs; measure more, or share more"
            )
        separate = _separate(groups, alone)
        hints = {k: separate[group.name].params for k, group in enumerate(groups) if group.name in separate}
        facts = {
            "n_unit_params": float(n_unit_params),
            "weighting": weighting,
            "error_se": error_se,
            "predicts": table.kind,
            "vision": vision,
            "runs_sha256": hashlib.sha256("".join(f"{g.name} {g.runs.sha256()} " for g in groups).encode()).hexdigest(),
        }
        laws, rss = _together(problem, hints, groups, title, by, names, n_runs, facts, stated)
        score, separate_score = aicc(rss, n_runs, count), math.inf
        if len(separate) == len(groups):
            separate_score = aicc(_weighted_rss(separate, groups, data), n_runs, len(groups) * len(shape.param_names))
    return JointFit(
        by=by,
        form=form,
        shared=names,
        laws=laws,
        rss=math.fsum(law.rss or 0.0 for law in laws.values()),
        n_runs=n_runs,
        parameters_count=count,
        aicc=score if math.isfinite(score) else None,
        aicc_separate=separate_score if math.isfinite(separate_score) else None,
        remarks=remarks,
    )


def problem_of(form: Form, shared: tuple[str, ...], sizes: Sequence[int], data: FitData) -> Problem[Any]:
    """The least squares of groups of so many runs, which stand one after the other in the data."""
    if form.projection is None:
        return General.of(form, shared, sizes, data)
    return Exact.of(form, form.projection, shared, sizes, data)


def _together(
    problem: Problem[S],
    hints: Mapping[int, Mapping[str, float]],
    groups: Sequence[Group],
    title: Mapping[str, str],
    by: str,
    shared: tuple[str, ...],
    n_runs: int,
    facts: Mapping[str, Any],
    stated_sd: float | None,
) -> tuple[dict[str, FittedLaw], float]:
    """The laws of all groups, and the weighted sum of squares."""
    best = problem.solve(hints)
    whole = Whole.of(problem, best, by, shared, n_runs, stated_sd)
    return laws_of(problem, best, groups, title, whole, facts, stated_sd), best.rss


def _stated_sd(groups: Sequence[Group], weighting: str, error_se: str) -> float | None:
    """Standard error of a run of mean weight among those of all groups, where it counts as it stands.

    Raises:
        UnknownNameError, InputError: as `stated_sd`.
    """
    means = [(stated_sd(group.runs, weighting, error_se, LOSSES[0]), len(group.runs)) for group in groups]
    if error_se != ABSOLUTE:
        return None
    precision = math.fsum(count / sd**2 for sd, count in means if sd is not None)
    return math.sqrt(sum(count for _, count in means) / precision)


def _separate(groups: Sequence[Group], alone: Callable[[Group], FittedLaw]) -> dict[str, FittedLaw]:
    """The laws of the groups that can be fitted alone."""
    laws = {}
    for group in groups:
        with contextlib.suppress(FitError):
            laws[group.name] = alone(group)
    return laws


def _weighted_rss(laws: Mapping[str, FittedLaw], groups: Sequence[Group], data: FitData) -> float:
    """The sum of squares of separate laws at the weights that the runs have among all."""
    ends = np.cumsum([len(group.runs) for group in groups])
    total = 0.0
    for group, end in zip(groups, ends, strict=True):
        rows = slice(end - len(group.runs), end)
        law = laws[group.name]
        model = get_form(law.form).value(law.params, data.n[rows], data.t[rows])
        total += float(np.sum(data.weights[rows] * (data.y[rows] - model) ** 2))
    return total
