"""The iterations of an engine by how many sequences run beside how many prompts: what closed forms are made of."""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.traffic.demand import Demand
from planner.traffic.iteration_time import FloatArray, IterationTime, Number
from planner.traffic.replica import Replica
from planner.traffic.requests import Requests
from planner.traffic.scheduler import Scheduler

KV_FILLED, KV_FILLED_LONG = 0.92, 0.85
"""Share of the KV cache that sequences fill before they preempt each other too often; the latter for answers that are
longer than their prompts. From simulations."""


class Beside(NamedTuple):
    """Iterations beside n sequences."""

    tau_s: FloatArray
    """Mean."""
    step_s: FloatArray
    """Of the decode steps alone."""
    prompt_s: FloatArray
    """D: by which a prompt lengthens them."""
    load: FloatArray
    """u: share of the time that goes to prompts."""


@dataclass(frozen=True)
class Batch:
    """An engine under requests; all numbers broadcast over candidates."""

    iteration: IterationTime
    scheduler: Scheduler
    kv_tokens: Number
    demand: Demand
    gpus: Number = 1
    encode_apart_s: Number = 0.0

    @classmethod
    def of(cls, replica: Replica, requests: Requests) -> Batch:
        """A replica under requests. Raises InputError for prompts that the engine refuses."""
        scheduler, longest = replica.scheduler, int(requests.prompt_tokens.max())
        if not scheduler.chunked_prefill and longest > scheduler.max_num_batched_tokens:
            raise InputError(
                f"prompts of {longest} tokens: expected at most max_num_batched_tokens, "
                f"{scheduler.max_num_batched_tokens}, where prompts are not cut; raise it, or use chunked_prefill=True"
            )
        demand = Demand.of(requests)
        return cls(replica.iteration, scheduler, replica.kv_tokens, demand, replica.gpus, replica.encode_apart_s)

    @cached_property
    def decodes(self) -> FloatArray:
        """G - 1."""
        return np.asarray(self.demand.decodes, float)

    @cached_property
    def prompt_tokens(self) -> FloatArray:
        return np.asarray(self.demand.prompt_tokens, float)

    @cached_property
    def seats(self) -> FloatArray:
        """N: the most sequences that are decoded at once."""
        budget = float(self.scheduler.max_num_batched_tokens)
        most = np.minimum(float(self.scheduler.max_num_seqs), self._kv_sequences)
        if self.scheduler.async_scheduling:  # one that has ended keeps its place while another iteration runs
            most = most * (1.0 - np.minimum(self.decodes, 1.0) / (self.decodes + 2.0))
        return np.minimum(most, max(budget - 1.0, 1.0))

    def room(self, n: Number) -> FloatArray:
        """Prompts that an iteration has tokens for beside n sequences; below 1 where a prompt takes several."""
        found = np.maximum(self.scheduler.max_num_batched_tokens - n, 1.0) / self.prompt_tokens
        return found if self.scheduler.chunked_prefill else np.floor(found)

    def step_s(self, n: Number) -> FloatArray:
        """Of n decode steps alone."""
        return self.iteration.seconds(n, n * self.demand.context_tokens, 0.0, 0.0, n)

    def prefill_s(self, n: Number, k: Number) -> FloatArray:
        """Of n decode steps beside k prompts, or a share of one, without images."""
        context, pairs, chunks = n * self.demand.context_tokens, k * np.asarray(self.demand.pairs), np.maximum(k, 1.0)
        return self.iteration.seconds(n, context, k * self.prompt_tokens, pairs, n + k, prompts=chunks)

    def encode_s(self, k: Number) -> FloatArray:
        """Of the images of one request, where k requests have theirs encoded together in the engine's process."""
        images = np.asarray(self.demand.images, float)
        if self.scheduler.encoder_is_apart or not np.any(images > 0):
            return np.zeros(())
        together = np.maximum(images * np.maximum(k, 1.0), 1.0)
        return np.asarray(images / together * self.images_s(together))

    def images_s(self, images: Number) -> FloatArray:
        """Of the images of one iteration in the engine's process."""
        count = np.asarray(images, float)
        if self.scheduler.encoder_is_apart or not np.any(count > 0):
            return np.zeros(count.shape)
        dealt = np.maximum(count / self.gpus, 1.0) if self.scheduler.encoder_data_parallel else count
        return np.where(count > 0, self.iteration.seconds(images=dealt), 0.0)

    def beside(self, n: Number, rate: Number, k: Number, encode_s: Number) -> Beside:
        """Iterations beside n sequences, where k prompts come together."""
        step = self.step_s(n)
        prompt = (self.prefill_s(n, k) - step) / k + encode_s
        load = rate * prompt
        return Beside(step / np.maximum(1.0 - load, 0.1), step, prompt, load)

    def alone(self, n: Number) -> FloatArray:
        """k where prompts seldom meet: one, or the share of one that an iteration has tokens for."""
        return np.minimum(1.0, np.maximum(self.room(n), 1e-9))

    def together(self, n: Number, rate: Number, k: Number, now: Beside) -> FloatArray:
        """k: prompts of an iteration that has any, from iterations with k of them. After a long one more have come:
        short and long ones follow each other as a chain of two states."""
        long_s = now.step_s + k * now.prompt_s
        after_short, after_long = -np.expm1(-rate * now.step_s), np.exp(-rate * long_s)
        share = after_short / np.maximum(after_long + after_short, 1e-300)  # of the iterations is long
        mean = rate * (now.step_s + share * (long_s - now.step_s))
        found = np.where(share > 0, mean / np.where(share > 0, share, 1.0), 1.0)
        return np.clip(found, self.alone(n), np.maximum(self.room(n), 1e-9))

    @cached_property
    def capacity(self) -> tuple[FloatArray, Any]:
        """Requests per second above which it is unstable, and what is full there: "compute", "seats", "kv" or,
        where it stands apart, "encoder"."""
        g1, budget = self.decodes, float(self.scheduler.max_num_batched_tokens)
        balanced = budget * g1 / (self.prompt_tokens + g1)  # where the tokens of all iterations are taken
        n = np.minimum(self.seats, balanced)
        k = np.where(g1 > 0, n / np.where(g1 > 0, g1, 1.0), self.seats)
        k = np.minimum(k, self.room(n))
        whole = np.maximum(np.minimum(1.0, self.room(n)), k)
        share = k / np.where(whole > 0, whole, 1.0)  # of the iterations has prompts
        with np.errstate(divide="ignore", invalid="ignore"):
            seconds = (1.0 - share) * self.step_s(n) + share * self.prefill_s(n, np.maximum(whole, 1e-9))
            found = k / (seconds + k * self.encode_s(whole))
        full = np.where(self._kv_sequences < self.scheduler.max_num_seqs, "kv", "seats")
        found, bound = np.where(k > 0, found, 0.0), np.where(self.seats <= balanced, full, "compute")
        encoder = self.apart_s
        if not np.any(encoder > 0):
            return found, bound
        images = 1.0 / np.maximum(encoder, 1e-300)
        return np.minimum(found, images), np.where(images < found, "encoder", bound)

    @cached_property
    def apart_s(self) -> FloatArray:
        """Seconds of a request in an encoder that stands apart, on average over all."""
        apart = self.scheduler.encoder_is_apart
        return np.asarray(self.demand.images, float) * (self.encode_apart_s if apart else 0.0)

    # ---- how ---------------------------------------------------------------------------------------------------------

    @cached_property
    def _kv_sequences(self) -> FloatArray:
        share = np.where(self.decodes > self.prompt_tokens, KV_FILLED_LONG, KV_FILLED)
        return np.asarray(share * np.asarray(self.kv_tokens, float) / np.maximum(self.demand.context_tokens, 1.0))
