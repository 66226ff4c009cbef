"""Compressors that read the question, with a visual token for each patch: no question changes those tokens.

A region of one patch has a weighted mean of one member, whatever its weight is.
"""

from __future__ import annotations

from planner.laws.fitted import FittedLaw
from planner.parts.catalog import compressor_catalog, vision_catalog
from planner.parts.compressors import Compressor
from planner.parts.towers import Tower


def query_blind(compressor: Compressor, tower: Tower, visual_tokens: float) -> str:
    """What is to be known of such tokens, in a sentence; "" where the question changes them."""
    if not compressor.query_aware or visual_tokens != tower.patches:
        return ""
    return f"{compressor.title} with a visual token for each patch is query-blind: no question changes its tokens"


def query_blind_runs(law: FittedLaw) -> tuple[str, ...]:
    """The same of runs of a law, a sentence for each compressor; () where the runs do not say their tower, or where
    some had no compressor, which have a token for each patch too."""
    tower = vision_catalog().get(law.vision)
    if tower is None or any(not known.strides for known in _known(law)):
        return ()
    told = (query_blind(one, tower, count) for one in _known(law) for count in law.visual_tokens_levels)
    return tuple(f"{one}; so it is in the runs with {tower.patches}" for one in told if one)


def _known(law: FittedLaw) -> list[Compressor]:
    catalog = compressor_catalog()
    return [catalog[name] for name in law.compressors if name in catalog]
