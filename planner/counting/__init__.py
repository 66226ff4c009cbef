"""Architectures that are not known here, counted by the transformers that is installed; only where that is asked for.

Counting builds the model on the meta device, without weights, network or code from a repository.
"""

from planner.counting.checkpoint import counted_checkpoint, offer

__all__ = ["counted_checkpoint", "offer"]
