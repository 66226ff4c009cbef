"""Options that several verbs share, added to each from one table."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any


def with_options(
    verb: Callable[..., None],
    parameter: str,
    options: Iterable[inspect.Parameter],
    gathered: Callable[[dict[str, Any]], Any],
) -> Callable[..., None]:
    """The verb with options in the place of one of its parameters.

    Args:
        verb: a function that typer is to read.
        parameter: the name of its parameter that they are gathered in.
        options: what stands in its place, with their names and typer's annotations.
        gathered: the values of the options by name -> the value of that parameter.
    """
    signature = inspect.signature(verb, eval_str=True)
    added = list(options)
    names = [one.name for one in added]
    parameters: list[inspect.Parameter] = []
    for one in signature.parameters.values():
        parameters += added if one.name == parameter else [one]

    @wraps(verb)
    def wrapper(**given: Any) -> None:
        verb(**{parameter: gathered({name: given.pop(name) for name in names})}, **given)

    wrapper.__signature__ = signature.replace(  # type: ignore[attr-defined]  # what typer reads the options from
        parameters=[one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in parameters]  # typer calls by name
    )
    return wrapper


def added_option(name: str, annotation: Any, default: Any = None) -> inspect.Parameter:
    """An option as a parameter of a function."""
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
