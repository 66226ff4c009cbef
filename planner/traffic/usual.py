"""The scheduler of an engine on some hardware, and where each of its constants comes from.

What is asked for comes first, then what the profile of the hardware says it was calibrated with, then vLLM's defaults.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field, replace

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.base.quantities import shown, whole_number
from planner.hardware import Hardware
from planner.traffic.scheduler import Scheduler

SEATS, TOKENS = "max_num_seqs", "max_num_batched_tokens"
CONSTANTS = (SEATS, TOKENS)
ASKED, DEFAULTS = "as asked", "vLLM's defaults"
_EARLY_SINCE = (0, 14)
"""Version of vLLM from which on an iteration is filled while the one before it runs, unless it is told not to."""
_VLLM = re.compile(r"vllm v?(\d+)\.(\d+)")


@dataclass(frozen=True)
class Usual:
    """A scheduler and its origin."""

    scheduler: Scheduler
    source: Mapping[str, str] = field(hash=False)
    """Constant by name -> "as asked", "vLLM's defaults" or "of the profile, calibrated to vLLM 0.32.0"."""


def vllm_defaults(card: Hardware, engine: str = "") -> Scheduler:
    """What `vllm serve` does by itself on a GPU, or on a processor.

    Scheduling ahead hides the host's time and lengthens waits by up to an iteration. Where the profile was not
    calibrated to an engine neither is counted: the host's time is not known, and what others publish for such engines
    (benchmarks/traffic_rows.py) is nearer without.

    Args:
        card: that it runs on.
        engine: that its profile was calibrated to, "vLLM 0.32.0", or "": all but vLLM before 0.14 schedule ahead.
    """
    found = Scheduler.vllm(card.memory_bytes, card.name, cpu=card.is_host)
    version = _VLLM.match(engine.lower())
    late = version is not None and (int(version[1]), int(version[2])) < _EARLY_SINCE
    return replace(found, async_scheduling=found.async_scheduling and bool(engine) and not late)


def usual_scheduler(
    card: Hardware, max_num_seqs: int | None = None, max_num_batched_tokens: int | None = None
) -> Usual:
    """The scheduler on a card.

    A default makes room for what is asked for, as in vLLM: fewer sequences where few tokens are asked for, more tokens
    where many sequences are.

    Args:
        card: whose profile may say what its engine was started with.
        max_num_seqs: sequences that run at once; None: of the profile, or vLLM's default.
        max_num_batched_tokens: tokens of an iteration; None likewise.

    Raises:
        InputError: no whole number of at least 1, also in the profile.
    """
    asked = {SEATS: max_num_seqs, TOKENS: max_num_batched_tokens}
    defaults = vllm_defaults(card, str(card.conditions.get("engine", "")))
    values: dict[str, int] = {}
    source: dict[str, str] = {}
    for name in CONSTANTS:
        if (number := asked[name]) is not None:
            values[name], source[name] = whole_number(number, name, 1), ASKED
        elif name in card.conditions:
            values[name], source[name] = _of_profile(card, name), _calibrated(card)
        else:
            values[name], source[name] = getattr(defaults, name), DEFAULTS
    if values[SEATS] > values[TOKENS]:
        if asked[SEATS] is None:
            values[SEATS] = values[TOKENS]
        elif asked[TOKENS] is None:
            values[TOKENS] = values[SEATS]
    scheduler = replace(defaults, max_num_seqs=values[SEATS], max_num_batched_tokens=values[TOKENS])
    return Usual(scheduler, source)


def _of_profile(card: Hardware, name: str) -> int:
    number = card.conditions[name]
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise InputError(
            f"the profile {card.name}: conditions: {name}: expected a whole number of at least 1, got {shown(number)}"
        )
    return number


def _calibrated(card: Hardware) -> str:
    engine = card.conditions.get("engine")
    return f"of the profile, calibrated to {engine}" if engine else "of the profile"
