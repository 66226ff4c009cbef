"""The mean request to each candidate, of what comes: all that a steady state in closed form asks of it.

Letters: S tokens of the prompt that are computed, C that are cached in front of them, G generated; a decode step
attends to c tokens on average, over all decode steps, so that long answers count as often as they are met.
"""

from __future__ import annotations

import numpy as np

from planner.base.dataclass import dataclass
from planner.configuration import TEXT_FIRST, Model
from planner.planning.request import Load
from planner.planning.under_load.tabulated import FloatArray


@dataclass(frozen=True, eq=False)
class MeanRequest:
    """Of each candidate; arrays over (models, visual tokens)."""

    prompt_tokens: FloatArray
    """S."""
    cached_tokens: float
    """C."""
    generated_tokens: float
    """G."""
    context_tokens: FloatArray
    """c."""
    pairs: FloatArray
    """Of a token of the prompt and one that it attends to: the mean of S (C + (S + 1) / 2)."""
    images: float
    query_pass: float
    """Tokens of a pass of their own that a query-aware compressor waits for."""
    beside_tokens: FloatArray | float
    """Of images that stand beside the sequence."""
    prompt_variation: FloatArray
    """Variance of S by its squared mean."""
    decodes_variation: float
    """The same of G - 1."""

    @classmethod
    def of(cls, load: Load, model: Model) -> MeanRequest:
        """To a column of models."""
        kinds, w = load.kinds, np.array(load.shares)
        text = np.array([one.prefilled_text_tokens for one in kinds], float)
        cached = np.array([one.cached_tokens for one in kinds], float)
        images = np.array([one.images for one in kinds], float)
        steps = np.array([max(one.generated_tokens - 1, 0) for one in kinds], float)
        ahead = np.zeros(len(kinds))
        if model.compressor.query_aware and model.has_images:
            ahead = np.array([one.query_tokens for one in kinds], float) * (images > 0)
            if model.prompt_order == TEXT_FIRST:  # the text runs first, and stays in the cache
                ahead = text * (ahead > 0)
                text, cached = text - ahead, cached + ahead
        v = np.asarray(model.sequence_tokens, float)
        each = text + images * v[..., None]
        before = cached + each
        decodes = float(w @ steps)
        shares = w * steps / decodes if decodes else w
        return cls(
            prompt_tokens=np.maximum(each @ w, 1.0),
            cached_tokens=float(w @ cached),
            generated_tokens=decodes + 1,
            context_tokens=before @ shares + float(shares @ (steps + 1)) / 2 * (decodes > 0),
            pairs=(each * (cached + (each + 1) / 2)) @ w,
            images=float(w @ images),
            query_pass=float(w @ ahead),
            beside_tokens=float(w @ images) * np.asarray(model.beside_tokens, float),
            prompt_variation=np.maximum((each**2 @ w) / np.maximum(each @ w, 1.0) ** 2 - 1, 0.0),
            decodes_variation=max(float(w @ steps**2) / decodes**2 - 1, 0.0) if decodes else 0.0,
        )
