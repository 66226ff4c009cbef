"""Counters and histograms in Prometheus' text format, under vLLM's names, so that its dashboards read them."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_TTFT_S = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0)
_TOKEN_S = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
_REQUEST_S = (0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0, 240.0, 480.0)


class Histogram:
    """Counts of values at or under each edge."""

    def __init__(self, edges: Sequence[float]) -> None:
        self.edges = tuple(edges)
        self.counts = [0] * (len(edges) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Adds a value."""
        place = next((place for place, edge in enumerate(self.edges) if value <= edge), len(self.edges))
        self.counts[place] += 1
        self.total += value

    @property
    def count(self) -> int:
        """Values so far."""
        return sum(self.counts)


class Metrics:
    """What a server did so far. May be told and read from several threads."""

    def __init__(self, model: str) -> None:
        self._label = f'model_name="{_escaped(model)}"'
        self._lock = threading.Lock()
        self._histograms = {name: Histogram(edges) for name, (_, edges) in _HISTOGRAMS.items()}
        self._counters = dict.fromkeys(_COUNTERS, 0.0)
        self._ended: dict[str, int] = {}
        self._refused: dict[str, int] = {}

    def observe(self, name: str, value: float) -> None:
        """Adds a value to a histogram."""
        with self._lock:
            self._histograms[name].observe(value)

    def add(self, name: str, value: float) -> None:
        """Raises a counter."""
        with self._lock:
            self._counters[name] += value

    def ended(self, reason: str) -> None:
        """A request whose answer ended: stop, length, abort or error."""
        with self._lock:
            self._ended[reason] = self._ended.get(reason, 0) + 1

    def refused(self, status: int) -> None:
        """A request that was not answered."""
        with self._lock:
            self._refused[str(status)] = self._refused.get(str(status), 0) + 1

    @property
    def mean_request_s(self) -> float | None:
        """Seconds of a request so far; None before the first has ended."""
        with self._lock:
            seen = self._histograms["vllm:e2e_request_latency_seconds"]
            return seen.total / seen.count if seen.count else None

    def text(self, running: int, waiting: int) -> str:
        """All of it, for Prometheus."""
        with self._lock:
            return "\n".join(self._lines(running, waiting)) + "\n"

    def _lines(self, running: int, waiting: int) -> Iterator[str]:
        label = self._label
        for name, what, value in (
            ("vllm:num_requests_running", "Requests being answered.", running),
            ("vllm:num_requests_waiting", "Requests waiting for a place.", waiting),
        ):
            yield from _head(name, what, "gauge")
            yield f"{name}{{{label}}} {value}"
        for name, what in _COUNTERS.items():
            yield from _head(name, what, "counter")
            yield f"{name}{{{label}}} {self._counters[name]:.17g}"
        yield from _head("vllm:request_success_total", "Requests whose answer ended, by reason.", "counter")
        for reason, count in sorted(self._ended.items()):
            yield f'vllm:request_success_total{{{label},finished_reason="{reason}"}} {count}'
        yield from _head("vlm_planner:requests_refused_total", "Requests not answered, by HTTP status.", "counter")
        for status, count in sorted(self._refused.items()):
            yield f'vlm_planner:requests_refused_total{{{label},status="{status}"}} {count}'
        for name, (what, _) in _HISTOGRAMS.items():
            yield from _head(name, what, "histogram")
            seen, so_far = self._histograms[name], 0
            for edge, count in zip((*seen.edges, float("inf")), seen.counts, strict=True):
                so_far += count
                yield f'{name}_bucket{{{label},le="{"+Inf" if edge == float("inf") else edge}"}} {so_far}'
            yield f"{name}_sum{{{label}}} {seen.total:.17g}"
            yield f"{name}_count{{{label}}} {so_far}"


_COUNTERS = {
    "vllm:prompt_tokens_total": "Tokens of prompts that were run, image tokens included.",
    "vllm:generation_tokens_total": "Tokens that were generated.",
}
_HISTOGRAMS = {
    "vllm:time_to_first_token_seconds": ("From a request's arrival to its first token.", _TTFT_S),
    "vllm:inter_token_latency_seconds": ("Between two tokens of an answer.", _TOKEN_S),
    "vllm:request_time_per_output_token_seconds": ("Mean of a request, the first token left out.", _TOKEN_S),
    "vllm:e2e_request_latency_seconds": ("From a request's arrival to its last token.", _REQUEST_S),
    "vllm:request_queue_time_seconds": ("From a request's arrival to the start of its prefill.", _REQUEST_S),
    "vllm:request_prefill_time_seconds": ("Of a request's prefill, images included.", _REQUEST_S),
}


def _head(name: str, what: str, kind: str) -> Iterator[str]:
    yield f"# HELP {name} {what}"
    yield f"# TYPE {name} {kind}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
