"""The stages of one batch of requests, each to be run by itself on inputs of its own.

encoder      pixels -> features of the tower's layers
compressor   features, text feature -> visual tokens
query pass   query -> text feature (image-first prompts of a query-aware compressor)
prefill      embedded prompt -> logits of the last position; text-first in its two passes
decode step  one token of each request, at the mean length of the cache
request      all of it: the model's own forward, then G - 1 steps, each with the most likely token of the one before

Letters: B requests, I images each, S prompt tokens, C tokens in the cache before, G generated tokens, H LLM width.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from planner.base.errors import MeasurementError
from planner.bench.caches import Cache, Caches
from planner.bench.clock import Task
from planner.bench.measurement import EAGER
from planner.configuration import TEXT_FIRST
from planner.costs.stages import Workload, stage_tokens
from planner.parts.catalog import find_compressor
from planner.vlm import PlannerVlmForConditionalGeneration

POOL = 3
"""Inputs that calls take turns in, so that none finds its own in a cache."""
_SPARE = 8
"""Tokens of room in a static cache beyond the longest request: warm-ups and the capture of a graph."""


class Stages:
    """Callables over one model and one shape of request."""

    def __init__(
        self,
        model: PlannerVlmForConditionalGeneration,
        workload: Workload,
        batch: int,
        *,
        mode: str = EAGER,
        seed: int = 0,
    ) -> None:
        self.model, self.workload, self.batch, self.mode = model, workload, batch, mode
        weight = next(iter(model.language_model.parameters()))
        self.device, self.dtype = weight.device, weight.dtype
        config = model.config
        self.per_image = int(config.visual_tokens)
        self.query_aware = find_compressor(config.compressor).query_aware
        self.tokens = stage_tokens(workload, np.asarray(float(self.per_image)), self.query_aware, config.prompt_order)
        self.prompt_tokens = int(self.tokens.prefill)
        self.places = batch * workload.images
        self._random = torch.Generator().manual_seed(seed)
        self._vocabulary = int(config.text_config.vocab_size)
        self._pixels: list[Tensor] = []
        self._features: list[list[Tensor]] = []
        self._texts: list[Tensor | None] = []
        self._queries: list[Tensor] = []
        self._embeds: list[Tensor] = []
        self._prompts: list[Tensor] = []
        self._features_before: list[Tensor] = []
        self._token = self._ids(batch, 1)
        self._step_cache: Cache | None = None
        self._prefill_cache: Cache | None = None
        self._forward: Any = model.forward
        self._decode: Callable[[], object] = self._decode_once
        self._parts: dict[str, Any] = {
            "encoder": model.vision_features,
            "compressor": model.compress,
            "query_pass": model.query_feature,
            "prefill": self._prefilled,
        }
        self.caches = Caches(config.text_config, batch, weight, self._fill, static=mode != EAGER)
        if mode == "compile":
            torch.compiler.reset()  # dynamo gives up on a function after a few shapes, without a word
            self._parts = {name: torch.compile(part, dynamic=False) for name, part in self._parts.items()}

    # ---- what is timed -------------------------------------------------------------------------------------------

    def tasks(self) -> dict[str, Task]:
        """The stages that this model runs, by name."""
        found = {"encoder": Task(self.encoder), "compressor": Task(self.compressor, cold=True)}
        if self.tokens.query_pass:
            found["query_pass"] = Task(self.query_pass)
        if self.prompt_tokens:
            found["prefill"] = Task(self.prefill, self._before_prefill, bunches=self.mode == EAGER)
        found["decode_step"] = Task(self.decode_step, self.rewind, bunches=self.mode == EAGER)
        return found

    def encoder(self, turn: int) -> Any:
        """The tower over all images of the batch."""
        if not self._pixels:
            side = self.model.config.vision_config.image_size
            self._pixels = [self._normal(self.places, 3, side, side) for _ in range(POOL)]
        return self._parts["encoder"](self._pixels[turn % POOL])

    def compressor(self, turn: int) -> Any:
        """Compressor and projector over all images of the batch."""
        if not self._features:
            config = self.model.config
            width, patches, layers = config.vision_config.hidden_size, config.grid_side**2, len(config.layers_read)
            for _ in range(POOL):
                self._features.append([self._normal(self.places, patches, width) for _ in range(layers)])
                size = config.text_feature_size
                self._texts.append(None if size is None else self._normal(self.places, size))
        return self._parts["compressor"](self._features[turn % POOL], self._texts[turn % POOL])

    def query_pass(self, turn: int) -> Any:
        """The LLM over the query alone."""
        if not self._queries:
            self._queries = [self._ids(self.batch, self.tokens.query_pass) for _ in range(POOL)]
        return self._parts["query_pass"](self._queries[turn % POOL])

    def prefill(self, turn: int) -> Any:
        """The LLM over the prompt, behind what is cached."""
        if not self._embeds:
            width = self.model.config.text_config.hidden_size
            self._embeds = [0.02 * self._normal(self.batch, self.prompt_tokens, width) for _ in range(POOL)]
        cache = self._prefill_cache
        if self.mode == EAGER:  # calls of one sample must not lengthen each other's cache
            cache = self.caches.at("prefill", self.tokens.cached, self.prompt_tokens)
        return self._parts["prefill"](self._embeds[turn % POOL], cache)

    def decode_step(self, turn: int) -> Any:
        """One token of each request; `rewind` comes before."""
        return self._decode()

    def decode_weights(self) -> list[Tensor]:
        """What every decode step reads."""
        llm = self.model.language_model
        embedding, head = llm.get_input_embeddings().weight, llm.get_output_embeddings().weight
        return [weight for weight in llm.parameters() if weight is not embedding or embedding is head]

    @property
    def inputs(self) -> list[Tensor]:
        """What was made for the calls so far."""
        return [*self._pixels, *self._queries, *self._prompts, *self._features_before, self._token]

    # ---- caches --------------------------------------------------------------------------------------------------

    @property
    def mean_context(self) -> int:
        """Tokens in the cache before a step, on average over the G - 1 steps."""
        return self.tokens.cached + self.prompt_tokens + max(self.tokens.decode, 1) // 2

    def rewind(self, calls: int) -> None:
        """Puts the decode step's cache to its mean length, less half of the calls that will make it longer."""
        start = max(self.mean_context - calls // 2, 1)
        first = self._step_cache is None
        longest = self.tokens.cached + self.prompt_tokens + self.tokens.decode  # what a server's static cache holds
        self._step_cache = self.caches.at("step", start, longest - self.mean_context + _SPARE)
        if first and self.mode != EAGER:
            self._decode = self._fast_decode()
            self._step_cache = self.caches.at("step", start, 0)

    def _before_prefill(self, calls: int) -> None:
        self._prefill_cache = self.caches.at("prefill", self.tokens.cached, self.prompt_tokens)

    def _fill(self, cache: Cache, tokens: int) -> None:
        self.model.get_decoder()(input_ids=self._ids(self.batch, tokens), past_key_values=cache, use_cache=True)

    # ---- passes --------------------------------------------------------------------------------------------------

    def _prefilled(self, embeds: Tensor, cache: Cache) -> Tensor:
        """Logits (B, 1, vocabulary)."""
        decoder = self.model.get_decoder()
        start = self.tokens.prefix
        if start:
            decoder(inputs_embeds=embeds[:, :start], past_key_values=cache, use_cache=True)
        hidden = decoder(inputs_embeds=embeds[:, start:], past_key_values=cache, use_cache=True).last_hidden_state
        return self.model._logits((hidden,), 1)

    def _decode_once(self) -> Tensor:
        out = self.model(input_ids=self._token, past_key_values=self._step_cache, use_cache=True, logits_to_keep=1)
        self._token.copy_(out.logits[:, -1].argmax(-1, keepdim=True))
        return self._token

    def _fast_decode(self) -> Callable[[], object]:
        """The step without launches one by one: compiled, or on a GPU as one CUDA graph."""
        if self.mode == "compile":
            kind = "reduce-overhead" if self.device.type == "cuda" else "default"
            model, cache = self.model, self._step_cache

            def step(token: Tensor) -> Tensor:
                out = model(input_ids=token, past_key_values=cache, use_cache=True, logits_to_keep=1)
                chosen: Tensor = out.logits[:, -1].argmax(-1, keepdim=True)
                return chosen

            compiled = torch.compile(step, dynamic=False, mode=kind)
            return lambda: self._token.copy_(compiled(self._token))
        if self.device.type != "cuda":
            return self._decode_once
        try:
            with torch.cuda.device(self.device):
                aside = torch.cuda.Stream()
                aside.wait_stream(torch.cuda.current_stream())
                with torch.cuda.stream(aside):
                    for _ in range(3):
                        self._decode_once()
                torch.cuda.current_stream().wait_stream(aside)
                graph = torch.cuda.CUDAGraph()
                with torch.cuda.graph(graph, stream=aside):
                    self._decode_once()
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:160]
            raise MeasurementError(
                f"this model's decode step cannot be a CUDA graph ({reason}); use --mode compile"
            ) from None
        return graph.replay

    # ---- a whole request -----------------------------------------------------------------------------------------

    def begin(self, turn: int) -> Cache:
        """From pixels and ids to the first token of each request, which it keeps; the cache for what follows."""
        if not self._prompts:
            self._prompts = [self._prompt() for _ in range(POOL)]
        if not self._pixels:
            self.encoder(turn)
        cache = self.caches.at("request", self.tokens.cached, self.prompt_tokens + self.tokens.decode)
        start, end = self._image_columns
        beside = {}
        if self.model.config.asks_beside_the_prompt:
            beside = self._asked(turn)
        out = self._forward(
            input_ids=self._prompts[turn % POOL],
            pixel_values=self._pixels[turn % POOL],
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
            image_runs=[(start, end)],
            **beside,
        )
        self._token.copy_(out.logits[:, -1].argmax(-1, keepdim=True))
        return cache

    def _asked(self, turn: int) -> dict[str, Tensor]:
        """The query beside the prompt; a request without new text of its own brings a feature computed before."""
        if not self.tokens.query_pass:
            if not self._features_before:
                size = int(self.model.config.text_feature_size or 0)
                self._features_before = [self._normal(self.batch, size) for _ in range(POOL)]
            return {"query_embeds": self._features_before[turn % POOL]}
        if not self._queries:
            self.query_pass(turn)
        return {"query_input_ids": self._queries[turn % POOL]}

    def go_on(self, cache: Cache, steps: int) -> None:
        """So many further tokens of each request."""
        for _ in range(steps):
            out = self.model(input_ids=self._token, past_key_values=cache, use_cache=True, logits_to_keep=1)
            self._token.copy_(out.logits[:, -1].argmax(-1, keepdim=True))

    @property
    def _image_columns(self) -> tuple[int, int]:
        """Where the images of a prompt stand: behind the system text, or at the end of a text-first prompt."""
        visual = self.workload.images * self.per_image
        text_first = self.model.config.prompt_order == TEXT_FIRST
        start = self.workload.prefilled_text_tokens if text_first else self.workload.system_tokens
        return start, start + visual

    def _prompt(self) -> Tensor:
        ids = self._ids(self.batch, self.prompt_tokens)
        start, end = self._image_columns
        ids[:, start:end] = self.model.config.image_token_id
        return ids

    def _ids(self, rows: int, columns: int) -> Tensor:
        """Any tokens but the image's."""
        image = self.model.config.image_token_id
        among = self._vocabulary - (image < self._vocabulary)
        ids = torch.randint(among, (rows, columns), generator=self._random)
        shifted: Tensor = ids + (ids >= image)
        return shifted.to(self.device)

    def _normal(self, *shape: int) -> Tensor:
        if self.device.type == "meta":
            return torch.empty(shape, device=self.device, dtype=self.dtype)
        return torch.randn(shape, generator=self._random).to(self.device, self.dtype)
