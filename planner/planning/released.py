"""Every released model with every value of its knob, and what it costs.

Candidates are checkpoint x knob value x precision x tensor parallel x batch. What the vision side does depends on the
image alone, so it is worked out once for each way of seeing it (`released_vision`); the language models of all
candidates are costed together. With a mixture of image sizes throughput goes by the mean image, limits by the one that
95 % of the images do not exceed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.configuration import Run
from planner.costs.latency import ROOFLINE, Latency, LlmWalks, VisionTimes, latency
from planner.costs.memory import memory
from planner.costs.stages import Workload
from planner.hardware import Hardware, released_precision
from planner.laws.combined import Law
from planner.parts.images import ImageMix
from planner.parts.released import Checkpoint, OwnConnector, Selection
from planner.planning.blocks import Block, Costs, FloatArray, Space, laid_out, quantities_of
from planner.planning.deployment import Deployment
from planner.planning.ranking import ERROR
from planner.planning.released_cells import Cell, cells_of, mean_tokens
from planner.planning.released_groups import Group, SideBySide
from planner.planning.released_vision import ModelColumn, Vision
from planner.planning.request import Load
from planner.planning.space import in_order
from planner.planning.task_images import on_task_images
from planner.planning.transfer.known import beside_the_sequence
from planner.planning.tried import Released, Tried

SETUP = {"compressor": OwnConnector.name, "vision": "as released", "prompt_order": "image-first"}


@dataclass(frozen=True, eq=False, kw_only=True)
class ReleasedBlock(Block):
    """Candidates of one precision; one number of visual tokens for each."""

    cells: tuple[Cell, ...]
    positions: NDArray[np.intp]
    """Of each cell's checkpoint among all."""
    mean_tokens: tuple[int, ...]
    """Visual tokens of each cell, the mean of a mixture rounded up."""
    long_tokens: NDArray[np.float64]
    """Of a whole long request, in each cell."""

    @property
    def llm_positions(self) -> NDArray[np.intp]:
        return self.positions.reshape(-1, 1)

    @property
    def tokens(self) -> FloatArray:
        return np.array(self.mean_tokens, float).reshape(-1, 1)

    @property
    def setup(self) -> Mapping[str, str]:
        return {**SETUP, "precision": self.precision}

    @property
    def models(self) -> tuple[Mapping[str, str | None], ...]:
        return tuple(cell.named for cell in self.cells)

    @property
    def within_context(self) -> NDArray[np.bool_]:
        limits = [cell.checkpoint.context_tokens for cell in self.cells]
        longest = np.array([math.inf if one is None else one for one in limits], float)
        return (self.long_tokens <= longest).reshape(-1, 1)

    def made_of(self, i: int, j: int) -> dict[str, Any]:
        found = self.cells[i].model()
        return {
            "visual_tokens": self.mean_tokens[i],
            "vision": found.tower,
            "compressor": found.compressor,
            "connector": found.connector,
            "prompt_order": found.prompt_order,
            "released": found,
        }


@dataclass(frozen=True, eq=False)
class ReleasedAxes:
    """The released models to choose from, and the images that they are to see."""

    selection: Selection
    images: ImageMix
    law: Law | None
    """None where candidates are ordered by cost alone."""
    own_dtype: bool
    """Whether each runs in the dtype that its files name, fp16 for bf16 on a card that has none, and in no other
    precision."""
    cells: tuple[Cell, ...]
    rank_by: str = ERROR
    """By what they are ordered: "error", which takes a law, or a cost alone, as `planner.planning.ranking` names it."""

    @classmethod
    def of(
        cls,
        selection: Selection,
        images: ImageMix,
        law: Law | None,
        load: Load,
        own_dtype: bool,
        rank_by: str = ERROR,
    ) -> ReleasedAxes:
        """Every model with every value of its knob.

        A law counts tokens of the language model's sequence: a model that reads images by cross-attention has none
        there, and where it was not asked for by its name, it is left out of what a law ranks.

        Raises:
            InputError: an image that a model refuses which was asked for, one that none takes, or no model of which a
                law says anything.
        """
        cells: list[Cell] = []
        taken: list[Checkpoint] = []
        refused = list(selection.refused)
        for checkpoint in selection.checkpoints:
            named = checkpoint.name in selection.named
            try:
                own = tuple(cells_of(checkpoint, images, load))
            except InputError as error:
                if named:
                    raise
                refused.append((checkpoint.hub_id or checkpoint.source, str(error)))
                continue
            if law is not None and not named and not all(cell.in_sequence for cell in own):
                why = f"{beside_the_sequence(checkpoint.name)}; name it by its hub id, or rank by cost"
                refused.append((checkpoint.hub_id or checkpoint.source, why))
                continue
            cells += own
            taken.append(checkpoint)
        if not cells:
            raise InputError(f"no released model is left: {refused[-1][1]}")
        left = Selection(tuple(taken), refused=tuple(refused), asked=selection.asked)
        read = None if law is None else on_task_images(law, taken, images)
        return cls(left, images, read, own_dtype, tuple(cells), rank_by)

    @property
    def laws(self) -> Mapping[str, Law]:
        """By the name of what stands in the compressor's place; {} where they are ordered by cost alone."""
        return {} if self.law is None else {SETUP["compressor"]: self.law}

    def own_precisions(self, card: Hardware | None = None) -> tuple[str, ...]:
        """The dtypes that the models' files name, or what stands in for them on a card that has no bf16."""
        return tuple(dict.fromkeys(released_precision(card, cell.checkpoint.dtype) for cell in self.cells))

    def timed_by(self, deployment: Deployment, load: Load) -> ReleasedAxes:
        """The same without members of families of which the source of times has none.

        Raises:
            InputError: it has none of a model that was asked for by its name, or of any.
        """
        if deployment.latency_source == ROOFLINE or deployment.hardware is None:
            return self
        from planner.costs.silicon import kernel_times

        refused = dict(self.selection.refused)
        for cell in self.cells:
            source = cell.checkpoint.hub_id or cell.checkpoint.source
            if source in refused:
                continue
            own = released_precision(deployment.hardware, cell.checkpoint.dtype)
            precisions = (own,) if self.own_dtype else deployment.precisions
            gpus = [count for count in deployment.tensor_parallel if cell.checkpoint.llm.can_share(count)]
            try:
                for way in product(precisions, (deployment.kv_precision,), deployment.batches, gpus):
                    run = Run(deployment.hardware, *way)
                    kernel_times(cell.seeing(cell.long.prompt_tokens), load.tail, run)
                    kernel_times(cell.seeing(mean_tokens(cell, self.images)), load.mean, run)
            except InputError as error:
                if cell.checkpoint.name in self.selection.named:
                    raise
                refused[source] = str(error)
        cells = tuple(one for one in self.cells if (one.checkpoint.hub_id or one.checkpoint.source) not in refused)
        if not cells:
            raise InputError(f"no model among these has measured kernels: {list(refused.values())[-1]}")
        taken = tuple(dict.fromkeys(cell.checkpoint for cell in cells))
        left = replace(self.selection, checkpoints=taken, refused=tuple(refused.items()))
        return replace(self, selection=left, cells=cells)

    def evaluate(self, deployment: Deployment, load: Load, convention: str) -> Space:
        """Cost and predicted error of every candidate.

        Raises:
            InputError: a precision that the hardware lacks, or a model of which the source of times knows none.
        """
        llms = {id(one): position for position, one in enumerate(self.selection.checkpoints)}
        positions = np.array([llms[id(cell.checkpoint)] for cell in self.cells])
        vision = Vision.of(self.cells, self.images, load)
        known: dict[tuple[int, ...], SideBySide] = {}
        walks: dict[int, LlmWalks] = {}  # of the groups' models by identity: no precision changes what they do
        blocks = []
        card, precisions = deployment.hardware, deployment.precisions
        if self.own_dtype:  # a plan of an older file may name bf16 for a card that has none
            precisions = tuple(dict.fromkeys(released_precision(card, one) for one in precisions))
        for precision in precisions:
            own = tuple(
                i
                for i, cell in enumerate(self.cells)
                if not self.own_dtype or released_precision(card, cell.checkpoint.dtype) == precision
            )
            if not own:
                continue
            if own not in known:
                known[own] = SideBySide.of(own, self.cells, vision, self.images, self.law, convention)
            blocks.append(self._block(known[own], positions[list(own)], vision, precision, deployment, walks))
        return laid_out(blocks, tuple(one.llm for one in self.selection.checkpoints), deployment)

    def in_any_precision(self) -> ReleasedAxes:
        """The same models in whatever precision is asked for, not in that of their files."""
        return replace(self, own_dtype=False)

    def tried(self, space: Space) -> Tried:
        """What made the candidates of a space."""
        beyond: dict[str, int] = {}
        for block in space.blocks:
            assert isinstance(block, ReleasedBlock)
            for cell, fits in zip(block.cells, block.within_context[:, 0], strict=True):
                if not fits:
                    beyond[cell.checkpoint.name] = beyond.get(cell.checkpoint.name, 0) + 1
        released = Released(self.selection, self.images, self.own_dtype, tuple(beyond.items()))
        return Tried.of(space.table, (), (), (), released)

    def _block(
        self,
        together: SideBySide,
        positions: NDArray[np.intp],
        vision: Vision,
        precision: str,
        deployment: Deployment,
        walks: dict[int, LlmWalks],
    ) -> ReleasedBlock:
        load = vision.load
        batch = np.array(deployment.batches, float).reshape(-1, 1, 1, 1)
        devices = np.array(deployment.tensor_parallel, float).reshape(-1, 1, 1)
        run = Run(deployment.hardware, precision, deployment.kv_precision, batch, devices)
        shape = (len(batch), len(devices), len(together.cells), 1)
        timed_vision, served_vision = vision.times(run)
        found: list[Costs] = []
        for group in together.groups:
            timed = served = None
            if timed_vision is not None and served_vision is not None:
                sides = timed_vision.only(group.among), served_vision.only(group.among)
                timed = served = _times(group, together, group.tail, load.tail, run, sides[0], deployment, walks)
                if served_vision is not timed_vision:
                    served = _times(group, together, group.usual, load.mean, run, sides[1], deployment, walks)
            found.append((group.flops, memory(group.tail, load.tail, run), timed, served))
        whole = in_order(found, [group.members for group in together.groups], shape)
        return ReleasedBlock(
            precision=precision,
            law=self.law,
            error=np.broadcast_to(together.error, shape[2:]),
            flops=whole[0],
            memory=whole[1],
            latency=whole[2],
            shape=shape,
            quantities=quantities_of(whole, deployment, run, load, together.with_images(vision), shape),
            cells=together.cells,
            positions=positions,
            mean_tokens=together.visual_tokens,
            long_tokens=together.request_tokens,
        )


def _times(
    group: Group,
    together: SideBySide,
    model: ModelColumn,
    workload: Workload,
    run: Run,
    vision: VisionTimes,
    deployment: Deployment,
    walks: dict[int, LlmWalks],
) -> Latency:
    """Of a group's cells with what they see, by the source that the deployment names."""
    if id(model) not in walks:
        walks[id(model)] = LlmWalks.of(model, workload, run)
    found = latency(model, workload, run, vision, walks[id(model)])
    if deployment.latency_source == ROOFLINE:
        return found
    from planner.planning.kernel_times import measured_times

    tokens = np.broadcast_to(np.asarray(model.visual_tokens, float), (len(group.members), 1))[:, 0]
    models = [together.cells[i].seeing(count) for i, count in zip(group.members, tokens, strict=True)]
    return measured_times(found, models, deployment, workload, run)
