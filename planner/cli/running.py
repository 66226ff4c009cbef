"""What verbs that run models share: torch is asked for in one sentence, progress is shown on stderr."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from planner.base.errors import InputError


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
    """Shows what is done on stderr, where that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        task = bars.add_task("", total=None)

        def show(what: str, done: int, total: int) -> None:
            bars.update(task, description=what, completed=done, total=total if total > 1 else None)

        yield show
