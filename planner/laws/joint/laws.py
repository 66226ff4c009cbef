"""The law of every group of a solved joint fit: its status, what it borrows from whom, and what that assumes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.base.deferred import Deferred
from planner.base.place import Place
from planner.base.quantities import format_params, format_tokens
from planner.laws.fit_data import RUNS
from planner.laws.fitted import AT_A_BOUND, CONVERGED, NOT_IDENTIFIED, FitData, FittedLaw
from planner.laws.forms import Form
from planner.laws.joint.groups import Group, family_of
from planner.laws.joint.problem import Problem, S, Whole
from planner.laws.joint.profile import profile_of
from planner.laws.judge import bound_advice, bounds_reached, lost_effects
from planner.laws.remarks import distinct
from planner.runs.table import in_words

FloatArray = NDArray[np.float64]


def laws_of(
    problem: Problem[S],
    best: S,
    groups: Sequence[Group],
    title: Mapping[str, str],
    whole: Whole,
    facts: Mapping[str, Any],
    stated_sd: float | None,
) -> dict[str, FittedLaw]:
    """The law of every group; `facts` are fields that all have in common, `stated_sd` the noise of a run of mean weight
    where absolute standard errors say it."""
    form, data, unit = problem.form, problem.data, facts["n_unit_params"]
    loose, assumption = _loose(problem, best), in_words(_assumption(form, whole, groups), facts["predicts"])
    params = [problem.params(best, g) for g in range(len(groups))]
    rows = [problem.group == g for g in range(len(groups))]
    own_data = [data.take(at) for at in rows]
    described = {
        group.name: {
            "llms": list(distinct(group.runs.llm)),
            "tasks": list(group.tasks),
            "compressors": list(distinct(group.runs.compressor)),
            "params": params[g],
            "data": RUNS.encode(own_data[g], Place("")),
        }
        for g, group in enumerate(groups)
    }
    lends_n, lends_t = (slope in whole.shared for slope in (form.of_n[-1], form.of_t[-1]))
    levels = {
        column: {group.name: _above_zero(getattr(group.runs, column)) for group in groups}
        for column in ("llm_params", "visual_tokens")
    }
    every = {column: np.unique(np.concatenate(list(of.values()))) for column, of in levels.items()}
    lending = [one for one in groups if lends_n and len(levels["llm_params"][one.name]) > 1]
    sources = _union(one.runs.source or () for one in groups)
    laws = {}
    for g, group in enumerate(groups):
        own = own_data[g]
        rss = float(np.sum((own.y - form.value(params[g], own.n, own.t)) ** 2))
        at_bound = bounds_reached(form, params[g])
        status, advice = _judge(form, best.converged, params[g], at_bound, g in loose, whole.dof, own, unit)
        sizes = every["llm_params"] if lends_n else levels["llm_params"][group.name]
        counts = every["visual_tokens"] if lends_t else levels["visual_tokens"][group.name]
        facts_of_all = vars(whole) | {"group": group.name, "assumption": assumption, "groups": described}
        if g in loose or whole.dof < 1:
            joint: Mapping[str, Any] = facts_of_all | {"profile": None}
        else:
            profile = partial(profile_of, problem, best, g, whole, sizes / unit, counts, facts["error_se"])
            joint = Deferred(facts_of_all, profile=profile)
        laws[group.name] = FittedLaw(
            form=form.name,
            params=params[g],
            name=title[group.name],
            status=status,
            advice=in_words(advice, facts["predicts"]),
            at_bound=at_bound,
            constraints={name: {"value": params[g][name]} for name in whole.shared},
            rss=rss,
            rmse=math.sqrt(rss / len(own.y)),
            n_runs=len(own.y),
            llms=_union(one.runs.llm for one in (group, *(one for one in lending if one is not group))),
            tasks=group.tasks,
            compressors=distinct(group.runs.compressor),
            sources=sources,
            llm_params_levels=tuple(sizes.tolist()),
            visual_tokens_levels=tuple(counts.tolist()),
            remarks=(*group.remarks, *_borrowed(form, whole, group, groups, levels), assumption),
            data=replace(own, weights=own.weights / own.weights.mean()),
            joint=joint,
            stated_sd=None if stated_sd is None else stated_sd / math.sqrt(float(own.weights.mean())),
            **facts,
        )
    return laws


def _judge(
    form: Form,
    converged: bool,
    params: Mapping[str, float],
    at_bound: tuple[str, ...],
    loose: bool,
    dof: int,
    own: FitData,
    n_unit_params: float,
) -> tuple[str, str]:
    """(status, advice) of one group's law."""
    lost = lost_effects(form, params, set(), own, n_unit_params)
    if lost:
        return NOT_IDENTIFIED, "; ".join(lost)
    if loose:
        return NOT_IDENTIFIED, "the runs leave a combination of parameters free: trust predictions inside the data only"
    if not converged:
        return NOT_IDENTIFIED, "the search stopped before it settled, so the optimum is flat: trust predictions only"
    if dof < 1:
        return NOT_IDENTIFIED, "as many parameters as runs: the law passes through them and nothing is left to check it"
    if at_bound:
        return AT_A_BOUND, bound_advice(form, at_bound, params)
    return CONVERGED, "the optimum lies inside all bounds"


def _above_zero(column: FloatArray) -> FloatArray:
    return np.unique(column[column > 0])


def _loose(problem: Problem[S], best: S) -> set[int]:
    """Groups with a parameter that the runs of all groups together leave free."""
    form, data = problem.form, problem.data
    jacobian = np.zeros((len(data.y), problem.parameters_count))
    free = np.zeros(problem.parameters_count, bool)
    owners: dict[int, set[int]] = {}
    for g in range(int(problem.group[-1]) + 1):
        at = np.flatnonzero(problem.group == g)
        params = problem.params(best, g)
        gradient = form.gradient(params, data.n[at], data.t[at]) * np.sqrt(data.weights[at])[:, None]
        for i, one in enumerate(form.parameters):
            slot = int(problem.positions[one.name][g])
            jacobian[at, slot] = gradient[:, i]
            free[slot] |= one.low < params[one.name] < one.high or one.offset
            owners.setdefault(slot, set()).add(g)
    columns = np.flatnonzero(free)
    length = np.linalg.norm(jacobian[:, columns], axis=0)
    _, singular, right = np.linalg.svd(jacobian[:, columns] / np.where(length > 0, length, 1.0), full_matrices=True)
    singular = np.concatenate([singular, np.zeros(len(columns) - len(singular))])
    directions = right[singular < 1e-9 * singular[0]]
    return {g for k in np.flatnonzero((np.abs(directions) > 1e-3).any(axis=0)) for g in owners[int(columns[k])]}


def _borrowed(
    form: Form,
    whole: Whole,
    group: Group,
    groups: Sequence[Group],
    every_level: Mapping[str, Mapping[str, FloatArray]],
) -> tuple[str, ...]:
    """What the law shares and borrows, and from whom, in sentences; `every_level` by column and group."""
    others = [one for one in groups if one is not group]
    with_whom = ", ".join(f"{one.name} ({len(one.runs)} runs)" for one in others)
    out = [f"fitted jointly by {whole.by}: {', '.join(whole.shared)} shared with {with_whom}, all else its own"]
    for slope, column, what, show in (
        (form.of_n[-1], "llm_params", "LLM size", format_params),
        (form.of_t[-1], "visual_tokens", "visual token count", format_tokens),
    ):
        levels = every_level[column]
        if slope in whole.shared and len(levels[group.name]) == 1:
            lenders = [one for one in others if len(levels[one.name]) > 1]
            names, llms = ", ".join(one.name for one in lenders), ", ".join(_union(one.runs.llm for one in lenders))
            whose = f"that of {names} ({llms})" if lenders else "told by all groups together"
            out.append(f"measured at one {what}, {show(levels[group.name][0])}: {slope} is {whose}")
    return tuple(out)


def _assumption(form: Form, whole: Whole, groups: Sequence[Group]) -> str:
    """What has to be true of all groups for them to share what they share, in a sentence."""
    same: dict[str, str] = {}  # slope -> what it means that it is shared
    for letter, more in (("N", "a larger LLM"), ("T", "another visual token")):
        effect, slope = form.effect_of(letter), form.slope_of(letter)
        if slope in whole.shared and set(effect) <= set(whole.shared):
            same[slope] = f"{more} takes as many points off the error"
        elif slope in whole.shared and set(effect) <= {*form.of(letter), *whole.shared}:
            same[slope] = f"{more} takes the same share off {form.falls.format(letter=letter)}"
    slopes = {form.slope_of(letter) for letter in "NT"} - set(same)
    rest = [n for n in whole.shared if n not in same and (n in slopes or form.parameter(n).offset or not same)]
    facts = [*same.values()]
    facts += [f"{', '.join(rest)} {'is' if len(rest) == 1 else 'are'} the same"] if rest else []
    differing = {
        "LLM family": ([{family_of(llm) for llm in one.runs.llm} for one in groups], ("family", "llm")),
        "task": ([set(one.tasks) for one in groups], ("task",)),
        "compressor": ([set(one.runs.compressor or ()) - {"none"} for one in groups], ("compressor",)),
    }
    unlike = [what for what, (sets, by) in differing.items() if whole.by not in by and any(s != sets[0] for s in sets)]
    although = f", although the groups differ in {' and '.join(unlike)} too" if unlike else ""
    return f"assumes that in every group {', and '.join(facts)}{although}"


def _union(columns: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for column in columns for value in column if value))
