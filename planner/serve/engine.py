"""The model's thread: requests that wait join the batch between two tokens, and leave it when their answers end.

Each turn: leave out what was cancelled or took too long, prefill what finds a place (each prompt by itself, so that it
runs as it would alone), then one token for every answer under way. Where a language model keeps a state that is not
one column per token (linear attention), one request is answered at a time.
"""

from __future__ import annotations

import copy
import threading
import time
from collections import deque
from typing import Any

import torch

from planner.serve.job import Job, Voice
from planner.serve.metrics import Metrics
from planner.serve.refusal import SERVER, Refused, failed, timed_out
from planner.serve.rows import Rows, can_join, joined, kept, prefill, step
from planner.serve.sampling import choose
from planner.serve.settings import Settings


class Engine:
    """A model in a thread of its own. All but `start` and `close` may be called from any thread."""

    def __init__(self, model: Any, processor: Any, settings: Settings, metrics: Metrics) -> None:
        self.model, self.settings, self.metrics = model, settings, metrics
        self.places = settings.max_batch if can_join(model.config.text_config) else 1
        """Requests that are answered at the same time."""
        self._voice = voice_of(model, processor)
        self._waiting: deque[Job] = deque()
        self._running: list[Job] = []
        self._joining: list[Job] = []  # between the queue and the batch
        self._rows: Rows | None = None
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="model", daemon=True)

    def start(self) -> None:
        """Take up work."""
        self._thread.start()

    def close(self) -> None:
        """End the thread; what is under way fails."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def alive(self) -> bool:
        """Whether requests are answered."""
        return self._thread.is_alive() and not self._closing

    @property
    def running(self) -> int:
        """Requests being answered."""
        return len(self._running) + len(self._joining)

    @property
    def waiting(self) -> int:
        """Requests that wait for a place."""
        return len(self._waiting)

    def submit(self, job: Job) -> None:
        """Answer a request when there is a place."""
        with self._changed:
            if self._closing:
                job.fail(closing())
                return
            self._waiting.append(job)
            self._changed.notify_all()

    # ---- the thread ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            with self._changed:
                while not (self._waiting or self._running or self._closing):
                    self._changed.wait()
                if self._closing:
                    break
            try:
                self._turn()
            except Exception as error:  # of the model: those under way fail, the server goes on
                self._fail_all(failed(error))
        with self._changed:
            left, self._waiting = list(self._waiting), deque()
        for job in left:
            job.fail(closing())
        self._fail_all(closing())

    def _turn(self) -> None:
        alive = [row for row, job in enumerate(self._running) if not self._given_up(job)]
        self._keep(alive)
        parts = [] if self._rows is None else [self._rows]
        while self.running < self.places and (job := self._next()) is not None:
            row = self._admitted(job)
            if row is None:
                self._joining.remove(job)
            else:
                parts.append(row)
        if self._joining:
            self._running, self._joining = self._running + self._joining, []
            self._rows = joined(parts)
        if self._rows is None:
            return
        logits, self._rows = step(self.model, self._rows, [job.token for job in self._running])
        tokens = choose(logits, [job.chooser for job in self._running])
        self._keep([row for row, (job, token) in enumerate(zip(self._running, tokens, strict=True)) if job.take(token)])

    def _next(self) -> Job | None:
        """The first that waits and is still wanted."""
        while True:
            with self._changed:
                if not self._waiting:
                    return None
                job = self._waiting.popleft()
                self._joining.append(job)
            if not self._given_up(job):
                return job
            self._joining.remove(job)

    def _admitted(self, job: Job) -> Rows | None:
        """The row of a request after its prefill; None where its answer has ended already."""
        begun = time.perf_counter()
        try:
            job.begin(self._voice)
            inputs = {
                name: value.to(self.model.device) if isinstance(value, torch.Tensor) else value
                for name, value in job.prepared.inputs.items()
            }
            logits, row = prefill(self.model, inputs)
            (token,) = choose(logits, [job.chooser])
        except ValueError as error:  # what the model says about inputs that do not go together
            job.fail(Refused(" ".join(str(error).split())[:300], param="messages"))
            return None
        except Exception as error:
            job.fail(failed(error))
            return None
        self.metrics.observe("vllm:request_prefill_time_seconds", time.perf_counter() - begun)
        return row if job.take(token) else None

    def _given_up(self, job: Job) -> bool:
        if job.cancelled:
            job.abort()
            return True
        if time.perf_counter() > job.expires_s:
            job.fail(timed_out(self.settings.timeout_s))
            return True
        return False

    def _keep(self, rows: list[int]) -> None:
        if self._rows is not None and len(rows) < len(self._running):
            self._rows = kept(self._rows, rows)
            self._running = [self._running[row] for row in rows]

    def _fail_all(self, refused: Refused) -> None:
        jobs, self._running, self._joining, self._rows = self._running + self._joining, [], [], None
        for job in jobs:
            job.fail(refused)
        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()


def voice_of(model: Any, processor: Any) -> Voice:
    """Where a model's answers end and what it never says, as its `generate` has it."""
    told = model.generation_config
    ends = told.eos_token_id if told.eos_token_id is not None else processor.tokenizer.eos_token_id
    silent = list(getattr(told, "suppress_tokens", None) or [])
    if model.config.image_token_id < model.config.text_config.vocab_size:
        silent.append(model.config.image_token_id)
    return Voice(
        tokenizer=copy.deepcopy(processor.tokenizer),  # the other one is busy with prompts, in another thread
        ends=() if ends is None else (ends,) if isinstance(ends, int) else tuple(ends),
        silent=tuple(silent),
        repetition_penalty=told.repetition_penalty,
    )


def closing() -> Refused:
    """Of a server that stops."""
    return Refused("the server is stopping", 503, kind=SERVER, headers={"Retry-After": "5"})
