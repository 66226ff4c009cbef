"""Verbs on laws: fit, show."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import planner
from planner.base.errors import InputError, UnknownNameError
from planner.base.quantities import shown
from planner.cli import result_options as options
from planner.cli.common import Force, FormName, Json, app, check_output, json_text, show_story
from planner.laws.averaging import fit_average
from planner.laws.combined import AUTO, Law
from planner.laws.fitted import LOSSES, FittedLaw
from planner.laws.forms import DEFAULT_FORM, get_form
from planner.laws.intervals import identifiable
from planner.laws.joint import JointFit, fit_joint
from planner.laws.lack_of_fit import lack_of_fit
from planner.laws.shipped import as_law
from planner.laws.weighting import RELATIVE

if TYPE_CHECKING:
    import lmfit

Intervals = Annotated[bool, typer.Option("--intervals", help="Add 95 % profile intervals of every parameter.")]


@app.command()
@options.takes_results
def fit(
    runs: options.RunsPaths,
    form: Annotated[str, typer.Option(help="Form of the law, or auto; an unknown name lists them.")] = DEFAULT_FORM,
    output: Annotated[str | None, typer.Option("-o", "--output", help="Write the law to this JSON file.")] = None,
    task: Annotated[str | None, typer.Option(help="Use only the runs of this task.")] = None,
    compressor: Annotated[str | None, typer.Option(help="Use only the runs of this compressor.")] = None,
    weights: Annotated[str, typer.Option(help="auto, equal, error_se or samples.")] = "auto",
    error_se: options.ErrorSe = RELATIVE,
    loss: Annotated[str, typer.Option(help="least-squares or huber (on relative residuals).")] = "least-squares",
    fix: Annotated[list[str] | None, typer.Option(help="Fix a parameter, as alpha=0.077; repeatable.")] = None,
    tie: Annotated[list[str] | None, typer.Option(help="Tie a parameter, as alpha=2*beta; repeatable.")] = None,
    borrow_n: Annotated[
        str | None, typer.Option(help="Hold the effect of N of this law, for runs of one language model.")
    ] = None,
    name: Annotated[str, typer.Option(help="What the law is to be called.")] = "",
    by: Annotated[
        str | None, typer.Option(help="Fit groups together: compressor, task, family, llm or source names them.")
    ] = None,
    shared: Annotated[str, typer.Option(help="With --by: parameters that all groups share, as alpha,D.")] = "",
    group: Annotated[str | None, typer.Option(help="With --by: the group whose law is shown and written.")] = None,
    kind: options.Kind = None,
    map: options.ColumnMap = None,
    *,
    results: options.ResultOptions,
    intervals: Intervals = False,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Fit the law to measured runs: the exact least-squares optimum under its bounds."""
    if output is not None:
        check_output("a law", output, force)
    if form != AUTO:
        get_form(form)
    if by is None and (shared or group):
        raise InputError("--shared and --group need --by: the column that names the groups, such as --by compressor")
    if by is not None and output is not None and group is None:
        raise InputError("-o writes one law: name its group with --group")
    table = options.read_table(runs, results, map, kind).select(task=task, compressor=compressor)
    table = options.one_task(table, by)
    if form == AUTO and (fix or tie or by or loss != "least-squares"):
        raise InputError("--form auto takes least squares of all forms: leave out --fix, --tie, --by and --loss")
    if borrow_n is not None and (form == AUTO or by is not None):
        raise InputError("--borrow-n lends N to one form of one law: leave out --form auto and --by")
    params = _parameters(form, fix or [], tie or [])
    law: Law
    if form == AUTO:
        law = fit_average(table, weights=weights, error_se=error_se, name=name or Path(runs[0]).stem)
    elif by is None:
        lender = None if borrow_n is None else _lender(borrow_n, form)
        called = name or Path(runs[0]).stem
        law = planner.fit(
            table, form, params=params, weights=weights, error_se=error_se, loss=loss, name=called, borrow_n=lender
        )
    else:
        parts = [part.strip() for part in shared.split(",") if part.strip()]
        if params is not None or loss != LOSSES[0]:
            raise InputError("--by takes least squares without further constraints: leave out --fix, --tie and --loss")
        joint = fit_joint(table, form, by=by, shared=parts, weights=weights, error_se=error_se, name=name)
        if group is None:
            _show_joint(joint, as_json, intervals)
            return
        law = joint[group]
    if output is not None:
        law.save(output, overwrite=force)
        print(f"wrote {output}", file=sys.stderr)
    _show_law(law, as_json, intervals)


@app.command()
def show(
    law: Annotated[str, typer.Argument(help="Shipped law, as the catalog lists them, or the path of a law file.")],
    form: FormName = None,
    intervals: Intervals = False,
    as_json: Json = False,
) -> None:
    """Show a law: whether to trust it, then its numbers."""
    _show_law(as_law(law, form), as_json, intervals)


def _show_law(law: Law, as_json: bool, with_intervals: bool) -> None:
    intervals = planner.intervals(law) if with_intervals and isinstance(law, FittedLaw) else None
    if as_json:
        content = law.to_dict() | {"lack_of_fit": [one.to_dict() for one in lack_of_fit(law)]}
        if intervals is not None:
            content["intervals"] = {name: interval.to_list() for name, interval in intervals.items()}
            content["identifiable"] = identifiable(intervals)
        print(json_text(content))
        return
    from planner.tell.law import law_story

    show_story(law_story(law, intervals))


def _lender(name: str, form: str) -> FittedLaw:
    """The law whose effect of N is borrowed. Raises InputError for one that is made of several."""
    a_file = name.endswith(".json") or os.sep in name
    law = planner.load_law(name, None if a_file else form)  # of which form a file is, is said where they are compared
    if not isinstance(law, FittedLaw):
        raise InputError(
            f"--borrow-n: expected a law of one form, got {name}, which is made of several; name one of its laws"
        )
    return law


def _show_joint(joint: JointFit, as_json: bool, with_intervals: bool) -> None:
    """All groups of a joint fit, one after the other."""
    if as_json:
        content = joint.to_dict()
        for name, law in joint.laws.items():
            content["groups"][name]["lack_of_fit"] = [one.to_dict() for one in lack_of_fit(law)]
        for name, law in joint.laws.items() if with_intervals else ():
            intervals = planner.intervals(law)
            content["groups"][name]["intervals"] = {key: interval.to_list() for key, interval in intervals.items()}
            content["groups"][name]["identifiable"] = identifiable(intervals)
        print(json_text(content))
        return
    from planner.tell.law import joint_story

    of_groups = {name: planner.intervals(law) for name, law in joint.laws.items()} if with_intervals else None
    show_story(joint_story(joint, of_groups))


def _parameters(form: str, fix: list[str], tie: list[str]) -> lmfit.Parameters | None:
    """Constraints from NAME=VALUE and NAME=EXPRESSION texts, None if there are none.

    Raises:
        InputError: a text of another shape, or an expression that cannot be read.
        UnknownNameError: a name that is no parameter of the form.
    """
    if not fix and not tie:
        return None
    import lmfit

    params = lmfit.Parameters()
    for name in get_form(form).param_names:
        params.add(name, value=0.1)
    for option, example, texts in (("--fix", "alpha=0.077", fix), ("--tie", "alpha=2*beta", tie)):
        for text in texts:
            name, equals, right = (part.strip() for part in text.partition("="))
            if not (name and equals and right):
                raise InputError(f"{option}: expected {example} or the like, got {shown(text)}")
            if name not in params:
                raise UnknownNameError(f"parameter of the {form} form", name, list(params))
            try:
                if option == "--fix":
                    params[name].set(value=float(right), vary=False)
                else:
                    params[name].expr = right
                params.update_constraints()
                good = all(math.isfinite(value) for value in params.valuesdict().values())
            except Exception:  # whatever an expression of the user's can raise: cycles, divisions, unknown names
                good = False
            if not good:
                raise InputError(f"{option}: expected {example} or the like, got {shown(text)}")
    return params
