"""A form's formula in LaTeX, with fitted numbers in the place of its parameters."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from planner.base.errors import InputError
from planner.laws.forms.form import Form

_ZERO_TERM = re.compile(r" [+-] 0(?=$| [+-])")
_BESIDE = r", \quad "
_UNITS = {1.0: "parameters", 1e6: "millions of parameters", 1e9: "billions of parameters"}


def latex_of(form: Form, params: Mapping[str, float], digits: int = 4) -> str:
    r"""The formula with numbers: "Y = \frac{0.2913}{N^{0.2264}} + \frac{0.2417}{T^{0.1011}} + 0.12".

    A term that is zero, as a floor at its bound, is left out.

    Args:
        form: a form that has a formula in LaTeX.
        params: its parameters by name.
        digits: significant ones of each number.

    Raises:
        InputError: the form has no such formula, or one that lacks a parameter's symbol.
    """
    if not form.latex:
        raise InputError(f"form {form.name!r} has no formula in LaTeX: give it one, as Form(latex=...)")
    symbols = {one.latex or one.name: params[one.name] for one in form.parameters}
    found: set[str] = set()

    def number(match: re.Match[str]) -> str:
        found.add(match["symbol"])
        return _put(match["before"] or "", _number(symbols[match["symbol"]], digits))

    text = re.sub(
        rf"(?P<before>[\^_])?(?P<symbol>{'|'.join(map(_whole, symbols))})(?![A-Za-z0-9_])", number, form.latex
    )
    if missing := [symbol for symbol in symbols if symbol not in found]:
        raise InputError(f"form {form.name!r}: its formula in LaTeX, {form.latex}, has no {missing[0]} in it")
    return _ZERO_TERM.sub("", text)


def with_unit(formula: str, n_unit_params: float) -> str:
    r"""A formula, and what N is counted in: "Y = ..., \quad N \text{ in billions of parameters}"."""
    name = _UNITS.get(n_unit_params, f"units of {n_unit_params:.15g} parameters")
    return rf"{formula}{_BESIDE}N \text{{ in {name}}}"


def weighted_sum(weights: Sequence[float], formulas: Sequence[str], digits: int) -> str:
    """Formulas of `with_unit` as one. Raises InputError where they count N in different units."""
    parts = [formula.split(_BESIDE) for formula in formulas]
    if len({unit for _, unit in parts}) > 1:
        raise InputError("to_latex: N has one unit in a formula, and these laws count it in different ones")
    terms = [
        rf"{weight:.{digits}g} \left({own.partition('=')[2].strip()}\right)"
        for weight, (own, _) in zip(weights, parts, strict=True)
    ]
    return f"Y = {' + '.join(terms)}{_BESIDE}{parts[0][1]}"


def _whole(symbol: str) -> str:
    """A pattern of a symbol that stands for itself, not inside a word or a command."""
    return (r"(?<!\\)" if symbol.startswith("\\") else r"(?<![A-Za-z\\])") + re.escape(symbol)


def _put(before: str | None, number: str) -> str:
    """A number where a symbol stood; in braces behind a sign that takes one token."""
    if before:
        return f"{before}{{{number}}}"
    return rf"\left({number}\right)" if number.startswith("-") else number


def _number(value: float, digits: int) -> str:
    r"""To so many digits; "3.168 \times 10^{-4}" where it is small or large."""
    value = value or 0.0  # no minus before a zero
    if not value or 1e-3 <= abs(value) < 1e6:
        return f"{value:.{max(digits, _whole_digits(value))}g}"
    head, _, power = f"{value:.{digits - 1}e}".partition("e")
    return rf"{head} \times 10^{{{int(power)}}}"


def _whole_digits(value: float) -> int:
    """Before the point: fewer would be written as a power of ten."""
    return math.floor(math.log10(abs(value))) + 1 if abs(value) >= 1 else 1
