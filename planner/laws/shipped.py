"""The shipped laws: found by name in the data package `fitted_laws`."""

from __future__ import annotations

import json
import os
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from planner.errors import InputError, UnknownNameError
from planner.laws.fitted import FittedLaw
from planner.laws.forms import DEFAULT_FORM, get_form

DEFAULT_LAW = "reasoning"


def shipped_names() -> tuple[tuple[str, str], ...]:
    """(name, form) of every shipped law, in alphabetical order."""
    return tuple(sorted(_files()))


def load_law(name: str | os.PathLike[str], form: str | None = None) -> FittedLaw:
    """A shipped law by name ("reasoning", "ocr"), or a law file by path.

    Args:
        name: name or path; a path holds a separator or ends in .json.
        form: which form of a shipped law; the additive one by default, or the only one there is.

    Raises:
        UnknownNameError: no shipped law is called so, or it has no such form.
        LawFileError: a file that is no law.
        InputError: a law file of another form than the one asked for.
    """
    if form is not None:
        get_form(form)
    text = os.fspath(name)
    if text.endswith(".json") or os.sep in text:
        law = FittedLaw.load(text)
        if form is not None and law.form != form:
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
    chosen = form or (DEFAULT_FORM if DEFAULT_FORM in forms else forms[0])
    if chosen not in forms:
        raise InputError(f"the shipped law {text!r} has no {chosen} form; there are: {', '.join(forms)}")
    file = files[text, chosen]
    return FittedLaw.from_dict(json.loads(file.read_text("utf-8")), file.name)


def as_law(law: FittedLaw | str | os.PathLike[str] | None, form: str | None = None) -> FittedLaw:
    """A law from what a user may pass: a law, a name, a path, or nothing for the default one."""
    if isinstance(law, FittedLaw):
        if form is not None and law.form != get_form(form).name:
            raise InputError(f"the law has the {law.form} form, {form} was asked for; leave out form=")
        return law
    return load_law(DEFAULT_LAW if law is None else law, form)


def _files() -> dict[tuple[str, str], Traversable]:
    """Every law file of the data package by (name, form); files are called NAME.FORM.json."""
    found = {}
    for entry in resources.files("fitted_laws").iterdir():
        parts = entry.name.split(".")
        if len(parts) == 3 and parts[2] == "json":
            found[parts[0], parts[1]] = entry
    return found
