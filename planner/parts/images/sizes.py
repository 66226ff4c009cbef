"""Sizes of the images that come in: one, a list, a column of a CSV file, a histogram; and what they become in a model.

Visual tokens then have a distribution: throughput goes by its mean, limits by its 95th percentile.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.base.files import read_text
from planner.base.quantities import shown
from planner.parts.images.base import SIDE_MAX, ImageRule, Seen

TAIL = 0.95
"""The quantile that limits are judged by."""

_SIZE = re.compile(r"\s*(\d{1,7})\s*[x×X*]\s*(\d{1,7})\s*")
_COLUMNS = (("width", "height"), ("image_width", "image_height"), ("w", "h"))
_CALLED = ("image", "size", "image_size")
_WEIGHTS = ("count", "weight", "n", "images", "share", "frequency")


@dataclass(frozen=True, order=True)
class ImageSize:
    """Width x height in pixels."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"

    @classmethod
    def parse(cls, given: object) -> ImageSize:
        """ "1024x768", or (1024, 768), is 1024 wide and 768 high. Raises InputError."""
        if isinstance(given, ImageSize):
            return given
        text = f"{given[0]}x{given[1]}" if _is_pair(given) and isinstance(given, tuple) else given
        found = _SIZE.fullmatch(text) if isinstance(text, str) else None
        sides = tuple(map(int, found.groups())) if found else ()
        if not sides or not all(1 <= side <= SIDE_MAX for side in sides):
            raise InputError(f"image: expected width x height in pixels, such as 1024x768, got {shown(given)}")
        return cls(*sides)


@dataclass(frozen=True)
class ImageMix:
    """Image sizes with how often each comes in."""

    sizes: tuple[ImageSize, ...]
    shares: tuple[float, ...]
    """Of each size, adding up to 1."""
    source: str = ""
    """The file that it was read from."""

    @classmethod
    def of(cls, given: Sizes) -> ImageMix:
        """Sizes from "1024x768", (1024, 768), a list of these, or a mapping from these to how often each comes in.

        Raises:
            InputError: no size, or a weight that is no number above 0.
        """
        if isinstance(given, ImageMix):
            return given
        if isinstance(given, ImageSize) or _is_pair(given):
            return cls.weighted([(ImageSize.parse(given), 1.0)])
        if isinstance(given, str):
            return cls.weighted([(ImageSize.parse(part), 1.0) for part in given.split(",")])
        if isinstance(given, Mapping):
            return cls.weighted([(ImageSize.parse(size), _weight(count)) for size, count in given.items()])
        if isinstance(given, Iterable) and not _is_numbers(given):
            return cls.weighted([(ImageSize.parse(size), 1.0) for size in given])
        raise InputError(f"image: expected width x height in pixels, such as 1024x768, got {shown(given)}")

    @classmethod
    def weighted(cls, found: Iterable[tuple[ImageSize, float]], source: str = "") -> ImageMix:
        """Sizes with weights; equal sizes are put together. Raises InputError where there is none."""
        weights: Counter[ImageSize] = Counter()
        for size, weight in found:
            weights[size] += weight  # type: ignore[assignment]  # a Counter adds up floats as well
        total = sum(weights.values())
        if not weights or total <= 0:
            raise InputError(f"{source or 'image'}: there is no image size in it")
        ordered = sorted(weights)
        return cls(tuple(ordered), tuple(weights[size] / total for size in ordered), source)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> ImageMix:
        """A CSV file with a column of texts such as 1024x768, whatever it is called, or two columns, width and height,
        beside any others; a column count, weight, n, images, share or frequency says how often each comes in.

        Raises:
            InputError: a file that cannot be read, one without sizes or with several columns of them, or a row without
                a size.
        """
        reader = csv.DictReader(io.StringIO(read_text(Path(path), "a CSV file of image sizes")))
        rows = list(reader)
        names = {(name or "").strip().lower(): name for name in reader.fieldnames or ()}
        if headless := [name for name in names.values() if _SIZE.fullmatch(name or "")]:
            raise InputError(
                f"{path}: its first line holds a size, {headless[0].strip()}; put a header above it: image"
            )
        weight = next((names[name] for name in _WEIGHTS if name in names), None)
        text, sides = _columns_of_sizes(path, names, rows)
        found = []
        for number, row in enumerate(rows, start=2):
            written = row[text] if text is not None else "x".join(str(row[side]) for side in sides or ())
            try:
                size = ImageSize.parse(written)
                found.append((size, 1.0 if weight is None else _weight(row[weight])))
            except InputError as error:
                raise InputError(f"{path}, line {number}: {error}") from None
        return cls.weighted(found, str(path))

    def __str__(self) -> str:
        if len(self.sizes) == 1:
            return str(self.sizes[0])
        return f"{len(self.sizes)} image sizes" + (f" of {self.source}" if self.source else "")

    def seen(self, rule: ImageRule, images: int = 1) -> tuple[Seen, ...]:
        """What the model makes of each size. Raises InputError."""
        return tuple(rule.see(size.width, size.height, images) for size in self.sizes)

    def mean(self, values: Iterable[float]) -> float:
        """Mean of a value for each size."""
        return sum(share * value for share, value in zip(self.shares, values, strict=True))

    def tail(self, values: Iterable[float], quantile: float = TAIL) -> float:
        """Least value that at least that share of the images does not exceed."""
        reached = 0.0
        ranked = sorted(zip(values, self.shares, strict=True))
        for value, share in ranked:
            reached += share
            if reached >= quantile - 1e-12:
                return value
        return ranked[-1][0]


def _is_pair(given: object) -> bool:
    """Whether it is a width and a height, as whole numbers."""
    return isinstance(given, tuple) and len(given) == 2 and all(type(side) is int for side in given)


def _is_numbers(given: object) -> bool:
    """Whether it holds numbers, which may be meant as the sides of one image and are no sizes."""
    return isinstance(given, Sequence) and any(isinstance(side, int | float) for side in given)


def _columns_of_sizes(
    path: str | os.PathLike[str], names: Mapping[str, str], rows: list[dict[str, str]]
) -> tuple[str | None, tuple[str, str] | None]:
    """The column whose first text is a size, or those of widths and heights, by what the file calls them.

    A file of images often has their names in a column "image", so that what a column holds decides.
    """

    def first(column: str) -> str:
        return next((row[column].strip() for row in rows if (row[column] or "").strip()), "")

    sides = next(((names[w], names[h]) for w, h in _COLUMNS if w in names and h in names), None)
    texts = [column for column in names.values() if _SIZE.fullmatch(first(column))]
    called = [names[name] for name in _CALLED if name in names and names[name] in texts]
    if called or sides:
        return (called[0], None) if called else (None, sides)
    if len(texts) == 1:
        return texts[0], None
    if texts:
        raise InputError(f"{path}: the columns {', '.join(texts)} all hold sizes: call the one that is meant 'image'")
    if column := next((names[name] for name in _CALLED if name in names), None):
        return column, None  # its first row says what is wrong
    there = ", ".join(f"{name} ({shown(first(column))})" if rows else name for name, column in names.items())
    raise InputError(
        f"{path}: expected a column with sizes such as 1024x768, or columns 'width' and 'height', got "
        f"{there or 'no header'}"
    )


def _weight(given: object) -> float:
    try:
        found = float(given)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        found = -1.0
    if not 0 < found < float("inf"):
        raise InputError(f"expected how often an image size comes in, a number above 0, got {shown(given)}")
    return found


Sizes: TypeAlias = (
    "str | ImageSize | tuple[int, int] | Iterable[str | ImageSize | tuple[int, int]] | "
    "Mapping[str, float] | Mapping[tuple[int, int], float] | ImageMix"
)
"""How the sizes of images may be given."""
