"""Results that depend on a law and on the registered forms alone, kept for the laws used last.

A law does not change once it is fitted; what is registered can.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from planner.laws.forms import FORMS

Result = TypeVar("Result")
KEPT = 32


def remembered(function: Callable[..., Result]) -> Callable[..., Result]:
    """Keep the results of a function whose first argument is a law, by the law's identity and the other arguments.

    Laws and forms hold dictionaries and have no hash; they are kept beside the result, so that no other can take their
    identity. What is known under one set of registered forms says nothing under another.
    """
    kept: OrderedDict[tuple[Any, ...], tuple[Any, Result]] = OrderedDict()

    @wraps(function)
    def recall(law: Any, *others: Any, **named: Any) -> Result:
        forms = tuple(FORMS)
        key = (id(law), tuple(map(id, forms)), others, tuple(sorted(named.items())))
        if key in kept:
            kept.move_to_end(key)
            return kept[key][1]
        result = function(law, *others, **named)
        kept[key] = ((law, forms), result)
        if len(kept) > KEPT:
            kept.popitem(last=False)
        return result

    return recall
