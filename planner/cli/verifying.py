"""What of verify's options goes together, and how its tolerance is read."""

from __future__ import annotations

from collections.abc import Mapping

from planner.base.errors import InputError
from planner.base.quantities import shown
from planner.cli.common import parse_share

_ANY_TOLERANCE = 1e9
_LARGEST_TOLERANCE = 2.0


def refuse_beside_measured(file: str, said: Mapping[str, object]) -> None:
    """Raises InputError for an option that says what to build or how to measure it, beside a measurement."""
    needless = next((option for option, value in said.items() if value), None)
    if needless is not None:
        raise InputError(f"--measured {file}: it was measured already, so leave out {needless}")


def need_images(images: int) -> None:
    """Raises InputError for a request of text alone, which is predicted but not measured."""
    if images < 1:
        raise InputError(
            f"--images: expected at least 1, got {images}: text alone is predicted (vlm-planner cost, capacity), "
            "not measured"
        )


def need_released(model: str | None, own: Mapping[str, object], others: Mapping[str, object]) -> None:
    """Raises InputError where neither a plan nor a released model with its request is given."""
    if model is None:
        raise InputError("name what to verify: a plan that plan -o wrote, or --model HUB_ID with --image WxH")
    for option, value in own.items():
        if value is None and option != "--knob":
            raise InputError(f"{option} is missing: without a plan, say what a request of --model {model} is")
    for option, value in others.items():
        if value is not None:
            raise InputError(f"{option} goes with a plan; a released model brings its own parts")


def refuse_parts_of_a_pick(others: Mapping[str, object]) -> None:
    """Raises InputError where a plan's released model is given what chooses among parts."""
    for option, value in others.items():
        if value is not None:
            raise InputError(f"{option} is for models made of parts; the plan's pick is a released one: leave it out")


def parse_tolerance(text: str) -> float:
    """A share of a time: ".15", "15%", or "any". Raises InputError for one that would let nearly anything pass."""
    if text.strip().lower() == "any":
        return _ANY_TOLERANCE
    found = parse_share(text, "--tolerance", _LARGEST_TOLERANCE)
    if not found:
        raise InputError(f"--tolerance: expected a share above 0, got {shown(text)}")
    return found
