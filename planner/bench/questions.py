"""The questions that a deployer asks, each answer a sentence with the numbers behind it.

    fewer tokens   saving(V) = 1 - TTFT(fewest V) / TTFT(V); it counts where it is above 5 % and above its noise
    where          share of a stage in TTFT + (G - 1) TPOT
    batch          the smallest batch whose requests per second are within 5 % of the best

Letters: V visual tokens, G generated. `planner.bench.answers` works them out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, field
from typing import Any

from planner.base.dataclass import dataclass
from planner.base.quantities import format_factor, format_percent, format_seconds, format_significant

MATTERS = 0.05
"""A smaller part of a time, or of a throughput, is not worth a change."""
MEASURED, PREDICTED = "measured", "predicted"
_TITLES = {
    "encoder": "the vision encoder",
    "compressor": "the compressor",
    "query_pass": "the query pass",
    "prefill": "the prefill",
    "decode": "decoding",
}


@dataclass(frozen=True)
class FewerTokens:
    """Do fewer visual tokens make this deployment faster, and down to how many?"""

    subject: str
    batch: int
    source: str
    visual_tokens: tuple[int, ...]
    """Ascending."""
    ttft_s: tuple[float, ...]
    saving: tuple[float, ...]
    """Of each TTFT, by going to the fewest."""
    noise: tuple[float, ...]
    """What a saving may be off by: two standard errors."""
    enough: int
    """Fewer tokens than these save next to nothing."""

    @property
    def faster(self) -> bool:
        """Whether the fewest tokens are faster than the most."""
        return self.enough < self.visual_tokens[-1]

    @property
    def sentence(self) -> str:
        fewest, most = self.visual_tokens[0], self.visual_tokens[-1]
        first, last = self.ttft_s[0], self.ttft_s[-1]
        times = f"TTFT {format_seconds(last)} at {most}, {format_seconds(first)} at {fewest}"
        if not self.faster:
            noisy = self.noise[-1] > MATTERS
            limit = "the noise" if noisy else format_percent(MATTERS, 1.0)
            text = "Fewer visual tokens do not make it faster"
            return f"{text}: from {most} to {fewest} they save less than {limit} ({times})."
        text = f"Fewer visual tokens make it {format_factor(last / first)} times faster ({times})"
        if self.enough == fewest:
            return f"{text}; every step down to {fewest} counts."
        left = self.saving[self.visual_tokens.index(self.enough)]
        gain = "nothing" if left <= 0 else format_percent(left, 1.0)
        return f"{text}, but from {self.enough} tokens down there is {gain} left to gain."

    def to_dict(self) -> dict[str, Any]:
        return {"question": "fewer_tokens", "sentence": self.sentence, "faster": self.faster, **asdict(self)}


@dataclass(frozen=True)
class WhereTimeGoes:
    """Which stage does the time go to?"""

    subject: str
    visual_tokens: int
    batch: int
    source: str
    seconds: Mapping[str, float] = field(hash=False)
    """By stage, longest first."""

    @property
    def total_s(self) -> float:
        return sum(self.seconds.values())

    @property
    def shares(self) -> dict[str, float]:
        return {name: seconds / self.total_s for name, seconds in self.seconds.items()}

    @property
    def sentence(self) -> str:
        (first, share), *others = self.shares.items()
        tokens = "1 visual token" if self.visual_tokens == 1 else f"{self.visual_tokens} visual tokens"
        rest = ", ".join(f"{format_percent(part, 1.0)} {_TITLES[name]}" for name, part in others if part >= 0.005)
        text = f"With {tokens} at batch {self.batch}, {format_percent(share, 1.0)} of "
        text += f"{format_seconds(self.total_s)}, the sum of the stages, goes to {_TITLES[first]}"
        return f"{text}; {rest}." if rest else f"{text}."

    def to_dict(self) -> dict[str, Any]:
        return {"question": "where_time_goes", "sentence": self.sentence, "shares": self.shares, **asdict(self)}


@dataclass(frozen=True)
class FullBatch:
    """What batch fills the device?"""

    subject: str
    visual_tokens: int
    source: str
    batches: tuple[int, ...]
    """Ascending."""
    requests_per_s: tuple[float, ...]
    request_s: tuple[float, ...]
    """Of the whole batch, which every request waits for."""
    enough: int
    """The smallest batch within 5 % of the best throughput."""

    @property
    def still_growing(self) -> bool:
        """Whether a larger batch than any here may do more."""
        return self.enough == self.batches[-1]

    @property
    def sentence(self) -> str:
        place = self.batches.index(self.enough)
        rate, took = self.requests_per_s[place], self.request_s[place]
        tokens = "1 visual token" if self.visual_tokens == 1 else f"{self.visual_tokens} visual tokens"
        doing = f"{format_significant(rate)} requests/s, {format_seconds(took)} each"
        factor = rate / self.requests_per_s[0]
        than = f", {format_factor(factor)} times the throughput of batch {self.batches[0]}"
        if self.still_growing:
            return f"With {tokens} the largest batch here, {self.enough}, does not fill it yet: {doing}{than}."
        than = than if place else ""
        return f"With {tokens} a batch of {self.enough} fills it: {doing}{than}; larger ones only take longer."

    def to_dict(self) -> dict[str, Any]:
        growing = self.still_growing
        return {"question": "full_batch", "sentence": self.sentence, "still_growing": growing, **asdict(self)}


Answer = FewerTokens | WhereTimeGoes | FullBatch
