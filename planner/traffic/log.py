"""A log of requests: a CSV, or JSON Lines, with a row for each and the columns of `planner.traffic.log_columns`.

It is read line by line: a million requests take some forty bytes each.
"""

from __future__ import annotations

import csv
import json
import math
import os
from array import array
from collections.abc import Iterator
from itertools import chain
from typing import Any

import numpy as np

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.base.files import read_lines
from planner.base.quantities import shown
from planner.costs.stages import Workload
from planner.traffic.arrivals import Log
from planner.traffic.iteration_time import FloatArray, IntArray
from planner.traffic.log_columns import (
    CACHED,
    GENERATED,
    IMAGES,
    PROMPT,
    QUERY,
    SYSTEM,
    TIME,
    Columns,
    count_of,
    seconds_of,
)
from planner.traffic.span import Span

_EXPECTED = "a log of requests, as CSV or with a JSON object per line"
_KINDS = 256
_COUNTS = (QUERY, GENERATED, CACHED, SYSTEM, IMAGES)
"""What a request is, by the names of a Workload."""


@dataclass(frozen=True, eq=False)
class Kinds:
    """The requests of a log by what they are."""

    workloads: tuple[Workload, ...]
    weights: FloatArray
    """Share of each kind; they sum to 1."""
    of_each: IntArray
    """Kind of each request, in the order in which they came; shape (requests,)."""
    exact: bool
    """Whether each request is of a kind that is as it is; else alike ones stand at their means."""


@dataclass(frozen=True, eq=False)
class RequestLog:
    """Requests as they came, in the order of their time stamps; columns of shape (requests,)."""

    file: str
    recorded_s: FloatArray | None
    """When each came; None where the log has no time stamps."""
    query_tokens: IntArray
    """New text tokens."""
    generated_tokens: IntArray
    cached_tokens: IntArray
    system_tokens: IntArray
    images: IntArray
    says_images: bool
    """Whether it has a column of images; else each request is taken to have one."""
    span: Span | None = None
    """When they came; None where the log has no time stamps."""

    def __len__(self) -> int:
        return self.query_tokens.size

    def arrivals(self, kinds: Kinds) -> Log:
        """When they came, each of its kind: row k of the requests has to be kind k.

        Raises InputError where the log has no time stamps.
        """
        if self.recorded_s is None:
            raise InputError(f"{self.file}: the column {TIME!r} is missing, without which nobody knows when they came")
        return Log(self.recorded_s, kinds.of_each)

    @property
    def longest(self) -> Workload:
        """The request of the most text, its answer included."""
        counts = self._counts
        longest = counts[counts[:, :-1].sum(axis=1).argmax()]
        return Workload(**dict(zip(_COUNTS, longest.tolist(), strict=True)))

    def kinds(self, most: int = _KINDS) -> Kinds:
        """What they are: as many kinds as there are, or at most so many, of requests that are alike."""
        columns = self._counts
        of_each = _numbered(columns)
        exact = int(of_each.max()) < most
        if not exact:
            of_each = self._alike(most)
        counts = np.bincount(of_each)
        means = [np.rint(np.bincount(of_each, weights=one) / counts).astype(int).tolist() for one in columns.T]
        workloads = tuple(Workload(**dict(zip(_COUNTS, one, strict=True))) for one in zip(*means, strict=True))
        return Kinds(workloads, counts / counts.sum(), of_each, exact)

    @property
    def _counts(self) -> IntArray:
        """What each request is, in the order of `_COUNTS`; shape (requests, 5)."""
        return np.stack(
            [self.query_tokens, self.generated_tokens, self.cached_tokens, self.system_tokens, self.images], axis=1
        )

    def _alike(self, most: int) -> IntArray:
        """Numbers of groups with equally many images, prompts of similar length and answers of similar length."""
        images = _numbered(self.images[:, None])
        several = int(images.max()) + 1
        if several > most:
            raise InputError(f"{self.file}: expected at most {most} different numbers of images, got {several}")
        parts = max(1, math.isqrt(most // several))
        prompts = _parts(self.query_tokens + self.system_tokens, parts)
        return _numbered(np.stack([images, prompts, _parts(self.generated_tokens, parts)], axis=1))


def read_log(path: str | os.PathLike[str]) -> RequestLog:
    """Read a log of requests.

    Raises:
        InputError: no such file, a missing column, or a line that cannot be read, which it names.
    """
    file, lines = os.fspath(path), read_lines(path, _EXPECTED)
    begin: list[str] = []
    while not begin or not begin[-1].strip():
        line = next(lines, None)
        if line is None:
            raise InputError(f"{file}: expected {_EXPECTED}, got an empty file")
        begin.append(line)
    every = chain(begin, lines)
    rows = iter(_objects(every, file) if begin[-1].lstrip().startswith("{") else _rows(every, file))
    one = next(rows, None)
    if one is None:
        raise InputError(f"{file}: expected one row per request, got none")
    columns = Columns.of(one[1], file)
    found, times = {column: array("q") for column in columns.counts}, array("d")
    numbers = list(columns.counts.items())
    stamp, scale = columns.stamp
    for number, row in chain([one], rows):
        for column, name in numbers:
            found[column].append(count_of(row.get(name), file, number, column, name))
        if stamp:
            times.append(seconds_of(row.get(stamp), scale, file, number, stamp))
        known = sum(found[other][-1] for other in (CACHED, SYSTEM) if other in found)
        if PROMPT in found and found[PROMPT][-1] < known:
            raise InputError(
                f"{file}, line {number}: expected {columns.names[PROMPT]} to hold cached and system tokens too, got "
                f"{found[PROMPT][-1]} with {known} of those"
            )
    return _log(file, {column: np.array(values) for column, values in found.items()}, np.array(times))


# ---- how ---------------------------------------------------------------------------------------------------------


def _rows(lines: Iterator[str], file: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows of a CSV, and the lines where they end."""
    reader = csv.reader(lines)
    try:
        names = next(row for row in reader if row)
        if len(set(names)) < len(names):
            raise InputError(f"{file}: a column stands there twice: {', '.join(names)}")
        Columns.of(names, file)
        for row in reader:
            if len(row) == len(names):
                yield reader.line_num, dict(zip(names, row, strict=True))
            elif row:
                raise InputError(
                    f"{file}, line {reader.line_num}: expected {len(names)} values, as many as columns, got {len(row)}"
                )
    except csv.Error as error:
        raise InputError(f"{file}, line {reader.line_num}: it is no line of a CSV ({error})") from None


def _objects(lines: Iterator[str], file: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Objects of JSON Lines, and their lines."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = line.strip()
        if not isinstance(row, dict):
            raise InputError(f"{file}, line {number}: expected a JSON object, got {shown(row)}")
        yield number, row


def _log(file: str, columns: dict[str, IntArray], times: FloatArray) -> RequestLog:
    size = columns[GENERATED].size
    nothing = np.zeros(size, np.int64)
    cached, system = columns.get(CACHED, nothing), columns.get(SYSTEM, nothing)
    images = columns.get(IMAGES, np.ones(size, np.int64))
    if QUERY in columns:
        query = columns[QUERY]
    else:
        if IMAGES in columns and np.any(images):
            raise InputError(
                f"{file}: {PROMPT} may hold the tokens of images, which depend on the model; expected a column "
                f"{QUERY}, the text alone, beside {IMAGES}"
            )
        query = columns[PROMPT] - cached - system
    order = np.argsort(times, kind="stable") if times.size else np.arange(size)
    return RequestLog(
        file=file,
        recorded_s=times[order] - times[order[0]] if times.size else None,
        query_tokens=query[order],
        generated_tokens=columns[GENERATED][order],
        cached_tokens=cached[order],
        system_tokens=system[order],
        images=images[order],
        says_images=IMAGES in columns,
        span=Span.of(times) if times.size else None,
    )


def _numbered(columns: IntArray) -> IntArray:
    """Rows that are equal get the same number, from 0 on."""
    spans = columns.max(axis=0) + 1
    if float(np.prod(spans.astype(float))) < 2**62:
        columns = np.ravel_multi_index(tuple(columns.T), tuple(spans.tolist()))[:, None]
    _, found = np.unique(columns, axis=0 if columns.shape[1] > 1 else None, return_inverse=True)
    return np.asarray(found, np.int64).reshape(-1)


def _parts(values: IntArray, count: int) -> IntArray:
    """Numbers of parts with about equally many of the values each; equal values stay together."""
    edges = np.unique(np.quantile(values, np.arange(1, count) / count))
    return np.searchsorted(edges, values, side="left").astype(np.int64)
