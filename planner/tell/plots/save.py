"""Pictures in files."""

from __future__ import annotations

import io
import os
import warnings
from pathlib import Path

from matplotlib import style
from matplotlib.figure import Figure

from planner.base.files import refuse_existing, write_bytes
from planner.base.suffix import wrong_suffix
from planner.tell.plots.style import STYLE

SUFFIXES = (".png", ".svg", ".pdf")


def save(figure: Figure, path: str | os.PathLike[str], overwrite: bool = False) -> Path:
    """Write a picture as PNG, SVG or PDF, by the suffix; whole or not at all.

    Raises:
        InputError: another suffix, or a folder that does not exist or cannot be written to.
        OutputExistsError: the file exists and `overwrite` is false.
    """
    target = Path(path)
    kind = picture_kind(target)
    refuse_existing(target, overwrite)
    dates = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}  # the same picture is the same file
    content = io.BytesIO()
    with style.context(["default", STYLE]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # the picture shows a box there
        figure.savefig(content, format=kind, metadata=dates.get(kind))
    write_bytes(target, content.getvalue(), overwrite=overwrite)
    return target


def picture_kind(path: Path) -> str:
    """ "png", "svg" or "pdf", by the suffix. Raises InputError for another one."""
    if path.suffix.lower() not in SUFFIXES:
        raise wrong_suffix("a picture", path, SUFFIXES)
    return path.suffix.lower()[1:]
