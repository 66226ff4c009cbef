"""Joint laws: groups of runs (compressors, tasks, families) fitted together with some parameters in common.

    Y_g(N, T) = A_g / N^alpha_g + B_g / T^beta_g + D_g        for every group g; the other forms likewise

A shared parameter is one number for all groups, so that a group whose runs cannot tell it (a compressor measured at one
LLM size has no alpha of its own) borrows it from the groups that can. That it *is* the same number is an assumption
which no run tests; every law says which one it rests on in its `remarks` and in `joint`. In the additive form a group
of one LLM size that shares alpha alone still cannot tell A from D: share A too.

What makes a group. Runs with the same value of a column. A group measured on several tasks is fitted to the mean over
them, if every one of its cells has them all. By compressor, uncompressed runs ("none") are the end of every series:
they belong to each compressor measured with the same LLM on the same task, and count once in the degrees of freedom.

How it is solved. Variable projection (Golub and Pereyra 1973): for given exponents non-negative least squares solves
for all coefficients of all groups at once; what is left is a descent in the exponents, from many starts.

How sure it is. Profile-likelihood F-intervals over all groups together, as in `intervals`: the interval of a quantity
q holds every q0 for which the best joint fit with q = q0 has RSS <= RSS_min (1 + F / dof). Finding an end takes refits,
so the fit follows each parameter, and the error on a grid of points, to the edge of that region once, and keeps the
parameters that it meets there; intervals at plan time are extremes over those. One noise variance is taken for all
groups.

Letters: n runs, G groups, E exponents and C coefficients of all groups, L levels, M parameter sets met at a level.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from planner.errors import FitError, InputError, LawFileError, UnknownNameError
from planner.laws.compare import aicc
from planner.laws.faces import POWER_FORMS
from planner.laws.fit import bound_advice, distinct, fit, lost_effects, run_weights
from planner.laws.fitted import AT_A_BOUND, CONVERGED, NOT_IDENTIFIED, FitData, FittedLaw
from planner.laws.forms import DEFAULT_FORM, Form, get_form
from planner.laws.intervals import KINDS, LEVEL, Interval
from planner.laws.solve import EXPONENT_MAX
from planner.laws.student import two_sided_quantile
from planner.quantities import format_params, format_tokens
from planner.runs import Runs, read_runs

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

COLUMNS = ("compressor", "task", "family", "llm", "source")
"""What runs can be grouped by; the family is an LLM's name without its size."""
LEVELS = (0.8, 0.95, 0.99)
"""Levels at which the edge of the region is kept; those between are interpolated."""

_SIZE = re.compile(r"[-_ ]?(?<![\d.])\d+(?:\.\d+)?[BbMm](?![A-Za-z0-9])")
_START_EXPONENTS = (0.02, 0.08, 0.3, 1.2)
_SWEEP = tuple(np.geomspace(0.005, 4.0, 14).tolist())
_DESCENTS = 6
_ITERATIONS_MAX = 300
_NO_GAIN = 1e-24  # relative: a promised fall of the sum below this moves no digit of an exponent
_ROUNDED = 1e-13  # the same for the sum itself
_GAIN_OF_PULL = 1e-11  # the same on the edge of the region, where no last digit is wanted
_STIFFER = 10.0  # a pull against the runs' own hold on its quantity: much more, and a descent along a bend is slow
_SAME_T = 1e-4  # how well, relative, the edge of the region is met
_REFITS_MAX = 60
_STUCK = 1e-6  # a quantity that follows its pull less than this, relative, is held by a bound
_HOLD_MIN = 1e-9
_NODES = 7  # along each axis of the grid on which the edge of the region is followed
_COARSE = [1, 3, 5]  # of these, those between which differences are followed
_REACH_DOWN, _REACH_UP = 2.0, 16.0  # how far beyond the data the grid goes
_DIGITS = 7  # of the kept edge, more than it is met to; a fit's own parameters keep all

_BENDS: dict[str, dict[str, str]] = {
    "additive": {"alpha": "A", "beta": "B"},
    "multiplicative": {"alpha": "A", "beta": "A"},
    "log-linear": {},
}  # the coefficient whose term an exponent bends
_OF_N, _OF_T = ("alpha", "c1"), ("beta", "c2")  # the effect of N, and of T, is in one of these


@dataclass(frozen=True, kw_only=True)
class JointFit:
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

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain JSON types."""
        facts = {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}
        del facts["laws"]
        return facts | {"status": self.status, "groups": {name: law.to_dict() for name, law in self.laws.items()}}


def fit_joint(
    runs: Runs,
    form: str = DEFAULT_FORM,
    *,
    by: str,
    shared: Iterable[str] = (),
    weights: str = "auto",
    n_unit_params: float = 1e9,
    name: str = "",
    vision: str = "",
) -> JointFit:
    """Fit a form to every group of the runs, with `shared` parameters in common; `planner.fit(by=...)` calls this.

    One group, or nothing shared, is the ordinary fit of every group, and its intervals are those of `profiler`.

    Args:
        runs: as `read_runs` takes them.
        form: "additive", "multiplicative" or "log-linear".
        by: one of `COLUMNS`.
        shared: names of parameters.
        weights: as for `fit`.
        n_unit_params: unit of N in the fitted parameters.
        name: begins the name of every law; a law is called by its group alone without it.
        vision: the vision tower of the runs, where known.

    Raises:
        UnknownNameError: no such column, form, weighting or parameter.
        FitError: a group that cannot tell one of its own parameters, or whose cells have unlike tasks.
        RunsError: the table is bad.
    """
    shape, table = get_form(form), read_runs(runs)
    names = tuple(dict.fromkeys(shared))
    for entry in names:
        if entry not in shape.param_names:
            raise UnknownNameError(f"parameter of the {shape.name} form", entry, shape.param_names)
    names = tuple(entry for entry in shape.param_names if entry in names)
    groups, remarks = _groups(table, by)
    title = {group.name: f"{name}.{group.name}" if name else group.name for group in groups}

    def alone(group: _Group) -> FittedLaw:
        law = fit(group.runs, form, weights=weights, n_unit_params=n_unit_params, name=title[group.name], vision=vision)
        return replace(law, tasks=group.tasks, remarks=group.remarks + law.remarks)

    data, weighting = _data(groups, weights, n_unit_params)
    n_runs = len({cell for group in groups for cell in group.cells})  # an uncompressed run may end several series
    if len(groups) == 1 or not names:
        laws, count = {group.name: alone(group) for group in groups}, len(groups) * len(shape.param_names)
        score = separate_score = aicc(_weighted_rss(laws, groups, data), n_runs, count)
    else:
        _check_levels(groups, shape, names)
        problem = _Problem.of(shape, names, [len(group.runs) for group in groups], data)
        count = problem.parameters_count
        if n_runs < count:
            raise FitError(
                f"too few runs: {len(groups)} groups that share {', '.join(names)} have {count} parameters, "
                f"the table has {n_runs} runs; measure more, or share more"
            )
        separate = _separate(groups, alone)
        best = _solve(problem, [law.params for law in separate.values()])
        facts = {
            "n_unit_params": float(n_unit_params),
            "weighting": weighting,
            "vision": vision,
            "runs_sha256": hashlib.sha256("".join(f"{g.name} {g.runs.sha256()} " for g in groups).encode()).hexdigest(),
        }
        laws = _laws(problem, best, groups, title, _Whole.of(problem, best, by, names, n_runs), facts)
        score, separate_score = aicc(best.rss, n_runs, count), math.inf
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


# --- groups -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Group:
    """The runs of one group, one row a cell: errors are means over its tasks."""

    name: str
    runs: Runs
    tasks: tuple[str, ...]
    cells: tuple[tuple[Any, ...], ...]
    """What each row measured: the same cell in two groups is the same run."""
    remarks: tuple[str, ...]


def _groups(table: Runs, by: str) -> tuple[list[_Group], tuple[str, ...]]:
    """The groups in alphabetical order, and remarks on what belongs to none. Raises UnknownNameError, FitError."""
    if by not in COLUMNS:
        raise UnknownNameError("column to group runs by", by, COLUMNS)
    labels = [_family(llm) for llm in table.llm] if by == "family" else list(getattr(table, by) or ())
    if not labels or not all(labels):
        raise FitError(f"by={by!r} needs a column {by!r} with a value in every run; fill it, or group by another")
    members = {label: [i for i, own in enumerate(labels) if own == label] for label in sorted(set(labels))}
    plain = members.pop("none", []) if by == "compressor" else []
    if not members:
        raise FitError("by='compressor' needs compressed runs; all runs here have the compressor 'none'")
    beside = list(zip(table.llm, table.task or ("",) * len(table), strict=True))
    for label, rows in members.items():
        measured = {beside[i] for i in rows}
        members[label] = rows + [i for i in plain if beside[i] in measured]
    alone = len(set(plain).difference(*members.values()))
    remarks = (f"{alone} uncompressed runs left out: no compressor has the same LLM on the same task",) if alone else ()
    return [_mean_over_tasks(label, table.take(rows)) for label, rows in members.items()], table.remarks + remarks


def _mean_over_tasks(name: str, runs: Runs) -> _Group:
    """One row a cell. Raises FitError where cells have unlike tasks, whose means could not be compared."""
    columns = (runs.compressor, runs.seed, runs.text_tokens)
    tasks = runs.task or ("",) * len(runs)
    cells: dict[tuple[Any, ...], dict[str, int]] = {}
    for i, task in enumerate(tasks):
        key = (runs.llm[i], float(runs.visual_tokens[i]), *(None if c is None else c[i] for c in columns))
        cells.setdefault(key, {})[task] = i
    everything = sorted(set(tasks))
    for key, found in cells.items():
        missing = [task for task in everything if task not in found]
        if missing:
            raise FitError(
                f"group {name}: {key[0]} at {format_tokens(key[1])} visual tokens has no run of {', '.join(missing)}, "
                "which other cells have, so means over tasks cannot be compared; remove those tasks, or fit by='task'"
            )
    facts = tuple((*key, *everything) for key in cells)
    if len(everything) == 1:
        return _Group(name, runs, distinct(runs.task), facts, ())
    rows = [list(found.values()) for found in cells.values()]
    count = len(everything)

    def means(column: FloatArray, scale: Callable[[FloatArray], float]) -> FloatArray:
        return np.array([scale(column[index]) for index in rows])

    averaged = replace(
        runs.take([index[0] for index in rows]),
        error=means(runs.error, lambda e: math.fsum(e) / count),
        error_se=None if runs.error_se is None else means(runs.error_se, lambda s: math.sqrt(math.fsum(s**2)) / count),
        samples=None if runs.samples is None else means(runs.samples, lambda n: count**2 / math.fsum(1 / n)),
        task=None,
    )
    return _Group(name, averaged, tuple(everything), facts, (f"errors are means over {count} tasks",))


def _check_levels(groups: Sequence[_Group], form: Form, shared: tuple[str, ...]) -> None:
    """Say before fitting what a group cannot tell and does not borrow. Raises FitError."""
    power = form.name != "log-linear"
    for what, column, slopes in (("LLM size", "llm_params", _OF_N), ("visual token count", "visual_tokens", _OF_T)):
        slope = next(name for name in slopes if name in form.param_names)
        values = {group.name: np.unique(getattr(group.runs, column)) for group in groups}
        levels = {group: len(its_own) for group, its_own in values.items()}
        if slope in shared:
            one_curve = _BENDS[form.name].get(slope, "c0") in shared
            together = len(np.unique(np.concatenate(list(values.values()))))
            steps = together - 1 if one_curve else sum(count - 1 for count in levels.values())
            if steps < form.n_levels - 1:
                raise FitError(
                    f"no group can lend {slope}: the {form.name} form needs one measured at {form.n_levels} {what}s; "
                    "measure more"
                )
            continue
        needed = form.n_levels if power and "D" not in shared else 2  # an exponent and an offset, or a slope alone
        for group, count in levels.items():
            if count < needed:
                has, lacks = (f"one {what}", slope) if count == 1 else (f"{count} {what}s", f"{slope} beside a D")
                raise FitError(
                    f"group {group} was measured at {has} and cannot tell its own {lacks}: share "
                    f"{slope if count == 1 else 'D'} with a group that can, or measure more"
                )


def _data(groups: Sequence[_Group], weights: str, n_unit_params: float) -> tuple[FitData, str]:
    """All runs, group after group, in an order that the table's rows do not change; and which weights they have."""
    parts, weighting = [], weights
    for group in groups:
        weighting, base = run_weights(group.runs, weights)
        n, t, y = group.runs.llm_params / n_unit_params, group.runs.visual_tokens, group.runs.error
        parts.append([column[np.lexsort((base, y, t, n))] for column in (n, t, y, base)])
    n, t, y, base = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return FitData(n, t, y, base / base.mean()), weighting


def _separate(groups: Sequence[_Group], alone: Callable[[_Group], FittedLaw]) -> dict[str, FittedLaw]:
    """The laws of the groups that can be fitted alone."""
    laws = {}
    for group in groups:
        with contextlib.suppress(FitError):
            laws[group.name] = alone(group)
    return laws


def _weighted_rss(laws: Mapping[str, FittedLaw], groups: Sequence[_Group], data: FitData) -> float:
    """The sum of squares of separate laws at the weights that the runs have among all."""
    ends = np.cumsum([len(group.runs) for group in groups])
    total = 0.0
    for group, end in zip(groups, ends, strict=True):
        rows = slice(end - len(group.runs), end)
        law = laws[group.name]
        model = get_form(law.form).value(law.params, data.n[rows], data.t[rows])
        total += float(np.sum(data.weights[rows] * (data.y[rows] - model) ** 2))
    return total


# --- variable projection ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Places:
    """Where errors are asked for: m places."""

    ln_n: FloatArray
    ln_t: FloatArray
    group: IntArray


@dataclass(frozen=True)
class _Pull:
    """A quantity that is pulled off its optimum: signs . Y(places) + coefficients . c + exponents . theta.

    A pull is one more squared residual, stiffness x (target - quantity). Whatever its stiffness, the optimum under it
    is the best fit with the quantity held at the value it has there, so it is a point of the quantity's profile.
    """

    places: _Places
    signs: FloatArray
    coefficients: FloatArray
    exponents: FloatArray
    target: float = 0.0
    stiffness: float = 1.0


@dataclass(frozen=True)
class _Point:
    """The best coefficients at given exponents."""

    exponents: FloatArray
    """(E,)"""
    coefficients: FloatArray
    """(C,)"""
    rss: float
    """Weighted, of the runs alone."""
    objective: float
    """The same and the pull."""
    residual: FloatArray
    """(n,), one more with a pull."""
    jacobian: FloatArray
    """Of the projected residual, (n or n + 1, E)."""
    bend: FloatArray | None = None
    """What a descent learned of the Hessian beyond J^T J, (E, E)."""
    converged: bool = False


@dataclass(frozen=True)
class _Problem:
    """A joint fit: the runs, and where the parameters of each group stand among all."""

    form: Form
    data: FitData
    """Group after group; the mean weight is 1."""
    places: _Places
    slots: Mapping[str, IntArray]
    """Position of a parameter of each group among all exponents, or all coefficients, (G,)."""
    exponents_count: int
    coefficients_count: int

    @classmethod
    def of(cls, form: Form, shared: tuple[str, ...], sizes: Sequence[int], data: FitData) -> _Problem:
        """`sizes` are the runs of each group, which stand one after the other in the data."""
        slots: dict[str, IntArray] = {}
        counts = {True: 0, False: 0}
        for entry in form.param_names:
            own = 1 if entry in shared else len(sizes)
            bends = entry in _BENDS[form.name]
            slots[entry] = counts[bends] + np.arange(len(sizes)) % own
            counts[bends] += own
        group = np.repeat(np.arange(len(sizes)), sizes)
        places = _Places(np.log(data.n), np.log(data.t), group)
        return cls(form, data, places, slots, counts[True], counts[False])

    @property
    def y(self) -> FloatArray:
        """Weighted errors, (n,)."""
        return self.data.y * self.root_weight

    @property
    def root_weight(self) -> FloatArray:
        return np.sqrt(self.data.weights)

    @property
    def parameters_count(self) -> int:
        return self.exponents_count + self.coefficients_count

    @property
    def exponent_min(self) -> float:
        return POWER_FORMS[self.form.name].exponent_min if self.form.name in POWER_FORMS else 0.0

    def params(self, point: _Point, group: int) -> dict[str, float]:
        """The parameters of one group; a term that is not there has no exponent."""
        bends = _BENDS[self.form.name]
        out = {}
        for entry in self.form.param_names:
            values = point.exponents if entry in bends else point.coefficients
            out[entry] = float(values[self.slots[entry][group]])
        for entry, coefficient in bends.items():
            if out[coefficient] == 0 or out[entry] <= self.exponent_min:
                out[entry] = 0.0
        return out

    def terms(self, exponents: FloatArray, at: _Places) -> dict[str, FloatArray]:
        """What each coefficient of its group multiplies at m places, each (m,)."""
        one = np.ones(len(at.group))
        if self.form.name == "log-linear":
            return {"c0": one, "c1": -at.ln_n, "c2": -at.ln_t}
        in_n = -exponents[self.slots["alpha"][at.group]] * at.ln_n
        in_t = -exponents[self.slots["beta"][at.group]] * at.ln_t
        if self.form.name == "multiplicative":
            return {"A": np.exp(in_n + in_t), "D": one}
        return {"A": np.exp(in_n), "B": np.exp(in_t), "D": one}

    def columns(self, terms: Mapping[str, FloatArray], at: _Places) -> FloatArray:
        """(m, C)"""
        out = np.zeros((len(at.group), self.coefficients_count))
        for entry, term in terms.items():
            out[np.arange(len(term)), self.slots[entry][at.group]] = term
        return out

    def coefficients(self, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Least squares (C,) with every coefficient but c0 at least zero; Q and R^-1 of the columns of its face."""
        from scipy.optimize import nnls

        length = np.linalg.norm(x, axis=0)
        length = np.where(length > 0, length, 1.0)
        scaled = x / length
        bounded = np.ones(x.shape[1], bool)
        left, right = scaled, y
        if "c0" in self.slots:  # what has no bound is projected out
            bounded[self.slots["c0"]] = False
            basis = np.linalg.qr(scaled[:, ~bounded])[0]
            left, right = scaled - basis @ (basis.T @ scaled), y - basis @ (basis.T @ y)
        c = np.zeros(x.shape[1])
        c[bounded] = nnls(left[:, bounded], right, maxiter=100 * len(c))[0]
        face = (c > 0) | ~bounded
        basis, upper = np.linalg.qr(scaled[:, face])
        inverse = _inverse(upper)
        exact = inverse @ (basis.T @ y)  # the same optimum without the rounding of the search for its face
        if (exact[bounded[face]] >= 0).all():
            c[face] = exact
        full = np.zeros((basis.shape[1], len(c)))
        full[:, face] = inverse.T / length[face]
        return c / length, basis, full

    def at(self, exponents: FloatArray, pull: _Pull | None = None, kept: NDArray[np.bool_] | None = None) -> _Point:
        """Best coefficients, those not `kept` at zero, with the residual and its derivative, at given exponents.

        With X the columns, c the coefficients and Q R the columns of the face on which c lies:
        d residual = (1 - Q Q^T) (dy - dX c) - Q R^-T dX^T residual, where only a pull's y has exponents in it.
        """
        at, n = self.places, len(self.y)
        if pull is not None:
            both = zip(vars(at).values(), vars(pull.places).values(), strict=True)
            at = _Places(*(np.concatenate(pair) for pair in both))

        def stacked(values: FloatArray) -> FloatArray:
            """Values at all places (m, k) as rows of the least squares: weighted runs, then the pull."""
            rows = values[:n] * self.root_weight[:, None]
            return rows if pull is None else np.vstack([rows, pull.stiffness * (pull.signs @ values[n:])])

        terms = self.terms(exponents, at)
        x, y = stacked(self.columns(terms, at)), self.y
        if pull is not None:
            x[n] += pull.stiffness * pull.coefficients
            y = np.append(y, pull.stiffness * (pull.target - pull.exponents @ exponents))
        if kept is not None:
            x[:, ~kept] = 0.0
        c, basis, lift = self.coefficients(x, y)
        residual = y - x @ c
        back = residual[:n] * self.root_weight
        if pull is not None:
            back = np.concatenate([back, pull.stiffness * residual[n] * pull.signs])
        moves = np.zeros((len(at.group), self.exponents_count))
        inner = np.zeros((self.coefficients_count, self.exponents_count))
        for entry, coefficient in _BENDS[self.form.name].items():
            slope = -(at.ln_n if entry in _OF_N else at.ln_t) * terms[coefficient]
            exponent, column = self.slots[entry][at.group], self.slots[coefficient][at.group]
            np.add.at(moves, (np.arange(len(slope)), exponent), slope * c[column])
            np.add.at(inner, (column, exponent), slope * back)
        jacobian = -stacked(moves)
        if pull is not None:
            jacobian[n] -= pull.stiffness * pull.exponents
        jacobian -= basis @ (basis.T @ jacobian + lift @ inner)
        rss = float(residual[:n] @ residual[:n])
        return _Point(exponents, c, rss, float(residual @ residual), residual, jacobian)

    def rss(self, exponents: FloatArray) -> float:
        """The smallest weighted sum of squares at given exponents."""
        x = self.columns(self.terms(exponents, self.places), self.places) * self.root_weight[:, None]
        return float(np.sum((self.y - x @ self.coefficients(x, self.y)[0]) ** 2))

    def value(self, pull: _Pull, point: _Point) -> float:
        """The quantity that a pull is on."""
        columns = self.columns(self.terms(point.exponents, pull.places), pull.places)
        linear = pull.signs @ columns + pull.coefficients
        return float(linear @ point.coefficients + pull.exponents @ point.exponents)


def _inverse(upper: FloatArray) -> FloatArray:
    """Of a triangular matrix, or of as much of it as is not dependent."""
    diagonal = np.abs(np.diag(upper))
    return np.asarray(np.linalg.inv(upper) if (diagonal > 1e-13).all() else np.linalg.pinv(upper, rcond=1e-13))


def _descend(
    problem: _Problem,
    start: FloatArray,
    pull: _Pull | None = None,
    bend: FloatArray | None = None,
    kept: NDArray[np.bool_] | None = None,
) -> _Point:
    """Downhill in the exponents, damped as Levenberg does, each step judged by the exact projected sum.

    Gauss-Newton leaves out what the residuals' own curvature adds to the Hessian, and a pull has much of it: secants of
    the gradient fill it in (Dennis, Gay and Welsch 1981), starting from `bend`. Where a coefficient turns zero the sum
    bends sharply, and steps from this side overshoot: then the face beyond (only the coefficients in `kept`) is
    descended by itself.
    """
    low, high, count = problem.exponent_min, EXPONENT_MAX, problem.exponents_count
    no_gain = _NO_GAIN if pull is None else _GAIN_OF_PULL
    here = problem.at(np.clip(start, low, high), pull, kept)
    bend = np.zeros((count, count)) if bend is None else bend
    damping = 1e-3
    floor, settled = _rounding(problem), False
    for _ in range(_ITERATIONS_MAX):
        gradient = here.jacobian.T @ here.residual
        free = ~((here.exponents <= low) & (gradient > 0) | (here.exponents >= high) & (gradient < 0))
        normal = here.jacobian.T @ here.jacobian
        hessian = _block(normal + bend, free)
        if not _is_convex(hessian):
            hessian = _block(normal, free)
        size = np.where(np.diag(hessian) > 0, np.diag(hessian), 1.0)
        step = np.linalg.solve(hessian + damping * np.diag(size), gradient * free)
        gain = float(gradient @ step)
        settled = gain <= _ROUNDED * here.objective
        if gain <= no_gain * here.objective or here.objective <= floor:
            return replace(here, bend=bend, converged=True)
        trial = problem.at(np.clip(here.exponents - step, low, high), pull, kept)
        bend = _bent(bend, here, trial)
        worse = trial.objective >= here.objective and not settled  # a settled sum is all rounding, its slope is not
        if worse and kept is None and ((trial.coefficients == 0) & (here.coefficients != 0)).any():
            beyond = _descend(problem, here.exponents, pull, None, trial.coefficients != 0)
            trial = problem.at(beyond.exponents, pull)
            worse = trial.objective >= here.objective
        if not worse:
            here, damping = trial, max(0.03 * damping, 1e-12)
        elif gain <= 1e4 * no_gain * here.objective or damping > 1e12:
            return replace(here, bend=bend, converged=True)
        else:
            damping *= 10
    return replace(here, bend=bend, converged=settled)


def _bent(bend: FloatArray, old: _Point, new: _Point) -> FloatArray:
    """The secant update of the Hessian's part beyond J^T J (E, E) after a step."""
    s = new.exponents - old.exponents
    y = new.jacobian.T @ new.residual - old.jacobian.T @ old.residual
    wanted = (new.jacobian - old.jacobian).T @ new.residual
    along = float(y @ s)
    if along <= 1e-12 * float(np.linalg.norm(y) * np.linalg.norm(s)):
        return bend
    curved = float(s @ bend @ s)
    if curved != 0:
        bend = bend * min(1.0, abs(float(s @ wanted) / curved))
    miss = wanted - bend @ s
    updated: FloatArray = bend + (np.outer(miss, y) + np.outer(y, miss)) / along
    updated -= float(miss @ s) / along**2 * np.outer(y, y)
    return updated


def _block(matrix: FloatArray, free: NDArray[np.bool_]) -> FloatArray:
    """The matrix with the rows and columns of what is held taken out, ones on their diagonal."""
    return np.asarray(np.where(np.outer(free, free), matrix, 0.0) + np.diag((~free).astype(float)))


def _is_convex(matrix: FloatArray) -> bool:
    diagonal = np.diag(matrix)
    if not (diagonal > 0).all():
        return False
    scale = 1 / np.sqrt(diagonal)
    return bool(np.linalg.eigvalsh(matrix * np.outer(scale, scale))[0] > 1e-6) if len(matrix) else True


def _rounding(problem: _Problem) -> float:
    """The sum of squares that rounding alone leaves on errors of this size."""
    return (8 * np.finfo(float).eps) ** 2 * float(problem.y @ problem.y)


def _solve(problem: _Problem, hints: Iterable[Mapping[str, float]]) -> _Point:
    """The best of descents from a grid and from exponents found elsewhere, each first swept one exponent at a time."""
    starts = [{"alpha": alpha, "beta": beta} for alpha in _START_EXPONENTS for beta in _START_EXPONENTS]
    swept: dict[tuple[float, ...], float] = {}
    for start in [*starts, *hints]:
        exponents = np.zeros(problem.exponents_count)
        for entry in _BENDS[problem.form.name]:
            exponents[problem.slots[entry]] = max(start[entry], _SWEEP[0])
        best = problem.rss(exponents)
        for k in [*range(len(exponents))] * 2:
            for value in _SWEEP:
                trial = exponents.copy()
                trial[k] = value
                rss = problem.rss(trial)
                if rss < best:
                    exponents, best = trial, rss
        swept[tuple(exponents.tolist())] = best
    ranked = sorted(swept, key=lambda exponents: (swept[exponents], exponents))
    found = [_descend(problem, np.array(exponents)) for exponents in ranked[:_DESCENTS]]
    return min(found, key=lambda point: point.rss)


# --- laws -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Whole:
    """What is true of the joint fit, not of one group; it stands in the field `joint` of every law."""

    by: str
    shared: list[str]
    n_runs: int
    parameters_count: int
    dof: int
    rss: float
    """Weighted."""
    noise_variance: float
    """Of a run of mean weight; 0 where no degree of freedom is left."""

    @classmethod
    def of(cls, problem: _Problem, best: _Point, by: str, shared: tuple[str, ...], n_runs: int) -> _Whole:
        dof = n_runs - problem.parameters_count
        count = problem.parameters_count
        return cls(by, list(shared), n_runs, count, dof, best.rss, best.rss / dof if dof > 0 else 0.0)


def _laws(
    problem: _Problem,
    best: _Point,
    groups: Sequence[_Group],
    title: Mapping[str, str],
    whole: _Whole,
    facts: Mapping[str, Any],
) -> dict[str, FittedLaw]:
    """The law of every group; `facts` are fields that all have in common."""
    form, data, unit = problem.form, problem.data, facts["n_unit_params"]
    loose, assumption = _loose(problem, best), _assumption(form, whole, groups)
    params = [problem.params(best, g) for g in range(len(groups))]
    rows = [problem.places.group == g for g in range(len(groups))]
    own_data = [FitData(data.n[at], data.t[at], data.y[at], data.weights[at]) for at in rows]
    described = {
        group.name: {
            "llms": list(distinct(group.runs.llm)),
            "tasks": list(group.tasks),
            "compressors": list(distinct(group.runs.compressor)),
            "params": params[g],
            "data": {column: values.tolist() for column, values in vars(own_data[g]).items()},
        }
        for g, group in enumerate(groups)
    }
    lends_n, lends_t = (bool(set(slopes) & set(whole.shared)) for slopes in (_OF_N, _OF_T))
    laws = {}
    for g, group in enumerate(groups):
        own = own_data[g]
        rss = float(np.sum((own.y - form.value(params[g], own.n, own.t)) ** 2))
        at_bound = [name for name in form.param_names if name in form.non_negative and params[g][name] == 0]
        at_bound += [name for name in ("alpha", "beta") if params[g].get(name, 0.0) >= EXPONENT_MAX]
        status, advice = _judge(form, best, params[g], at_bound, g in loose, whole.dof)
        lenders = [one for one in groups if lends_n and one is not group and len(set(one.runs.llm_params)) > 1]
        sizes = np.unique(np.concatenate([one.runs.llm_params for one in (groups if lends_n else [group])]))
        counts = np.unique(np.concatenate([one.runs.visual_tokens for one in (groups if lends_t else [group])]))
        profile = None if g in loose or whole.dof < 1 else _profile(problem, best, g, whole, sizes / unit, counts)
        laws[group.name] = FittedLaw(
            form=form.name,
            params=params[g],
            name=title[group.name],
            status=status,
            advice=advice,
            at_bound=tuple(at_bound),
            constraints={name: {"value": params[g][name]} for name in whole.shared},
            rss=rss,
            rmse=math.sqrt(rss / len(own.y)),
            n_runs=len(own.y),
            llms=_union(one.runs.llm for one in (group, *lenders)),
            tasks=group.tasks,
            compressors=distinct(group.runs.compressor),
            sources=_union(one.runs.source or () for one in groups),
            llm_params_levels=tuple(sizes.tolist()),
            visual_tokens_levels=tuple(counts.tolist()),
            remarks=(*group.remarks, *_borrowed(form, whole, group, groups), assumption),
            data=replace(own, weights=own.weights / own.weights.mean()),
            joint=vars(whole)
            | {"group": group.name, "assumption": assumption, "groups": described, "profile": profile},
            **facts,
        )
    return laws


def _judge(
    form: Form, best: _Point, params: Mapping[str, float], at_bound: list[str], loose: bool, dof: int
) -> tuple[str, str]:
    """(status, advice) of one group's law."""
    lost = lost_effects(form, params, set())
    if lost:
        return NOT_IDENTIFIED, "; ".join(lost)
    if loose:
        return NOT_IDENTIFIED, "the runs leave a combination of parameters free: trust predictions inside the data only"
    if not best.converged:
        return NOT_IDENTIFIED, "the search stopped before it settled, so the optimum is flat: trust predictions only"
    if dof < 1:
        return NOT_IDENTIFIED, "as many parameters as runs: the law passes through them and nothing is left to check it"
    if at_bound:
        return AT_A_BOUND, bound_advice(tuple(at_bound), params)
    return CONVERGED, "the optimum lies inside all bounds"


def _loose(problem: _Problem, best: _Point) -> set[int]:
    """Groups with a parameter that the runs of all groups together leave free."""
    form, data, shift = problem.form, problem.data, problem.exponents_count
    jacobian = np.zeros((len(data.y), problem.parameters_count))
    free = np.zeros(problem.parameters_count, bool)
    owners: dict[int, set[int]] = {}
    for g in range(len(problem.slots[form.param_names[0]])):
        at = np.flatnonzero(problem.places.group == g)
        params = problem.params(best, g)
        gradient = form.gradient(params, data.n[at], data.t[at]) * problem.root_weight[at, None]
        for i, name in enumerate(form.param_names):
            slot = int(problem.slots[name][g]) + (0 if name in _BENDS[form.name] else shift)
            jacobian[at, slot] = gradient[:, i]
            free[slot] |= params[name] != 0 or name in ("c0", "D")
            owners.setdefault(slot, set()).add(g)
    columns = np.flatnonzero(free)
    length = np.linalg.norm(jacobian[:, columns], axis=0)
    _, singular, right = np.linalg.svd(jacobian[:, columns] / np.where(length > 0, length, 1.0), full_matrices=True)
    singular = np.concatenate([singular, np.zeros(len(columns) - len(singular))])
    directions = right[singular < 1e-9 * singular[0]]
    return {g for k in np.flatnonzero((np.abs(directions) > 1e-3).any(axis=0)) for g in owners[int(columns[k])]}


def _borrowed(form: Form, whole: _Whole, group: _Group, groups: Sequence[_Group]) -> tuple[str, ...]:
    """What the law shares and borrows, and from whom, in sentences."""
    others = [one for one in groups if one is not group]
    with_whom = ", ".join(f"{one.name} ({len(one.runs)} runs)" for one in others)
    out = [f"fitted jointly by {whole.by}: {', '.join(whole.shared)} shared with {with_whom}, all else its own"]
    for slopes, column, what, show in (
        (_OF_N, "llm_params", "LLM size", format_params),
        (_OF_T, "visual_tokens", "visual token count", format_tokens),
    ):
        slope = next(name for name in slopes if name in form.param_names)
        levels = {one.name: np.unique(getattr(one.runs, column)) for one in groups}
        if slope in whole.shared and len(levels[group.name]) == 1:
            lenders = [one for one in others if len(levels[one.name]) > 1]
            names, llms = ", ".join(one.name for one in lenders), ", ".join(_union(one.runs.llm for one in lenders))
            out.append(f"measured at one {what}, {show(levels[group.name][0])}: {slope} is that of {names} ({llms})")
    return tuple(out)


def _assumption(form: Form, whole: _Whole, groups: Sequence[_Group]) -> str:
    """What has to be true of all groups for them to share what they share, in a sentence."""
    same = []
    for slopes, more, term in ((_OF_N, "a larger LLM", "N"), (_OF_T, "another visual token", "T")):
        slope = next(name for name in slopes if name in form.param_names)
        if slope not in whole.shared:
            continue
        if form.name == "log-linear" or _BENDS[form.name][slope] in whole.shared:
            same.append(f"{more} takes as many points off the error")
        else:
            falls = "the error above D" if form.name == "multiplicative" else f"the error's term in {term}"
            same.append(f"{more} takes the same share off {falls}")
    rest = [name for name in whole.shared if name not in (*_OF_N, *_OF_T) and (name == "D" or not same)]
    same += [f"{', '.join(rest)} {'is' if len(rest) == 1 else 'are'} the same"] if rest else []
    differing = {
        "LLM family": ([{_family(llm) for llm in one.runs.llm} for one in groups], ("family", "llm")),
        "task": ([set(one.tasks) for one in groups], ("task",)),
        "compressor": ([set(one.runs.compressor or ()) - {"none"} for one in groups], ("compressor",)),
    }
    unlike = [what for what, (sets, by) in differing.items() if whole.by not in by and any(s != sets[0] for s in sets)]
    although = f", although the groups differ in {' and '.join(unlike)} too" if unlike else ""
    return f"assumes that in every group {', and '.join(same)}{although}"


def _family(llm: str) -> str:
    """An LLM's name without its size: "Qwen1.5" of "Qwen1.5-0.5B"."""
    return _SIZE.sub("", llm)


def _union(columns: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for column in columns for value in column if value))


# --- intervals --------------------------------------------------------------------------------------------------------


def joint_interval(
    law: FittedLaw, llm_params: ArrayLike, visual_tokens: ArrayLike, level: float = LEVEL, kind: str = "mean"
) -> tuple[FloatArray, FloatArray]:
    """Profile intervals of the error at many points, from the parameters kept in the law of a joint fit.

    Args:
        law: the law of one group of a joint fit.
        llm_params: in parameters.
        visual_tokens: broadcasts against `llm_params`.
        level: up to 0.99.
        kind: "mean" for the law itself, "new-run" for one more run of mean weight, with its own noise.

    Returns:
        low and high, each of the broadcast shape.

    Raises:
        InputError: a law of no joint fit, or a level outside what was kept.
        FitError: the joint fit could keep no intervals.
    """
    if kind not in KINDS:
        raise InputError(f"kind: expected {' or '.join(KINDS)}, got {kind!r}")
    centre = np.asarray(law.predict(llm_params, visual_tokens))
    low, high = _extremes(law, level, lambda at: at(llm_params, visual_tokens), centre)
    if kind == "mean":
        return low, high
    noise = two_sided_quantile(level, law.joint["dof"]) ** 2 * law.joint["noise_variance"]
    return centre - np.sqrt((centre - low) ** 2 + noise), centre + np.sqrt((high - centre) ** 2 + noise)


def joint_difference(
    law: FittedLaw,
    llm_params: ArrayLike,
    visual_tokens: ArrayLike,
    reference: tuple[float, float],
    level: float = LEVEL,
) -> tuple[FloatArray, FloatArray]:
    """Profile intervals of the error at many points less the error at one reference (llm_params, visual_tokens).

    Raises:
        InputError, FitError: as `joint_interval`.
    """
    n, t = np.broadcast_arrays(np.asarray(llm_params, float), np.asarray(visual_tokens, float))
    at_reference = (np.full(n.shape, reference[0]), np.full(n.shape, reference[1]))
    centre = np.asarray(law.predict(n, t)) - np.asarray(law.predict(*at_reference))
    return _extremes(law, level, lambda at: at(n, t) - at(*at_reference), centre)


def joint_parameters(law: FittedLaw, level: float = LEVEL) -> dict[str, Interval]:
    """Profile intervals of the parameters of one group of a joint fit; an end that a bound cuts off is open (NaN).

    Raises:
        InputError, FitError: as `joint_interval`.
    """
    kept, around = _kept(law)["ends"], _levels_around(law, level)

    def end(name: str, side: str) -> float:
        values = [(math.nan if kept[name][side][k] is None else kept[name][side][k], share) for k, share in around]
        return law.params[name] + math.fsum(share * (value - law.params[name]) for value, share in values)

    return {name: Interval(end(name, "low"), end(name, "high")) for name in law.params}


def _extremes(
    law: FittedLaw, level: float, quantity: Callable[[Callable[..., FloatArray]], FloatArray], centre: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Least and greatest of a function of the law over the parameters kept at a level."""
    kept, ends = _kept(law)["params"], []
    for k, share in _levels_around(law, level):
        sets = {name: np.array(values[k], float) for name, values in kept.items()}  # each (M,)

        def at(llm_params: ArrayLike, visual_tokens: ArrayLike, sets: dict[str, FloatArray] = sets) -> FloatArray:
            """The error by every set, (M, *broadcast of the points)."""
            n, t = np.broadcast_arrays(np.asarray(llm_params, float), np.asarray(visual_tokens, float))
            params: Any = {name: value.reshape(-1, *[1] * n.ndim) for name, value in sets.items()}
            return get_form(law.form).value(params, n / law.n_unit_params, t)

        off = quantity(at) - centre
        ends.append((share * np.minimum(off.min(axis=0), 0.0), share * np.maximum(off.max(axis=0), 0.0)))
    low, high = (centre + np.sum(sides, axis=0) for sides in zip(*ends, strict=True))
    return low, high


def _levels_around(law: FittedLaw, level: float) -> list[tuple[int, float]]:
    """(kept level, share) with which offsets from the optimum add up to those at a level.

    They are interpolated in Student's t, in which those of a regular profile are a straight line through 0.
    """
    if not 0 < level <= LEVELS[-1]:
        raise InputError(f"level: expected a number above 0 and up to {LEVELS[-1]}, got {level!r}")
    if level in LEVELS:
        return [(LEVELS.index(level), 1.0)]
    t = np.array([0.0, *(two_sided_quantile(kept, law.joint["dof"]) for kept in LEVELS)])
    here = two_sided_quantile(level, law.joint["dof"])
    k = int(np.searchsorted(t, here))
    share = float((here - t[k - 1]) / (t[k] - t[k - 1]))
    return [(k - 1, share)] if k == 1 else [(k - 2, 1 - share), (k - 1, share)]


def _kept(law: FittedLaw) -> Mapping[str, Any]:
    """What the fit kept of its region. Raises InputError, FitError, LawFileError."""
    if not law.joint:
        raise InputError("this law comes from no joint fit: its intervals are those of profiler(law)")
    kept = law.joint.get("profile", {})
    if kept is None:
        raise FitError(
            "the joint fit kept no intervals: its runs leave parameters free, or none to spare for the noise"
        )
    try:
        shapes = {np.array(kept["params"][name], float).shape for name in law.params}
        good = len(shapes) == 1 and shapes.pop()[0] == len(LEVELS)
        good &= all(len(kept["ends"][name][side]) == len(LEVELS) for name in law.params for side in ("low", "high"))
        good &= int(law.joint["dof"]) > 0 and float(law.joint["noise_variance"]) >= 0
    except (KeyError, TypeError, ValueError, AttributeError):
        good = False
    if not good:
        raise LawFileError(f"the law {law.name} is damaged: its field 'joint' holds no profile; fit it again")
    content: Mapping[str, Any] = kept
    return content


def _profile(
    problem: _Problem, best: _Point, group: int, whole: _Whole, sizes: FloatArray, counts: FloatArray
) -> dict[str, Any]:
    """The edge of the likelihood region as one group sees it, at each of `LEVELS`.

    Followed are the group's parameters, and its error on a grid that reaches well beyond its data. For an error between
    the nodes the extremes over the parameters met fall short of the edge by some percent of the interval's width.

    Args:
        problem: what was solved.
        best: its optimum.
        group: whose law.
        whole: the whole fit.
        sizes: LLM sizes that the law speaks for, in its unit.
        counts: numbers of visual tokens that it speaks for.

    Returns:
        "params": parameter -> values met, (L, M) as lists; "ends": parameter -> its low and high, None for an open end.
    """
    t_values = [two_sided_quantile(level, whole.dof) for level in LEVELS]
    n_grid, t_grid = _grid(sizes), _grid(counts)
    pulls = [(name, _pull_of_parameter(problem, name, group)) for name in problem.form.param_names]
    pulls += [("", _pull_of_errors(problem, [(n, t)], group)) for n in n_grid for t in t_grid]
    coarse = [(n, t) for n in n_grid[_COARSE] for t in t_grid[_COARSE]]
    pulls += [("", _pull_of_errors(problem, pair, group)) for pair in itertools.combinations(coarse, 2)]
    met: list[list[dict[str, float]]] = [[] for _ in LEVELS]
    ends: dict[str, dict[str, list[float | None]]] = {name: {} for name in problem.form.param_names}
    for name, pull in pulls:
        for side, sign in (("low", -1.0), ("high", 1.0)):
            edge = _follow(problem, best, pull, sign, whole.noise_variance, t_values)
            for sets, (_, point) in zip(met, edge, strict=True):
                sets.append(problem.params(point, group))
            if name:
                floor = 1e-12 if name in problem.form.non_negative else -math.inf
                ends[name][side] = [None if v is None or v <= floor else _rounded(v) for v, _ in edge]
    params = {name: [[_rounded(one[name]) for one in sets] for sets in met] for name in problem.form.param_names}
    return {"levels": list(LEVELS), "ends": ends, "params": params}


def _grid(levels: FloatArray) -> FloatArray:
    """Nodes that see the data under equal angles: what an error depends on turns fast inside them and slowly beyond."""
    log = np.log(levels)
    middle, spread = float(log.mean()), 1.7 * max(float(log.std()), 0.5)
    low, high = float(log.min()) - math.log(_REACH_DOWN), float(log.max()) + math.log(_REACH_UP)
    angles = np.linspace(math.atan((low - middle) / spread), math.atan((high - middle) / spread), _NODES)
    return np.asarray(np.exp(middle + spread * np.tan(angles)))


def _follow(
    problem: _Problem, best: _Point, pull: _Pull, side: float, noise: float, t_values: Sequence[float]
) -> list[tuple[float | None, _Point]]:
    """Where one quantity leaves the region at each t: (its value there, the parameters); None where a bound stops it.

    With v the quantity, t^2 = (RSS - RSS_min) / noise. The force of the pull is half the slope of RSS in v, so each
    refit gives t and dt / dv, and Newton's method meets a t in two or three.
    """
    origin = problem.value(pull, best)
    if best.rss <= _rounding(problem):
        return [(origin, best)] * len(t_values)  # runs without noise leave nothing open
    edge: list[tuple[float | None, _Point]] = []
    point, v, wanted, hold = best, 0.0, side * max(1e-2 * abs(origin), 1e-4), 1.0
    for t in t_values:
        low, high = abs(v), math.inf
        for _ in range(_REFITS_MAX):
            stiffness = math.sqrt(_STIFFER * hold)
            pull = replace(pull, target=origin + wanted * (1 + hold / stiffness**2), stiffness=stiffness)
            point = _descend(problem, point.exponents, pull, point.bend)
            before, v = v, problem.value(pull, point) - origin
            if abs(v - before) <= _STUCK * abs(wanted - before):  # at a bound, which it takes force to leave
                hold *= 1e3
                if hold > 1 / _HOLD_MIN:
                    return edge + [(None, point)] * (len(t_values) - len(edge))
                continue
            here = math.sqrt(max(point.rss - best.rss, 0.0) / noise)
            force = stiffness**2 * (pull.target - origin - v)
            hold = min(max(force / v, _HOLD_MIN), 1 / _HOLD_MIN) if v else hold
            if abs(here - t) <= _SAME_T * t:
                break
            low, high = (abs(v), high) if here < t else (low, abs(v))
            slope = side * force / (noise * here) if here > 0 else 0.0
            ahead = abs(v) + (t - here) / slope if slope > 0 else math.inf
            if not low < ahead < high:
                ahead = (low + high) / 2 if high < math.inf else 2 * low
            wanted = side * min(ahead, 30 * abs(v))
        edge.append((origin + v, point))
        wanted = v * t_values[min(len(edge), len(t_values) - 1)] / t
    return edge


def _pull_of_parameter(problem: _Problem, name: str, group: int) -> _Pull:
    nowhere = _Places(np.zeros(0), np.zeros(0), np.zeros(0, int))
    coefficients, exponents = np.zeros(problem.coefficients_count), np.zeros(problem.exponents_count)
    (exponents if name in _BENDS[problem.form.name] else coefficients)[problem.slots[name][group]] = 1.0
    return _Pull(nowhere, np.zeros(0), coefficients, exponents)


def _pull_of_errors(problem: _Problem, points: Sequence[tuple[float, float]], group: int) -> _Pull:
    """The error at a point (N, T), or that at the first of two less that at the second."""
    n, t = np.log(np.array(points)).T
    none = np.zeros(problem.coefficients_count), np.zeros(problem.exponents_count)
    return _Pull(_Places(n, t, np.full(len(points), group)), np.array([1.0, -1.0])[: len(points)], *none)


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
