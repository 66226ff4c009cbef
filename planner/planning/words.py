"""A plan in sentences, for whatever shows it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from planner.base.quantities import format_flops, format_percent
from planner.laws.combined import AUTO, Law
from planner.laws.fitted import FittedLaw
from planner.laws.hierarchy.law import EvidenceLaw
from planner.parts.catalog import family_of
from planner.parts.connectors import Mlp
from planner.planning.limits import show_price
from planner.planning.request import Load
from planner.planning.transfer.origin import measured_with
from planner.planning.transfer.transfer import COMPRESSOR, FAMILY

if TYPE_CHECKING:
    from planner.planning.candidate import SlackOfPick
    from planner.planning.result import Plan


_BEYOND = "next is beyond"


def way_to_run(plan: Plan) -> str:
    """Hardware, GPUs, precision and batch of the pick in a line; empty where nothing was asked of them."""
    best, card = plan.best, plan.deployment.hardware
    gpus, used = plan.deployment.gpus or best.tensor_parallel, plan.deployment.gpus_used(best.tensor_parallel)
    parts = []
    if card is not None:
        parts.append(f"{gpus} x {card.title}" if gpus > 1 else card.title)
    elif gpus > 1:
        parts.append(f"{gpus} GPUs")
    if best.tensor_parallel > 1:
        shared = gpus != best.tensor_parallel
        parts.append(f"{best.tensor_parallel} GPUs a model, tensor parallel" if shared else "tensor parallel")
    if used < gpus:
        parts.append(f"{gpus - used} {'GPU idles' if gpus - used == 1 else 'GPUs idle'}")
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
    gpus, used = deployment.gpus or best.tensor_parallel, deployment.gpus_used(best.tensor_parallel)
    count = f"{used} of {gpus}" if used < gpus else str(gpus)
    hourly = show_price(used * deployment.price_per_hour)
    return f"{count} {'GPU' if gpus == 1 else 'GPUs'}, {hourly} an hour; {show_price(price)} for a million requests"


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
    return f"of its half-width of {in_points(math.hypot(*parts.values()))} points: {', '.join(listed)}; squares add up"


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
    between = "" if gain.interval is None else f", 95 % interval {gain.interval[0]:.1f} to {gain.interval[1]:.1f}"
    return f"gain over the next best {gain.points:.1f} points{between}"


def law_title(law: Law) -> str:
    """A law in a few words: "law reasoning, all forms, 28 runs", "law ocr, additive, 27 runs, at a bound: D"."""
    if isinstance(law, EvidenceLaw):
        own = f" and {len(law.own)} {'run' if len(law.own) == 1 else 'runs'} of your own" if law.own else ""
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
