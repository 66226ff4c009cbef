"""Engines that load weights as they were released, from the hub or a folder."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping

from planner.base.dataclass import dataclass
from planner.engines.base import Asked, Batching, Engine, Held, Refused, refused_knob
from planner.parts.images import ImageRule

Spelling = Callable[[ImageRule, str], dict[str, object]]
"""A knob of a rule, as an image processor takes it."""
Spellings = Mapping[str, Spelling]

DTYPES = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}
"""As --dtype takes them."""


@dataclass(frozen=True, kw_only=True)
class HubEngine(Engine):
    """What such engines share."""

    architectures: Mapping[str, Spellings]
    """Architectures of our catalogue that it has a class for, each with the knobs that it takes."""
    quantised: Mapping[str, str]
    """Precisions to which it quantises released weights while it loads them, as its option names them."""
    stored: Mapping[str, tuple[str, ...]]
    """Methods of quantised checkpoints that it reads, with what has to be said beside."""
    caches: Mapping[str, str]
    """Precisions of its KV cache, as its option names them."""

    def serve(self, asked: Asked) -> tuple[list[str], list[str], tuple[str, ...]]:
        self.refuse_unknown(asked, self.architectures)
        knob = self.knob_words(self._settings(asked)) if asked.turned else []
        words = [*self.start_words(asked), *self._weights(asked)]
        words += ["--tensor-parallel-size", str(int(asked.run.tensor_parallel)), *self.limit_words(asked)]
        share, notes = ([], ()) if asked.held is None else self.memory_words(asked.held)
        shared = [] if asked.batching is None else self.batching_words(asked.batching)
        return [*words, *share, *self._cache(asked), *shared, *knob], knob, notes

    @abstractmethod
    def start_words(self, asked: Asked) -> list[str]:
        """The program and the model."""

    @abstractmethod
    def limit_words(self, asked: Asked) -> list[str]:
        """Longest sequence and images of a prompt."""

    @abstractmethod
    def memory_words(self, held: Held) -> tuple[list[str], tuple[str, ...]]:
        """The share of a device that it takes, and notes."""

    @abstractmethod
    def batching_words(self, batching: Batching) -> list[str]:
        """The constants of its scheduler."""

    @abstractmethod
    def knob_words(self, settings: dict[str, object]) -> list[str]:
        """Settings of the image processor."""

    def _settings(self, asked: Asked) -> dict[str, object]:
        taken = self.architectures[asked.architecture]
        said: dict[str, object] = {}
        for name in asked.turned:
            if name not in taken:
                raise refused_knob(self, asked, name)
            said |= taken[name](asked.model.rule, name)
        return said

    def _weights(self, asked: Asked) -> list[str]:
        """The precision of the weights. A checkpoint that is quantised says itself how, and in what its products run:
        both engines read that, and refuse a --quantization that differs."""
        stored, precision = asked.model.checkpoint.quantisation, asked.run.precision
        if stored is None:
            return ["--dtype", DTYPES[asked.wide], *self._precision(asked)]
        name = asked.model.checkpoint.name
        if precision != stored.precision:
            raise Refused(
                f"the weights of {name} are stored in {stored.precision} ({stored.method}), and {self.title} does not "
                f"turn them into {precision}; plan with {stored.precision}, or with a checkpoint that is not quantised"
            )
        if stored.method not in self.stored:
            raise Refused(
                f"{self.title} {self.version} does not read weights that {stored.method} quantised; choose "
                f"{', '.join(self.stored)} or another engine"
            )
        return ["--dtype", "auto", *self.stored[stored.method]]

    def _precision(self, asked: Asked) -> list[str]:
        precision = asked.run.precision
        if precision in DTYPES:
            return []
        if precision not in self.quantised:
            raise Refused(
                f"{self.title} {self.version} does not quantise released weights to {precision} while it loads them; "
                f"choose {', '.join((*DTYPES, *self.quantised))} or a checkpoint that is quantised already"
            )
        return ["--quantization", self.quantised[precision]]

    def _cache(self, asked: Asked) -> list[str]:
        cache = asked.run.kv_precision
        if cache is None or (cache == asked.wide and cache not in self.caches):
            return []  # left out, it has the precision of what is not quantised
        if cache not in self.caches:
            raise Refused(f"{self.title} {self.version} has no KV cache in {cache}; choose {', '.join(self.caches)}")
        return ["--kv-cache-dtype", self.caches[cache]]


def plain(rule: ImageRule, name: str) -> dict[str, object]:
    """A setting under its own name."""
    return {name: rule.setting(name)}


def longest_edge(rule: ImageRule, name: str) -> dict[str, object]:
    """A longer side as the image processor of transformers takes it."""
    return {"size": {"longest_edge": rule.setting(name)}}


def both_edges(rule: ImageRule, name: str) -> dict[str, object]:
    """Both bounds on pixels as image processors of transformers take them, some of which refuse one alone."""
    return {"size": {"shortest_edge": rule.setting("min_pixels"), "longest_edge": rule.setting("max_pixels")}}
