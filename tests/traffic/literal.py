"""The scheduler written out: one object per sequence, one iteration after the other, every block counted.

Follows `Scheduler.schedule` of vLLM's v1: sequences that run take their tokens in the order in which they were let in
and throw out the last where no block is left; then those that wait are let in.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(eq=False)
class Sequence:
    comes_s: float
    prompt: int
    answer: int
    cached: int = 0
    images: int = 0
    computed: int = 0
    """Behind the cached tokens."""
    generated: int = 0
    blocks: int = 0
    preemptions: int = 0
    first_s: float = np.inf
    end_s: float = np.inf
    decoding: bool = False
    """Whether all of its prompt, and what it had generated before it was thrown out, is computed."""

    @property
    def known(self) -> int:
        """Tokens that can be computed: prompt and generated ones."""
        return self.prompt + self.generated


@dataclass
class Iteration:
    start_s: float
    seconds: float
    decodes: int
    prefill: int


@dataclass
class Literal:
    """An engine."""

    iteration: Any
    seats: int
    budget: int
    chunked: bool = True
    blocks: float = np.inf
    block: int = 16
    encoders: int = 1
    ahead: bool = False
    """Whether an iteration is filled when the one before it begins."""
    iterations: list[Iteration] = field(default_factory=list)

    def run(self, sequences: list[Sequence]) -> list[Sequence]:
        coming, waiting, running = sorted(sequences, key=lambda one: one.comes_s), [], []
        now, known, just_ended = 0.0, 0.0, []
        while coming or waiting or running:
            while coming and coming[0].comes_s <= known:
                waiting.append(coming.pop(0))
            held = just_ended if self.ahead else []
            scheduled = self.schedule(waiting, running, held)
            if scheduled:
                begin = now
                now, just_ended = self.execute(now, scheduled, running)
                known = begin if self.ahead else now
            elif held:
                known, just_ended = now, []
            else:
                now = known = max(now, coming[0].comes_s)
        return sequences

    def schedule(
        self, waiting: list[Sequence], running: list[Sequence], held: list[Sequence]
    ) -> list[tuple[Sequence, int]]:
        """What an iteration computes; `held` have ended, and are not known to have."""
        free = self.blocks - sum(one.blocks for one in (*running, *held))
        budget, scheduled, thrown = self.budget, [], False
        index = 0
        while index < len(running) and budget > 0:
            one = running[index]
            tokens = min(one.known - one.computed, budget)
            new = max(0, -(-(one.cached + one.computed + tokens) // self.block) - one.blocks)
            while new > free:
                last = running.pop()
                free += last.blocks
                last.blocks = last.computed = 0
                last.decoding = False
                last.preemptions += 1
                waiting.insert(0, last)
                thrown = True
                if last is one:
                    break
            else:
                one.blocks, free = one.blocks + new, free - new
                scheduled.append((one, tokens))
                budget -= tokens
                index += 1
                continue
            break
        while waiting and not thrown and budget > 0 and len(running) + len(held) < self.seats:
            one = waiting[0]
            tokens = one.known
            if tokens > budget and not self.chunked:
                break
            whole = -(-(one.cached + one.known) // self.block)
            if whole > free:
                break
            tokens = min(tokens, budget)
            one.blocks, free = whole, free - whole
            running.append(waiting.pop(0))
            scheduled.append((one, tokens))
            budget -= tokens
        return scheduled

    def execute(
        self, now: float, scheduled: list[tuple[Sequence, int]], running: list[Sequence]
    ) -> tuple[float, list[Sequence]]:
        """When it is done, and which sequences it ends."""
        ended = []
        seconds = self.seconds(scheduled)
        decodes = sum(one.decoding for one, _ in scheduled)
        self.iterations.append(Iteration(now, seconds, decodes, sum(tokens for _, tokens in scheduled) - decodes))
        now += seconds
        for one, tokens in scheduled:
            one.computed += tokens
            if one.computed == one.known:
                one.decoding = True
                one.generated += 1
                one.first_s = min(one.first_s, now)
                if one.generated == one.answer:
                    one.end_s = now
                    running.remove(one)
                    ended.append(one)
        return now, ended

    def seconds(self, scheduled: list[tuple[Sequence, int]]) -> float:
        steps = [one for one, _ in scheduled if one.decoding]
        chunks = [(one, tokens) for one, tokens in scheduled if not one.decoding]
        ends = sum(1 for one, tokens in chunks if one.computed + tokens == one.known)
        images = 0
        for one, tokens in chunks:
            done = one.computed
            images += sum(1 for j in range(one.images) if done <= j * one.known / one.images < done + tokens)
        return float(
            self.iteration.seconds(
                float(len(steps)),
                float(sum(one.cached + one.known for one in steps)),
                float(sum(tokens for _, tokens in chunks)),
                sum(n * (one.cached + one.computed + (n + 1) / 2) for one, n in chunks),
                float(len(steps) + ends),
                prompts=float(len(chunks)),
                images=float(-(-images // self.encoders)),
            )
        )
