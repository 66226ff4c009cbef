"""Making laws of laws: all forms averaged, and tasks mixed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from planner.base.errors import InputError
from planner.laws.combined import AVERAGE, MIX, CombinedLaw, Law
from planner.laws.compare import compare, other_forms
from planner.laws.fitted import FittedLaw
from planner.laws.forms import get_form, opinion_of
from planner.laws.memo import remembered
from planner.laws.runs_belief import belief_of, can_be_believed
from planner.laws.weighting import RELATIVE, stated_sd

if TYPE_CHECKING:
    import pandas as pd

    from planner.runs import Runs

_NEGLIGIBLE = 1e-3  # a share below this moves no digit that anyone reads


def fit_average(
    runs: Runs | pd.DataFrame | str, *, weights: str = "auto", error_se: str = RELATIVE, name: str = ""
) -> CombinedLaw:
    """All forms fitted to the same runs, averaged by how likely each is; on the command line `fit --form auto`.

    Args:
        runs: as `read_runs` takes them.
        weights: as for `fit`.
        error_se: "relative" or "absolute", as for `fit`: absolute ones are the noise of the belief over all forms, and
            what lies farther off is misfit.
        name: what the law is to be called.

    Raises:
        RunsError: the table is bad.
        FitError: the runs do not allow a fit of any form.
        InputError: absolute standard errors that the fit does not weigh by.
    """
    from planner.runs import read_runs  # a plan reads none

    table = read_runs(runs)
    laws = [row.law for row in compare(table, weights=weights, name=name) if not row.face]
    stated_sd(table, laws[0].weighting, error_se, laws[0].loss)
    return _average([replace(law, error_se=error_se) for law in laws], name)


@remembered
def averaged(law: FittedLaw) -> CombinedLaw:
    """A fitted law and the other forms on the same runs, averaged by how likely each is.

    Raises:
        InputError: a law that was given or has constraints: there is nothing to average it with.
        FitError: runs of one size or of one token count.
    """
    if not can_be_believed(law):
        raise InputError(
            "form 'auto' needs a law that was fitted freely to runs: this one was given or has constraints"
        )
    return _average(other_forms(law), law.name)


def believed(law: Law) -> Law:
    """A law as plans take it: averaged over all forms where its runs allow that, a mix task by task."""
    if isinstance(law, FittedLaw):
        return averaged(law) if can_be_believed(law) else law
    if isinstance(law, CombinedLaw) and law.kind == MIX:
        return CombinedLaw(MIX, tuple(believed(member) for member in law.members), law.weights, law.name)
    return law


def mix(shares: Mapping[str, tuple[Law, float]]) -> CombinedLaw:
    """A mix of tasks: {name: (law, share)}. Raises InputError for a share not above 0, or errors mixed with losses."""
    laws = tuple(law for law, _ in shares.values())
    if len({law.predicts for law in laws}) > 1:
        raise InputError("a mix needs laws that all predict an error, or all a loss; these differ")
    weights = tuple(share for _, share in shares.values())
    total = sum(weights) or 1.0
    named = ",".join(f"{name}={share / total:.3g}" for name, (_, share) in shares.items())
    return CombinedLaw(MIX, laws, weights, named)


def _average(laws: Iterable[FittedLaw], name: str) -> CombinedLaw:
    """The forms that the runs believe, the likeliest first."""
    fitted = {opinion_of(get_form(law.form)).name: law for law in laws}
    shares = belief_of(max(fitted.values(), key=lambda law: law.n_runs)).shares()
    kept = {form: share for form, share in shares.items() if form in fitted and share > _NEGLIGIBLE}
    if not kept:  # what the runs believe most cannot be fitted to them alone
        kept = dict.fromkeys(fitted, 1.0)
    return CombinedLaw(AVERAGE, tuple(fitted[form] for form in kept), tuple(kept.values()), name)
