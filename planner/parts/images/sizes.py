"""Sizes of the images that come in: one, a list, a column of a CSV file, a histogram; and what they become in a model.

Visual tokens then have a distribution: throughput goes by its mean, limits by its 95th percentile.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from planner.base.errors import InputError
from planner.base.files import read_text
from planner.base.quantities import shown
from planner.parts.images.base import SIDE_MAX, ImageRule, Seen

TAIL = 0.95
"""The quantile that limits are judged by."""

_SIZE = re.compile(r"\s*(\d{1,7})\s*[x×X*]\s*(\d{1,7})\s*")
_COLUMNS = (("width", "height"), ("image_width", "image_height"), ("w", "h"))
_WEIGHTS = ("count", "weight", "n", "images")


@dataclass(frozen=True, order=True)
class ImageSize:
    """Width x height in pixels."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"

    @classmethod
    def parse(cls, text: object) -> ImageSize:
        """ "1024x768" is 1024 wide and 768 high. Raises InputError."""
        found = _SIZE.fullmatch(text) if isinstance(text, str) else None
        sides = tuple(map(int, found.groups())) if found else ()
        if not sides or not all(1 <= side <= SIDE_MAX for side in sides):
            raise InputError(f"image: expected width x height in pixels, such as 1024x768, got {shown(text)}")
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
    def of(cls, given: str | ImageSize | tuple[int, int] | Iterable[str] | Mapping[str, float] | ImageMix) -> ImageMix:
        """Sizes from "1024x768", (1024, 768), a list of texts, or a mapping from texts to how often each comes in.

        Raises:
            InputError: no size, or a weight that is no number above 0.
        """
        if isinstance(given, ImageMix):
            return given
        if isinstance(given, ImageSize):
            return cls.weighted([(given, 1.0)])
        if isinstance(given, tuple) and len(given) == 2 and all(isinstance(side, int) for side in given):
            return cls.weighted([(ImageSize.parse(f"{given[0]}x{given[1]}"), 1.0)])
        if isinstance(given, str):
            return cls.weighted([(ImageSize.parse(part), 1.0) for part in given.split(",")])
        if isinstance(given, Mapping):
            return cls.weighted([(ImageSize.parse(size), _weight(count)) for size, count in given.items()])
        if isinstance(given, Iterable):
            return cls.weighted(
                [(size if isinstance(size, ImageSize) else ImageSize.parse(size), 1.0) for size in given]
            )
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
        """A CSV file with a column "image" of texts such as 1024x768, or two columns, width and height; a column count,
        weight, n or images says how often each comes in.

        Raises:
            InputError: a file that cannot be read, or a row without a size.
        """
        rows = csv.DictReader(io.StringIO(read_text(Path(path), "a CSV file of image sizes")))
        names = {(name or "").strip().lower(): name for name in rows.fieldnames or ()}
        text = next((names[name] for name in ("image", "size", "image_size") if name in names), None)
        sides = next(((names[w], names[h]) for w, h in _COLUMNS if w in names and h in names), None)
        weight = next((names[name] for name in _WEIGHTS if name in names), None)
        if text is None and sides is None:
            raise InputError(
                f"{path}: expected a column 'image' with sizes such as 1024x768, or columns 'width' and 'height', got "
                f"{', '.join(names) or 'no header'}"
            )
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


def _weight(given: object) -> float:
    try:
        found = float(given)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        found = -1.0
    if not 0 < found < float("inf"):
        raise InputError(f"expected how often an image size comes in, a number above 0, got {shown(given)}")
    return found
