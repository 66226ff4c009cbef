"""Models that exist: checkpoints that can be downloaded, with their own towers, connectors and image rules."""

from planner.parts.released.checkpoint import Checkpoint
from planner.parts.released.find import find_checkpoint, published_files, released_ids, variant_ids
from planner.parts.released.parts import OwnConnector, SeenTower, nothing_after
from planner.parts.released.select import Models, Selection, find_checkpoints, released_families

__all__ = [
    "Checkpoint",
    "Models",
    "OwnConnector",
    "SeenTower",
    "Selection",
    "find_checkpoint",
    "find_checkpoints",
    "nothing_after",
    "published_files",
    "released_families",
    "released_ids",
    "variant_ids",
]
