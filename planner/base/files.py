"""The one door to the disk: files are read up to a size, written whole or not at all, never over another one silently.

Whatever the operating system refuses becomes one sentence that names the file.
"""

from __future__ import annotations

import json
import os
import re
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from planner.base.errors import InputError, OutputExistsError
from planner.base.quantities import shown

BYTES_MAX = 2**28
"""The largest file that is read whole, 256 MiB: nothing that we write comes near it."""
_LINE_MAX = 2**20
_PART = ".part"
_PATH_MAX = 200  # characters of a path that a message repeats
_NAME_MAX = 255  # bytes of a file's name, on all file systems that matter
_NUMBERS = re.compile(r"\[\n[\s\d.,eE+-]+\]")  # lists of numbers are put on one line


def read_bytes(
    path: str | os.PathLike[str], expected: str, kind: type[InputError] = InputError, bytes_max: int = BYTES_MAX
) -> bytes:
    """The content of a regular file. Raises `kind`, in a sentence that ends with what was expected."""
    name = _path_text(path)
    try:
        with open(path, "rb", opener=_without_waiting) as file:  # Path.open takes no opener
            regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            content = file.read(bytes_max + 1) if regular else b""
    except (OSError, ValueError) as error:
        raise kind(f"cannot read {name}: {_reason(error)}; expected {expected}") from None
    if not regular:
        raise kind(f"cannot read {name}: it is no regular file; expected {expected}")
    if len(content) > bytes_max:
        raise kind(f"cannot read {name}: it is larger than {bytes_max // 2**20} MiB; expected {expected}")
    return content


def read_text(
    path: str | os.PathLike[str], expected: str, kind: type[InputError] = InputError, bytes_max: int = BYTES_MAX
) -> str:
    """The UTF-8 text of a regular file, a byte order mark left out. Raises `kind`, as `read_bytes`."""
    try:
        return read_bytes(path, expected, kind, bytes_max).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise kind(f"{_path_text(path)} is not UTF-8 text; expected {expected}") from None


def read_lines(path: str | os.PathLike[str], expected: str, kind: type[InputError] = InputError) -> Iterator[str]:
    """The lines of a regular file of UTF-8 text, one by one, however many there are, each with its end; a byte order
    mark is left out. Raises `kind`, as `read_bytes`."""
    name, number = _path_text(path), 0
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise kind(f"cannot read {name}: it is no regular file; expected {expected}")
            while line := file.readline(_LINE_MAX + 1):
                number += 1
                if len(line) > _LINE_MAX:
                    raise kind(f"cannot read {name}: line {number} is longer than 1 MiB; expected {expected}")
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError:
        raise kind(f"{name}, line {number}: it is not UTF-8 text; expected {expected}") from None
    except OSError as error:
        raise kind(f"cannot read {name}: {_reason(error)}; expected {expected}") from None


def read_json(
    path: str | os.PathLike[str], expected: str, kind: type[InputError] = InputError, *, lenient: bool = False
) -> Any:
    """The content of a JSON file. Raises `kind`, in a sentence that ends with what was expected.

    Args:
        path: the file.
        expected: what it should have been, for messages.
        kind: the class of errors.
        lenient: whether NaN, infinities and keys that stand twice are let through, as other programs write them.
    """
    text, name = read_text(path, expected, kind), _path_text(path)
    strict: dict[str, Any] = {} if lenient else {"parse_constant": _no_number, "object_pairs_hook": _each_key_once}
    try:
        return json.loads(text, **strict)
    except json.JSONDecodeError as error:
        raise kind(f"{name} is not JSON: {error.msg} in line {error.lineno}; expected {expected}") from None
    except _Refused as error:
        raise kind(f"{name} is not JSON that can be read: {error}; expected {expected}") from None
    except (ValueError, RecursionError) as error:
        reason = (
            "it is nested too deeply" if isinstance(error, RecursionError) else "it holds a number of too many digits"
        )
        raise kind(f"{name} is not JSON that can be read: {reason}; expected {expected}") from None


class _Refused(ValueError):
    """JSON that Python would read and nobody should write."""


def _no_number(name: str) -> NoReturn:
    raise _Refused(f"{name} is no number")


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise _Refused(f"the key {shown(twice)} stands twice")
    return found


def file_text(content: Mapping[str, Any]) -> str:
    """The text of a JSON file, the same for all that is written here: a list of numbers takes one line."""
    text = json.dumps(dict(content), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    return _NUMBERS.sub(lambda found: " ".join(found[0].split()), text)


def write_json(path: str | os.PathLike[str], content: Mapping[str, Any], *, overwrite: bool = False) -> Path:
    """Write a JSON file, as `write_bytes` writes."""
    return write_text(path, file_text(content), overwrite=overwrite)


def write_text(path: str | os.PathLike[str], text: str, *, overwrite: bool = False) -> Path:
    """Write UTF-8 text, as `write_bytes` writes."""
    try:
        content = text.encode("utf-8")
    except UnicodeEncodeError as error:
        wrong = shown(text[error.start : error.end])
        raise InputError(
            f"cannot write {_path_text(path)}: the text holds {wrong}, which is no character; rename it"
        ) from None
    return write_bytes(path, content, overwrite=overwrite)


def write_bytes(path: str | os.PathLike[str], content: bytes, *, overwrite: bool = False) -> Path:
    """Write a file atomically: a crash leaves the old file or the new one, never half of one.

    Raises:
        OutputExistsError: the file exists and `overwrite` is false.
        InputError: it is a folder, a device or a link, its folder does not exist or cannot be written to, or the disk
            is full.
    """
    target = Path(path)
    check_target(target, overwrite)
    temporary = None
    try:
        _remove_leftovers(target)
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=_part_prefix(target), suffix=_PART)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(_mode_for(target))
        if overwrite:
            Path(temporary).replace(target)
        else:
            _link_new(Path(temporary), target)
    except OSError as error:
        _remove(temporary)
        raise InputError(
            f"cannot write {_path_text(target)}: {_reason(error)}; name a file on a disk that can be written"
        ) from None
    except BaseException:
        _remove(temporary)
        raise
    return target


def refuse_existing(path: Path, overwrite: bool) -> None:
    """Raise OutputExistsError before any work is done for a file that could not be written anyway."""
    name = _path_text(path)
    if len(os.fsencode(path.name)) > _NAME_MAX:
        raise InputError(f"cannot write {name}: the name is too long; name another file")
    try:
        exists = path.exists() or path.is_symlink()
    except (OSError, ValueError) as error:
        raise InputError(f"cannot write {name}: {_reason(error)}; name another file") from None
    if exists and not overwrite:
        raise OutputExistsError(path)


def check_target(path: Path, overwrite: bool) -> None:
    """Refuse, before any work is done, a file that could not be written in the end.

    Raises:
        OutputExistsError: the file exists and `overwrite` is false.
        InputError: it is a folder, a device or a link, or its folder is not there.
    """
    name = _path_text(path)
    if _is(path, Path.is_dir):
        raise InputError(f"cannot write {name}: it is a folder; name a file in it")
    refuse_existing(path, overwrite)
    if _is(path, Path.is_symlink):
        raise InputError(f"cannot write {name}: it is a link to {_path_text(path.resolve())}; name that file")
    if _is(path, Path.exists) and not _is(path, Path.is_file):
        raise InputError(f"cannot write {name}: it is no regular file; name another one")
    if not _is(path.absolute().parent, Path.is_dir):
        raise InputError(
            f"cannot write {name}: there is no folder {_path_text(path.parent)}; name a folder that can be written"
        )


def _is(path: Path, test: Callable[[Path], bool]) -> bool:
    try:
        return test(path)
    except (OSError, ValueError, RuntimeError):
        return False  # a name that cannot be: refuse_existing says so


def _part_prefix(target: Path) -> str:
    return f".{target.name[:40]}.{os.getpid()}-"


def _remove_leftovers(target: Path) -> None:
    """Unfinished parts of the same file, of programs that were killed."""
    parts = re.compile(re.escape(f".{target.name[:40]}.") + r"(\d+)-[^.]*" + re.escape(_PART))
    for entry in target.parent.iterdir():
        found = parts.fullmatch(entry.name)
        if found and not _runs(int(found[1])):
            _remove(entry)


def _runs(process: int) -> bool:
    """Whether a program of that number runs."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True  # another user's
    return True


def _remove(path: str | Path | None) -> None:
    with suppress(OSError):
        if path is not None:
            Path(path).unlink()


def _without_waiting(path: str, flags: int) -> int:
    """Opens without waiting for whoever writes into a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _path_text(path: str | os.PathLike[str]) -> str:
    """A path as a message shows it: as it is, quoted and cut where it is long or holds what a terminal would obey."""
    text = os.fspath(path)
    return text if len(text) <= _PATH_MAX and text.isprintable() else shown(text)


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error)


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
