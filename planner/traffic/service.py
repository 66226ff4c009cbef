"""One server as traffic meets it: from a model, how it runs and its requests to a `Replica` and the `Requests`.

prompt       text + images x their tokens, in the order that the prompt has; what the prefix cache holds is read and
             takes room, but is not computed
room         of the KV cache, in tokens of what comes: `planner.traffic.cache_room`
images       encoded in the engine's process, or in one of their own on a GPU beside the others
query pass   of a query-aware compressor: a prefill of its own (image first), or the text of the prompt, which then
             stays in the cache (text first): `planner.traffic.query_pass`
host         constants of the profile: those of iterations within them, that of a request in its time to the first token
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.base.quantities import shown
from planner.configuration import Model, ReleasedModel, Run, cannot_share
from planner.costs.iteration import Iterations
from planner.costs.stages import StageTokens, Workload, passes
from planner.traffic.cache_room import MEMORY_SHARE, CacheRoom, Sequences, cache_room, check_encoder_room
from planner.traffic.query_pass import BehindQueries, QueryPass
from planner.traffic.replica import Replica
from planner.traffic.requests import Requests
from planner.traffic.scheduler import Scheduler


@dataclass(frozen=True, eq=False)
class Service:
    """A configuration that serves. Raises InputError where it cannot, in one sentence."""

    model: Model
    run: Run
    """Hardware, precisions, and the GPUs that share the language model."""
    workloads: tuple[Workload, ...]
    """Kinds of requests."""
    weights: tuple[float, ...]
    """Share of each kind; they sum to 1."""
    scheduler: Scheduler
    memory_share: float = MEMORY_SHARE
    """Of each GPU's memory that the engine takes."""
    prefix_cache_share: float = 0.0
    """Of requests whose system tokens the prefix cache holds; cached tokens of a workload are there in any case."""
    image_cache_share: float = 0.0
    """Of images whose tokens are known from an earlier request."""

    def __post_init__(self) -> None:
        if self.run.hardware is None:
            raise InputError("a server needs hardware: give the run an accelerator, such as l4")
        if not self.model.llm.can_share(int(self.run.tensor_parallel)):
            raise InputError(cannot_share(self.model.llm, int(self.run.tensor_parallel)))
        self._check_shares()
        self._check_requests()
        self._check_encoder()

    # ---- what traffic needs ------------------------------------------------------------------------------------------

    @cached_property
    def replica(self) -> Replica:
        """The server."""
        iterations, ahead = self.iterations, self._query_pass
        return Replica(
            iteration=iterations if ahead is None else BehindQueries(iterations, ahead),
            scheduler=self.scheduler,
            kv_tokens=self.room.tokens,
            request_s=iterations.host.request_s,
            encode_apart_s=float(iterations.seconds(images=1.0)) if self._apart else 0.0,
            gpus=int(self.run.tensor_parallel),
        )

    @cached_property
    def iterations(self) -> Iterations:
        """Of the engine."""
        beside = {one.images for one in self.workloads if self.model.llm.images_beside and self.model.has_images}
        if len(beside) > 1:
            raise InputError(
                f"images: {self.model} has images beside the sequence, where requests need equally many; got "
                f"{', '.join(map(str, sorted(beside)))}"
            )
        return Iterations(self.model, self.run, beside.pop() if beside else 1)

    @cached_property
    def requests(self) -> Requests:
        """What comes to it."""
        kinds = list(zip(self.workloads, self._tokens, self.weights, strict=True))
        found = [(weight, self._requests(load, tokens)) for load, tokens, weight in kinds if weight > 0]
        if len(found) == 1:
            return found[0][1]
        names = ("prompt_tokens", "generated_tokens", "cached_tokens", "images")
        columns = {name: np.concatenate([getattr(one, name) for _, one in found]) for name in names}
        return Requests(**columns, weights=np.concatenate([weight * one.weights for weight, one in found]))

    def _requests(self, load: Workload, tokens: StageTokens) -> Requests:
        """Of one kind, with what the caches know of it."""
        found = Requests.fixed(
            round(float(tokens.prefill)) - tokens.prefix,
            tokens.decode,
            cached_tokens=tokens.cached + tokens.prefix,
            images=load.images if self.model.has_images else 0,
        )
        if self.prefix_cache_share and load.system_tokens:
            found = found.with_cached_prefix(load.system_tokens, self.prefix_cache_share)
        return found.with_cached_images(self.image_cache_share) if self.image_cache_share else found

    @cached_property
    def room(self) -> CacheRoom:
        """Of the KV cache."""
        tokens = self._tokens
        sequences = Sequences(
            context_tokens=np.array([one.cached + float(one.prefill) for one in tokens]),
            generated_tokens=np.array([one.decode for one in tokens], float),
            beside_tokens=np.array([float(one.beside) for one in tokens]),
            weights=np.array(self.weights),
        )
        inside = self._encodes and not self._apart
        return cache_room(self.model, self.run, self.scheduler, sequences, self.memory_share, inside)

    @property
    def gpus(self) -> int:
        """Of one replica: those that share the language model, and that of an encoder apart."""
        return int(self.run.tensor_parallel) + self._apart

    @property
    def notes(self) -> tuple[str, ...]:
        """What has to be said of its times."""
        found = list(self.model.notes)
        if isinstance(self.model, ReleasedModel) and (said := self.run.stands_in(self.model.checkpoint.dtype)):
            found.append(f"it runs in {said}")
        assert self.run.hardware is not None
        if shared := self.run.hardware.memory_note:
            found.append(shared)
        if not self.iterations.host.source:
            found.append("the costs of the engine's host are not calibrated: iterations take what their kernels take")
        return tuple(found)

    # ---- how ---------------------------------------------------------------------------------------------------------

    @cached_property
    def _tokens(self) -> list[StageTokens]:
        """Of each kind of request."""
        return [passes(self.model, one).tokens for one in self.workloads]

    @property
    def _encodes(self) -> bool:
        return self.model.has_images and any(one.images for one in self.workloads)

    @property
    def _apart(self) -> bool:
        return self._encodes and self.scheduler.encoder_is_apart

    @property
    def _looks(self) -> bool:
        """Whether images wait for a pass of the language model over the query."""
        return self._encodes and self.model.compressor.query_aware

    @cached_property
    def _query_pass(self) -> QueryPass | None:
        """Of the mean request that has images."""
        if not self._looks:
            return None
        with_images = np.array(self.weights) * [one.images > 0 for one in self.workloads]
        shares = with_images / with_images.sum()
        passed = float(shares @ [one.query_pass or one.prefix for one in self._tokens])
        if not passed:
            return None
        cached = float(shares @ [one.cached if one.prefix else 0 for one in self._tokens])
        images = float(shares @ [one.images for one in self.workloads])
        encoders = int(self.run.tensor_parallel) if self.scheduler.encoder_data_parallel else 1
        return QueryPass(self.model, self.run, passed, cached, encoders / images)

    def _check_shares(self) -> None:
        if not self.workloads or len(self.workloads) != len(self.weights):
            raise InputError("workloads: expected at least one, and a weight for each")
        for name in ("prefix_cache_share", "image_cache_share"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
                raise InputError(f"{name}: expected a share from 0 to 1, got {shown(value)}")
        if self.prefix_cache_share and not any(one.system_tokens for one in self.workloads):
            raise InputError(
                "prefix_cache_share: no request has system tokens, which are what requests share; give some, or "
                "cached tokens where they are in the cache in any case"
            )
        if self.prefix_cache_share and any(one.prefix for one in self._tokens):
            raise InputError(
                f"prefix_cache_share: {self.model.compressor.title} behind the text reads the whole of it for each "
                "query; leave it out"
            )
        if self.image_cache_share and self._looks:
            raise InputError(
                f"image_cache_share: {self.model.compressor.title} makes tokens of an image for one query, which no "
                "other request can take over; leave it out"
            )

    def _check_requests(self) -> None:
        limit = self.model.checkpoint.context_tokens if isinstance(self.model, ReleasedModel) else None
        for tokens in self._tokens:
            if tokens.decode < 1:
                raise InputError("generated_tokens: expected at least 1, which comes with the prefill; got 0")
            prompt = round(float(tokens.prefill))
            if prompt < 1:
                raise InputError("query_tokens: expected a prompt of at least 1 token, got none to compute")
            whole = tokens.cached + prompt + tokens.decode
            if limit is not None and whole > limit:
                raise InputError(
                    f"the request comes to {whole} tokens, more than the {limit} of the model's context: a server "
                    "refuses it; make it shorter or choose another model"
                )
            budget = self.scheduler.max_num_batched_tokens
            if not self.scheduler.chunked_prefill and prompt > budget:
                raise InputError(
                    f"max_num_batched_tokens: a prompt of {prompt} tokens does not fit into {budget}, and without "
                    "chunked prefill an engine refuses it; expected at least as many"
                )

    def _check_encoder(self) -> None:
        if self._apart and self._looks:
            raise InputError(
                f"encoder: {self.model.compressor.title} needs what the language model makes of the query, so images "
                "cannot be encoded apart; expected in-process"
            )
        if self._apart:
            check_encoder_room(self.model, self.run, self.memory_share)
        _ = self.room  # what does not fit is refused here, not at the first request
