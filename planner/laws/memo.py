"""Results that depend on a law alone, kept for the laws used last: a law does not change once it is fitted."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

Result = TypeVar("Result")
KEPT = 32


def remembered(function: Callable[..., Result]) -> Callable[..., Result]:
    """Keep the results of a function whose first argument is a law, by the law's identity and the other arguments.

    Laws hold dictionaries and have no hash; the law is kept beside its result, so that no other can take its identity.
    """
    kept: OrderedDict[tuple[Any, ...], tuple[Any, Result]] = OrderedDict()

    @wraps(function)
    def recall(law: Any, *others: Any, **named: Any) -> Result:
        key = (id(law), others, tuple(sorted(named.items())))
        if key in kept:
            kept.move_to_end(key)
            return kept[key][1]
        result = function(law, *others, **named)
        kept[key] = (law, result)
        if len(kept) > KEPT:
            kept.popitem(last=False)
        return result

    return recall
