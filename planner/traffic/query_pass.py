"""Iterations of a server whose compressor looks at the query: images wait for a pass of the language model over it.

    t = iteration + query pass of the requests whose images are encoded in it

The pass is a prefill of its own, in front of the images, over the queries of those requests together and without
logits. It runs on all GPUs that share the language model.
"""

from __future__ import annotations

import numpy as np

from planner.base.dataclass import dataclass
from planner.configuration import Model, Run
from planner.costs.seconds import Clocks
from planner.parts.walk import Pass
from planner.traffic.iteration_time import FloatArray, IterationTime, Number


@dataclass(frozen=True)
class QueryPass:
    """A prefill for a query-aware compressor, once for each request with images."""

    model: Model
    run: Run
    tokens: float
    """Of a query, on average."""
    cached_tokens: float = 0.0
    """In front of it."""
    requests_per_image: float = 1.0
    """That wait for one image of those which a GPU encodes."""

    def seconds(self, images: Number) -> FloatArray:
        """Seconds of the pass for the requests of so many images; 0 where there are none."""
        assert self.run.hardware is not None
        requests = np.asarray(images, float) * self.requests_per_image
        todo = Pass(np.where(requests > 0, requests, 1.0), self.tokens, self.cached_tokens)
        clocks = Clocks.of(self.run.hardware, self.run, self.model.llm)
        found = clocks.time(self.model.llm.walk(todo, np.asarray(self.run.tensor_parallel, float))).seconds
        return np.where(requests > 0, found, 0.0)


@dataclass(frozen=True)
class BehindQueries:
    """Iterations with the query passes that images wait for."""

    iterations: IterationTime
    query_pass: QueryPass

    def seconds(
        self,
        decodes: Number = 0.0,
        context_tokens: Number = 0.0,
        prefill_tokens: Number = 0.0,
        pairs: Number | None = None,
        heads: Number | None = None,
        *,
        prompts: Number | None = None,
        images: Number = 0.0,
    ) -> FloatArray:
        """As `IterationTime.seconds`."""
        found = self.iterations.seconds(
            decodes, context_tokens, prefill_tokens, pairs, heads, prompts=prompts, images=images
        )
        return found + self.query_pass.seconds(images) if np.any(images) else found
