"""Under what a device was measured: what measurements must share to be pooled, and a profile with what it predicts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner.base.quantities import shown

FINGERPRINT = (
    *("device", "driver", "torch", "transformers", "numpy", "vlm_planner", "precision", "threads", "mode"),
    *("cores_allowed", "governor", "turbo", "clocks_locked", "power_limit_w"),
)
"""Entries of the environment that measurements must share to be pooled."""


_TITLES = {
    "vlm_planner": "vlm-planner",
    "cores_allowed": "cores that may be used:",
    "clocks_locked": "locked clocks",
    "power_limit_w": "power limit in watts:",
}
_TEXT_MAX = 60
_REFUSED = ("device", "precision", "threads", "mode")  # what is planned says them, and others refuse them


def unlike(calibrated: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """What a profile was calibrated with and a measurement was made with, where they differ: "torch 2.12.0, here
    2.13.0"; "" where all that both know is alike. Threads are not among it: a profile of other threads is refused.

    Args:
        calibrated: conditions of the profile.
        here: environment of the measurement.
    """
    names = [
        name for name in FINGERPRINT if name not in _REFUSED and None not in (calibrated.get(name), here.get(name))
    ]
    off = [name for name in names if calibrated[name] != here[name]]
    return "; ".join(f"{_TITLES.get(name, name)} {_said(calibrated[name])}, here {_said(here[name])}" for name in off)


def _said(value: object) -> str:
    """ "2.13.0", "on"."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return harmless(value, f"{value:g}" if isinstance(value, float) else str(value))


def harmless(value: object, text: str) -> str:
    """What is said of a value of a file, `text`, unless that has what a terminal would obey, or is long or empty."""
    return text if text.isprintable() and 0 < len(text) <= _TEXT_MAX else shown(value)


def fingerprint(environment: Mapping[str, Any]) -> dict[str, Any]:
    """What two environments must have in common; an entry that is missing is None."""
    return {name: environment.get(name) for name in FINGERPRINT}
