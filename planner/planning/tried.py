"""Tried: what a plan chose from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.laws.combined import Law
from planner.parts.catalog import llm_catalog, vision_catalog
from planner.parts.compressors import Compressor
from planner.parts.llms import Llm
from planner.parts.towers import Tower
from planner.planning.table import CandidateTable

if TYPE_CHECKING:
    from planner.parts.images import ImageMix
    from planner.parts.released import Selection

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, repr=False)
class Released:
    """The released models that a plan chose from."""

    selection: Selection
    images: ImageMix
    own_dtype: bool
    """Whether each ran in the dtype that its files name."""
    beyond_context: tuple[tuple[str, int], ...]
    """Models that the request is too long for, with how many of their candidates."""

    @property
    def refused(self) -> tuple[tuple[str, str], ...]:
        """Models that were left out, with the reason."""
        return self.selection.refused

    def __repr__(self) -> str:
        left_out = f", {len(self.refused)} left out" if self.refused else ""
        return f"Released({len(self.selection.checkpoints)} models for {self.images}{left_out})"


@dataclass(frozen=True, repr=False)
class Tried:
    """The values that a plan chose from, and how many candidates they make."""

    llms: tuple[Llm, ...]
    visual_tokens: tuple[int, ...]
    """Per image, ascending."""
    towers: tuple[Tower, ...]
    compressors: tuple[Compressor, ...]
    prompt_orders: tuple[str, ...]
    compared_count: int
    """Candidates in all."""
    fitting_count: int
    """Those that keep every limit."""
    sources: Mapping[str, str] = field(hash=False)
    """config.json of each LLM and tower that is not of the catalogue, by its name."""
    fitting_points: tuple[FloatArray, FloatArray] = field(repr=False, compare=False)
    """Nominal LLM sizes and visual tokens of what fits, each pair once, ascending, of shape (points,) each."""
    released: Released | None = None
    """None where parts to build from were compared."""

    def fitting_llms(self, law: Law) -> list[str]:
        """Name of the language model of each of `fitting_points`: of several of a size one that a law measured.

        A plan that was read from a file may list none of a size, which then is "".
        """
        by_size: dict[float, str] = {}
        for one in sorted(self.llms, key=lambda one: one.name in law.llms, reverse=True):
            by_size.setdefault(float(one.nominal_params), one.name)
        return [by_size.get(size, "") for size in self.fitting_points[0].tolist()]

    def __repr__(self) -> str:
        models = f"{len(self.llms)} {'language' if self.released is None else 'released'} models"
        return f"Tried({models}, {self.compared_count} candidates, {self.fitting_count} fit)"

    @classmethod
    def of(
        cls,
        table: CandidateTable,
        towers: tuple[Tower, ...],
        compressors: tuple[Compressor, ...],
        prompt_orders: tuple[str, ...],
        released: Released | None = None,
    ) -> Tried:
        """What made the candidates of a table."""
        return cls(
            llms=table.llms,
            visual_tokens=tuple(sorted({int(count) for count in table.visual_tokens})),
            towers=tuple(dict.fromkeys(towers)),
            compressors=tuple(dict.fromkeys(compressors)),
            prompt_orders=tuple(dict.fromkeys(prompt_orders)),
            compared_count=len(table),
            fitting_count=int(table.fits.sum()),
            sources={} if released is not None else _sources(table.llms, towers),
            fitting_points=table.fitting_points(),
            released=released,
        )


def _sources(llms: tuple[Llm, ...], towers: tuple[Tower, ...]) -> dict[str, str]:
    catalog, known = llm_catalog(), vision_catalog()
    found = {one.name: one.source for one in llms if catalog.get(one.name) != one}
    return found | {one.name: one.source for one in towers if known.get(one.name) != one}
