"""Laws of the tokens alone are of one language model, and say nothing of another size."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from planner.base.errors import InputError
from planner.base.quantities import format_params
from planner.laws.forms import get_form

FloatArray = NDArray[np.float64]


class OfOneSize(Protocol):
    """Of a `FittedLaw`, what is needed here."""

    @property
    def form(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def llms(self) -> tuple[str, ...]: ...
    @property
    def llm_params_levels(self) -> tuple[float, ...]: ...


def check_size(law: OfOneSize, llm_params: FloatArray) -> None:
    """Raises InputError for a size that a law of the tokens alone was not measured at; one that was given takes any."""
    for size in () if get_form(law.form).of_n else law.llm_params_levels:
        other = llm_params[~np.isclose(llm_params, size, rtol=1e-9)]
        if other.size:
            named, came = f"{', '.join(law.llms)} of {format_params(size)}", format_params(float(other.flat[0]))
            raise InputError(
                f"the law {law.name or law.form} is of one language model, {named}, and says nothing of other sizes, "
                f"got {came}; ask of that one, or fit its runs with the effect of N of another law"
            )
