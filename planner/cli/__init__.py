"""The command line: one function a verb. Every verb has --json: one JSON document on stdout, all else on stderr.

Only the module of the verb that is asked for is loaded; help loads them all.

Exit codes: 0 done, 1 nothing fits the budget or verification failed, 2 bad input.
"""

from __future__ import annotations

import importlib
import sys

from planner.base.errors import PlannerError
from planner.cli.common import app, in_options

__all__ = ["VERBS", "app", "load", "main"]

VERBS = {
    "measure": "bench",
    "verify": "bench",
    "calibrate": "calibrate",
    "catalog": "catalog",
    "cost": "costs",
    "convention": "costs",
    "doctor": "doctor",
    "explore": "explore",
    "hardware": "hardware",
    "fit": "laws",
    "show": "laws",
    "build": "models",
    "ask": "models",
    "export": "models",
    "next-run": "next_run",
    "plot": "pictures",
    "plan": "plans",
    "optimum": "plans",
    "report": "report",
    "compare": "validation",
    "holdout": "validation",
}
"""Every verb and its module, in the order of the help."""


def load(verb: str | None = None) -> None:
    """Add the verbs of a verb's module to `app`; those of all modules where it is no verb."""
    for module in [VERBS[verb]] if verb in VERBS else dict.fromkeys(VERBS.values()):
        importlib.import_module(f"planner.cli.{module}")


def main() -> None:
    """Run the command line; a foreseen error is one sentence on stderr and an exit code."""
    load(next((argument for argument in sys.argv[1:] if not argument.startswith("-")), None))
    try:
        app()
    except PlannerError as error:
        print(f"error: {in_options(str(error), sys.argv[1:])}", file=sys.stderr)
        sys.exit(error.exit_code)
