"""Files and folders -> load tests: which format a file is of, files that belong together, runs that stand twice."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.base.quantities import counted
from planner.bench.loadtests.format import LOAD_TESTS, LoadTestFile, LoadTestFormat, format_of
from planner.bench.loadtests.load_test import LoadTest
from planner.bench.loadtests.said import Said

_FILES_MAX = 20_000
_NAMED_MAX = 3


@dataclass(frozen=True)
class LoadTests:
    """What was read."""

    tests: tuple[LoadTest, ...]
    notes: tuple[str, ...] = ()
    """What was passed over, in sentences."""


def is_load_test(path: str | os.PathLike[str]) -> bool:
    """Whether a file holds results of a load test, or a folder any file that does."""
    place = Path(path)
    if place.is_dir():
        return any(_format_in_folder(file) is not None for file in _files(place))
    return place.is_file() and format_of(LoadTestFile(place)) is not None


def expect_load_tests(paths: Iterable[str | os.PathLike[str]]) -> None:
    """Raises InputError for a file that is no result of a load test, or a folder without any."""
    for path in map(Path, paths):
        list(_found(path))


def read_load_tests(paths: Iterable[str | os.PathLike[str]], said: Said | None = None) -> LoadTests:
    """The load tests in files and folders; what a file is, is seen in its content.

    Of several files of one run of a tool the one that says most is read, with the single requests of the others.

    Args:
        paths: result files, and folders that are searched for them.
        said: what the files do not say of the tests.

    Raises:
        InputError: a file that is no result of a load test, a damaged one, or a folder without any.
    """
    told = said or Said()
    found: dict[Path, tuple[LoadTestFile, LoadTestFormat]] = {}
    for path in map(Path, paths):
        found |= dict(_found(path))
    tests: list[LoadTest] = []
    for file, kind, beside in _grouped(list(found.values())):
        tests += [told.of(one) for one in kind.read(file, told, beside)]
    once = _each_once(tests)
    twice = len(tests) - len(once)
    notes = (
        [f"{counted(twice, 'run')} stand{'s' if twice == 1 else ''} in several files and count once"] if twice else []
    )
    if not once:
        raise InputError(f"{', '.join(map(str, paths))}: expected results of a load test, got none that ended")
    return LoadTests(tuple(once), tuple(notes))


def _found(path: Path) -> Iterator[tuple[Path, tuple[LoadTestFile, LoadTestFormat]]]:
    if not path.is_dir():
        file = LoadTestFile(path)
        kind = format_of(file)
        if kind is None:
            own = "a folder of measurements of your own, by measure -o"
            raise InputError(f"{path} is no result of a load test that is known here; expected {_expected()}; or {own}")
        yield path.resolve(), (file, kind)
        return
    empty = True
    for file in _files(path):
        kind = _format_in_folder(file)
        if kind is not None:
            empty = False
            yield file.path.resolve(), (file, kind)
    if empty:
        raise InputError(f"{path} holds no results of a load test; expected {_expected()}")


def _expected() -> str:
    return "; or ".join(one.takes for one in LOAD_TESTS)


def _files(folder: Path) -> Iterator[LoadTestFile]:
    for count, path in enumerate(sorted(folder.rglob("*"))):
        if count >= _FILES_MAX:
            raise InputError(f"{folder} holds more than {_FILES_MAX} files; name the folder of the results")
        if path.is_file():
            yield LoadTestFile(path)


def _format_in_folder(file: LoadTestFile) -> LoadTestFormat | None:
    """None for files of other kinds, which a folder may hold: logs, pictures."""
    try:
        return format_of(file)
    except InputError:
        return None


def _grouped(
    files: Sequence[tuple[LoadTestFile, LoadTestFormat]],
) -> Iterator[tuple[LoadTestFile, LoadTestFormat, tuple[LoadTestFile, ...]]]:
    """Each file with those of lower rank beside it, which belong to it and are not read alone."""
    groups: dict[tuple[Path, str], list[tuple[LoadTestFile, LoadTestFormat]]] = {}
    for file, kind in files:
        groups.setdefault((file.path.parent, kind.tool), []).append((file, kind))
    for group in groups.values():
        most = max(kind.rank for _, kind in group)
        beside = tuple(file for file, kind in group if kind.rank < most)
        heads = [(file, kind) for file, kind in group if kind.rank == most]
        if beside and len(heads) > 1:
            names = ", ".join(file.name for file, _ in heads[:_NAMED_MAX])
            raise InputError(
                f"{beside[0].name} stands beside {counted(len(heads), 'run')} ({names}), expected one: keep each run "
                "in a folder of its own"
            )
        for file, kind in heads:
            yield file, kind, beside


def _each_once(tests: Iterable[LoadTest]) -> list[LoadTest]:
    """Runs that stand in several files once: with their single requests, where one of the files has them."""
    found: dict[object, LoadTest] = {}
    for one in tests:
        key: object = (one.tool, one.run) if one.run else (one.tool, one.origin, id(one))
        known = found.get(key)
        if known is None or (known.rows is None and one.rows is not None):
            found[key] = one
    return list(found.values())
