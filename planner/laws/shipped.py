"""The shipped laws: found by name in the data package `fitted_laws`."""

from __future__ import annotations

import json
import math
import os
from dataclasses import replace
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from planner.base.errors import InputError, UnknownNameError
from planner.base.quantities import format_percent, shown
from planner.laws.averaging import averaged, mix
from planner.laws.combined import AUTO, MIX, CombinedLaw, Law, read_law
from planner.laws.fitted import FittedLaw
from planner.laws.forms import DEFAULT_FORM, get_form
from planner.laws.hierarchy.law import EvidenceLaw, evidence_law
from planner.laws.hierarchy.tasks import find_task, task_named, task_names
from planner.laws.lack_of_fit import lack_of_fit
from planner.laws.runs_belief import can_be_believed

DEFAULT_LAW = "reasoning"


def shipped_names() -> tuple[tuple[str, str], ...]:
    """(name, form) of every shipped law, in alphabetical order."""
    return tuple(sorted(_files()))


def shipped_laws() -> tuple[FittedLaw, ...]:
    """Every shipped law, in alphabetical order."""
    return tuple(_load(name, form) for name, form in sorted(_files()))


def load_law(name: str | os.PathLike[str], form: str | None = None) -> Law:
    """A shipped law by name ("reasoning", "ocr"), or a law file by path.

    Args:
        name: name or path; a path holds a separator or ends in .json.
        form: which form of a shipped law; the additive one by default, or the only one there is. "auto" averages all
            forms by their evidence, for a law file too. Where no form is named and the additive one lacks fit, the
            law's `remarks` say so.

    Raises:
        UnknownNameError: no shipped law is called so, or no form.
        LawFileError: a file that is no law.
        InputError: the law has no such form.
    """
    law = _found(name, form)
    shipped = isinstance(law, FittedLaw) and (law.name, law.form) in _files() and law is _load(law.name, law.form)
    return _by_default(law.name, law.form) if form is None and shipped else law


@cache
def _by_default(name: str, form: str) -> FittedLaw:
    """A shipped law whose form nobody named, with a remark where its runs reject that form."""
    law = _load(name, form)
    found = [one for tested in lack_of_fit(law) for one in tested.found]
    if not found or not can_be_believed(law):
        return law
    remark = (
        f"no form was named, and this is the {form} one, for which {found[0]}; plans rest on the average of all forms, "
        f"load_law({name!r}, form={AUTO!r})"
    )
    return replace(law, remarks=(*law.remarks, remark))


def _without_remark(law: Law) -> Law:
    """A law, without the remark of `_by_default`: plans say themselves on which forms they rest."""
    if not isinstance(law, FittedLaw) or (law.name, law.form) not in _files():
        return law
    remarked, plain = _by_default(law.name, law.form), _load(law.name, law.form)
    if law is remarked:
        return plain
    return replace(law, remarks=plain.remarks) if law.remarks == remarked.remarks != plain.remarks else law


def _found(name: str | os.PathLike[str], form: str | None) -> Law:
    """As `load_law`, without its remark."""
    if form is not None and form != AUTO:
        get_form(form)
    if not isinstance(name, str | os.PathLike):
        raise InputError(f"law: expected the name of a shipped law, a law file's path or a law, got {shown(name)}")
    text = os.fspath(name)
    if text.lower().endswith(".csv"):
        raise InputError(
            f"expected a law, {text} is a table of runs by its name: fit it first: vlm-planner fit {text} -o law.json"
        )
    if text.endswith(".json") or os.sep in text:
        law = read_law(text)
        if form == AUTO and isinstance(law, FittedLaw):
            return averaged(law)
        if form is not None and not _has_form(law, form):
            raise InputError(
                f"{Path(text).name} is a law of the {law.form} form, {form} was asked for; leave out --form"
            )
        return law
    files = _files()
    names = sorted({known for known, _ in files})
    if text not in names:
        raise UnknownNameError(
            "shipped law", text, names, f"there are: {', '.join(names)}; a law file is named by its path"
        )
    forms = [its_form for its_name, its_form in sorted(files) if its_name == text]
    chosen = form if form not in (None, AUTO) else DEFAULT_FORM if DEFAULT_FORM in forms else forms[0]
    if chosen not in forms:
        raise InputError(f"the shipped law {text!r} has no {chosen} form; there are: {', '.join(forms)}")
    shipped = _load(text, chosen)
    return averaged(shipped) if form == AUTO else shipped


def load_mix(text: str, form: str | None = None) -> Law:
    """A mix of tasks from "reasoning=0.7,ocr=0.3" or "docvqa=0.5,gqa=0.5": names or files of laws, and tasks of the
    evidence base, each with its share of the workload. "law:NAME" and "task:NAME" say which is meant.

    Raises:
        InputError: a text of another shape, shares that are not above 0, a name that comes twice, or one that is both a
            law's and a task's.
        UnknownNameError: a name that is neither.
    """
    shares: dict[str, tuple[Law, float]] = {}
    tasks: dict[str, float] = {}
    seen: set[str] = set()
    for name, number in _named_shares(text):
        task = _task_meant(name)
        one = task or name.removeprefix(_LAW)
        if one in seen:
            raise InputError(f"{_MIX_EXPECTED.format(shown(text))}: {one} is named twice; give it one share")
        seen.add(one)
        if task:
            tasks[task] = number
        else:
            shares[name] = (_found(one, form), number)
    if not tasks:
        return mix(shares)
    if form is not None:
        raise InputError(f"--form {form}: tasks of the evidence have no form; leave out --form")
    published = evidence_law(tasks)
    return mix({**shares, published.name: (published, sum(tasks.values()))}) if shares else published


def mix_note(text: str) -> str:
    """That the shares of a mix do not sum to 1 or 100, with the shares that are used; "" where they do.

    Raises:
        InputError: a text of another shape, or shares that are not above 0.
    """
    named = _named_shares(text)
    total = math.fsum(share for _, share in named)
    if any(math.isclose(total, whole, rel_tol=_SAME) for whole in (1.0, 100.0)):
        return ""
    used = ", ".join(f"{name} {format_percent(share, total)}" for name, share in named)
    return f"the shares of --mix sum to {total:.4g}, neither 1 nor 100: taken as {used}"


def _named_shares(text: str) -> list[tuple[str, float]]:
    """Each name of a mix with its share, as typed. Raises InputError."""
    named = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, equals, share = (piece.strip() for piece in part.rpartition("="))
        try:
            number = float(share)
        except ValueError:
            number = math.nan
        if not (equals and name and math.isfinite(number) and number > 0):
            raise InputError(_MIX_EXPECTED.format(shown(text)))
        named.append((name, number))
    if not named:
        raise InputError(_MIX_EXPECTED.format(shown(text)))
    return named


_SAME = 1e-6
"""Relative: what rounding may leave between a sum of shares and 1."""
_LAW, _TASK = "law:", "task:"
_MIX_EXPECTED = "--mix: expected NAME=SHARE,NAME=SHARE such as reasoning=0.7,ocr=0.3 or docvqa=0.5,gqa=0.5, got {}"


def _task_meant(name: str) -> str:
    """The task of the evidence that a part of a mix names; "" where it names a law.

    Raises InputError for a name that is both, UnknownNameError for one that is neither.
    """
    if name.startswith(_TASK):
        return find_task(name.removeprefix(_TASK)).name
    if name.startswith(_LAW) or name.endswith(".json") or os.sep in name:
        return ""
    laws, task = sorted({known for known, _ in _files()}), task_named(name)
    if name in laws and task is not None:
        raise InputError(f"--mix: {name} is a shipped law and a task of the evidence; write law:{name} or task:{name}")
    if name not in laws and task is None:
        raise UnknownNameError("shipped law or task of the evidence", name, [*laws, *task_names()])
    return "" if task is None else task.name


def as_law(law: Law | str | os.PathLike[str] | None, form: str | None = None) -> Law:
    """A law from what a user may pass: a law, a name, a path, or nothing for the default one."""
    if isinstance(law, FittedLaw | CombinedLaw | EvidenceLaw):
        if form == AUTO and isinstance(law, FittedLaw):
            return averaged(law)
        law = _without_remark(law)
        if form is not None and not _has_form(law, form):
            raise InputError(f"the law has the {law.form} form, {form} was asked for; leave out form=")
        return law
    return _found(DEFAULT_LAW if law is None else law, form)


def _has_form(law: Law, form: str) -> bool:
    """Whether a law has a form, a mix in each of its tasks."""
    if isinstance(law, CombinedLaw) and law.kind == MIX:
        return all(_has_form(member, form) for member in law.members)
    return law.form == form


@cache
def _load(name: str, form: str) -> FittedLaw:
    file = _files()[name, form]
    return FittedLaw.from_dict(json.loads(file.read_text("utf-8")), file.name)


def _files() -> dict[tuple[str, str], Traversable]:
    """Every law file of the data package by (name, form); files are called NAME.FORM.json."""
    found = {}
    for entry in resources.files("fitted_laws").iterdir():
        parts = entry.name.split(".")
        if len(parts) == 3 and parts[2] == "json":
            found[parts[0], parts[1]] = entry
    return found
