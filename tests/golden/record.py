"""Record the numbers of every command of `inputs.py`, in the checkout to be recorded:

    PYTHONPATH=tests python -m golden.record

The record was made with version 0.1.0; later versions must give the same numbers, or say why not (`DIFFERS` in
test_golden.py).
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from golden import record_file
from golden.record_file import Numbers

from planner import cli

HERE = Path(__file__).parent


def run(arguments: Sequence[str]) -> tuple[int, Numbers]:
    """Exit code of a command in this process, and the numbers that it prints as JSON."""
    out, code, before = io.StringIO(), 0, sys.argv
    sys.argv = ["vlm-planner", *arguments]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
            cli.main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.argv = before
    return code, numbers_of(arguments[0], json.loads(out.getvalue())) if code == 0 else {}


def numbers_of(verb: str, document: Mapping[str, Any]) -> Numbers:
    """What is recorded of a verb's document."""
    return {path: value for path, value in _flat(document, "") if _is_kept(verb, path) and not isinstance(value, bool)}


_KEPT = {
    "fit": ("params.", "rss", "rmse", "at_bound", "status", "huber_delta", "intervals.", "groups.", "aicc"),
    "show": ("params.", "rss", "at_bound", "status", "intervals.", "weights", "members."),
    "compare": ("forms.",),
    "holdout": ("rollout.",),
    "optimum": ("",),
    "next-run": ("next.0.", "next.1.", "next.2.", "expected_regret", "together."),
    "cost": ("stages.", "total_flops", "ttft_s", "tpot_s", "request_s", "requests_per_second", "memory.", "params",
             "requests_that_fit", "speed_limit_tokens"),
    "convention": ("",),
    "plan": ("best.", "runners_up.0.", "runners_up.1.llm", "runners_up.1.visual_tokens", "next_up.llm",
             "next_up.visual_tokens", "next_up.predicted_error", "next_up.flops.total", "best_of_each", "latency_s.",
             "memory_bytes.", "speed_limit_tokens", "candidates.", "limits.", "tied", "frontier"),
}  # fmt: skip
_OF_A_LIST = (".llm", ".visual_tokens")  # of each candidate of a long list
_LEFT_OUT = (
    ".title", ".vision", ".source", ".bound", ".relaxed.", "peak_stage", "owner", ".quantity", ".prompt_order",
    ".data.", ".joint.", ".advice", ".format", "_levels", ".remarks", "sha256", ".llms", ".tasks", ".compressors",
)  # fmt: skip


def _is_kept(verb: str, path: str) -> bool:
    if not path.startswith(_KEPT[verb]) or any(part in path for part in _LEFT_OUT):
        return False
    return not path.startswith(("tied.", "frontier.", "best_of_each.")) or path.endswith(_OF_A_LIST)


def _flat(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        yield f"{path}#", len(value)
        for index, inner in enumerate(value):
            yield from _flat(inner, f"{path}.{index}")
    else:
        yield path, value


def main() -> None:
    """Write the tables and the record."""
    from golden import inputs

    inputs.write_tables(HERE / "tables")
    inputs.write_groups(HERE / "tables")
    records = []
    for arguments in inputs.commands():
        code, numbers = run(arguments)
        records.append({"command": list(arguments), "code": code, "numbers": numbers})
    record_file.write(records)
    print(f"{len(records)} commands")


if __name__ == "__main__":
    main()
