"""Compressors: one file for each, and the registry of those that have a name."""

from planner.base.registry import Registry
from planner.parts.compressors.average_pool import AveragePool
from planner.parts.compressors.base import Compressor
from planner.parts.compressors.none import Uncompressed
from planner.parts.compressors.quecc import QueCC
from planner.parts.compressors.tokenpacker import TokenPacker

COMPRESSORS: Registry[Compressor] = Registry("compressor", Compressor)
"""Compressors whose cost is known, by name."""
for compressor in (QueCC(), TokenPacker(), AveragePool(), Uncompressed()):
    COMPRESSORS.register(compressor)

__all__ = ["COMPRESSORS", "AveragePool", "Compressor", "QueCC", "TokenPacker", "Uncompressed"]
