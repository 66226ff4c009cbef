"""Counts on disk, in the user's cache directory: one JSON file for each config and version of transformers."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from planner.base.errors import InputError
from planner.base.files import read_json, write_json
from planner.counting.count import Count

FORMAT = 1
_SAYS_NOTHING = ("_name_or_path", "transformers_version")


def cache_directory() -> Path:
    """Where the platform keeps what programs can make again."""
    home = Path.home()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = home / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or home / ".cache"
    return Path(base) / "vlm-planner" / "counted"


def file_of(config: Mapping[str, Any], version: str) -> Path:
    """The file of a config, by its hash, and of a version of transformers."""
    content = {key: value for key, value in config.items() if key not in _SAYS_NOTHING}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return cache_directory() / f"{digest[:32]}-transformers-{version}.json"


def load(path: Path, version: str) -> tuple[Count | None, str]:
    """The count of a file, None where there is none; and what has to be said of a file that cannot be used."""
    if not path.exists():
        return None, ""
    try:
        content = read_json(path, "a count of a model")
        if not isinstance(content, Mapping) or content.get("format") != FORMAT:
            raise InputError("another format")
        found = Count.from_dict(content.get("count"))
        if found.transformers != version:
            raise InputError("another version")
    except InputError:
        return None, f"the cached count {path} was damaged, so the model was counted again"
    return found, ""


def save(path: Path, count: Count) -> str:
    """Keep a count; gives what has to be said where that is not possible."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"format": FORMAT, "count": count.to_dict()}, overwrite=True)
    except (OSError, InputError):
        return f"the count could not be kept in {path.parent}, so it is made again each time"
    return ""
