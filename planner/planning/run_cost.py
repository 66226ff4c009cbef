"""What one run of a law costs: training a model and evaluating it, or, where a model is pruned once it is trained, its
evaluation alone.

    6 N (V + text)  FLOPs of a training sample: forward and backward pass (arXiv 2001.08361, section 2.1)
    2 N (V + text)  FLOPs of a question: forward pass. That of a method that prunes inside the language model, as FastV
                    does, lies above

The encoder is not counted. A pruned model's own training, with all its tokens, is the same for every token count and is
charged to none.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from planner.base.dataclass import dataclass
from planner.laws.combined import Law
from planner.laws.hierarchy.naming import trains
from planner.planning.transfer.origin import UNCOMPRESSED, measured_with

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class RunCost:
    """What a run is charged."""

    what: str
    """"training" or "evaluation"."""
    flops_per_param: int
    """FLOPs for each parameter of the language model and each token."""
    sample: str
    """What the FLOPs are of: "training sample" or "question"."""

    @property
    def unit(self) -> str:
        """ "training FLOPs per sample, 6 N (V + text)"."""
        kind = "training FLOPs per sample" if self.what == "training" else "inference FLOPs per question"
        return f"{kind}, {self.flops_per_param} N (V + text)"

    def flops(self, llm_params: FloatArray, visual_tokens: FloatArray, text_tokens: int) -> FloatArray:
        """Of runs of such sizes and counts, each of shape (runs,)."""
        found: FloatArray = self.flops_per_param * llm_params * (visual_tokens + text_tokens)
        return found


TRAINING = RunCost("training", 6, "training sample")
EVALUATION = RunCost("evaluation", 2, "question")

PRUNED = (
    "the law's compressor prunes a model that was trained with all its tokens: a run is an evaluation, and no token "
    "count is charged its training"
)


def run_cost(law: Law) -> RunCost:
    """What a further run of a law costs, by the compressors that it was measured with."""
    ways = [name for name in measured_with(law.compressors) if name != UNCOMPRESSED]
    return EVALUATION if ways and not any(map(trains, ways)) else TRAINING
