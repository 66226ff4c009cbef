"""How large each effect of the hierarchy is: estimated standard deviations, shipped as one small file.

shipped_variances().sds["slope in T: compressor"]       error per doubling of T
shipped_variances().transfer_sds()                      what another compressor, family or task adds
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources

import numpy as np

from planner.base.codec import decode
from planner.base.dataclass import dataclass
from planner.base.errors import UnknownNameError
from planner.laws.hierarchy.cells import FloatArray
from planner.laws.hierarchy.effects import Effect
from planner.laws.hierarchy.noise import Noise
from planner.laws.hierarchy.student_tail import Tail as Tail

FOLDER, FILE = "evidence", "variances.json"
"""In the data package."""


@dataclass(frozen=True)
class Transfer:
    """What leaving a part of what was measured adds to an error, of one task: standard deviations of ONE group.

    The difference between two groups, "a law of QueCC used for TokenPacker", has twice the variance of one. Offsets are
    in error at T = 144 and N = 7e9; slopes in error per doubling of T or N away from there; a curve's sd holds at every
    T, and its values at two token counts correlate by exp(-(t - t')^2 / 18), t in doublings.
    """

    compressor_offset: float
    """Of a trained compressor (image sizes among them), all tasks' share and one task's together."""
    compressor_slope_t: float
    """Per doubling of T: all tasks', a class's and one task's share together."""
    compressor_curve: float
    """The compressor's smooth departure from its line in ln T."""
    pruning_offset: float
    """As for trained compressors, of training-free pruning."""
    pruning_slope_t: float
    pruning_curve: float
    family_offset: float
    """Of a language model's family in one setup and on one task."""
    family_slope_n: float
    """Per doubling of N."""
    checkpoint_offset: float
    """Of a trained model within its family: what one more size of the family differs from its line."""
    recipe_offset: float
    """Of another training recipe or data, on any task but one of reading."""
    text_recipe_offset: float
    """The same on a task of reading, which recipes change most."""
    study_offset: float
    """Of another setup altogether: the level of its errors."""
    task_offset: float
    """Of another task: the level of its errors."""
    task_slope_n: float
    """Per doubling of N, of a task among its class in a study."""
    text_task_slope_t: float
    """Per doubling of T, of a task of reading among its class."""
    other_task_slope_t: float
    """Per doubling of T, of any other task among its class."""
    text_task_curve: float
    """A task of reading's smooth departure from its line in ln T, in one study."""
    other_task_curve: float


@dataclass(frozen=True)
class Variances:
    """What was estimated, once and offline, by `python -m fitted_laws.make_variances`."""

    sds: Mapping[str, float]
    """Standard deviation of each effect by its name (`EFFECTS`): of error; per doubling where it multiplies one."""
    noise: Noise
    """Of one printed number."""
    tail: Tail
    """Of what is predicted."""
    rows: int
    """Rows that it was estimated from."""
    log_likelihood: float
    """Log marginal likelihood of those rows, nats."""

    def of(self, effects: Sequence[Effect]) -> FloatArray:
        """(e,) standard deviations of a table of effects. Raises UnknownNameError for an effect that has none."""
        for effect in effects:
            if effect.fixed_sd is None and effect.name not in self.sds:
                raise UnknownNameError("effect with a standard deviation", effect.name, tuple(self.sds))
        return np.array([self.sds[one.name] if one.fixed_sd is None else one.fixed_sd for one in effects])

    def transfer_sds(self) -> Transfer:
        """What another compressor, family, recipe, study or task adds."""

        def together(*names: str) -> float:
            return math.sqrt(sum(self.sds[name] ** 2 for name in names))

        return Transfer(
            compressor_offset=together("compressor", "compressor x task"),
            compressor_slope_t=together(
                "slope in T: compressor", "slope in T: compressor x task", "slope in T: compressor x class"
            ),
            compressor_curve=together("curve: compressor x class"),
            pruning_offset=together("pruning", "pruning x task"),
            pruning_slope_t=together("slope in T: pruning", "slope in T: pruning x task"),
            pruning_curve=together("curve: pruning x class"),
            family_offset=together("family", "family x task"),
            family_slope_n=together("slope in N: family"),
            checkpoint_offset=together("checkpoint", "checkpoint x task"),
            recipe_offset=together("recipe", "recipe x other task"),
            text_recipe_offset=together("recipe", "recipe x text task"),
            study_offset=together("study", "study x task"),
            task_offset=together("task", "study x task", "table x task"),
            task_slope_n=together("slope in N: study x task"),
            text_task_slope_t=together("slope in T: text task"),
            other_task_slope_t=together("slope in T: other task"),
            text_task_curve=together("curve: study x text task"),
            other_task_curve=together("curve: study x other task"),
        )


@cache
def shipped_variances() -> Variances:
    """Those of the shipped evidence."""
    path = resources.files("fitted_laws") / FOLDER / FILE
    return decode(Variances, json.loads(path.read_text(encoding="utf-8")), FILE)


def transfer_sds() -> Transfer:
    """What another compressor, family, recipe, study or task adds, by the shipped evidence."""
    return shipped_variances().transfer_sds()
