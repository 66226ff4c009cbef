"""Predicted times against measured ones: of each stage, and of the whole request.

A time may miss by a tolerance that depends on where the prediction comes from; a stage by more where it hardly counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from planner.base.quantities import format_percent
from planner.bench.measurement import Measurement
from planner.bench.planned import Planned
from planner.bench.verdict import SMALL, Check
from planner.costs.request import RequestCost
from planner.hardware import Hardware
from planner.hardware.efficiency import CALIBRATED

CALIBRATED_TOLERANCE = 0.15
UNCALIBRATED_TOLERANCE = 0.5
"""Of times, by the source of the profile's efficiencies: the longer of predicted and measured may be so much longer."""
LARGEST_TOLERANCE = 0.3
"""That a calibration's own error may call for: with a profile that misses its own device by more, no time is judged."""
STAGE_FACTOR = 1.5
"""A stage alone may miss by so much more: errors of stages cancel in part."""
NEGLIGIBLE = 0.05
"""Of the TTFT, predicted or measured, the shorter one: a stage that misses by less passes."""

_STAGES = (
    ("encoder_s", "encoder", "encoder"),
    ("compressor_s", "compressor", "compressor"),
    ("query_pass_s", "query pass", "query_pass"),
    ("prefill_s", "prefill", "prefill"),
    ("decode_step_s", "decode step", "decode_step"),
)


def check_times(wanted: Planned, found: Measurement, cost: RequestCost, tolerance: float | None) -> Iterator[Check]:
    """Every stage and every total that ran or was predicted.

    Args:
        wanted: what was planned.
        found: what was measured.
        cost: of the request that was measured, predicted.
        tolerance: of the longer of two times, relative to the shorter; by the profile's source where it is None.
    """
    latency, card = cost.latency, wanted.hardware
    ttft_s = found.ttft_s or 0.0
    if latency is not None:
        ttft_s = min(ttft_s, float(latency.ttft_s))  # what a disturbed machine takes excuses nothing
    for name, title, stage in _STAGES:
        measured = found.seconds(stage)
        predicted = None if latency is None else float(getattr(latency, stage).seconds)
        if measured is not None or predicted:
            slack_s = 0.0 if stage == "decode_step" else NEGLIGIBLE * ttft_s
            limit = _limit(card, tolerance, ("tpot" if stage == "decode_step" else "ttft",), STAGE_FACTOR)
            yield _time(name, title, predicted, measured, limit, slack_s)
    totals = {
        "ttft_s": ("TTFT", "ttft_s", found.ttft_s),
        "tpot_s": ("TPOT", "tpot_s", found.tpot_s if wanted.workload.generated_tokens > 1 else None),
        "request_s": ("request", "request_s", found.seconds("request") if found.of_its_mode else None),
    }
    for name, (title, attribute, measured) in totals.items():
        if measured is not None:
            predicted = None if latency is None else float(getattr(latency, attribute))
            quantities = {"ttft_s": ("ttft",), "tpot_s": ("tpot",), "request_s": ("ttft", "tpot")}[name]
            yield _time(name, title, predicted, measured, _limit(card, tolerance, quantities), 0.0)


def _limit(card: Hardware | None, given: float | None, quantities: Sequence[str], factor: float = 1.0) -> float | str:
    """How much longer the longer of two times may be: as given, else by the profile's source; not less than twice what
    a calibration itself promises of these quantities. In words, why nothing is judged, where that is too much."""
    if given is not None:
        return factor * given
    if card is None or card.efficiency.source != CALIBRATED:
        return factor * UNCALIBRATED_TOLERANCE
    promised = {name: getattr(card.efficiency, f"{name}_error") or 0.0 for name in quantities}
    worst = max(promised, key=lambda name: promised[name])
    if 2 * promised[worst] > LARGEST_TOLERANCE:
        off = format_percent(promised[worst], 1.0)
        return f"not judged: the calibration itself is off by {off} in {worst.upper()}; calibrate again"
    return factor * max(CALIBRATED_TOLERANCE, 2 * promised[worst])


def _time(
    name: str, title: str, predicted: float | None, measured: float | None, tolerance: float | str, slack_s: float
) -> Check:
    """A check; `tolerance` in words says why nothing is judged."""
    if predicted is None or measured is None:
        why = "no hardware was planned for: nothing to compare with" if predicted is None else "did not run"
        return Check(name, title, "s", predicted, measured, None, None, why)
    if isinstance(tolerance, str):
        return Check(name, title, "s", predicted, measured, None, None, tolerance)
    off = abs(predicted - measured)
    within = max(predicted, measured) <= (1 + tolerance) * min(predicted, measured)
    note = "" if within or off > slack_s else SMALL
    return Check(name, title, "s", predicted, measured, tolerance, within or off <= slack_s, note)
