"""One request on its way through the model, and what its sender is told."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from planner.serve.metrics import Metrics
from planner.serve.pieces import Pieces
from planner.serve.prepare import Prepared
from planner.serve.refusal import Refused
from planner.serve.sampling import Chooser


@dataclass(frozen=True)
class Piece:
    """A token came."""

    text: str
    """Empty while a character or a stop text is not complete."""
    generated_tokens: int
    """So far."""


@dataclass(frozen=True)
class Done:
    """The answer ended."""

    reason: str
    """stop or length."""
    generated_tokens: int


Event: TypeAlias = Piece | Done | Refused


@dataclass(frozen=True)
class Voice:
    """What of a model decides where its answers end and what it never says."""

    tokenizer: Any
    ends: tuple[int, ...]
    """Ids that end an answer."""
    silent: tuple[int, ...]
    """Ids that are never said."""
    repetition_penalty: float | None

    def chooser(self, prepared: Prepared) -> Chooser:
        """How the tokens of a request are chosen."""
        sampling = prepared.chat.sampling
        if sampling.repetition_penalty is None:
            sampling = replace(sampling, repetition_penalty=self.repetition_penalty)
        return Chooser(sampling, prepared.inputs["input_ids"][0], self.silent, self.ends, prepared.chat.min_tokens)


class Job:
    """A request in the hands of the model's thread. `cancel` may be called from any thread."""

    def __init__(
        self, prepared: Prepared, arrived_s: float, timeout_s: float, tell: Callable[[Event], None], metrics: Metrics
    ) -> None:
        self.prepared = prepared
        self.expires_s = arrived_s + timeout_s
        self.cancelled = False
        self.token = 0
        """The last one, which the model reads next."""
        self.generated_tokens = 0
        self._arrived_s, self._tell, self._metrics = arrived_s, tell, metrics
        self._first_s = self._last_s = arrived_s
        self._ends: Sequence[int] = ()

    def begin(self, voice: Voice) -> None:
        """Called once, before the prefill."""
        self.chooser = voice.chooser(self.prepared)
        self._pieces = Pieces(voice.tokenizer, self.prepared.chat.stop)
        self._ends = () if self.prepared.chat.ignore_eos else voice.ends
        self._metrics.observe("vllm:request_queue_time_seconds", time.perf_counter() - self._arrived_s)
        self._metrics.add("vllm:prompt_tokens_total", self.prepared.prompt_tokens)

    def cancel(self) -> None:
        """Nobody waits for the answer any longer."""
        self.cancelled = True

    def take(self, token: int) -> bool:
        """The next token came; returns whether the answer goes on."""
        now = time.perf_counter()
        self.token, self.generated_tokens = token, self.generated_tokens + 1
        if self.generated_tokens == 1:
            self._first_s = now
            self._metrics.observe("vllm:time_to_first_token_seconds", now - self._arrived_s)
        else:
            self._metrics.observe("vllm:inter_token_latency_seconds", now - self._last_s)
        self._last_s = now
        self._metrics.add("vllm:generation_tokens_total", 1)
        ended = token in self._ends
        text = "" if ended else self._pieces.add(token)
        full = self.generated_tokens >= self.prepared.max_tokens
        reason = "stop" if ended or self._pieces.stopped else "length" if full else None
        if reason is not None:
            text += self._pieces.end()
            reason = "stop" if self._pieces.stopped else reason
        self._tell(Piece(text, self.generated_tokens))
        if reason is None:
            return True
        self._note_end(reason)
        self._tell(Done(reason, self.generated_tokens))
        return False

    def fail(self, refused: Refused) -> None:
        """The answer does not come, or not to its end."""
        self._metrics.ended("error")
        self._tell(refused)

    def abort(self) -> None:
        """After `cancel`: nobody is told."""
        self._metrics.ended("abort")

    def _note_end(self, reason: str) -> None:
        self._metrics.ended(reason)
        self._metrics.observe("vllm:e2e_request_latency_seconds", self._last_s - self._arrived_s)
        if self.generated_tokens > 1:
            mean = (self._last_s - self._first_s) / (self.generated_tokens - 1)
            self._metrics.observe("vllm:request_time_per_output_token_seconds", mean)
