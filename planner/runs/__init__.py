"""Measured runs: one row for each trained and evaluated (LLM, visual tokens) pair.

| column | must | what |
|---|---|---|
| llm | yes | name of the language model |
| llm_params | yes | its size in parameters, nominal: 7e9 or "7B" |
| visual_tokens | yes | visual tokens per image that enter the LLM; 0 without an image |
| error *or* score | yes | between 0 and 1; score = 1 - error |
| error_se | no | standard error of the error |
| samples | no | evaluated samples behind the error |
| text_tokens | no | text tokens of a prompt |
| task, compressor, source, note, seed | no | text; runs of one cell that differ in `seed` are repetitions |

What reads and writes tables is loaded when it is asked for: a plan does neither.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from planner.runs.table import COLUMNS, OPTIONAL_NUMBERS, OPTIONAL_TEXTS, REQUIRED, Runs

if TYPE_CHECKING:
    from planner.runs.read import read_runs, validate
    from planner.runs.tasks import mean_over_tasks
    from planner.runs.write import write_runs

__all__ = [
    "COLUMNS",
    "OPTIONAL_NUMBERS",
    "OPTIONAL_TEXTS",
    "REQUIRED",
    "Runs",
    "mean_over_tasks",
    "read_runs",
    "validate",
    "write_runs",
]

_WHERE = {
    "mean_over_tasks": "planner.runs.tasks",
    "read_runs": "planner.runs.read",
    "validate": "planner.runs.read",
    "write_runs": "planner.runs.write",
}

if not TYPE_CHECKING:  # type checkers read the imports above

    def __getattr__(name: str) -> Any:
        """A function, from its file."""
        if name not in _WHERE:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = found = getattr(import_module(_WHERE[name]), name)
        return found
