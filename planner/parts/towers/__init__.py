"""Vision towers: one file for each kind."""

from planner.parts.towers.base import Tower
from planner.parts.towers.vit import Vit

__all__ = ["Tower", "Vit"]
