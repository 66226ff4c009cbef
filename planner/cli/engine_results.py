"""What calibrate does with results of load tests: a profile fitted to a serving engine."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from planner.base.errors import InputError
from planner.cli.common import json_text, parse_counts, show_story

_OF_LOAD_TESTS = (
    "engine",
    "tool_version",
    "model",
    "image",
    "images",
    "input_counts",
    "requests_per_second",
    "concurrency",
    "tensor_parallel",
    "max_num_seqs",
    "max_num_batched_tokens",
)
"""Options that mean nothing without load tests."""


@dataclass(frozen=True)
class EngineOptions:
    """The options of calibrate that say something of load tests, as they were typed."""

    engine: str | None
    tool_version: str | None
    model: tuple[str, ...]
    image: str | None
    images: int | None
    input_counts: str | None
    requests_per_second: float | None
    concurrency: int | None
    tensor_parallel: int | None
    max_num_seqs: int | None
    max_num_batched_tokens: int | None
    precision: str | None
    visual_tokens: str | None
    query_tokens: int | None
    generated_tokens: int | None
    vision: str | None
    compressor: str
    prompt_order: str
    hardware: str | None

    def refuse_without_load_tests(self) -> None:
        """Raises InputError for an option that only load tests give a meaning."""
        for name in _OF_LOAD_TESTS:
            if getattr(self, name) not in (None, ()):
                raise InputError(
                    f"--{name.replace('_', '-')} goes with --from RESULTS of load tests (GuideLLM, AIPerf, "
                    "vllm bench serve)"
                )

    @property
    def models(self) -> dict[str, str]:
        """Served name -> model; "" where one stands for the only one that is served."""
        found: dict[str, str] = {}
        for one in self.model:
            served, equals, described = one.partition("=")
            name, what = (served, described) if equals else ("", one)
            if not what or name in found:
                raise InputError(f"--model {one}: expected MODEL, or SERVED=MODEL once for each name")
            found[name] = what
        return found


def hold_load_tests(results: Sequence[str]) -> bool:
    """Whether --from names results of load tests: files, or a folder that holds some."""
    from planner.bench.loadtests import is_load_test

    return any(Path(one).is_file() or is_load_test(one) for one in results)


def _in_option(found: re.Match[str]) -> str:
    return "--model:" if found.group().endswith(":") else "--model"


def calibrate_to_engine(results: Sequence[str], target: Path, asked: EngineOptions, force: bool, as_json: bool) -> None:
    """Read, fit, write, show. Raises InputError."""
    from planner.bench.calibration.engine import calibrate_engine
    from planner.bench.calibration.engine_models import Parts
    from planner.bench.loadtests import Said, expect_load_tests

    if asked.hardware is None:
        expect_load_tests(results)  # of a file of another kind no option is missing
        raise InputError("--hardware is missing: name the card that the engine ran on, such as l4, or a profile of it")
    tokens = None if asked.visual_tokens is None else parse_counts(asked.visual_tokens)
    if tokens is not None and len(tokens) > 1:
        raise InputError(f"--visual-tokens: expected one number with load tests, got {asked.visual_tokens}")
    server = {
        name: getattr(asked, name)
        for name in ("tensor_parallel", "max_num_seqs", "max_num_batched_tokens", "precision")
    }
    said = Said(
        engine=asked.engine or "",
        tool_version=asked.tool_version or "",
        requests_per_second=asked.requests_per_second,
        concurrency=asked.concurrency,
        images=asked.images,
        image=asked.image or "",
        visual_tokens=None if tokens is None else tokens[0],
        query_tokens=asked.query_tokens,
        generated_tokens=asked.generated_tokens,
        input_counts=asked.input_counts,
        settings={name: value for name, value in server.items() if value is not None},
    )
    parts = {
        field.name: getattr(asked, field.name) for field in fields(Parts) if getattr(asked, field.name) is not None
    }
    try:
        found = calibrate_engine(results, asked.hardware, models=asked.models or None, said=said, parts=Parts(**parts))
    except InputError as error:  # --models of this verb are folders of measured models
        raise InputError(re.sub(r"^models:|\bmodels=", _in_option, str(error))) from None
    profile, record = found.save(target, overwrite=force)
    print(f"wrote {profile} and, beside it, {record.name}", file=sys.stderr)
    if as_json:
        print(json_text({"output": str(profile), "record": str(record), "calibration": found.to_dict()}))
        return
    from planner.tell.engine_calibration import engine_calibration_story

    show_story(engine_calibration_story(found))
