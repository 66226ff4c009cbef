"""What can go wrong, each error with the numbers that it complains about.

Every error of this package is a `PlannerError`; its text is one sentence that says what was expected, what came and
what to do. `exit_code` is what the command line ends with: 2 for bad input, 1 where the input is fine but nothing fits,
3 where it cannot be measured here.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_PART_MIN = 3  # letters of a name that are enough to look for it inside of longer ones
_SHOWN_MAX = 80  # characters of a name that a message repeats
_NEAR_MAX = 4  # names that a suggestion may list


class PlannerError(Exception):
    """Base of every error that this package raises on purpose."""

    exit_code = 2


class InputError(PlannerError, ValueError):
    """A value that cannot be used as given."""


class MeasurementError(InputError):
    """What was asked for is fine, and cannot be measured here: no such device, too little memory."""

    exit_code = 3


class QuantityError(InputError):
    """A number with a unit that cannot be read; `value` is what came."""

    def __init__(self, message: str, value: object) -> None:
        super().__init__(message)
        self.value = value


class RunsError(InputError):
    """A table of measured runs that cannot be used; `row` and `column` say where, if one place is to blame."""

    def __init__(self, message: str, *, row: str | None = None, column: str | None = None) -> None:
        super().__init__(message)
        self.row = row
        self.column = column


class FitError(InputError):
    """Runs from which the form asked for cannot be fitted."""


class LawFileError(InputError):
    """A law file that is damaged, or written by a newer version."""


class SpecError(InputError):
    """An architecture description (config.json) that cannot be used."""


class UnknownArchitectureError(SpecError):
    """An architecture of which nothing is known."""


class OutputExistsError(InputError):
    """A file that already exists and would be overwritten; `path` is the file."""

    def __init__(self, path: object) -> None:
        super().__init__(f"{path} already exists; choose another name or overwrite=True")
        self.path = path


class UnknownNameError(InputError):
    """A name that is in no list; `known` is the list and `suggestion` the nearest entry, if one is near.

    `listed` replaces the list in the text where it would be too long; `near` are names that are meant, where more is
    known than how they are spelled. What is no text at all has no suggestion.
    """

    def __init__(
        self, what: str, name: object, known: Iterable[str], listed: str = "", near: tuple[str, ...] | None = None
    ) -> None:
        self.what = what
        self.name = name
        self.known = tuple(known)
        near = near_names(name, self.known) if near is None else near
        self.suggestion = near[0] if near else None
        *others, last = map(repr, near or [""])
        meant = f"{', '.join(others)} or {last}" if others else last
        there = listed or f"there are: {', '.join(self.known)}"
        super().__init__(f"no {what} is called {_cut(name)}; " + (f"did you mean {meant}?" if near else there))


class UnknownArgumentError(UnknownNameError, TypeError):
    """An argument that a function does not have. A TypeError too, as Python's own is."""

    def __init__(self, function: str, name: str, known: tuple[str, ...], hint: str = "") -> None:
        super().__init__(f"argument of {function}", name, known)
        if hint:
            self.args = (f"no argument of {function} is called {name!r}; {hint}",)


class MissingArgumentError(InputError, TypeError):
    """An argument that a function needs and that was not given. A TypeError too, as Python's own is."""

    def __init__(self, function: str, name: str, hint: str = "") -> None:
        super().__init__(f"{name}: planner.{function} needs {name}={', ' + hint if hint else ''}")
        self.name = name


class NotRegisteredError(UnknownNameError):
    """A name that no registry has: it may be that of a thing from outside, which was not registered."""


def _cut(name: object) -> str:
    """A name as a message repeats it: quoted, and cut where it is long."""
    try:
        text = repr(name)
    except ValueError:  # Python writes no whole number of more than 4300 digits
        text = f"{type(name).__name__} of too many digits to show"
    return text if len(text) <= _SHOWN_MAX else text[: _SHOWN_MAX - 3] + "..."


class NothingFitsError(PlannerError):
    """No candidate fits the budget; where FLOPs alone exclude all, carries the cheapest one and what it costs.

    `budget_flops` and `cheapest_flops` are FLOPs per request, in the convention of the plan; else None.
    """

    exit_code = 1

    def __init__(
        self,
        message: str,
        *,
        budget_flops: float | None = None,
        cheapest: str | None = None,
        cheapest_flops: float | None = None,
    ) -> None:
        super().__init__(message)
        self.budget_flops = budget_flops
        self.cheapest = cheapest
        self.cheapest_flops = cheapest_flops


def near_names(name: object, known: Iterable[str]) -> tuple[str, ...]:
    """What `name` was probably meant to be: the nearest entry of `known`, else those few that it is a part of."""
    if not isinstance(name, str):
        return ()
    entries = tuple(known)
    nearest = nearest_name(name, entries)
    if nearest is not None:
        return (nearest,)
    holding = tuple(entry for entry in entries if name.strip().lower() in entry.lower())
    return holding if len(name.strip()) >= _PART_MIN and len(holding) <= _NEAR_MAX else ()


def nearest_name(name: str, known: Iterable[str]) -> str | None:
    """The entry of `known` that `name` was probably meant to be, ignoring case; None if none is near."""
    by_lower = {entry.lower(): entry for entry in known}
    found = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None
