"""Cells of released models that are costed side by side, with all that no precision changes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from planner.base.dataclass import dataclass
from planner.configuration import Run
from planner.costs.flops import Flops, flops
from planner.costs.stages import Workload
from planner.laws.combined import Law
from planner.parts.images import ImageMix
from planner.parts.llms import stacks
from planner.planning.blocks import FloatArray
from planner.planning.released_cells import Cell, rounded_up
from planner.planning.released_vision import ModelColumn, Vision, VisionSeconds, stored_bytes
from planner.planning.together import Together


@dataclass(frozen=True, eq=False)
class Group:
    """Cells whose language models are costed in one go."""

    members: list[int]
    """Positions among the cells."""
    among: list[int]
    """The same among those that the vision sides are known of."""
    usual: ModelColumn
    """Seeing the images of a mean request."""
    tail: ModelColumn
    """Seeing that of a long one."""
    flops: Flops
    """Of a mean request."""


@dataclass(frozen=True, eq=False)
class SideBySide:
    """Cells, and what their costs are made of in any precision."""

    cells: tuple[Cell, ...]
    visual_tokens: tuple[int, ...]
    """Of each cell, the mean of a mixture rounded up."""
    request_tokens: FloatArray
    """Of a whole long request, (cells,)."""
    error: FloatArray
    """(cells, 1); nan without a law."""
    groups: tuple[Group, ...]

    @classmethod
    def of(
        cls, own: Sequence[int], cells: Sequence[Cell], vision: Vision, mix: ImageMix, law: Law | None, convention: str
    ) -> SideBySide:
        """Some of the cells, by their positions among those that the vision sides are known of."""
        load, chosen = vision.load, tuple(cells[i] for i in own)
        wanted = tuple(cell.mean_tokens(mix) for cell in chosen)
        mean_tokens = np.array(
            [
                [rounded_up(mix.mean(one.prompt_tokens for one in cell.seen)) for cell in chosen],
                [rounded_up(mix.mean(one.beside_tokens for one in cell.seen)) for cell in chosen],
            ],
            float,
        )
        long_tokens = np.array([[cell.long.prompt_tokens, cell.long.beside_tokens] for cell in chosen], float).T
        groups = []
        for members, llm in stacks([cell.checkpoint.llm for cell in chosen]):
            among = [own[i] for i in members]
            sides = vision.tower.only(among), vision.connector.only(among)
            stored = stored_bytes([chosen[i].checkpoint for i in members])
            usual = ModelColumn.seeing(llm, *sides, *mean_tokens[:, members], stored=stored)
            tail = ModelColumn.seeing(llm, *sides, *long_tokens[:, members], stored=stored)
            counted = flops(usual, load.mean, convention, vision.counted.only(among))
            groups.append(Group(members, among, usual, tail, counted))
        sizes = np.array([[cell.checkpoint.llm.nominal_params] for cell in chosen], float)
        names = np.array([[cell.checkpoint.llm.name] for cell in chosen])
        return cls(
            cells=chosen,
            visual_tokens=wanted,
            request_tokens=_request_tokens(load.tail, long_tokens[0]),
            error=np.full(sizes.shape, np.nan)
            if law is None
            else np.asarray(law.predict(sizes, np.array(wanted, float).reshape(-1, 1), names, released=True)),
            groups=tuple(groups),
        )

    def with_images(self, vision: Vision) -> list[Together]:
        """The groups, and what encodes the images of mean requests to each."""
        last: list[tuple[Run, VisionSeconds]] = []

        def of_all(run: Run) -> VisionSeconds:
            """Of all models: groups that are asked about the same run share it."""
            if not last or last[0][0] is not run:
                last[:] = [(run, vision.mean.times(vision.load.mean, run))]
            return last[0][1]

        def of(group: Group) -> Together:
            return Together(group.members, group.usual, lambda run: of_all(run).only(group.among))

        return [of(one) for one in self.groups]


def _request_tokens(workload: Workload, tokens: FloatArray) -> FloatArray:
    """All tokens of a request."""
    text = workload.cached_tokens + workload.prefilled_text_tokens + workload.generated_tokens
    found: FloatArray = text + workload.images * tokens
    return found
