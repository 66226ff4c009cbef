"""The configs of released models with the numbers that transformers 5.23 gave for them."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parent / "golden" / "released_models.json").read_text("utf-8"))
MODELS: dict[str, Any] = GOLDEN["models"]


@cache
def published(hub_id: str, file: str) -> dict[str, Any] | None:
    """A file that is published with a model; None where there is none."""
    folder = resources.files("planner.parts") / "released" / "configs" / hub_id.replace("/", "--")
    path = folder / file
    content: dict[str, Any] | None = json.loads(path.read_text("utf-8")) if path.is_file() else None
    return content
