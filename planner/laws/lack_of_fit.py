"""Lack of fit: is what a law leaves of its runs noise, or something that it cannot follow?

Of weighted residuals r = (I - P_J) e, J the gradient in the parameters that are free and at no bound, and Z the
indicators of levels of T, or of N (near-equal ones count as one):

    levels      F = (|P_Z r|^2 / a) / (|r - P_Z r|^2 / b),   a = tr P_Z (I - P_J),   b = runs - parameters - a
    replicates  F = ((|r|^2 - W) / (cells - parameters)) / (W / (runs - cells)),  W within runs of one LLM and one T
    error_se    chi-square = |r|^2 / (stated variance) with runs - parameters degrees of freedom

(Draper and Smith 1998, chapter 2.) Exact for forms that are linear in their parameters on balanced runs, else close. A
belief over all forms follows levels by offsets of its own, so that its residuals show what even it cannot follow; its
tests count no parameters, and no noise below what it reckons with, so that they speak less often than they say.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.base.errors import FitError, InputError
from planner.base.quantities import format_factor, format_params, format_percent, format_tokens
from planner.laws.combined import AVERAGE, CombinedLaw, Law
from planner.laws.fitted import FitData, FittedLaw
from planner.laws.forms import get_form
from planner.laws.remarks import NO_NOISE
from planner.laws.runs_belief import belief_of, can_be_believed
from planner.laws.tails import chi_square_tail, f_tail
from planner.laws.weighting import ABSOLUTE

FloatArray = NDArray[np.float64]

LEVEL = 0.02
"""Of laws that their form describes, how many are said to lack fit at most; shared by the tests of a law."""

_NEAR = 0.05  # relative: levels of N or T nearer than this are one
_ZERO = 1e-9  # T = 0, a level of its own, for a logarithm
_RUNS_PER_LEVEL = 2  # fewer, and neighbouring levels are taken together
_DOF_MIN = 2.0  # of what is left within levels
_UNLIKE = 1e-3  # chance that true standard errors are called unlike the residuals, on either side
_REPLICATES_MIN = 3  # runs beyond the first of their cells: fewer do not tell the noise


@dataclass(frozen=True)
class MisfitTest:
    """One test of the residuals of a law."""

    of: str
    """"T" or "N" for levels of it, "replicates" or "error_se"."""
    statistic: float
    """F, or chi-square for "error_se"."""
    dof: tuple[float, ...]
    """Degrees of freedom: two of F, one of chi-square."""
    probability: float
    """Of so large a statistic if the law described the runs."""
    largest: float = 0.0
    """Mean residual, measured less predicted, of the level where it is largest, in error; of levels only."""
    where: tuple[float, float] = (0.0, 0.0)
    """Ends of that level, mostly one number: visual tokens, or parameters of the LLM."""

    @property
    def symbol(self) -> str:
        """ "F" or "chi-square"."""
        return "F" if len(self.dof) == 2 else "chi-square"

    @property
    def times(self) -> float:
        """Of chi-square: how many times as far off as stated the runs lie."""
        return math.sqrt(self.statistic / self.dof[0])

    def __str__(self) -> str:
        chance = f"{self.symbol} = {self.statistic:.3g}, by chance in {_share(self.probability)} of cases"
        if self.of == "error_se":
            return f"the runs lie {format_factor(self.times)} times as far off as their error_se says ({chance})"
        if self.of == "replicates":
            return f"the runs lie farther off than repeated runs differ among themselves ({chance})"
        level = " to ".join(dict.fromkeys(map(format_tokens if self.of == "T" else format_params, self.where)))
        side = "low" if self.largest > 0 else "high"
        return (
            f"the residuals are systematic in {self.of} ({chance}), at {self.of} = {level} it is too {side} by "
            f"{abs(self.largest):.2g}"
        )


@dataclass(frozen=True)
class LackOfFit:
    """What a law leaves of its runs, tested."""

    law: str
    """What was tested: "the additive form", "the average of all forms"."""
    tests: tuple[MisfitTest, ...]
    """None of them where the runs leave nothing to test."""
    note: str = ""
    """Where residuals are clearly larger or smaller than standard errors state that count by their ratios only."""
    followed: bool = False
    """Of the likeliest form of an average: whether the average follows the runs where the form does not."""

    @property
    def found(self) -> tuple[MisfitTest, ...]:
        """Tests that speak, the surest first."""
        wrong = [one for one in self.tests if one.probability * len(self.tests) < LEVEL]
        return tuple(sorted(wrong, key=lambda one: one.probability))

    @property
    def sentence(self) -> str:
        """What was found, in a sentence, and what to do; "" where there is no lack of fit."""
        if not self.found:
            return ""
        if self.followed:
            return f"lack of fit of {self.law}, the likeliest: {self.found[0]}; the average reckons with such misfit"
        return f"lack of fit of {self.law}: {self.found[0]}; compare the forms and see a hold-out before relying on it"

    @property
    def assumption(self) -> str:
        """What a plan assumes in spite of it; "" where there is no lack of fit."""
        if not self.found:
            return ""
        if self.followed:
            return (
                f"what {self.law}, the likeliest, cannot follow goes on smoothly between the runs and beyond them: "
                f"{self.found[0]}"
            )
        return f"{self.law} describes its runs, although {self.found[0]}; compare the forms and see a hold-out"

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON types."""
        tests = [{**vars(one), "dof": list(one.dof), "where": list(one.where)} for one in self.tests]
        return {
            "law": self.law,
            "found": bool(self.found),
            "followed": self.followed,
            "note": self.note,
            "sentence": self.sentence,
            "tests": tests,
        }


def lack_of_fit(law: Law) -> tuple[LackOfFit, ...]:
    """What each part of a law cannot follow in its runs: one entry for a form or for an average, one a task of a mix.

    An average is tested by its belief over all forms, which plans rest on; where that follows the runs and the
    likeliest form does not, the entry is that of the form. A law that was given has no runs: no entry.
    """
    if isinstance(law, CombinedLaw):
        if law.kind == AVERAGE and can_be_believed(law.runs_of):
            return (_of_average(law),)
        return tuple(one for member in law.members for one in lack_of_fit(member))
    if not isinstance(law, FittedLaw) or law.data is None:
        return ()
    return (_of_form(law, law.data),)


def _of_form(law: FittedLaw, data: FitData) -> LackOfFit:
    form = get_form(law.form)
    root = np.sqrt(data.weights)
    held = {*law.at_bound, *(name for name, imposed in law.constraints.items() if "value" in imposed)}
    free = [i for i, name in enumerate(form.param_names) if name not in held]
    basis = _basis(form.gradient(law.params, data.n, data.t)[:, free] * root[:, None])
    residual = (data.y - form.value(law.params, data.n, data.t)) * root
    residual = residual - basis @ (basis.T @ residual)
    name = f" of {law.name}" if law.joint else ""
    stated = _of_error_se(law, residual, basis)
    as_it_stands = [stated] if stated is not None and law.error_se == ABSOLUTE else []
    return LackOfFit(
        law=f"the {law.form} form{name}",
        tests=(*as_it_stands, *_tests(law, data, residual, basis)),
        note="" if stated is None or law.error_se == ABSOLUTE else _unlike(stated),
    )


def _of_average(law: CombinedLaw) -> LackOfFit:
    believed = _of_belief(law)
    likeliest = law.members[int(np.argmax(law.weights))]
    if not believed.found and isinstance(likeliest, FittedLaw) and likeliest.data is not None:
        alone = _of_form(likeliest, likeliest.data)
        if alone.found:
            return replace(alone, followed=True)
    return believed


def _of_belief(law: CombinedLaw) -> LackOfFit:
    runs = law.runs_of
    assert runs.data is not None
    name = "the average of all forms"
    try:
        known = belief_of(runs)
        expected, noise_variance = known.expected(known.measured), known.noise_sd() ** 2
    except (FitError, InputError):
        return LackOfFit(name, ())
    residual = (runs.data.y - expected) * np.sqrt(runs.data.weights)
    return LackOfFit(name, tuple(_tests(runs, runs.data, residual, np.zeros((len(residual), 0)), noise_variance)))


def _tests(
    law: FittedLaw, data: FitData, residual: FloatArray, basis: FloatArray, least_variance: float = 0.0
) -> Iterator[MisfitTest]:
    if np.abs(residual).max() <= NO_NOISE * float(np.sqrt(data.weights @ data.y**2)):
        return
    if (repeated := _of_replicates(data, residual, basis, least_variance)) is not None:
        yield repeated
    for letter, column, unit in (("T", data.t, 1.0), ("N", data.n, law.n_unit_params)):
        tested = _of_levels(letter, column * unit, data, residual, basis, least_variance)
        if tested is not None:
            yield tested


def _of_levels(
    letter: str, column: FloatArray, data: FitData, residual: FloatArray, basis: FloatArray, least_variance: float
) -> MisfitTest | None:
    level = _levels(column)
    every, root = np.arange(int(level.max()) + 1), np.sqrt(data.weights)  # np.unique would load masked arrays
    z = _basis((level[:, None] == every) * root[:, None])
    between_dof = z.shape[1] - float(np.sum((z.T @ basis) ** 2))
    within_dof = len(residual) - basis.shape[1] - between_dof
    if between_dof < 0.5 or within_dof < _DOF_MIN:
        return None
    between = float(np.sum((z.T @ residual) ** 2))
    within = max(float(residual @ residual) - between, within_dof * least_variance, np.finfo(float).tiny)
    f = (between / between_dof) / (within / within_dof)
    means = np.array([_mean(residual, root, level == one) for one in every])
    worst = int(np.argmax(np.abs(means)))
    there = column[level == worst]
    return MisfitTest(
        of=letter,
        statistic=f,
        dof=(between_dof, within_dof),
        probability=f_tail(f, between_dof, within_dof),
        largest=float(means[worst]),
        where=(float(there.min()), float(there.max())),
    )


def _of_replicates(data: FitData, residual: FloatArray, basis: FloatArray, least_variance: float) -> MisfitTest | None:
    """Runs of one LLM and one token count against each other."""
    _, cell = np.unique(np.column_stack([data.llm_groups(), data.t]), axis=0, return_inverse=True)
    cells = int(cell.max()) + 1
    repeats, misfit_dof = len(residual) - cells, cells - basis.shape[1]
    if repeats < _REPLICATES_MIN or misfit_dof < 1:
        return None
    z = _basis((cell.ravel()[:, None] == np.arange(cells)) * np.sqrt(data.weights)[:, None])
    between = float(np.sum((z.T @ residual) ** 2))
    within = max(float(residual @ residual) - between, repeats * least_variance, np.finfo(float).tiny)
    f = (between / misfit_dof) / (within / repeats)
    dof = (float(misfit_dof), float(repeats))
    return MisfitTest("replicates", f, dof, f_tail(f, *dof))


def _of_error_se(law: FittedLaw, residual: FloatArray, basis: FloatArray) -> MisfitTest | None:
    """The residuals against standard errors as they stand."""
    dof = float(len(residual) - basis.shape[1])
    if law.stated_sd is None or dof < 1:
        return None
    chi_square = float(residual @ residual) / law.stated_sd**2
    return MisfitTest("error_se", chi_square, (dof,), chi_square_tail(chi_square, dof))


def _unlike(stated: MisfitTest) -> str:
    """What is to be said of relative standard errors; "" where the residuals are about as large."""
    if _UNLIKE < stated.probability < 1 - _UNLIKE:
        return ""
    return (
        f"error_se is taken as relative: the runs lie {format_factor(stated.times)} times as far off the law as it "
        "states, and intervals go by how far they lie"
    )


def _levels(column: FloatArray) -> NDArray[np.intp]:
    """A level for each run, 0 and up: near-equal values are one, and there are several runs in each."""
    values, which = np.unique(column, return_inverse=True)
    group = np.concatenate([[0], np.cumsum(np.diff(np.log(np.maximum(values, _ZERO))) > _NEAR)])
    most = max(len(column) // _RUNS_PER_LEVEL, 2)
    count = int(group[-1]) + 1
    if count > most:
        group = group * most // count
    found: NDArray[np.intp] = group[which.ravel()].astype(np.intp)
    return found


def _mean(residual: FloatArray, root: FloatArray, where: NDArray[np.bool_]) -> float:
    """Weighted mean of the residuals of some runs, in error."""
    return float(np.sum((residual * root)[where]) / np.sum((root**2)[where]))


def _basis(columns: FloatArray) -> FloatArray:
    """Orthonormal columns that span the same space, shape (runs, rank)."""
    lengths = np.linalg.norm(columns, axis=0)
    columns = columns[:, lengths > 0] / lengths[lengths > 0]
    if not columns.shape[1]:
        return columns
    found, singular, _ = np.linalg.svd(columns, full_matrices=False)
    kept: FloatArray = found[:, singular > 1e-9 * singular[0]]
    return kept


def _share(probability: float) -> str:
    return "under 0.01 %" if probability < 1e-4 else format_percent(probability, 1.0)
