"""Architectures that are not known here, counted by the transformers that is installed; only where that is asked for.

Counting builds the model on the meta device, without weights, network or code from a repository.
"""

from planner.counting.find import COUNTERS, found_for_a_plan, found_or_counted

__all__ = ["COUNTERS", "found_for_a_plan", "found_or_counted"]
