"""The stages of one batch of requests of a released model; those of `planner.bench.stages` that it has.

encoder      pixels of all views -> features of the tower
compressor   features -> visual tokens, by the model's own connector
prefill      embedded prompt -> logits of the last position
decode step  one token of each request, at the mean length of the cache

Letters: B requests, I images each, S prompt tokens, H width of the language model.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from planner.bench.caches import Cache, Caches
from planner.bench.clock import Task
from planner.bench.measurement import EAGER
from planner.bench.stages import POOL
from planner.configuration import ReleasedModel
from planner.costs.stages import Workload, stage_tokens
from planner.make.pixels import PixelMaker
from planner.make.vision import Call, VisionSide, random_numbers


class ReleasedStages:
    """Callables over one released model and one shape of request, in the eager mode."""

    mode = EAGER

    def __init__(
        self, model: Any, released: ReleasedModel, maker: PixelMaker, workload: Workload, batch: int, *, seed: int = 0
    ) -> None:
        self.model, self.released, self.workload, self.batch = model, released, workload, batch
        self._maker, self._vision = maker, VisionSide(model, maker)
        self._decoder: Any = maker.decoder(model)
        self._head: Any = model.get_output_embeddings()
        weight = next(iter(self._decoder.parameters()))
        self.device, self.dtype = weight.device, weight.dtype
        self.tokens = stage_tokens(workload, np.asarray(float(released.visual_tokens)), False, released.prompt_order)
        self.prompt_tokens = int(self.tokens.prefill)
        self._text: Any = model.config.get_text_config()
        self._normal = random_numbers(self.device, self.dtype, seed)
        self._random = torch.Generator().manual_seed(seed)
        self._pixels: list[dict[str, Tensor]] = []
        self._calls: list[list[Call]] = []
        self._beside: dict[int, dict[str, Tensor]] = {}
        self._embeds: list[Tensor] = []
        self._prompts: list[Tensor] = []
        self._token = self._ids(batch, 1)
        self._step_cache: Cache = None
        self.caches = Caches(self._text, batch, weight, self._fill, static=False)
        if hasattr(model.base_model, "rope_deltas"):  # of another batch
            model.base_model.rope_deltas = None

    # ---- what is timed -------------------------------------------------------------------------------------------

    def tasks(self) -> dict[str, Task]:
        """The stages that this model runs, by name."""
        return {
            "encoder": Task(self.encoder, self._see),
            "compressor": Task(self.compressor, self._see, cold=True),
            "prefill": Task(self.prefill, self._before_prefill),
            "decode_step": Task(self.decode_step, self.rewind),
        }

    def encoder(self, turn: int) -> Any:
        """The tower over all images of the batch."""
        self._see()
        return self._vision.tower(self._pixels[turn % POOL], self._calls[turn % POOL])

    def compressor(self, turn: int) -> Any:
        """The connector over all images of the batch."""
        self._see()
        return self._vision.connector(self._calls[turn % POOL])

    def prefill(self, turn: int) -> Tensor:
        """The language model over the prompt, behind what is cached: logits (B, 1, vocabulary)."""
        self._embed()
        beside = self._besides(self.prompt_tokens)
        cache = self.caches.at("prefill", self.tokens.cached, self.prompt_tokens)
        name = "input_ids" if self._maker.by_ids else "inputs_embeds"
        return self._logits(**{name: self._embeds[turn % POOL]}, **beside, cache=cache)

    def decode_step(self, turn: int) -> Tensor:
        """One token of each request; `rewind` comes before."""
        logits = self._logits(input_ids=self._token, cache=self._step_cache)
        self._token.copy_(self._spoken(logits[:, -1]))
        return self._token

    def decode_weights(self) -> list[Tensor]:
        """What every decode step reads; of experts all, which a step of few tokens does not."""
        embedding = self.model.get_input_embeddings().weight
        found = [weight for weight in self._decoder.parameters() if weight is not embedding]
        return [*found, *self._head.parameters()]

    @property
    def masking_flops(self) -> int:
        """FLOPs of a run of the tower that make masks."""
        self._see()
        return self._maker.masking_flops(self.model, self._pixels[0])

    @property
    def inputs(self) -> list[Tensor]:
        """What was made for the calls so far."""
        pixels = [tensor for one in self._pixels for tensor in one.values()]
        beside = [tensor for one in self._beside.values() for tensor in one.values()]
        recorded = [call.result for calls in self._calls for call in calls if isinstance(call.result, Tensor)]
        given = [value for calls in self._calls for call in calls for value in call.positional]
        return [
            *pixels,
            *beside,
            *recorded,
            *(one for one in given if isinstance(one, Tensor)),
            *self._prompts,
            self._token,
        ]

    # ---- caches --------------------------------------------------------------------------------------------------

    @property
    def mean_context(self) -> int:
        """Tokens in the cache before a step, on average over the G - 1 steps."""
        return self.tokens.cached + self.prompt_tokens + max(self.tokens.decode, 1) // 2

    def rewind(self, calls: int) -> None:
        """Puts the decode step's cache to its mean length, less half of the calls that will make it longer."""
        self._step_cache = self.caches.at("step", max(self.mean_context - calls // 2, 1), 0)

    def _before_prefill(self, calls: int) -> None:
        self._embed()
        self._besides(self.prompt_tokens)
        self.caches.at("prefill", self.tokens.cached, self.prompt_tokens)

    def _fill(self, cache: Cache, tokens: int) -> None:
        beside = self._besides(tokens) if tokens > self.tokens.cached else {}  # images come behind what is cached
        self._decoder(input_ids=self._ids(self.batch, tokens), **beside, past_key_values=cache, use_cache=True)

    def _logits(self, *, cache: Cache, **given: Tensor) -> Tensor:
        hidden = self._decoder(past_key_values=cache, use_cache=True, **given).last_hidden_state
        logits: Tensor = self._head(hidden[:, -1:])
        return logits

    # ---- a whole request -----------------------------------------------------------------------------------------

    def begin(self, turn: int) -> Cache:
        """From pixels and ids to the first token of each request, which it keeps; the cache for what follows."""
        self._see()
        if not self._prompts:
            self._prompts = [self._prompt() for _ in range(POOL)]
        ids = self._prompts[turn % POOL]
        cache = self.caches.at("request", self.tokens.cached, self.prompt_tokens + self.tokens.decode)
        given = self._maker.given(self.model, self._pixels[turn % POOL], ids)
        out = self.model(input_ids=ids, **given, past_key_values=cache, use_cache=True, logits_to_keep=1)
        self._token.copy_(self._spoken(out.logits[:, -1]))
        return cache

    def go_on(self, cache: Cache, steps: int) -> None:
        """So many further tokens of each request."""
        for _ in range(steps):
            out = self.model(input_ids=self._token, past_key_values=cache, use_cache=True, logits_to_keep=1)
            self._token.copy_(self._spoken(out.logits[:, -1]))

    # ---- inputs --------------------------------------------------------------------------------------------------

    def _see(self, calls: int = 1) -> None:
        """Makes pixels, and records what the connector gets of them."""
        if self._pixels:
            return
        images, config = self.workload.images, self.model.config
        for _ in range(POOL):
            made = self._maker.pixels(self.released, config, self.batch, images, self._normal)
            self._pixels.append({name: tensor.to(self.device) for name, tensor in made.items()})
            self._calls.append(self._vision.recorded(self._pixels[-1]))

    def _embed(self) -> None:
        """Makes prompts of the language model."""
        if not self._embeds:
            size = (self.batch, self.prompt_tokens)
            by_ids, width = self._maker.by_ids, self._text.hidden_size
            self._embeds = [self._ids(*size) if by_ids else 0.02 * self._normal(*size, width) for _ in range(POOL)]

    def _besides(self, tokens: int) -> dict[str, Tensor]:
        """What the language model is called with beside so many tokens with images among them."""
        if tokens not in self._beside:
            self._see()
            self._beside[tokens] = self._maker.beside(self.model, self._pixels[0], tokens)
        return self._beside[tokens]

    def _spoken(self, logits: Tensor) -> Tensor:
        """The most likely token (B, 1), of those that are text."""
        chosen: Tensor = logits.argmax(-1, keepdim=True)
        return torch.where(torch.isin(chosen, self._special().to(chosen.device)), self._plain, chosen)

    def _special(self) -> Tensor:
        """Tokens that stand for an image, a video or sound."""
        return torch.tensor(sorted(self._maker.special_tokens(self.model.config)))

    @property
    def _plain(self) -> int:
        """A token of text."""
        special = set(self._special().tolist())
        return next(number for number in range(len(special) + 1) if number not in special)

    def _prompt(self) -> Tensor:
        """(B, S): system text, then each image between its start and end tokens, then the query."""
        ids = self._ids(self.batch, self.prompt_tokens)
        seen, start = self.released.seen, self.workload.system_tokens
        image_token = self._maker.image_token(self.model.config)
        for _ in range(self.workload.images):
            first = start + seen.extra_tokens // 2
            ids[:, first : first + seen.placeholders] = image_token
            start += seen.prompt_tokens
        return ids

    def _ids(self, rows: int, columns: int) -> Tensor:
        """Any tokens of text."""
        ids = torch.randint(int(self._text.vocab_size), (rows, columns), generator=self._random)
        return torch.where(torch.isin(ids, self._special()), self._plain, ids).to(self.device)
