"""What the vision sides of many released models do, side by side: FLOPs, seconds, parameters, activations.

Encoders that run the same kernels in other sizes (`planner.parts.columns.alike`) are costed in one go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field, fields
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np

from planner.base.dataclass import dataclass
from planner.configuration import Model, Run
from planner.costs.flops import walk_flops
from planner.costs.seconds import Clocks
from planner.costs.stage_time import StageTime
from planner.costs.stages import Workload
from planner.hardware.precision import wide_bytes
from planner.parts.columns import alike, columns
from planner.parts.compressors import Compressor
from planner.parts.encoders import Encoder
from planner.parts.images import ImageMix, Seen
from planner.parts.llms import Llm
from planner.parts.released import Checkpoint, OwnConnector, SeenTower, nothing_after
from planner.parts.towers import Tower
from planner.parts.walk import Kernel, Number, Walk
from planner.planning.blocks import FloatArray
from planner.planning.released_cells import Cell
from planner.planning.request import Load


class VisionFlops(NamedTuple):
    """FLOPs of encoder and connector, (models, 1) each."""

    encoder: FloatArray
    connector: FloatArray

    def only(self, members: Sequence[int]) -> tuple[Number, Number]:
        """Of some models."""
        return self.encoder[members], self.connector[members]


class VisionSeconds(NamedTuple):
    """Times of encoder and connector, (batch, 1, models, 1) each."""

    encoder: StageTime
    connector: StageTime

    def only(self, members: Sequence[int]) -> tuple[StageTime, StageTime]:
        """Of some models."""
        return _only(self.encoder, members), _only(self.connector, members)


def _only(stage: StageTime, members: Sequence[int]) -> StageTime:
    return StageTime(*(np.asarray(getattr(stage, one.name))[..., members, :] for one in fields(StageTime)))


class VisionColumns:
    """Vision sides, each with what it sees of one image or of several sizes with the share of each."""

    def __init__(self, sides: Sequence[tuple[Encoder, tuple[Seen, ...]]], shares: Sequence[float]) -> None:
        self.sides = sides
        self._shares = shares

    @cached_property
    def _groups(self) -> list[tuple[list[int], Encoder, Seen]]:
        """Positions among (model, size), models first, with their encoders and views as columns."""
        flat = [(encoder, seen) for encoder, several in self.sides for seen in several]
        known: dict[int, object] = {}
        groups: dict[object, list[int]] = {}
        for position, (encoder, seen) in enumerate(flat):
            if id(encoder) not in known:
                known[id(encoder)] = alike(encoder)
            groups.setdefault((known[id(encoder)], alike(seen)), []).append(position)
        return [
            (own, columns([flat[position][0] for position in own]), columns([flat[position][1] for position in own]))
            for own in groups.values()
        ]

    def _mean(self, values: FloatArray) -> FloatArray:
        """(..., models x sizes, 1) -> (..., models, 1)."""
        by_size = values.reshape(*values.shape[:-2], len(self.sides), len(self._shares))
        found = np.zeros(by_size.shape[:-1])
        for place, share in enumerate(self._shares):
            found = found + share * by_size[..., place]
        return found[..., None]

    def flops(self, workload: Workload) -> VisionFlops:
        """Of all images of a request."""

        def count(walk: Callable[[Encoder, Seen], Walk]) -> FloatArray:
            found = np.empty((len(self.sides) * len(self._shares), 1))
            for own, encoder, seen in self._groups:
                found[own] = workload.images * walk_flops(walk(encoder, seen))
            return self._mean(found)

        return VisionFlops(
            count(lambda encoder, seen: encoder.tower_walk(seen, 1.0)),
            count(lambda encoder, seen: encoder.connector_walk(seen, 1.0)),
        )

    def times(self, workload: Workload, run: Run) -> VisionSeconds:
        """Of all images of a batch of requests. Raises InputError for a precision that the card does not compute in."""
        assert run.hardware is not None
        clocks = Clocks.of(run.hardware, run)
        images = workload.images * np.asarray(run.batch, float)

        def time(walk: Callable[[Encoder, Seen], Walk]) -> StageTime:
            shape = (len(images), 1, len(self.sides) * len(self._shares), 1)
            found = {one.name: np.zeros(shape) for one in fields(StageTime)}
            for own, encoder, seen in self._groups:
                stage = clocks.time(walk(encoder, seen))
                for name, whole in found.items():
                    whole[:, :, own, :] = getattr(stage, name)
            return StageTime(**{name: self._mean(whole) for name, whole in found.items()})

        return VisionSeconds(
            time(lambda encoder, seen: encoder.tower_walk(seen, images)),
            time(lambda encoder, seen: encoder.connector_walk(seen, images)),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class TowerColumn(Tower):
    """What costs ask of towers beside their walks; numbers are columns."""

    stored: FloatArray
    activations: FloatArray

    @classmethod
    def of(cls, sides: VisionColumns) -> Self:
        """Of sides that see one image each."""
        towers = [SeenTower.of(encoder, seen) for encoder, (seen,) in sides.sides]
        return cls(
            name="towers",
            hidden_size=0,
            stored=_column([one.params_run for one in towers]),
            activations=_column([one.activation_values(1) for one in towers]),
        )

    def only(self, members: Sequence[int]) -> Self:
        """Of some models."""
        return type(self)(
            name=self.name, hidden_size=0, stored=self.stored[members], activations=self.activations[members]
        )

    @property
    def grid(self) -> tuple[int, int]:
        return 0, 0

    @property
    def params_run(self) -> FloatArray:  # type: ignore[override]  # a column
        return self.stored

    def walk(self, images: Number) -> Iterator[Kernel]:
        yield from ()

    def activation_values(self, feature_layers: int) -> Number:
        return self.activations


@dataclass(frozen=True, kw_only=True, eq=False)
class ConnectorColumn(Compressor):
    """The same of connectors."""

    name: str = OwnConnector.name
    title: str = OwnConnector.title
    strides: bool = False
    stored: FloatArray
    activations: FloatArray

    @classmethod
    def of(cls, sides: VisionColumns) -> Self:
        """Of sides that see one image each."""
        seen = [(encoder, one) for encoder, (one,) in sides.sides]
        own = [(OwnConnector(encoder=encoder, seen=one), SeenTower.of(encoder, one)) for encoder, one in seen]
        return cls(
            stored=_column([one.params(tower, 0.0, 0.0) for one, tower in own]),
            activations=_column([one.activation_values(tower) for one, tower in own]),
        )

    def only(self, members: Sequence[int]) -> Self:
        """Of some models."""
        return type(self)(stored=self.stored[members], activations=self.activations[members])

    def params(self, tower: Tower, llm_width: Number, visual_tokens: Number) -> Number:
        return self.stored

    def walk(self, images: Number, tower: Tower, llm_width: Number, visual_tokens: Number) -> Iterator[Kernel]:
        yield from ()

    def activation_values(self, tower: Tower) -> Number:
        return self.activations


def _column(values: Sequence[Number]) -> FloatArray:
    return np.array(values, float).reshape(-1, 1)


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class ModelColumn(Model):
    """Models of one stack of language models, with what an image adds to each."""

    beside: FloatArray
    """Tokens beside the sequence, per image."""
    stored: Mapping[str, FloatArray]
    """Bytes of the language models whose checkpoints are quantised, by their precision; (models, 1), NaN of others."""

    @classmethod
    def seeing(
        cls,
        llm: Llm,
        tower: TowerColumn,
        connector: ConnectorColumn,
        tokens: FloatArray,
        beside: FloatArray,
        *,
        stored: Mapping[str, FloatArray],
    ) -> Self:
        """Of so many tokens in and beside the prompt, for each image, (models,) both; `stored` by `stored_bytes`."""
        return cls(
            llm=llm,
            tower=tower,
            compressor=connector,
            visual_tokens=tokens.reshape(-1, 1),
            connector=nothing_after(),
            beside=beside.reshape(-1, 1),
            stored=stored,
        )

    @property
    def sequence_tokens(self) -> Number:
        return self.visual_tokens

    @property
    def beside_tokens(self) -> Number:
        return self.beside

    def stored_llm_bytes(self, precision: str) -> Number | None:
        return self.stored.get(precision)


def stored_bytes(checkpoints: Sequence[Checkpoint]) -> dict[str, FloatArray]:
    """Bytes of the language models as quantised checkpoints store them, by precision; (models, 1), NaN of others."""
    found: dict[str, FloatArray] = {}
    for position, one in enumerate(checkpoints):
        if one.quantisation is not None:
            column = found.setdefault(one.quantisation.precision, np.full((len(checkpoints), 1), np.nan))
            column[position] = one.quantisation.weights_bytes(one.llm)
    return found


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
