"""ContinuousOptimum: the best pair on a budget if any size were available."""

from __future__ import annotations

from typing import Any

from planner.base.dataclass import dataclass
from planner.base.quantities import format_fraction, format_params, format_score, format_tokens, score_of
from planner.base.result import Result
from planner.runs.table import ERROR


@dataclass(frozen=True, repr=False)
class ContinuousOptimum(Result):
    """The best (N, V) on a budget if any size were available."""

    llm_params: float
    visual_tokens: float
    """Per image."""
    predicted_error: float
    closed_form: bool
    """Whether a formula gives it (of the multiplicative and the log-linear form)."""
    limit: str | None
    """"min" or "max" where the optimum is at the least or the most visual tokens allowed."""
    visual_tokens_interval: tuple[float, float] | None = None
    """95 % profile interval of the visual tokens, cut to those allowed; None for a law without runs."""

    predicts: str = ERROR
    """What the law predicts: "error", or "loss"."""

    @property
    def score(self) -> float | None:
        """1 - predicted error; None for an error outside 0 to 1, and for a loss."""
        return score_of(self.predicted_error, self.predicts)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        ends = self.visual_tokens_interval
        fields = {key: value for key, value in vars(self).items() if key != "predicts" or value != ERROR}
        return {**fields, "score": self.score, "visual_tokens_interval": None if ends is None else list(ends)}

    def __repr__(self) -> str:
        return f"ContinuousOptimum({self})"

    def __str__(self) -> str:
        tokens = "1 visual token" if self.visual_tokens == 1 else f"{format_tokens(self.visual_tokens)} visual tokens"
        error = format_fraction(self.predicted_error)
        scored = "" if self.score is None else f", score {format_score(self.score)}"
        return f"{format_params(self.llm_params)} parameters with {tokens}, predicted {self.predicts} {error}{scored}"
