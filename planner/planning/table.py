"""All candidates of a plan, as columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.base.errors import UnknownNameError
from planner.parts.llms import Llm
from planner.planning.distinct import distinct_rows
from planner.planning.limits import LIMITS

if TYPE_CHECKING:
    import pandas as pd

    from planner.planning.doubt import Doubt

FloatArray = NDArray[np.float64]


def ranking_keys(quantities: Mapping[str, FloatArray], errors: FloatArray) -> tuple[FloatArray, ...]:
    """What candidates are ranked by, the last first, as `np.lexsort` takes it: error, FLOPs, GPUs that a load needs,
    price, TTFT."""
    names = ("ttft_s", "price_per_million_requests", "gpus", "total_flops")
    return (*(quantities[name] for name in names if name in quantities), errors)


@dataclass(frozen=True, eq=False, repr=False)
class CandidateTable:
    """Every candidate that was compared, one row each; what fits the budget and what does not."""

    llms: tuple[Llm, ...]
    llm_index: NDArray[np.intp]
    """Position in `llms`, shape (rows,)."""
    visual_tokens: FloatArray
    """Per image, shape (rows,)."""
    predicted_error: FloatArray
    """Shape (rows,); nan where candidates are ordered by cost alone."""
    fits: NDArray[np.bool_]
    """Whether the candidate keeps every limit."""
    quantities: Mapping[str, FloatArray]
    """What a request costs, by name with unit ("total_flops"), each of shape (rows,)."""
    setups: tuple[Mapping[str, str], ...]
    """Compressor, vision tower, prompt order and precision, as names."""
    setup_index: NDArray[np.intp]
    """Position in `setups`, shape (rows,)."""
    tensor_parallel: NDArray[np.intp]
    """GPUs that share the model, shape (rows,)."""
    batch: NDArray[np.intp]
    """Requests that run together, shape (rows,)."""
    models: tuple[Mapping[str, str | None], ...] = ()
    """Released models: name, hub id (None of a folder) and knob; () of what is to be trained."""
    model_index: NDArray[np.intp] | None = None
    """Position in `models`, shape (rows,); None where there are none."""
    cost: FloatArray | None = None
    """What candidates are ordered by where it is a cost alone, the least first, shape (rows,); None: the error."""
    doubt: Doubt | None = None
    """How sure each error is; None before it was asked."""
    level_known: bool = True
    """Whether `predicted_error` holds errors; else it holds by how much each lies above that of the pick."""

    def __repr__(self) -> str:
        return f"CandidateTable({len(self)} candidates, {int(self.fits.sum())} fit)"

    def __len__(self) -> int:
        return len(self.predicted_error)

    @property
    def llm_params(self) -> FloatArray:
        """Nominal size of each row's language model, as the law takes it."""
        return np.array([llm.nominal_params for llm in self.llms])[self.llm_index]

    def fitting_points(self) -> tuple[FloatArray, FloatArray]:
        """Sizes and visual tokens of what fits, each pair once, ascending: what a law is asked about."""
        sizes, tokens = self.llm_params[self.fits], self.visual_tokens[self.fits]
        first, _ = distinct_rows(sizes, tokens)
        return sizes[first], tokens[first]

    def fitting(self, fits: NDArray[np.bool_]) -> CandidateTable:
        """The same table with another verdict on what fits."""
        return replace(self, fits=fits)

    def pareto(self, *quantities: str) -> NDArray[np.intp]:
        """Rows that fit and that no other fitting row equals or beats in the error and all named quantities.

        Of exact twins the first stays. Ascending by the first quantity. Of what is limited from
        below, as requests per second, more is better.

        Raises:
            UnknownNameError: a quantity that these candidates do not have; without hardware there are no times.
        """
        for name in quantities:
            if not isinstance(name, str) or name not in self.quantities:
                raise UnknownNameError("quantity of these candidates", name, self.quantities)
        rows = np.flatnonzero(self.fits)
        upwards = {kind.column for kind in LIMITS if kind.at_least}
        columns = [self.quantities[name] * (-1 if name in upwards else 1) for name in quantities]
        points = np.column_stack([*columns, self.predicted_error])[rows]
        order = np.lexsort(points.T[::-1])
        kept = []
        while len(order):
            first, order = order[0], order[1:]
            kept.append(int(rows[first]))
            order = order[(points[order] < points[first]).any(axis=1)]
        return np.array(kept, np.intp)

    def to_frame(self) -> pd.DataFrame:
        """A DataFrame with a row for each candidate, best first; what does not fit stands last.

        The index is the row in this table, so that `frame.loc[table.pareto("ttft_s")]` are the rows that nothing beats.
        Of released models the first columns are model, hub_id and knob ("" where everything is as published). Where the
        law has runs, what fits has the 95 % interval of its error in error_low and error_high, and the probability that
        it is the best. Where the law knows only by how much errors differ, error_above_pick stands for the error.
        """
        import pandas as pd

        columns: dict[str, Any] = {}
        if self.model_index is not None:
            for name in self.models[0]:
                columns[name] = np.array([one[name] for one in self.models], object)[self.model_index]
        columns |= {
            "llm": np.array([llm.name for llm in self.llms])[self.llm_index],
            "llm_params": self.llm_params,
            "visual_tokens": self.visual_tokens.astype(int),
            **{name: np.array([setup[name] for setup in self.setups])[self.setup_index] for name in self.setups[0]},
            "tensor_parallel": self.tensor_parallel,
            "batch": self.batch,
            "predicted_error" if self.level_known else "error_above_pick": self.predicted_error,
            **({} if self.doubt is None else self.doubt.columns(self.level_known)),
            **self.quantities,
            "fits": self.fits,
        }
        first = self.predicted_error if self.cost is None else self.cost
        order = np.lexsort((*ranking_keys(self.quantities, first), ~self.fits))
        return pd.DataFrame(columns).iloc[order]
