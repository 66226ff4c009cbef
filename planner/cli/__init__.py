"""The command line: one function a verb. Every verb has --json: one JSON document on stdout, all else on stderr.

Exit codes: 0 done, 1 nothing fits the budget or verification failed, 2 bad input.
"""

from __future__ import annotations

import sys

from planner.base.errors import PlannerError
from planner.cli import (  # each adds its verbs to `app`
    bench,
    calibrate,
    catalog,
    costs,
    doctor,
    explore,
    hardware,
    laws,
    models,
    next_run,
    pictures,
    plans,
    report,
    validation,
)
from planner.cli.common import app, in_options

__all__ = [
    "app",
    "bench",
    "calibrate",
    "catalog",
    "costs",
    "doctor",
    "explore",
    "hardware",
    "laws",
    "main",
    "models",
    "next_run",
    "pictures",
    "plans",
    "report",
    "validation",
]


def main() -> None:
    """Run the command line; a foreseen error is one sentence on stderr and an exit code."""
    try:
        app()
    except PlannerError as error:
        print(f"error: {in_options(str(error), sys.argv[1:])}", file=sys.stderr)
        sys.exit(error.exit_code)
