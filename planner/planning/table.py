"""All candidates of a plan, as columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from planner.models.specs import LlmSpec

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CandidateTable:
    """Every candidate that was compared, one row each; what fits the budget and what does not."""

    llms: tuple[LlmSpec, ...]
    llm_index: NDArray[np.intp]
    """Position in `llms`, shape (rows,)."""
    visual_tokens: FloatArray
    """Per image, shape (rows,)."""
    predicted_error: FloatArray
    fits: NDArray[np.bool_]
    """Whether the candidate keeps every limit."""
    quantities: Mapping[str, FloatArray] = field(default_factory=dict)
    """What a request costs, by name with unit ("total_flops"), each of shape (rows,)."""

    def __len__(self) -> int:
        return len(self.predicted_error)

    @property
    def llm_params(self) -> FloatArray:
        """Nominal size of each row's language model, as the law takes it."""
        return np.array([llm.nominal_params for llm in self.llms])[self.llm_index]

    def fitting_points(self) -> tuple[FloatArray, FloatArray]:
        """Sizes and visual tokens of what fits, each pair once, ascending: what a law is asked about."""
        pairs = np.column_stack([self.llm_params, self.visual_tokens])[self.fits]
        size, tokens = np.unique(pairs, axis=0).T
        return size, tokens

    def to_frame(self) -> pd.DataFrame:
        """A DataFrame with a row for each candidate, best first; what does not fit stands last."""
        import pandas as pd

        columns = {
            "llm": np.array([llm.name for llm in self.llms])[self.llm_index],
            "llm_params": self.llm_params,
            "visual_tokens": self.visual_tokens.astype(int),
            "predicted_error": self.predicted_error,
            **self.quantities,
            "fits": self.fits,
        }
        order = np.lexsort((self.predicted_error, ~self.fits))
        return pd.DataFrame(columns).iloc[order].reset_index(drop=True)
