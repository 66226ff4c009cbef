"""One replica of a candidate, and what comes to it."""

from __future__ import annotations

from dataclasses import replace

from planner.configuration import Model
from planner.planning.candidate import Candidate
from planner.planning.deployment import Deployment
from planner.planning.request import Load
from planner.planning.under_load.asked import Traffic
from planner.planning.under_load.room import engine_of, memory_share
from planner.traffic.service import Service

STORED = (50.0, 95.0, 99.0)
"""Percentiles that a plan's file holds."""


def service_of(candidate: Candidate, load: Load, deployment: Deployment) -> Service:
    """One replica of a candidate, and what comes to it.

    Raises:
        NothingFitsError: its memory has no room for a request beside what runs.
    """
    card, traffic = deployment.hardware, deployment.traffic
    assert card is not None and traffic is not None
    share = memory_share(card, traffic.memory_bytes)
    scheduler = engine_of(deployment).scheduler
    return Service(_seeing(candidate), candidate.run(card), load.kinds, load.shares, scheduler, share)


def _seeing(candidate: Candidate) -> Model:
    """With as many tokens of an image as it has on average; a released model is known with the image that most of the
    others do not exceed, which its encoder is timed with."""
    found = candidate.released
    if found is None or not found.seen.visual_tokens or found.seen.visual_tokens == candidate.visual_tokens:
        return candidate.model
    mean = round(float(found.visual_tokens) * candidate.visual_tokens / found.seen.visual_tokens)
    return replace(found, visual_tokens=float(mean))


def percentiles_of(traffic: Traffic) -> tuple[float, ...]:
    """Those that are stored, and the one that limits hold for."""
    return tuple(sorted({*STORED, traffic.percentile}))
