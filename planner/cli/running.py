"""What verbs that run models share: torch is asked for in one sentence, progress is shown on stderr."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from planner.base.errors import InputError
from planner.base.quantities import format_percent, format_seconds

SECONDS_HELP = "Of sampling for each stage at most; seven samples are always taken."
RETAKES_HELP = "Of an unstable measurement; the steadiest take is kept, and marked if it is unstable too."
WITHIN_HELP = "Sampling ends earlier where a median's 95 % interval is as near to it, as .03 or 3%."

Progress = Callable[[str, int, int], None]
"""(what is done, steps done, steps in all)."""

_EVERY_S = 10.0
_FEWEST_SHARE = 0.02  # of the whole: with less behind it, nobody knows how long the rest takes
_COUNTED_MAX = 1000  # steps that are counted; more of them are a share


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


def watched(progress: Progress, device: str | None) -> Progress:
    """The same progress, with a look at the machine before the first thing is told: bad input is said without one."""
    looked = False

    def show(what: str, done: int, total: int) -> None:
        nonlocal looked
        if not looked:
            looked = True
            warn_of_load(device)
        progress(what, done, total)

    return show


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
def going_on(kept: Path | None, otherwise: str = "") -> Iterator[None]:
    """Says what is kept of a run that is interrupted, and how it goes on.

    Args:
        kept: the folder of finished measurements; None where there is none.
        otherwise: what would have kept them: "-o FOLDER"; "" where nothing would.
    """
    try:
        yield
    except KeyboardInterrupt:
        files = [] if kept is None else list(kept.glob("*.json"))
        if kept is None:
            advice = f": with {otherwise} a run that is ended goes on where it stopped" if otherwise else ""
            print(f"nothing is kept of what was measured{advice}", file=sys.stderr)
        else:
            count = f"{len(files)} finished {'measurement is' if len(files) == 1 else 'measurements are'}"
            command = shlex.join(["vlm-planner", *sys.argv[1:]])
            print(f"{count} kept in {kept}; to go on there: {command}", file=sys.stderr)
        raise


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """Shows what is done on stderr, and about how long the rest will take: as a bar on a terminal, else a plain line
    every ten seconds."""
    from rich.console import Console
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _plain_lines()
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    pace = _Pace()
    with Bars(*columns, TextColumn("{task.fields[left]}"), console=console, transient=True) as bars:
        task = bars.add_task("", total=None, left="")

        def show(what: str, done: int, total: int) -> None:
            left = pace.left(done, total)
            bars.update(task, description=what, completed=done, total=total if total > 1 else None, left=left)

        yield show


class _Pace:
    """How long the rest takes if it goes on as it went; a new total is a new start."""

    def __init__(self) -> None:
        self._total, self._first, self._since = 0, 0, time.monotonic()

    def left(self, done: int, total: int) -> str:
        """ "about 3 min left"; "" where nothing is known yet."""
        now = time.monotonic()
        if total != self._total or done < self._first:
            self._total, self._first, self._since = total, done, now
        moved = done - self._first
        if total <= 1 or moved < _FEWEST_SHARE * total:
            return ""
        return f"about {format_seconds((now - self._since) * (total - done) / moved)} left"


def _plain_lines() -> Progress:
    """Says what is being done, and for how long already, where ten seconds passed since it was said last."""
    began = said = time.monotonic()
    pace = _Pace()

    def show(what: str, done: int, total: int) -> None:
        nonlocal said
        now, left = time.monotonic(), pace.left(done, total)
        if now - said < _EVERY_S:
            return
        said = now
        counted = f", {done} of {total}" if total > 1 else ""
        if total > _COUNTED_MAX:
            counted = f", {format_percent(done, total)}"
        rest = f", {left}" if left else ""
        print(f"{what}{counted} ({format_seconds(now - began)} so far{rest})", file=sys.stderr, flush=True)

    return show
