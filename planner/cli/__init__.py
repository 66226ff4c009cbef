"""The command line: one function a verb. Every verb has --json: one JSON document on stdout, all else on stderr.

Only the module of the verb that is asked for is loaded; help loads them all.

Exit codes: 0 done, 1 nothing fits the budget or verification failed, 2 bad input, 3 it could not be measured here,
130 interrupted.
"""

from __future__ import annotations

import importlib
import sys
from typing import NoReturn

import typer

from planner.base.errors import PlannerError
from planner.cli.common import app
from planner.cli.messages import UsageError, in_options, usage_text

BAD_INPUT, INTERRUPTED = 2, 130

__all__ = ["VERBS", "app", "load", "main"]

VERBS = {
    "measure": "bench",
    "verify": "bench",
    "calibrate": "calibrate",
    "catalog": "catalog",
    "cost": "costs",
    "convention": "costs",
    "doctor": "doctor",
    "evidence": "evidence",
    "explore": "explore",
    "hardware": "hardware",
    "import": "importing",
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
    arguments = sys.argv[1:]
    load(next((argument for argument in arguments if not argument.startswith("-")), None))
    try:
        code = app(standalone_mode=False)
    except PlannerError as error:
        _end(in_options(str(error), arguments), error.exit_code)
    except UsageError as error:
        if not arguments:  # asked nothing: typer shows the help
            error.show()
            sys.exit(BAD_INPUT)
        _end(usage_text(error, arguments, VERBS), BAD_INPUT)
    except (typer.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    if code == INTERRUPTED:
        print("interrupted", file=sys.stderr)
    sys.exit(code if isinstance(code, int) else 0)


def _end(text: str, code: int) -> NoReturn:
    print(f"error: {text}", file=sys.stderr)
    sys.exit(code)
