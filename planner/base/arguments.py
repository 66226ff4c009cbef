"""Public functions that say in one sentence which argument they do not have, and which one was meant.

Python's own TypeError names what came and nothing else. Functions are wrapped where they become public, so that calls
inside the package cost nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import FunctionType
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
Hint = Callable[[tuple[str, ...], str, Any], str]
"""(names of a function's arguments, one that is none of them, its value) -> where it belongs; "" where nobody knows."""
_NEEDED = {"budget": "FLOPs of one request, as '2 TFLOPs', or another limit, as planner.Budget(ttft='150 ms')"}
"""What is given where an argument is missing, of those that need an example."""
_TAKES_ANY = 0x08  # inspect.CO_VARKEYWORDS: the module itself would be loaded with every `import planner`


def with_suggestions(function: Callable[P, R], name: str, hint: Hint) -> Callable[P, R]:
    """A function as it is called from outside: it raises UnknownArgumentError where Python would raise TypeError.

    Args:
        function: what is called.
        name: its public name, under which pickle finds it again.
        hint: where an argument belongs that the function does not have and that is near none that it has.
    """
    if not isinstance(function, FunctionType) or function.__code__.co_flags & _TAKES_ANY:
        return function
    code = function.__code__
    taken = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    needed = [one for one in taken[code.co_argcount :] if one not in (function.__kwdefaults__ or {})]

    @functools.wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        for given, value in kwargs.items():
            if given not in taken:
                from planner.base.errors import UnknownArgumentError, nearest_name

                known = nearest_name(given, taken) is not None
                raise UnknownArgumentError(name, given, taken, "" if known else hint(taken, given, value))
        for one in needed:
            if one not in kwargs:
                from planner.base.errors import MissingArgumentError

                raise MissingArgumentError(name, one, _NEEDED.get(one, ""))
        found: R = function(*args, **kwargs)
        return found

    called.__module__, called.__qualname__ = "planner", name
    return called
