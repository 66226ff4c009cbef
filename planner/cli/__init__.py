"""The command line: one function a verb. Every verb has --json: one JSON document on stdout, all else on stderr.

Only the module of the verb that is asked for is loaded; help loads them all.

Exit codes: 0 done, 1 nothing fits the budget or verification failed, 2 bad input, 3 it could not be measured here, or
not steadily enough to be judged,
130 interrupted.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import sys
from collections.abc import Iterator
from typing import NoReturn

import typer

from planner.base.errors import PlannerError
from planner.cli.common import app
from planner.cli.messages import UsageError, in_options, usage_text

BAD_INPUT, INTERRUPTED = 2, 130

_SELDOM = 1_000_000  # new objects between two collections; Python's own number is 700
_LONG = ("bench", "calibrate", "explore", "models", "serving")  # modules whose verbs serve, or keep tensors

__all__ = ["VERBS", "app", "load", "main"]

VERBS = {
    "measure": "bench",
    "verify": "bench",
    "compare-measurements": "measurements",
    "calibrate": "calibrate",
    "capacity": "capacity",
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
    "serve": "serving",
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
    verb = next((argument for argument in arguments if not argument.startswith("-")), None)
    with _seldom_collected(VERBS.get(verb or "") in _LONG):
        _run(verb, arguments)


@contextlib.contextmanager
def _seldom_collected(usual: bool) -> Iterator[None]:
    """The collector of cycles walks all modules and tables again and again while they are made, a twelfth of the time
    of a plan; a command that answers and ends leaves it little to find."""
    thresholds = gc.get_threshold()
    if not usual:
        gc.set_threshold(_SELDOM, *thresholds[1:])
        atexit.unregister(gc.freeze)
        atexit.register(gc.freeze)  # nor is all walked once more as the process ends
    try:
        yield
    finally:
        gc.freeze()
        gc.unfreeze()  # both: what is young is old now, so that the next object of whoever goes on collects nothing
        gc.set_threshold(*thresholds)


def _run(verb: str | None, arguments: list[str]) -> None:
    load(verb)
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
