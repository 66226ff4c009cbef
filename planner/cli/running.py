"""What verbs that run models share: torch is asked for in one sentence, progress is shown on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from planner.base.errors import InputError
from planner.base.quantities import format_seconds, shown

SECONDS_HELP = "Of sampling for each stage at most; seven samples are always taken."
WITHIN_HELP = "Sampling ends earlier where a median's 95 % interval is as near to it, as .03 or 3%."

_EVERY_S = 10.0


@contextmanager
def needs_torch(verb: str) -> Iterator[None]:
    """What imports torch and transformers: one sentence where they are missing; quiet where they are not."""
    try:
        yield
        from transformers.utils import logging
    except ImportError as error:
        which = "" if isinstance(error, ModuleNotFoundError) else f" ({' '.join(str(error).split())[:120]})"
        raise InputError(f"{verb} needs torch and transformers: pip install 'vlm-planner[vlm]'{which}") from None
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]


def parse_within(text: str) -> float:
    """A share of a median: ".03", "3%". Raises InputError."""
    digits = text.strip().removesuffix("%")
    try:
        found = float(digits) / (100 if text.strip().endswith("%") else 1)
    except ValueError:
        found = -1.0
    if not 0 < found < 1:
        raise InputError(f"--within: expected a share above 0 and below 1, as .03 or 3%, got {shown(text)}")
    return found


def warn_of_load(device: str | None, refuse: str | None = None) -> None:
    """Looks at the machine, and says at once what would disturb a measurement, and what is not known of it.

    Raises MeasurementError on a busy machine for what it `refuse`s there: "a calibration".
    """
    from planner.bench.load import look, refuse_load
    from planner.bench.place import measurable_device
    from planner.bench.ranks import rank

    load = look(measurable_device(device))
    if refuse is not None:
        refuse_load(load, refuse, "say --allow-unstable")
    if rank() != 0:  # one process of several speaks for all
        return
    if load.busy:
        print(f"warning: this machine is busy: {load}; what that disturbs is marked", file=sys.stderr)
    elif load.not_known:
        print(f"what disturbs a measurement is seen in part only: {load}", file=sys.stderr)


@contextmanager
def progress_bar() -> Iterator[Callable[[str, int, int], None]]:
    """Shows what is done on stderr: as a bar on a terminal, else a plain line every ten seconds."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _plain_lines()
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        task = bars.add_task("", total=None)

        def show(what: str, done: int, total: int) -> None:
            bars.update(task, description=what, completed=done, total=total if total > 1 else None)

        yield show


def _plain_lines() -> Callable[[str, int, int], None]:
    """Says what is being done, and for how long already, where ten seconds passed since it was said last."""
    began = said = time.monotonic()

    def show(what: str, done: int, total: int) -> None:
        nonlocal said
        now = time.monotonic()
        if now - said < _EVERY_S:
            return
        said = now
        counted = f", {done} of {total}" if total > 1 else ""
        print(f"{what}{counted} ({format_seconds(now - began)} so far)", file=sys.stderr, flush=True)

    return show
