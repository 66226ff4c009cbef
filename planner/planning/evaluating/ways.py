"""How each released model would be evaluated, and what that costs: one request after the other, in the fewest
GPU-seconds that the plan's precisions and numbers of GPUs allow, in the memory that there is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.planning.blocks import Space
from planner.planning.released import ReleasedAxes, ReleasedBlock
from planner.planning.result import Plan

FloatArray = NDArray[np.float64]

_S_PER_HOUR = 3600.0


@dataclass(frozen=True, eq=False)
class Bill:
    """What the evaluation of each of some cells costs, each of shape (C,)."""

    flops: FloatArray
    seconds: FloatArray | None
    gpu_hours: FloatArray | None
    price: FloatArray | None

    @property
    def cost(self) -> FloatArray:
        """GPU-hours, or FLOPs without hardware."""
        return self.flops if self.gpu_hours is None else self.gpu_hours

    def at(self, i: int) -> dict[str, Any]:
        """Fields of the Evaluation of one cell."""
        columns = {"flops": self.flops, "seconds": self.seconds, "gpu_hours": self.gpu_hours, "price": self.price}
        found = {name: None if one is None else float(one[i]) for name, one in columns.items()}
        return {**found, "cost": float(self.cost[i])}


@dataclass(frozen=True, eq=False)
class Ways:
    """The way to run each cell of some axes alone."""

    axes: ReleasedAxes
    space: Space
    row: NDArray[np.intp]
    """Row of the space's table for each cell; -1 where it cannot run."""

    @classmethod
    def of(cls, axes: ReleasedAxes, plan: Plan) -> Ways:
        """Every cell with a batch of one request; of the plan's ways the one of the least GPU-seconds."""
        alone = replace(plan.deployment, batches=(1,), gpus=None, price_per_hour=None, traffic=None)
        space = axes.evaluate(alone, plan.load, plan.budget.convention)
        table = space.table
        place = {id(cell): position for position, cell in enumerate(axes.cells)}
        cell_of_row = np.concatenate([_cells_of(block, place) for block in space.blocks])
        card = plan.deployment.hardware
        rooms = (plan.budget.memory_bytes, None if card is None else card.memory_bytes)
        room = min((one for one in rooms if one is not None), default=np.inf)
        runs = np.flatnonzero(space.possible & (table.quantities["peak_memory_bytes"] <= room))
        rate = table.quantities.get("requests_per_second")
        work = table.tensor_parallel if rate is None else table.tensor_parallel / rate
        ranked = runs[np.lexsort((table.tensor_parallel[runs], work[runs]))]
        row = np.full(len(axes.cells), -1)
        row[cell_of_row[ranked[::-1]]] = ranked[::-1]  # the first of a cell is written last, and stays
        return cls(axes, space, row)

    def bill(self, cells: NDArray[np.intp], questions: int, price_per_hour: float | None) -> Bill:
        """What so many questions cost on each of these cells."""
        rows, table = self.row[cells], self.space.table
        flops = questions * table.quantities["total_flops"][rows]
        rate = table.quantities.get("requests_per_second")
        if rate is None:
            return Bill(flops, None, None, None)
        seconds = questions / rate[rows]
        hours = seconds * table.tensor_parallel[rows] / _S_PER_HOUR
        return Bill(flops, seconds, hours, None if price_per_hour is None else price_per_hour * hours)

    def how(self, cell: int) -> tuple[str, int, float]:
        """Precision and GPUs of a cell, and the law's error."""
        row, table = int(self.row[cell]), self.space.table
        block, _ = self.space.locate(row)
        return block.precision, int(table.tensor_parallel[row]), float(table.predicted_error[row])


def _cells_of(block: object, place: Mapping[int, int]) -> NDArray[np.intp]:
    """Which cell each row of a block is of."""
    assert isinstance(block, ReleasedBlock)
    own = np.array([place[id(cell)] for cell in block.cells])
    found: NDArray[np.intp] = np.broadcast_to(own.reshape(-1, 1), block.shape).ravel()
    return found
