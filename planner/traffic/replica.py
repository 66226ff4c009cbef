"""One server: GPUs that share a model, and the scheduler that fills their iterations."""

from __future__ import annotations

import math
from functools import cached_property

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.base.quantities import shown, whole_number
from planner.traffic.iteration_time import IterationTime
from planner.traffic.scheduler import Scheduler
from planner.traffic.times import Times, times_of


@dataclass(frozen=True)
class Replica:
    """A server. Raises InputError for room or seconds that are no numbers from 0 on."""

    iteration: IterationTime
    """How long an iteration takes."""
    scheduler: Scheduler
    """What fits into one."""
    kv_tokens: float
    """Tokens of the KV cache that there is room for, of all sequences together; infinite: no bound."""
    request_s: float = 0.0
    """Of the host for a request, before it reaches the scheduler and behind it: in the time to the first token and the
    latency, and in no iteration."""
    encode_apart_s: float = 0.0
    """In which an encoder that stands apart encodes one image; images wait for each other."""
    gpus: int = 1
    """That share the model; with `encoder_data_parallel` each encodes its part of an iteration's images."""

    def __post_init__(self) -> None:
        for name in ("request_s", "encode_apart_s", "kv_tokens"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
                raise InputError(f"{name}: expected a number from 0 on, got {shown(value)}")
        if math.isinf(self.request_s + self.encode_apart_s):
            raise InputError("request_s, encode_apart_s: expected seconds that end, got infinity")
        object.__setattr__(self, "gpus", whole_number(self.gpus, "gpus", 1))

    @property
    def kv_blocks(self) -> float:
        """Whole blocks of the KV cache."""
        blocks = self.kv_tokens / self.scheduler.block_tokens
        return blocks if math.isinf(blocks) else math.floor(blocks)

    def times(self, context_tokens: int, images: int) -> Times:
        """Seconds of its iterations as a loop over them asks for them; tables are made once.

        Args:
            context_tokens: of the longest sequence.
            images: of a request at most, that are encoded in iterations.
        """
        key = (context_tokens, images)
        if key not in self._times:
            seats, tokens = self.scheduler.max_num_seqs, self.scheduler.max_num_batched_tokens
            self._times[key] = times_of(self.iteration, seats, tokens, context_tokens, images)
        return self._times[key]

    @cached_property
    def _times(self) -> dict[tuple[int, int], Times]:
        return {}
