"""The forms of the law as columns: with its exponents held, a form is linear in what is left.

A form is asked at the nodes of each parameter that it is not linear in; its columns there are what its linear
parameters multiply. Constant columns go, as every mean has an offset of its own, and the others are centred on the runs
and scaled to a mean square of 1, so that one prior suits all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.laws.forms import Form

FloatArray = NDArray[np.float64]

_FLAT = 1e-9  # a column that varies less than this, relative to its size, is constant
_NODES = 4  # of a parameter from outside that names none


@dataclass(frozen=True, eq=False)
class Means:
    """Columns of all forms at the runs, each distinct one once, and which of them make up which mean."""

    columns: FloatArray
    """Centred, with a mean square of 1 over the runs, shape (runs, columns)."""
    members: tuple[tuple[int, ...], ...]
    """Of each mean the columns that it is a weighted sum of."""
    forms: tuple[str, ...]
    """Of each mean the form that it belongs to."""
    sources: tuple[tuple[Form, dict[str, float], str], ...]
    """Of each column the form, its held parameters, and the linear one that multiplies it; "" for the whole form."""
    centres: FloatArray
    scales: FloatArray

    def at(self, n: FloatArray, t: FloatArray) -> FloatArray:
        """The columns at other points: sizes in the law's unit and tokens of shape (points,) -> (points, columns)."""
        raw = [_column(form, held, name, n, t) for form, held, name in self.sources]
        found: FloatArray = (np.column_stack(raw) - self.centres) / self.scales
        return found

    def only(self, kept: NDArray[np.intp]) -> Means:
        """Some of the means, with the columns that they need."""
        members = [self.members[mean] for mean in kept.tolist()]
        columns = sorted({column for which in members for column in which})
        place = {column: at for at, column in enumerate(columns)}
        return Means(
            columns=self.columns[:, columns],
            members=tuple(tuple(place[column] for column in which) for which in members),
            forms=tuple(self.forms[mean] for mean in kept.tolist()),
            sources=tuple(self.sources[column] for column in columns),
            centres=self.centres[columns],
            scales=self.scales[columns],
        )

    def prior_shares(self) -> FloatArray:
        """Prior probability of each mean: every form has the same, spread evenly over its nodes."""
        counts = {form: self.forms.count(form) for form in dict.fromkeys(self.forms)}
        return np.array([1 / (len(counts) * counts[form]) for form in self.forms])


def means_of(forms: Iterable[Form], n: FloatArray, t: FloatArray) -> Means:
    """The means of all forms that differ at the runs.

    A column that is constant over the runs, or that stands in a mean already, goes; a mean that has none left says
    nothing and is left out.

    Args:
        forms: usually all that are registered.
        n: sizes of the runs in the law's unit, shape (runs,).
        t: their visual tokens, shape (runs,).
    """
    asked = [(form, held) for form in forms for held in _nodes(form)]
    named = [(mean, form, held, name) for mean, (form, held) in enumerate(asked) for name in _linear(form) or ("",)]
    raw = np.column_stack([np.broadcast_to(_column(form, held, name, n, t), n.shape) for _, form, held, name in named])
    centre, scale = raw.mean(axis=0), raw.std(axis=0)
    varies = np.isfinite(scale) & (scale > _FLAT * np.maximum(np.abs(centre), np.finfo(float).tiny))
    columns = (raw - centre) / np.where(varies, scale, 1.0)
    largest = np.take_along_axis(columns, np.abs(columns).argmax(axis=0)[None], axis=0)
    keys = np.round(columns * np.sign(largest), 9).T
    place: dict[bytes, int] = {}
    chosen: list[int] = []
    mine: list[list[int]] = [[] for _ in asked]
    for column in np.flatnonzero(varies).tolist():
        key, mean = keys[column].tobytes(), named[column][0]
        if key not in place:
            place[key] = len(chosen)
            chosen.append(column)
        if place[key] not in mine[mean]:
            mine[mean].append(place[key])
    members = dict.fromkeys((form.name, tuple(sorted(own))) for (form, _), own in zip(asked, mine, strict=True) if own)
    return Means(
        columns=columns[:, chosen],
        members=tuple(which for _, which in members),
        forms=tuple(form for form, _ in members),
        sources=tuple((form, held, name) for _, form, held, name in (named[column] for column in chosen)),
        centres=centre[chosen],
        scales=scale[chosen],
    )


def _linear(form: Form) -> tuple[str, ...]:
    return tuple(one.name for one in form.parameters if one.linear and not one.offset)


def _nodes(form: Form) -> Iterator[dict[str, float]]:
    """Values at which the parameters are held that the form is not linear in."""
    curved = [one for one in form.parameters if not one.linear]
    for values in product(*(one.nodes or _spread(*one.starts) for one in curved)):
        yield dict(zip((one.name for one in curved), values, strict=True))


def _spread(low: float, high: float) -> tuple[float, ...]:
    space = np.geomspace if low > 0 else np.linspace
    return tuple(float(value) for value in space(low, high, _NODES))


def _column(form: Form, held: dict[str, float], name: str, n: FloatArray, t: FloatArray) -> FloatArray:
    """What a linear parameter multiplies, or the whole form where it has none."""
    nothing = {one.name: 0.0 for one in form.parameters if one.linear}
    if not name:
        return form.value({**nothing, **held}, n, t)
    return form.value({**nothing, **held, name: 1.0}, n, t) - form.value({**nothing, **held}, n, t)
