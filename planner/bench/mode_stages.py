"""The stages of a model in the modes "static" and "compile", whose whole requests run as the mode serves them."""

from __future__ import annotations

from typing import Any

from planner.bench.caches import Cache
from planner.bench.measurement import EAGER
from planner.bench.stages import POOL, Stages
from planner.costs.stages import Workload
from planner.vlm import PlannerVlmForConditionalGeneration


def stages_of(
    model: PlannerVlmForConditionalGeneration, workload: Workload, batch: int, *, mode: str = EAGER, seed: int = 0
) -> Stages:
    """The stages in a mode; arguments as those of `planner.bench.stages.Stages`."""
    kind = Stages if mode == EAGER else ModeStages
    return kind(model, workload, batch, mode=mode, seed=seed)


class ModeStages(Stages):
    """A request is its stages one after the other, compiled where they are, on the cache that the decode step was
    captured on; further tokens are that decode step.

    Where the prompt's own pass asks the compressor (text-first), the feature that it gets is one that was made before:
    the work is the same.
    """

    def begin(self, turn: int) -> Cache:
        if not self._prompts:
            self._prompts = [self._prompt() for _ in range(POOL)]
        if self._step_cache is None:
            self.rewind(1)
        cache = self.caches.at("step", self.tokens.cached, 0)
        embeds, _ = self.model._embed(self._prompts[turn % POOL])
        features = self.encoder(turn)
        if not self._features:
            self.compressor(turn)  # makes its inputs
        text: Any = self._texts[turn % POOL]
        if self.tokens.query_pass:
            text = self.query_pass(turn).repeat_interleave(self.workload.images, 0)
        tokens = self._parts["compressor"](features, text).to(embeds)
        start, end = self._image_columns
        embeds[:, start:end] = tokens.view(self.batch, end - start, embeds.shape[-1])
        logits = self._parts["prefill"](embeds, cache)
        self._token.copy_(logits[:, -1].argmax(-1, keepdim=True))
        return cache

    def go_on(self, cache: Cache, steps: int) -> None:
        for _ in range(steps):
            self._decode()
