"""What verbs that run models share: torch is asked for in one sentence, progress is shown on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from planner.base.errors import InputError
from planner.base.quantities import format_seconds

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
