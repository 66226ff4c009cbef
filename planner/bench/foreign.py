"""Whether a measurement is of what was planned: the same model, request, precision, devices, hardware and threads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.bench.conditions import harmless
from planner.bench.devices import is_device, recognise
from planner.bench.measurement import Measurement
from planner.configuration import Model, Run
from planner.costs.stages import Workload
from planner.hardware import CPU, Hardware

THREADS = "threads"
"""Entry of an environment, and of the conditions under which a profile was calibrated."""
_TITLES = {"llm": "LLM", "vision": "vision tower"}
_NAMED_MAX = 3


@dataclass(frozen=True)
class Difference:
    """One thing that was measured otherwise than it was planned."""

    title: str
    """For people: "visual tokens"."""
    planned: str
    measured: str

    @property
    def name(self) -> str:
        """As a check is named: "visual_tokens"."""
        return self.title.replace(" ", "_").lower()


def differences(found: Measurement, model: Model, workload: Workload, run: Run) -> tuple[Difference, ...]:
    """What was measured otherwise than planned; () for a measurement of just that.

    Args:
        found: the measurement.
        model: that was planned.
        workload: the request that times and memory must hold for.
        run: how it was planned to run; without hardware that is not compared.
    """
    facts = found.model
    pairs: dict[str, tuple[object, object]] = {
        _TITLES.get(name, name.replace("_", " ")): (planned, getattr(facts, name))
        for name, planned in model.names.items()
    }
    pairs |= {
        "precision": (run.precision, facts.precision),
        "batch": (int(run.batch), found.batch),
        "devices": (int(run.tensor_parallel), facts.tensor_parallel),
    }
    unlike = [Difference(title, *map(_text, pair)) for title, pair in pairs.items() if pair[0] != pair[1]]
    if workload != found.workload:
        names = [
            one.name for one in fields(Workload) if getattr(workload, one.name) != getattr(found.workload, one.name)
        ]
        unlike.append(Difference("request", _counts(workload, names), _counts(found.workload, names)))
    if run.hardware is not None:
        unlike += _of_hardware(run.hardware, found.environment)
    return tuple(unlike)


def _counts(workload: Workload, names: Sequence[str]) -> str:
    """ "50 query tokens, 1 images": some of the numbers of a request."""
    return ", ".join(f"{getattr(workload, name)} {name.replace('_', ' ')}" for name in names)


def _of_hardware(card: Hardware, environment: Mapping[str, Any]) -> list[Difference]:
    """Another device; on the same processor another number of threads."""
    if not is_device(card, environment):
        there = recognise(environment)
        known = f", {there.name} in the catalogue" if there else ""
        return [Difference("hardware", card.title, f"{_text(environment.get('device'))}{known}")]
    threads = unlike_threads(card, environment)
    return [] if threads is None else [threads]


def unlike_threads(card: Hardware, environment: Mapping[str, Any]) -> Difference | None:
    """The number of threads that a processor's profile was calibrated with, where others are used."""
    calibrated, here = card.conditions.get(THREADS), environment.get(THREADS)
    if environment.get("device_type") != CPU or None in (calibrated, here) or calibrated == here:
        return None
    return Difference(THREADS, _text(calibrated), _text(here))


def need_own_threads(card: Hardware | None, environment: Mapping[str, Any]) -> None:
    """Raises InputError for a processor's profile that was calibrated with another number of threads: it predicts
    the times of another machine."""
    threads = None if card is None else unlike_threads(card, environment)
    if card is not None and threads is not None:
        raise InputError(
            f"{card.title} was calibrated with {threads.planned} threads, here PyTorch runs on {threads.measured}: set "
            f"OMP_NUM_THREADS={threads.planned}, or calibrate again with as many threads as here"
        )


def refusal(origin: str, unlike: Sequence[Difference], advice: str) -> InputError:
    """What is said of a measurement, or a verdict, of something else than what was planned.

    Args:
        origin: how it is named: "verdict.json".
        unlike: at least one.
        advice: what to do.
    """
    named = [f"{one.title} {one.planned}, got {one.measured}" for one in unlike[:_NAMED_MAX]]
    left = len(unlike) - len(named)
    more = "" if not left else f"; and {left} more {'difference' if left == 1 else 'differences'}"
    return InputError(f"{origin} was not measured of this plan's pick: expected {'; '.join(named)}{more}; {advice}")


def _text(value: object) -> str:
    return harmless(value, str(value))
