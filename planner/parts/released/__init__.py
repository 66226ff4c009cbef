"""Models that exist: checkpoints that can be downloaded, with their own towers, connectors and image rules."""

from planner.parts.released.checkpoint import Checkpoint
from planner.parts.released.find import find_checkpoint, published_files, released_ids
from planner.parts.released.parts import OwnConnector, SeenTower, nothing_after

__all__ = [
    "Checkpoint",
    "OwnConnector",
    "SeenTower",
    "find_checkpoint",
    "nothing_after",
    "published_files",
    "released_ids",
]
