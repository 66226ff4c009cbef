"""Result files of load testers, built from requests with the field names that the tools write.

Names as in vLLM 0.32 (`vllm/benchmarks/serve.py`), GuideLLM 0.8.1 (`benchmark/schemas`, report version 2) and AIPerf
0.13 (`common/models/export_models.py`, `record_export_models.py`, `exporters/metrics_csv_exporter.py`).
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Ran:
    """Requests of one test, in columns."""

    start_s: FloatArray
    input_tokens: FloatArray
    generated_tokens: FloatArray
    ttft_s: FloatArray
    latency_s: FloatArray
    rate: float | None = None
    """Poisson; None: a closed loop."""
    concurrency: int | None = None
    model: str = "Qwen/Qwen3-0.6B"
    failed: int = 0

    @property
    def tpot_s(self) -> FloatArray:
        found: FloatArray = (self.latency_s - self.ttft_s) / (self.generated_tokens - 1)
        return found

    @property
    def duration_s(self) -> float:
        return float((self.start_s + self.latency_s).max() - self.start_s.min())

    def __len__(self) -> int:
        return len(self.start_s)


def made(count: int = 40, seed: int = 0, **options: Any) -> Ran:
    """Requests with made-up times."""
    draw = np.random.default_rng(seed)
    rate = options.get("rate") or 4.0
    tokens = np.full(count, 32.0)
    ttft = draw.uniform(0.05, 0.2, count)
    return Ran(
        start_s=np.cumsum(draw.exponential(1 / rate, count)),
        input_tokens=draw.integers(90, 110, count).astype(float),
        generated_tokens=tokens,
        ttft_s=ttft,
        latency_s=ttft + (tokens - 1) * draw.uniform(0.01, 0.02, count),
        **options,
    )


# ---- vllm bench serve --------------------------------------------------------------------------------------------


def vllm_bench(ran: Ran, *, detailed: bool = False, recent: bool = True, **metadata: Any) -> dict[str, Any]:
    """What --save-result writes; metadata as --metadata KEY=VALUE, which are texts; `recent`: as of 0.32."""
    found: dict[str, Any] = {
        "date": f"20261130-{100000 + int(ran.start_s[-1] * 100) % 900000}",
        "endpoint_type": "openai-chat",
        "backend": "openai-chat",
        "label": None,
        "model_id": ran.model,
        "tokenizer_id": ran.model,
        "num_prompts": len(ran) + ran.failed,
        **{key: str(value) for key, value in metadata.items()},
        "request_rate": "inf" if ran.rate is None else ran.rate,
        "burstiness": 1.0,
        "max_concurrency": ran.concurrency,
        "duration": ran.duration_s,
        "completed": len(ran),
        "failed": ran.failed,
        "total_input_tokens": int(ran.input_tokens.sum()),
        "total_output_tokens": int(ran.generated_tokens.sum()),
        "request_throughput": len(ran) / ran.duration_s,
        "request_goodput": None,
        "output_throughput": float(ran.generated_tokens.sum()) / ran.duration_s,
        "total_token_throughput": float((ran.generated_tokens + ran.input_tokens).sum()) / ran.duration_s,
        "max_output_tokens_per_s": 100.0,
        "max_concurrent_requests": 3,
        "rtfx": 0.0,
    }
    if recent:
        found |= {"latencies": [*map(float, ran.latency_s), *[0.0] * ran.failed], "queue_times": [0.0] * len(ran)}
    if detailed:
        gaps = [[float(gap)] * (int(n) - 1) for gap, n in zip(ran.tpot_s, ran.generated_tokens, strict=True)]
        found |= {
            "input_lens": [*map(int, ran.input_tokens), *[100] * ran.failed],
            "output_lens": [*map(int, ran.generated_tokens), *[0] * ran.failed],
            "ttfts": [*map(float, ran.ttft_s), *[0.0] * ran.failed],
            "itls": gaps + [[]] * ran.failed,
            "start_times": [5000 + float(start) for start in ran.start_s] + [5000.0] * ran.failed,
            "generated_texts": ["a"] * len(ran) + [""] * ran.failed,
            "errors": [""] * len(ran) + ["Bad Gateway"] * ran.failed,
        }  # fmt: skip
    for name, values in (("ttft", ran.ttft_s), ("tpot", ran.tpot_s), ("itl", ran.tpot_s), ("e2el", ran.latency_s)):
        milli = 1000 * values
        found |= {
            f"mean_{name}_ms": float(milli.mean()),
            f"median_{name}_ms": float(np.median(milli)),
            f"std_{name}_ms": float(milli.std()),
            **{f"p{percent}_{name}_ms": float(np.percentile(milli, percent)) for percent in (50, 90, 95, 99)},
        }
    return found


def sweep_csv(runs: list[dict[str, Any]]) -> str:
    """The summary.csv of a sweep, as pandas writes it."""
    import pandas as pd

    return str(pd.DataFrame.from_records(runs).to_csv())


# ---- GuideLLM ----------------------------------------------------------------------------------------------------


def guidellm(runs: list[Ran], *, version: str = "0.8.1", detailed: bool = True, image: str = "") -> dict[str, Any]:
    """A report of version 2."""
    data: list[dict[str, Any]] = [{"kind": "synthetic_text", "prompt_tokens": 100, "output_tokens": 32}]
    if image:
        width, height = map(int, image.split("x"))
        data.append({"kind": "synthetic_image", "width": width, "height": height, "images_per_request": 1})
    return {
        "metadata": {"version": 2, "guidellm_version": version, "python_version": "3.11.9", "platform": "Linux"},
        "config": {
            "metadata": {"labels": {}},
            "spec": {"backend": {"kind": "openai_http", "model": runs[0].model}, "data": data},
        },
        "benchmarks": [_benchmark(ran, place, detailed) for place, ran in enumerate(runs)],
    }


def _benchmark(ran: Ran, place: int, detailed: bool) -> dict[str, Any]:
    strategy: dict[str, Any] = {"type_": "poisson", "rate": ran.rate, "max_concurrency": ran.concurrency}
    if ran.rate is None:
        strategy = {"type_": "concurrent", "streams": ran.concurrency, "max_concurrency": None}
    start, end = 1.7e9, 1.7e9 + ran.duration_s
    return {
        "type_": "generative_benchmark",
        "config": {
            "id_": f"benchmark-{place}-{ran.rate}-{ran.concurrency}",
            "run_id": "run",
            "run_index": place,
            "strategy": strategy,
            "prefer_response_metrics": True,
            "backend": {"kind": "openai_http", "target": "http://localhost:8000", "model": ran.model},
        },
        "scheduler_metrics": {"measure_start_time": start, "measure_end_time": end},
        "metrics": {
            "request_totals": {
                "successful": len(ran),
                "errored": ran.failed,
                "incomplete": 0,
                "total": len(ran) + ran.failed,
            },
            "request_latency": _summaries(ran.latency_s),
            "prompt_token_count": _summaries(ran.input_tokens),
            "output_token_count": _summaries(ran.generated_tokens),
            "time_to_first_token_ms": _summaries(1000 * ran.ttft_s),
            "time_per_output_token_ms": _summaries(1000 * ran.latency_s / ran.generated_tokens),
            "inter_token_latency_ms": _summaries(1000 * ran.tpot_s),
            "text": {"tokens": {"input": _summaries(ran.input_tokens)}},
        },
        "requests": {"successful": _guided(ran) if detailed else None, "errored": [], "incomplete": [], "total": None},
        "start_time": start,
        "end_time": end,
        "duration": end - start,
    }


def _summaries(values: FloatArray) -> dict[str, Any]:
    return {"successful": _summary(values), "errored": _summary(values[:0]), "incomplete": _summary(values[:0])}


def _summary(values: FloatArray) -> dict[str, Any]:
    names = {"p001": 0.1, "p01": 1, "p05": 5, "p10": 10, "p25": 25, "p50": 50, "p75": 75, "p90": 90, "p95": 95,
             "p99": 99, "p999": 99.9}  # fmt: skip
    known = values if len(values) else np.zeros(1)
    return {
        "mean": float(known.mean()),
        "median": float(np.median(known)),
        "mode": float(known[0]),
        "variance": float(known.var()),
        "std_dev": float(known.std()),
        "min": float(known.min()),
        "max": float(known.max()),
        "count": len(values),
        "total_sum": float(known.sum()),
        "percentiles": {name: float(np.percentile(known, percent)) for name, percent in names.items()},
        "pdf": None,
    }


def _guided(ran: Ran) -> list[dict[str, Any]]:
    return [
        {
            "type_": "generative_request_stats",
            "request_id": f"request-{place}",
            "input_metrics": {"text_tokens": int(ran.input_tokens[place]), "image_tokens": None},
            "output_metrics": {"text_tokens": int(ran.generated_tokens[place])},
            "request_start_time": 1.7e9 + float(ran.start_s[place]),
            "request_end_time": 1.7e9 + float(ran.start_s[place] + ran.latency_s[place]),
            "request_latency": float(ran.latency_s[place]) + 0.001,  # the usage chunk comes after the last token
            "prompt_tokens": int(ran.input_tokens[place]),
            "output_tokens": int(ran.generated_tokens[place]),
            "time_to_first_token_ms": 1000 * float(ran.ttft_s[place]),
            "inter_token_latency_ms": 1000 * float(ran.tpot_s[place]),
        }
        for place in range(len(ran))
    ]


# ---- AIPerf ------------------------------------------------------------------------------------------------------

_HEADERS = {
    "time_to_first_token": "Time to First Token",
    "inter_token_latency": "Inter Token Latency",
    "request_latency": "Request Latency",
    "input_sequence_length": "Input Sequence Length",
    "output_sequence_length": "Output Sequence Length",
}
_STATS = ("avg", "min", "max", "p1", "p5", "p10", "p25", "p50", "p75", "p90", "p95", "p99", "std")


def aiperf(ran: Ran, *, version: str = "0.13.0", image: str = "", old: bool = False) -> dict[str, Any]:
    """profile_export_aiperf.json; `old`: with the configuration as versions before 0.10 wrote it."""
    return {
        "schema_version": "1.4",
        "aiperf_version": version,
        "benchmark_id": f"run-{ran.rate}-{ran.concurrency}-{version}",
        **{name: {"unit": unit, **_stats(values)} for name, (unit, values) in _metrics(ran).items()},
        "request_throughput": {"unit": "requests/sec", "avg": len(ran) / ran.duration_s},
        "request_count": {"unit": "requests", "avg": float(len(ran))},
        "error_request_count": {"unit": "requests", "avg": float(ran.failed)},
        "benchmark_duration": {"unit": "sec", "avg": ran.duration_s},
        "input_config": _old_config(ran, image) if old else _config(ran, image),
        "was_cancelled": False,
    }


def _config(ran: Ran, image: str) -> dict[str, Any]:
    phase: dict[str, Any] = {"name": "profiling", "kind": "profiling", "requests": len(ran)}
    if ran.rate is None:
        phase |= {"type": "concurrency", "concurrency": ran.concurrency}
    else:
        phase |= {"type": "poisson", "rate": ran.rate}
    dataset: dict[str, Any] = {"name": "default", "type": "synthetic", "prompts": {"isl": {"mean": 100.0}}}
    if image:
        width, height = map(float, image.split("x"))
        dataset["images"] = {"batch_size": 1, "width": {"mean": width}, "height": {"mean": height}}
    return {
        "models": {"items": [{"name": ran.model}]},
        "endpoint": {"urls": ["http://localhost:8000"], "streaming": True},
        "datasets": [dataset],
        "phases": [{"name": "warmup", "kind": "warmup", "type": "concurrency", "requests": 5}, phase],
    }


def _old_config(ran: Ran, image: str) -> dict[str, Any]:
    load: dict[str, Any] = {"request_count": len(ran)}
    load |= {"concurrency": ran.concurrency} if ran.rate is None else {"request_rate": ran.rate}
    given: dict[str, Any] = {"prompt": {"input_tokens": {"mean": 100}}}
    if image:
        width, height = map(float, image.split("x"))
        given["image"] = {"width": {"mean": width}, "height": {"mean": height}}
    return {"endpoint": {"model_names": [ran.model], "streaming": True}, "loadgen": load, "input": given}


def _metrics(ran: Ran) -> dict[str, tuple[str, FloatArray]]:
    return {
        "time_to_first_token": ("ms", 1000 * ran.ttft_s),
        "inter_token_latency": ("ms", 1000 * ran.tpot_s),
        "request_latency": ("ms", 1000 * ran.latency_s),
        "input_sequence_length": ("tokens", ran.input_tokens),
        "output_sequence_length": ("tokens", ran.generated_tokens),
    }


def _stats(values: FloatArray) -> dict[str, float]:
    found = {"avg": float(values.mean()), "min": float(values.min()), "max": float(values.max())}
    found |= {name: float(np.percentile(values, int(name[1:]))) for name in _STATS if name[0] == "p"}
    return {**found, "std": float(values.std()), "count": len(values), "sum": float(values.sum())}


def aiperf_csv(ran: Ran) -> str:
    """profile_export_aiperf.csv: numbers to a hundredth of their unit."""
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(["Metric", *_STATS])
    for name, (unit, values) in sorted(_metrics(ran).items()):
        stats = _stats(values)
        table.writerow([f"{_HEADERS[name]} ({unit})", *(f"{stats[stat]:.2f}" for stat in _STATS)])
    table.writerow([])
    table.writerow(["Metric", "Value"])
    table.writerow(["Benchmark Duration (sec)", f"{ran.duration_s:.2f}"])
    table.writerow(["Error Request Count", ran.failed])
    table.writerow(["Request Count", len(ran)])
    table.writerow(["Request Throughput (requests/sec)", f"{len(ran) / ran.duration_s:.2f}"])
    return text.getvalue()


def aiperf_records(ran: Ran) -> str:
    """profile_export.jsonl."""
    lines = []
    for place in range(len(ran)):
        start = int(1_759_813_207_532_900_363 + 1e9 * ran.start_s[place])
        metrics = {
            name: {"value": float(values[place]), "unit": unit} for name, (unit, values) in _metrics(ran).items()
        }
        lines.append({"metadata": _metadata(place, start, start + int(1e9 * ran.latency_s[place])), "metrics": metrics})
    for place in range(ran.failed):
        lines.append(
            {
                "metadata": _metadata(len(ran) + place, 1_759_813_207_532_900_363, 1_759_813_207_532_900_364),
                "metrics": {"error_isl": {"value": 100, "unit": "tokens"}},
                "error": {"code": 499, "type": "RequestCancellationError", "message": "cancelled"},
            }
        )
    return "".join(json.dumps(line) + "\n" for line in lines)


def _metadata(place: int, start_ns: int, end_ns: int) -> dict[str, Any]:
    return {
        "session_num": place,
        "request_start_ns": start_ns,
        "request_end_ns": end_ns,
        "worker_id": "worker_359d423a",
        "record_processor_id": "record_processor_1fa47cd7",
        "benchmark_phase": "profiling",
    }
