"""Which framework's kernels stand for a model: a card may have numbers for two kinds of attention.

No framework's tables measure every kind: vLLM's know grouped queries, up to 8 key/value heads, and SGLang's models
without grouped queries too. A grid of candidates may hold both: its numbers are columns then, which formulas broadcast.
"""

from __future__ import annotations

from copy import copy
from dataclasses import fields, replace

import numpy as np
from numpy.typing import NDArray

from planner.base.errors import InputError
from planner.hardware import Hardware
from planner.hardware.efficiency import CALIBRATED, JUDGED, NO_NUMBERS, TRANSFERRED, Efficiency
from planner.parts.llms import Llm
from planner.parts.walk import CacheRead, Pass

BoolArray = NDArray[np.bool_]

_STEP = Pass(sequences=1.0, new_tokens=1.0, cached_tokens=1.0, step=True)


def is_multi_head(llm: Llm) -> BoolArray:
    """Whether each query head of a model has keys and values of its own, in every layer that reads a cache.

    Returns:
        One truth value, or a column of them for an object that stands for many models.
    """
    reads = [kernel for kernel in llm.walk(_STEP) if isinstance(kernel, CacheRead)]
    alike, some = np.array(True), np.array(False)
    for read in reads:
        there = np.asarray(read.times) > 0
        alike = alike & (~there | (np.asarray(read.width) == np.asarray(read.kv_width)))
        some = some | there
    found: BoolArray = alike & some
    return found


def of_model(hardware: Hardware, llm: Llm | None) -> Hardware:
    """The card with the numbers of the kernels that stand for a model; None: for what has no language model.

    For predictions only where models of both kinds stand in one column: columns are no valid `Efficiency`.

    Raises:
        InputError: models of both kinds, whose tables of few rows differ: `apart` has both.
    """
    if llm is None or hardware.efficiency.multi_head is None:
        return hardware
    return _with(hardware, chosen(hardware.efficiency, is_multi_head(llm)))


def apart(hardware: Hardware, llm: Llm | None) -> tuple[BoolArray, Hardware, Hardware] | None:
    """Which models of a column have no grouped queries, the card for the others and the card for them, where no column
    of numbers can stand for both; else None."""
    grouped, other = hardware.efficiency, hardware.efficiency.multi_head
    if llm is None or other is None or _tables(grouped) == _tables(other):
        return None
    kinds = is_multi_head(llm)
    if np.all(kinds) or not np.any(kinds):
        return None
    return kinds, _with(hardware, replace(grouped, multi_head=None)), _with(hardware, other)


def framework_of(hardware: Hardware | None, llm: Llm, source: str) -> str:
    """Whose kernels stand for one model on a card: "vLLM 0.24.0".

    Args:
        hardware: the card, where there is one.
        llm: one model.
        source: of the model's times, as `Latency.sources` says it.

    Returns:
        "" where that is not known, or where the times do not rest on the card's fitted numbers.
    """
    if hardware is None or not source.startswith((CALIBRATED, TRANSFERRED)):
        return ""
    return of_model(hardware, llm).efficiency.framework


def chosen(efficiency: Efficiency, multi_head: BoolArray) -> Efficiency:
    """The numbers for models of these kinds, as `is_multi_head` gives them; raises as `of_model`."""
    other = efficiency.multi_head
    if other is None or not np.any(multi_head):
        return efficiency
    if np.all(multi_head):
        return other
    if _tables(efficiency) != _tables(other):
        raise InputError("expected models of one kind of attention: the tables of few rows of the two kinds differ")
    found = copy(efficiency)
    for item in fields(Efficiency):
        if item.name not in (*NO_NUMBERS, *JUDGED):
            one, two = getattr(efficiency, item.name), getattr(other, item.name)
            object.__setattr__(found, item.name, one if one == two else np.where(multi_head, two, one))
    return found


def _tables(efficiency: Efficiency) -> tuple[object, ...]:
    """What is no number that a column could hold."""
    return dict(efficiency.few_rows), efficiency.host


def _with(hardware: Hardware, efficiency: Efficiency) -> Hardware:
    """As `dataclasses.replace`, without another look at numbers that have been checked."""
    found = copy(hardware)
    object.__setattr__(found, "efficiency", efficiency)
    return found
