"""Under what a device was measured: what measurements must share to be pooled, and a profile with what it predicts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FINGERPRINT = (
    *("device", "driver", "torch", "transformers", "numpy", "vlm_planner", "precision", "threads", "mode"),
    *("cores_allowed", "governor", "turbo", "clocks_locked", "power_limit_w"),
)
"""Entries of the environment that measurements must share to be pooled."""


def fingerprint(environment: Mapping[str, Any]) -> dict[str, Any]:
    """What two environments must have in common; an entry that is missing is None."""
    return {name: environment.get(name) for name in FINGERPRINT}
