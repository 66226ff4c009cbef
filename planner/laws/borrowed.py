"""The effect of N of one law in a fit to runs of one language model.

Runs of one size say nothing of N. What a form's parameters of N alone are worth may come from another law of the same
form, and is held; that the effect of N is the same on the tasks of both is an assumption, and the law says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from planner.base.errors import InputError
from planner.laws.fitted import FittedLaw
from planner.laws.forms import Form

if TYPE_CHECKING:
    import lmfit


def held_of_n(form: Form, lender: FittedLaw, n_unit_params: float) -> dict[str, float]:
    """The parameters of N alone, as the lending law has them.

    Raises:
        InputError: a law of another form or with another unit of N, or a form without parameters of N alone.
    """
    if lender.form != form.name:
        raise InputError(
            f"borrow_n: expected a law of the {form.name} form, got one of the {lender.form} form; fit that form, or "
            "name another law"
        )
    if lender.n_unit_params != n_unit_params:
        raise InputError(
            f"borrow_n: expected a law whose unit of N is {n_unit_params:g} parameters, got {lender.n_unit_params:g}"
        )
    names = [name for name in form.of_n if name not in form.of_t]
    if not names:
        raise InputError(f"borrow_n: the {form.name} form has no parameters of N alone to borrow")
    return {name: lender.params[name] for name in names}


def with_held(params: lmfit.Parameters | None, held: dict[str, float]) -> lmfit.Parameters:
    """The constraints of a user with the borrowed ones beside them. Raises InputError for one that is in both."""
    import lmfit

    found = lmfit.Parameters() if params is None else params.copy()
    for name, value in held.items():
        if name in found:
            raise InputError(f"borrow_n: {name} is borrowed, and params= says it too; leave one of them out")
        found.add(name, value=value, vary=False)
    return found


def remark_of(lender: FittedLaw, held: dict[str, float]) -> str:
    """That the effect of N is another law's."""
    return f"the effect of N ({', '.join(held)}) is that of the law {lender.name or lender.form}, measured elsewhere"
