"""Pictures: a law over FLOPs, the frontier of a plan, profile curves, residuals, a hold-out, a load.

Each function takes what is to be shown and returns a matplotlib Figure that no window owns; `save` writes it. Colours
are the sequential, colour-blind-safe viridis by LLM size, marker areas grow with visual tokens, legends stand beside
the data, and names are shown as they are: no mathtext.
"""

from planner.tell.plots.calibration import plot as calibration
from planner.tell.plots.frontier import frontier
from planner.tell.plots.holdout import holdout
from planner.tell.plots.law import law_over_flops, residuals
from planner.tell.plots.load import load, timeline
from planner.tell.plots.profiles import PROFILE_LEVELS, profiles
from planner.tell.plots.save import SUFFIXES, picture_kind, save

__all__ = [
    "PROFILE_LEVELS",
    "SUFFIXES",
    "calibration",
    "frontier",
    "holdout",
    "law_over_flops",
    "load",
    "picture_kind",
    "profiles",
    "residuals",
    "save",
    "timeline",
]
