"""What runs cannot determine, said before fitting."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from planner.base.errors import FitError
from planner.laws.forms import Form, forms_for
from planner.runs import Runs


def needed_levels(form: Form, free: Collection[str]) -> tuple[int, int]:
    """Fewest levels of N, and of T, from which the free parameters of a form can be determined."""
    found = []
    for letter, levels in zip("NT", form.levels, strict=True):
        if not form.of(letter):
            found.append(1)
            continue
        slope = form.slope_of(letter)
        held = sum(letter in one.takes_level_of and one.name not in free for one in form.parameters)
        found.append(levels - held if slope in free else 1)
    return found[0], found[1]


def check_levels(runs: Runs, form: Form, free: Collection[str], left: bool = False) -> None:
    """Raises FitError where the runs have too few levels of N or T, or are fewer than the free parameters.

    Args:
        runs: to be fitted.
        form: of the law.
        free: parameters that the runs have to determine.
        left: whether they are what a hold-out trains on, so that the error does not take them for all runs.
    """
    for letter, column, needed in zip(
        "NT", (runs.llm_params, runs.visual_tokens), needed_levels(form, free), strict=True
    ):
        levels = len(np.unique(column))
        if not form.of(letter) and levels > 1:
            raise FitError(
                f"the {form.name} form is for runs of one language model, the runs have {levels} sizes: choose one, or "
                "fit a form of N and T"
            )
        if levels < needed:
            slope = form.slope_of(letter)
            size = "LLM sizes (N)" if letter == "N" else "visual token counts (T)"
            shapes = [one for one in form.parameters if one.name == slope or letter in one.takes_level_of]
            words = [one.word or one.name for one in shapes if one.name in free]
            why = " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
            spare = [one.name for one in form.parameters if letter in one.takes_level_of and one.name in free]
            fix = f", fix {' or '.join(spare)}" if spare and levels > 1 else ""
            fewer = "fit a form with fewer parameters"
            if letter == "N" and levels == 1:
                alone = " or ".join(one.name for one in forms_for(1))
                fewer = f"fit a form of the tokens alone ({alone}), or borrow the effect of N of another law"
            raise FitError(
                f"too few {size}: the {form.name} form needs {needed} levels to tell {why}, "
                f"the runs{' left to train on' if left else ''} have {levels}; "
                f"measure more{fix}, or {fewer}"
            )
    if len(runs) < len(free):
        raise FitError(
            f"too few runs: the {form.name} form has {len(free)} free parameters, "
            f"{'those left to train on are' if left else 'the table has'} {len(runs)}{'' if left else ' runs'}; "
            "measure more"
        )
