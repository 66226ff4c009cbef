"""What the user says of load tests, for what their files do not say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, fields, replace
from typing import Any

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.base.quantities import positive_number, shown, whole_number
from planner.bench.loadtests.load_test import INPUT_COUNTS, SETTINGS, TEXT_TOKENS, LoadTest
from planner.parts.images import ImageSize


@dataclass(frozen=True)
class Said:
    """Of all tests that are read together; None, or "", for what is not said. Raises InputError for what cannot be."""

    engine: str = ""
    """Name and version: "vLLM 0.32.0"."""
    tool_version: str = ""
    model: str = ""
    """As the files name it, where they do not."""
    requests_per_second: float | None = None
    concurrency: int | None = None
    images: int | None = None
    """Of a request."""
    image: str = ""
    """Width x height."""
    visual_tokens: int | None = None
    """Per image."""
    query_tokens: int | None = None
    """Text tokens of a request, chat template included: in place of the tool's own count."""
    generated_tokens: int | None = None
    input_counts: str | None = None
    """One of INPUT_COUNTS, for files that do not say whether their input tokens hold those of images."""
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Of the server, by the names of SETTINGS."""

    def __post_init__(self) -> None:
        if self.engine and not all(self.engine_and_version):
            raise InputError(f"engine: expected a name and a version, as 'vLLM 0.32.0', got {shown(self.engine)}")
        for name, least in (("concurrency", 1), ("images", 0), ("visual_tokens", 0), ("query_tokens", 1)):
            if getattr(self, name) is not None:
                whole_number(getattr(self, name), name, least)
        if self.generated_tokens is not None:
            whole_number(self.generated_tokens, "generated_tokens", 1)
        if self.requests_per_second is not None:
            positive_number(self.requests_per_second, "requests_per_second")
        if self.image:
            object.__setattr__(self, "image", str(ImageSize.parse(self.image)))
        if self.input_counts not in (None, *INPUT_COUNTS):
            raise InputError(f"input_counts: expected {' or '.join(INPUT_COUNTS)}, got {shown(self.input_counts)}")

    @property
    def engine_and_version(self) -> tuple[str, str]:
        """ "vLLM", "0.32.0"."""
        name, _, version = self.engine.strip().rpartition(" ")
        return name.strip(), version

    def of(self, test: LoadTest) -> LoadTest:
        """A test with what is said of it filled in. Raises InputError where its file says something else."""
        name, version = self.engine_and_version if self.engine else ("", "")
        wanted = {
            "engine": name,
            "engine_version": version,
            "tool_version": self.tool_version,
            "model": self.model,
            "images": self.images,
            "image": self.image,
            "visual_tokens": self.visual_tokens,
            "input_counts": self.input_counts,
        }
        filled: dict[str, Any] = {}
        for key, value in wanted.items():
            there = getattr(test, key)
            if value in (None, "") or key == "model":
                continue
            if there not in (None, "") and there != value:
                raise InputError(
                    f"{test.origin} says {key} {shown(there)}, expected {shown(value)}, as it is said here"
                )
            filled[key] = value
        if not test.model and self.model:
            filled["model"] = self.model
        settings = dict(test.settings)
        for key, value in self.settings.items():
            if settings.setdefault(key, value) != value:
                raise InputError(
                    f"{test.origin} says {key} {shown(settings[key])}, expected {shown(value)}, as it is said here"
                )
        counts: dict[str, Any] = {}
        if self.query_tokens is not None:
            counts |= {"input_tokens": float(self.query_tokens), "input_counts": TEXT_TOKENS}
        if self.generated_tokens is not None:
            counts["generated_tokens"] = float(self.generated_tokens)
        rows = test.rows
        if rows is not None and counts:
            columns = {one.name: getattr(rows, one.name) for one in fields(rows)}
            columns |= {key: 0 * rows.start_s + value for key, value in counts.items() if key in columns}
            rows = replace(rows, **columns)
        return replace(test, settings=settings, rows=rows, **(filled | counts))


def settings_of(content: Mapping[str, Any]) -> dict[str, Any]:
    """Of a server, by the names of SETTINGS, from entries that are named as the engine's options are."""
    found: dict[str, Any] = {}
    for key, value in content.items():
        name = str(key).lstrip("-").replace("-", "_")
        name = _OPTIONS.get(name, name)
        if name in SETTINGS and value not in (None, "", "auto"):
            found[name] = _PRECISIONS.get(str(value), value) if name.endswith("precision") else _whole(value)
    return found


_OPTIONS = {
    "tensor_parallel_size": "tensor_parallel",
    "tp": "tensor_parallel",
    "dtype": "precision",
    "quantization": "precision",
    "kv_cache_dtype": "kv_precision",
}
"""Options of vLLM -> name in SETTINGS."""
_PRECISIONS = {"bfloat16": "bf16", "float16": "fp16", "half": "fp16", "float32": "fp32", "float": "fp32"}


def _whole(value: Any) -> Any:
    """A number that came as a text, as the values of metadata do."""
    return int(value) if isinstance(value, str) and value.strip().isdigit() else value
