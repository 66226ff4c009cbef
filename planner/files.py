"""Writing files so that nothing is lost: whole or not at all, and never over another one unasked."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from planner.errors import InputError, OutputExistsError


def write_text(path: str | os.PathLike[str], text: str, *, overwrite: bool = False) -> Path:
    """Write UTF-8 text atomically: a crash leaves the old file or the new one, never half of one.

    Raises:
        OutputExistsError: the file exists and `overwrite` is false.
        InputError: the folder does not exist or cannot be written to.
    """
    target = Path(path)
    refuse_existing(target, overwrite)
    try:
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    except OSError as error:
        raise InputError(
            f"cannot write {target}: {error.strerror or error}; name a folder that can be written"
        ) from None
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)  # mkstemp makes private files; ours are ordinary ones
        if overwrite:
            Path(temporary).replace(target)
        else:
            _link_new(Path(temporary), target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return target


def refuse_existing(path: Path, overwrite: bool) -> None:
    """Raise OutputExistsError before any work is done for a file that could not be written anyway."""
    if path.exists() and not overwrite:
        raise OutputExistsError(path)


def _link_new(temporary: Path, target: Path) -> None:
    """Put `temporary` at `target` only if nothing came there meanwhile."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise OutputExistsError(target) from None
    except OSError:  # a file system without hard links: the check above has to do
        temporary.replace(target)
        return
    temporary.unlink()
