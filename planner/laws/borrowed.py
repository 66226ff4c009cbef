"""The effect of N of one law in a fit to runs of one language model.

Runs of one size say nothing of N. What a form's parameters of N alone are worth may come from another law of the same
form, and is held; that the effect of N is the same on the tasks of both is an assumption, and the law says so.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from planner.base.errors import InputError
from planner.laws.fitted import FittedLaw
from planner.laws.forms import Form, get_form

if TYPE_CHECKING:
    import lmfit

FloatArray = NDArray[np.float64]

_NIL = 1e-6  # share of a direction below which a parameter has no part in it


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
        of_user = found.get(name)
        if of_user is not None and (not of_user.vary or of_user.expr or np.isfinite([of_user.min, of_user.max]).any()):
            raise InputError(f"borrow_n: {name} is borrowed, and fixed, tied or bounded too; leave one of them out")
        found.add(name, value=value, vary=False)
    return found


def check_rest_is_told(law: FittedLaw, held: Collection[str]) -> None:
    """Raises InputError where runs of other sizes alone would tell what is not held, as with an effect of N times T.

    Args:
        law: fitted with the parameters held.
        held: names of the borrowed parameters.
    """
    form, data = get_form(law.form), law.data
    if data is None:
        raise InputError("expected a fitted law, got one whose parameters were given")
    determined = {name for name, imposed in law.constraints.items() if imposed.keys() & {"value", "expr"}}
    free = [i for i, name in enumerate(form.param_names) if name not in determined]
    n, t = np.unique(data.n), np.unique(data.t)

    def columns(sizes: FloatArray) -> FloatArray:
        found = form.gradient(law.params, sizes[:, None], t).reshape(-1, len(form.param_names))[:, free]
        lengths: FloatArray = np.linalg.norm(found, axis=0)
        return found / np.where(lengths > 0, lengths, 1.0)

    here = columns(n)
    rank = np.linalg.matrix_rank(here)
    if rank < np.linalg.matrix_rank(columns(np.append(n, 2 * n))):
        moved = np.abs(np.linalg.svd(here)[2][rank:]).max(axis=0) > _NIL
        names = [form.param_names[i] for i, moves in zip(free, moved, strict=True) if moves]
        raise InputError(
            f"borrow_n: with {' and '.join(held)} held, runs of one language model leave {' and '.join(names)} of the "
            f"{form.name} form free; fit another form, with a law of that form"
        )


def remark_of(lender: FittedLaw, held: dict[str, float]) -> str:
    """That the effect of N is another law's."""
    return f"the effect of N ({', '.join(held)}) is that of the law {lender.name or lender.form}, measured elsewhere"
