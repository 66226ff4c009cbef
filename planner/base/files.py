"""Writing files so that nothing is lost: whole or not at all, and never over another one unasked. And JSON files."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from planner.base.errors import InputError, OutputExistsError
from planner.base.quantities import shown


def read_json(path: str | os.PathLike[str], expected: str, kind: type[InputError] = InputError) -> Any:
    """The content of a JSON file that somebody names. Raises `kind`, in a sentence that ends with what was expected."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise kind(f"cannot read {path}: {error.strerror or error}; expected {expected}") from None
    except (ValueError, RecursionError):
        raise kind(f"{path} is not JSON; expected {expected}") from None


def file_text(content: Mapping[str, Any]) -> str:
    """The text of a JSON file, the same for all that is written here."""
    return json.dumps(dict(content), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def write_json(path: str | os.PathLike[str], content: Mapping[str, Any], *, overwrite: bool = False) -> Path:
    """Write a JSON file, as `write_bytes` writes."""
    return write_text(path, file_text(content), overwrite=overwrite)


def write_text(path: str | os.PathLike[str], text: str, *, overwrite: bool = False) -> Path:
    """Write UTF-8 text, as `write_bytes` writes."""
    try:
        content = text.encode("utf-8")
    except UnicodeEncodeError as error:
        wrong = shown(text[error.start : error.end])
        raise InputError(f"cannot write {path}: the text holds {wrong}, which is no character; rename it") from None
    return write_bytes(path, content, overwrite=overwrite)


def write_bytes(path: str | os.PathLike[str], content: bytes, *, overwrite: bool = False) -> Path:
    """Write a file atomically: a crash leaves the old file or the new one, never half of one.

    Raises:
        OutputExistsError: the file exists and `overwrite` is false.
        InputError: the folder does not exist or cannot be written to, or the disk is full.
    """
    target = Path(path)
    if _is_folder(target):
        raise InputError(f"cannot write {target}: it is a folder; name a file in it")
    refuse_existing(target, overwrite)
    try:
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:40]}.", suffix=".part")
    except OSError as error:
        raise InputError(
            f"cannot write {target}: {error.strerror or error}; name a folder that can be written"
        ) from None
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(_mode_for(target))
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
    try:
        exists = path.exists()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot write {shown(str(path))}: {reason}; name another file") from None
    if len(path.name.encode()) > 255:
        raise InputError(f"cannot write {shown(str(path))}: the name is too long; name another file")
    if exists and not overwrite:
        raise OutputExistsError(path)


def check_target(path: Path, overwrite: bool) -> None:
    """Refuse, before any work is done, a file that could not be written in the end.

    Raises:
        OutputExistsError: the file exists and `overwrite` is false.
        InputError: it is a folder, or its folder is not there.
    """
    refuse_existing(path, overwrite)
    if _is_folder(path):
        raise InputError(f"cannot write {path}: it is a folder; name a file in it")
    if not _is_folder(path.absolute().parent):
        raise InputError(f"cannot write {path}: there is no folder {path.parent}; name a folder that can be written")


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False  # a name that cannot be: refuse_existing says so


def _mode_for(target: Path) -> int:
    """The mode of the file that is replaced, else that of any new file; mkstemp would leave it private."""
    if target.exists():
        return target.stat().st_mode & 0o777
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask


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
