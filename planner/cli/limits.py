"""The limits of a budget as options: one for each entry of the table, and --limit NAME=VALUE for any other."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any

import typer

from planner.base.errors import InputError, QuantityError
from planner.base.quantities import shown
from planner.cli.added_options import added_option, with_options
from planner.planning.limits import LIMITS, LimitKind, as_option, find_limit, limits_in_unit_of

NO_LIMIT = (
    "--budget is missing: give FLOPs of one request (2TFLOPs), or another limit such as --ttft 100ms or --memory 24GiB"
)
PARAMETER = "limits"
_GENERIC = "limit"


def takes_limits(verb: Callable[..., None], of: str = "") -> Callable[..., None]:
    """The verb with these options in the place of its parameter `limits`, which gets {field of the Budget: value}.

    `of` says in their help what they are for, where not all of the verb takes them: "frontier: ".
    """
    kinds = {_parameter(kind): kind for kind in LIMITS}

    def gathered(given: dict[str, Any]) -> dict[str, float]:
        typed = [(kind, given[name], kind.option) for name, kind in kinds.items() if given[name] is not None]
        typed += _others(given[_GENERIC] or ())
        limits: dict[str, float] = {}
        for kind, text, option in typed:
            if kind.name in limits:
                raise InputError(f"{option}: this limit is given twice; leave one out")
            limits[kind.name] = read_limit(kind, text, option)
        return limits

    return with_options(verb, PARAMETER, _options(kinds, of), gathered)


def read_limit(kind: LimitKind, text: str, option: str) -> float:
    """A limit that was typed. Raises QuantityError, which names the limits that have the unit that came."""
    try:
        return kind.read_typed(text, option)
    except QuantityError as error:
        meant = [as_option(other, value)[0] for other in limits_in_unit_of(text) if (value := other.reads(text))]
        if not meant:
            raise
        *others, last = meant
        near = f"{', '.join(others)} or {last}" if others else last
        raise QuantityError(f"{error}; did you mean {near}?", text) from None


def _parameter(kind: LimitKind) -> str:
    return kind.option.removeprefix("--").replace("-", "_")


def given_limits(limits: Mapping[str, float]) -> Iterator[str]:
    """The options of limits that were given."""
    for name in limits:
        kind = LIMITS.find(name)
        yield as_option(kind, limits[name])[0]


def _options(kinds: Mapping[str, LimitKind], of: str) -> Iterator[inspect.Parameter]:
    for name, kind in kinds.items():
        yield added_option(name, Annotated[str | None, typer.Option(kind.option, help=of + (kind.help or kind.title))])
    other = typer.Option(
        "--limit", metavar="NAME=VALUE", help=f"{of}A limit that a plug-in adds, as carbon=5; repeatable."
    )
    yield added_option(_GENERIC, Annotated[list[str] | None, other])


def _others(texts: list[str] | tuple[str, ...]) -> Iterator[tuple[LimitKind, str, str]]:
    """(kind, value, what an error calls it) of each NAME=VALUE."""
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"--limit: expected NAME=VALUE such as ttft=100ms, got {shown(text)}")
        yield find_limit(name.strip()), value, f"--limit {name.strip()}"
