"""Every released model with every value of its knob, and what it costs.

Candidates are checkpoint x knob value x precision x tensor parallel x batch. What the vision side does depends on the
image alone, so it is worked out once for each way of seeing it (`released_vision`); the language models of all
candidates are costed together. With a mixture of image sizes throughput goes by the mean image, limits by the one that
95 % of the images do not exceed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.base.errors import InputError
from planner.configuration import Run
from planner.costs.flops import flops
from planner.costs.latency import latency
from planner.costs.memory import memory
from planner.costs.request import ROOFLINE
from planner.costs.stages import Workload
from planner.hardware.precision import wide_bytes
from planner.laws.combined import Law
from planner.parts.images import ImageMix
from planner.parts.llms import stacks
from planner.parts.released import Checkpoint, OwnConnector, Selection
from planner.planning.blocks import Block, Costs, FloatArray, Space, laid_out, quantities_of
from planner.planning.deployment import Deployment
from planner.planning.released_cells import Cell, cells_of, rounded_up
from planner.planning.released_vision import (
    ConnectorColumn,
    ModelColumn,
    TowerColumn,
    VisionColumns,
    VisionFlops,
    VisionSeconds,
)
from planner.planning.request import Load
from planner.planning.space import in_order
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


@dataclass(eq=False)
class Vision:
    """What the vision sides of all cells do; only the bytes of their numbers differ between precisions."""

    mean: VisionColumns
    long: VisionColumns
    load: Load
    counted: VisionFlops
    """Of a mean request."""
    tower: TowerColumn
    connector: ConnectorColumn
    _times: dict[float, tuple[VisionSeconds, VisionSeconds]] = field(default_factory=dict)

    @classmethod
    def of(cls, cells: Sequence[Cell], mix: ImageMix, load: Load) -> Vision:
        """Of cells with what they see."""
        long = VisionColumns([(cell.checkpoint.encoder, (cell.long,)) for cell in cells], (1.0,))
        mean = long
        if len(mix.sizes) > 1 or load.mean.images != load.tail.images:
            mean = VisionColumns([(cell.checkpoint.encoder, cell.seen) for cell in cells], mix.shares)
        return cls(mean, long, load, mean.flops(load.mean), TowerColumn.of(long), ConnectorColumn.of(long))

    def times(self, run: Run) -> tuple[VisionSeconds, VisionSeconds] | tuple[None, None]:
        """Of a long request and of a mean one, the same object where they do not differ; None without hardware."""
        if run.hardware is None:
            return None, None
        key = wide_bytes(run.precision)
        if key not in self._times:
            timed = served = self.long.times(self.load.tail, run)
            if self.mean is not self.long or self.load.mean != self.load.tail:
                served = self.mean.times(self.load.mean, run)
            self._times[key] = timed, served
        return self._times[key]


@dataclass(frozen=True, eq=False)
class ReleasedAxes:
    """The released models to choose from, and the images that they are to see."""

    selection: Selection
    images: ImageMix
    law: Law
    own_dtype: bool
    """Whether each runs in the dtype that its files name, and in no other precision."""
    cells: tuple[Cell, ...]

    @classmethod
    def of(cls, selection: Selection, images: ImageMix, law: Law, load: Load, own_dtype: bool) -> ReleasedAxes:
        """Every model with every value of its knob.

        Raises:
            InputError: an image that a model refuses which was asked for, or one that none takes.
        """
        cells: list[Cell] = []
        taken: list[Checkpoint] = []
        refused = list(selection.refused)
        for checkpoint in selection.checkpoints:
            try:
                cells += cells_of(checkpoint, images, load)
                taken.append(checkpoint)
            except InputError as error:
                if checkpoint.name in selection.named:
                    raise
                refused.append((checkpoint.hub_id or checkpoint.source, str(error)))
        if not cells:
            raise InputError(f"no released model takes such images: {refused[-1][1]}")
        return cls(Selection(tuple(taken), refused=tuple(refused)), images, law, own_dtype, tuple(cells))

    @property
    def laws(self) -> Mapping[str, Law]:
        """By the name of what stands in the compressor's place."""
        return {SETUP["compressor"]: self.law}

    def own_precisions(self) -> tuple[str, ...]:
        """The dtypes that the models' files name."""
        return tuple(dict.fromkeys(cell.checkpoint.dtype for cell in self.cells))

    def evaluate(self, deployment: Deployment, load: Load, convention: str) -> Space:
        """Cost and predicted error of every candidate.

        Raises:
            InputError: a precision that the hardware lacks, or times that are not of the roofline.
        """
        if deployment.latency_source != ROOFLINE:
            raise InputError(
                f"latency_source {deployment.latency_source}: released models are timed by the roofline only"
            )
        llms = {id(one): position for position, one in enumerate(self.selection.checkpoints)}
        positions = np.array([llms[id(cell.checkpoint)] for cell in self.cells])
        vision = Vision.of(self.cells, self.images, load)
        blocks = []
        for precision in deployment.precisions:
            own = [i for i, cell in enumerate(self.cells) if not self.own_dtype or cell.checkpoint.dtype == precision]
            if own:
                blocks.append(self._block(own, positions[own], vision, precision, deployment, load, convention))
        return laid_out(blocks, tuple(one.llm for one in self.selection.checkpoints), deployment)

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
        own: list[int],
        positions: NDArray[np.intp],
        vision: Vision,
        precision: str,
        deployment: Deployment,
        load: Load,
        convention: str,
    ) -> ReleasedBlock:
        cells, mix = tuple(self.cells[i] for i in own), self.images
        batch = np.array(deployment.batches, float).reshape(-1, 1, 1, 1)
        devices = np.array(deployment.tensor_parallel, float).reshape(-1, 1, 1)
        run = Run(deployment.hardware, precision, deployment.kv_precision, batch, devices)
        shape = (len(batch), len(devices), len(cells), 1)
        timed_vision, served_vision = vision.times(run)
        tokens = np.array([rounded_up(mix.mean(one.prompt_tokens for one in cell.seen)) for cell in cells], float)
        long_tokens = np.array([cell.long.prompt_tokens for cell in cells], float)
        mean_beside = np.array([rounded_up(mix.mean(one.beside_tokens for one in cell.seen)) for cell in cells], float)
        long_beside = np.array([cell.long.beside_tokens for cell in cells], float)
        values = tuple(rounded_up(mix.mean(one.visual_tokens for one in cell.seen)) for cell in cells)
        found: list[Costs] = []
        groups = stacks([cell.checkpoint.llm for cell in cells])
        for members, llm in groups:
            among = [own[i] for i in members]
            beside = (vision.tower.only(among), vision.connector.only(among))
            usual = ModelColumn.seeing(llm, *beside, tokens[members], mean_beside[members])
            tail = ModelColumn.seeing(llm, *beside, long_tokens[members], long_beside[members])
            counted = flops(usual, load.mean, convention, vision.counted.only(among))
            timed = served = None
            if timed_vision is not None and served_vision is not None:
                timed = served = latency(tail, load.tail, run, timed_vision.only(among))
                if served_vision is not timed_vision:
                    served = latency(usual, load.mean, run, served_vision.only(among))
            found.append((counted, memory(tail, load.tail, run), timed, served))
        whole = in_order(found, [members for members, _ in groups], shape)
        sizes = np.array([[cell.checkpoint.llm.nominal_params] for cell in cells], float)
        wanted = np.array(values, float).reshape(-1, 1)
        return ReleasedBlock(
            precision=precision,
            law=self.law,
            error=np.broadcast_to(np.asarray(self.law.predict(sizes, wanted)), shape[2:]),
            flops=whole[0],
            memory=whole[1],
            latency=whole[2],
            shape=shape,
            quantities=quantities_of(whole, deployment, devices, shape),
            cells=cells,
            positions=positions,
            mean_tokens=values,
            long_tokens=_request_tokens(load.tail, long_tokens),
        )


def _request_tokens(workload: Workload, tokens: FloatArray) -> FloatArray:
    """All tokens of a request."""
    text = workload.cached_tokens + workload.prefilled_text_tokens + workload.generated_tokens
    found: FloatArray = text + workload.images * tokens
    return found
