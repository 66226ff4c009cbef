"""A plan in sentences, for whatever shows it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from planner.base.quantities import (
    counted,
    format_bytes,
    format_flops,
    format_percent,
    format_probability,
    format_seconds,
)
from planner.laws.combined import AUTO, Law
from planner.laws.fitted import FittedLaw
from planner.laws.hierarchy.law import EvidenceLaw
from planner.parts.catalog import family_of
from planner.parts.connectors import Mlp
from planner.planning.limits import show_price
from planner.planning.pick_facts import gpus_of, gpus_paid, gpus_used, idle_text
from planner.planning.request import Load
from planner.planning.transfer.origin import measured_with
from planner.planning.transfer.transfer import COMPRESSOR, FAMILY
from planner.runs.table import ERROR

if TYPE_CHECKING:
    from planner.planning.candidate import Candidate, SlackOfPick
    from planner.planning.margin import Margin
    from planner.planning.result import Plan


_BEYOND = "next is beyond"
_TIMES = {"TTFT": "ttft_s", "TPOT": "tpot_s", "request": "request_s"}
USABLE_TIE = 0.05
"""Where little is known, a tie reaches tens of points. Five points of the error are what the largest step between two
sizes of language model brings in the shipped laws: whoever gives up more for fewer FLOPs takes another class of model,
and is not to be told that it is a tie."""


def way_to_run(plan: Plan) -> str:
    """Hardware, GPUs, precision and batch of the pick in a line; empty where nothing was asked of them."""
    best, card = plan.best, plan.deployment.hardware
    gpus = gpus_of(plan)
    parts = []
    if card is not None:
        parts.append(f"{gpus} x {card.title}" if gpus > 1 else card.title)
    elif gpus > 1:
        parts.append(f"{gpus} GPUs")
    if best.tensor_parallel > 1:
        shared = gpus != best.tensor_parallel
        parts.append(f"{best.tensor_parallel} GPUs a model, tensor parallel" if shared else "tensor parallel")
    if idle := idle_text(plan):
        parts.append(idle)
    if parts or len(plan.deployment.precisions) > 1 or best.precision != "bf16":
        parts.append(best.precision)
    if best.kv_precision is not None:
        parts.append(f"KV cache in {best.kv_precision}")
    if best.batch > 1 or len(plan.deployment.batches) > 1:
        parts.append(f"batch {best.batch}")
    if best.connector != Mlp() and best.released is None:
        parts.append(best.connector.title)
    if len(plan.best_of_each) > 1:
        parts.append(f"{best.compressor.title}, {best.prompt_order}")
    return ", ".join(parts)


def price_text(plan: Plan) -> str:
    """What the GPUs cost an hour, and a million requests; empty without a price."""
    deployment, best = plan.deployment, plan.best
    price = best.quantities.get("price_per_million_requests")
    if deployment.price_per_hour is None or price is None:
        return ""
    gpus, paid = gpus_of(plan), gpus_paid(plan)
    count = f"{paid} of {gpus}" if paid < gpus else str(gpus)
    each = f"{show_price(price)} for a million requests{'' if deployment.traffic is None else ' at this load'}"
    told = f"{count} {'GPU' if gpus == 1 else 'GPUs'}, {show_price(paid * deployment.price_per_hour)} an hour; {each}"
    idle = idle_text(plan) if paid == gpus else ""
    return f"{told}; {idle}, which the price includes" if idle else told


def time_text(plan: Plan) -> str:
    """ "time: TTFT 48 ms, TPOT 14 ms, request 474 ms (calibrated); memory per device 8.6 GiB"; of a load the times at
    the percentile that limits hold for."""
    best, traffic = plan.best, plan.deployment.traffic
    assert best.latency is not None
    level = "" if traffic is None else f"p{traffic.percentile:g} "
    told = (f"{level}{title} {format_seconds(best.quantities[name])}" for title, name in _TIMES.items())
    return f"time: {', '.join(told)} ({best.latency.source}); memory per device {format_bytes(float(best.memory.peak))}"


def load_carried(plan: Plan) -> str:
    """ "load: 30 requests/s, 71 % of what 2 GPUs keep up with (chain)"; empty where there is none."""
    one = plan.carried
    if one is None:
        return ""
    share, gpus = format_percent(one.utilisation, 1.0), counted(gpus_used(plan), "GPU")
    return f"load: {one.requests_per_second:.4g} requests/s, {share} of what {gpus} can keep up with ({one.level})"


def load_text(load: Load) -> str:
    """What was planned for, where that is more than one request; else empty."""
    if load.requests == 1 and load.tail == load.mean:
        return ""
    mean, tail = load.mean, load.tail
    return (
        f"planned for {load.requests} requests: FLOPs, throughput, energy and price on the mean one "
        f"({mean.query_tokens} query and {mean.generated_tokens} generated tokens), times and memory on the "
        f"95th percentile ({tail.query_tokens} and {tail.generated_tokens})"
    )


def rules_nothing_out(plan: Plan) -> bool:
    """Whether all that fits is statistically tied: what is known settles nothing, and the pick is the first of many."""
    return 1 < len(plan.tied) == plan.fitting_count


def tied_text(plan: Plan) -> str:
    """The tied candidates in a sentence, with the cheapest of them."""
    cheapest = plan.tied[0]
    if cheapest == plan.best:
        ending = "the pick is the cheapest of them"
    else:
        other = "" if cheapest.compressor.name == plan.best.compressor.name else f" ({cheapest.compressor.name})"
        ending = f"the cheapest is {cheapest}{other} at {format_flops(cheapest.total_flops)}"
        if much_worse(cheapest, plan.best):
            ending += f", expected {tenths(100 * (cheapest.error - plan.best.error))} points worse"
    told = "are statistically tied with the best at 95 %"
    if rules_nothing_out(plan):
        return f"all {len(plan.tied)} that fit {told}: none can be ruled out; {ending}"
    return f"{len(plan.tied)} candidates {told}; {ending}"


def parts_text(plan: Plan) -> str:
    """What the interval of the pick is made of; "" where the law is all.

    "of its half-width of 2.1 points: the law 0.31, the compressor 1.1 (measured with tokenpacker), the family 1.8
    (measured on Qwen1.5); squares add up"
    """
    parts = plan.best.interval_parts
    if not parts:
        return ""
    law = plan.law
    families = ", ".join(dict.fromkeys(family_of(name) or name for name in law.llms))
    beside = {
        COMPRESSOR: f" (measured with {', '.join(measured_with(law.compressors))})" if law.compressors else "",
        FAMILY: f" (measured on {families})",
    }
    listed = [f"the {axis} {in_points(half)}{beside.get(axis, '')}" for axis, half in parts.items()]
    cut = ", cut to what an error can be" if plan.best.interval and {0.0, 1.0} & set(plan.best.interval) else ""
    whole = in_points(math.hypot(*parts.values()))
    return f"of its half-width of {whole} points{cut}: {', '.join(listed)}; squares add up"


def in_points(error: float) -> str:
    """In points of the score, hundredths of the error, to two digits."""
    return f"{float(f'{100 * error:.2g}'):g}"


def limit_words(limits: Sequence[SlackOfPick]) -> tuple[str, ...]:
    """What each limit is to the pick, in a word: "binds" of one that holds it; "next is beyond" of one that leaves it
    room, while the next better candidate lies just beyond.

    Where there is neither, though better candidates lie farther behind some, the one of these that is used most is the
    "tightest"; "" of all others.
    """
    if any(one.binds or one.relaxed is not None for one in limits):
        return tuple("binds" if one.binds else _BEYOND if one.relaxed is not None else "" for one in limits)
    most = max((one.used for one in limits if one.keeps_better_out), default=None)
    return tuple("tightest" if one.keeps_better_out and one.used == most else "" for one in limits)


def binding_text(limits: Sequence[SlackOfPick]) -> str:
    """ "binds: TTFT", or "tightest limit: TTFT, 27 % used"; "" where no limit alone keeps a better candidate out."""
    told = list(zip(limits, limit_words(limits), strict=True))
    held = [one.limit.title for one, word in told if word == "binds"]
    near = [f"{one.limit.title}, {format_percent(one.used, 1.0)} used" for one, word in told if word == _BEYOND]
    if held or near:
        parts = [f"binds: {', '.join(held)}"] if held else []
        return "; ".join([*parts, *([f"the next better is just beyond: {', '.join(near)}"] if near else [])])
    tightest = [f"{one.limit.title}, {format_percent(one.used, 1.0)} used" for one, word in told if word]
    return f"tightest limit: {'; '.join(tightest)}" if tightest else ""


def cost_order_text(plan: Plan) -> str:
    """By what a plan orders where it does so by cost alone, in a sentence."""
    kind = plan.cost_kind
    most = "most" if kind.at_least else "least"
    return f"ordered by cost alone, the {most} {kind.title}: no law ranks these, and nothing is said of their quality"


def gain_text(plan: Plan) -> str:
    """By how much the pick is better than the next, where only differences of errors are known."""
    gain = plan.gain_over_next
    if gain is None:
        return "nothing else fits"
    next_best, other = plan.runners_up[0], plan.next_other_model
    if expected_worse(plan):
        known = (one.probability_best for one in (plan.best, next_best))
        odds = [format_probability(one) for one in known if one is not None]  # the pick was chosen by them
        better = f"but likelier to be the best ({odds[0]} against {odds[1]})"
        return f"expected {tenths(-gain.points)} points worse than {next_best}, {better}"
    told = f"gain over the next best {_gain_words(gain)}"
    if other is None or other.above_pick is None:
        return told
    return f"{told}; over the next other model, {other}, {_gain_words(other.above_pick)}"


def _gain_words(gain: Margin) -> str:
    between = "" if gain.interval is None else f", 95 % interval {' to '.join(map(tenths, gain.interval))}"
    return f"{tenths(gain.points)} points{between}"


def tenths(points: float) -> str:
    """Points to a tenth: "1.4"; what rounds to nought has no sign."""
    return f"{round(points, 1) + 0.0:.1f}"


def expected_worse(plan: Plan) -> bool:
    """Whether the next best has the lower expected error, where only differences are known: of those whose errors are
    hardly larger than the least, the pick is the most probable one."""
    gain = plan.gain_over_next
    return gain is not None and round(gain.points, 1) < 0


def much_worse(candidate: Candidate, best: Candidate) -> bool:
    """Whether a tied candidate is expected to be so much worse than the pick that nobody can use the tie."""
    return best.predicts == ERROR and candidate.error - best.error > USABLE_TIE


def law_title(law: Law) -> str:
    """A law in a few words: "law reasoning, all forms, 28 runs", "law ocr, additive, 27 runs, at a bound: D"."""
    if isinstance(law, EvidenceLaw):
        own = f" and {counted(len(law.own), 'run')} of your own" if law.own else ""
        return f"published results of {law.name}, {len(law.rows)} rows{own}"
    all_forms = law.form == AUTO
    parts = [f"law {law.name}" if law.name else "law", "all forms" if all_forms else law.form]
    joint = law.joint.get("groups", {}) if isinstance(law, FittedLaw) else {}
    parts += (
        [f"{law.n_runs} runs" + (f", fitted jointly with {len(joint) - 1} other group" if joint else "")]
        if law.n_runs
        else []
    )
    if not all_forms:
        parts.append(law.status + (f": {', '.join(law.at_bound)}" if law.at_bound else ""))
    return ", ".join(parts)
