"""What a reader needs in the first minute: the pick, its figures, whether it was measured, what it rests on."""

from __future__ import annotations

from dataclasses import replace

from planner.costs.stages import Workload
from planner.planning.candidate import Candidate
from planner.planning.pick_facts import gpus_of, gpus_paid, idle_text, weights_text
from planner.planning.result import Plan
from planner.planning.transfer.known import not_known
from planner.planning.words import expected_worse
from planner.tell import values as v
from planner.tell.document import Block, Facts, Line, Paragraph, Value, foreign, joined, line
from planner.tell.plan.load import asked_line
from planner.tell.plan.sentences import NO_GAP, named, released_pick
from planner.tell.plan.story import warned
from planner.tell.published import gain_line, points
from planner.tell.recommendation.judgement import Judgement
from planner.tell.recommendation.limits_kept import banner
from planner.tell.recommendation.wording import NAME_MAX, compressor_title, limit_text

_TIMES = (
    ("ttft_s", "Time to first token (TTFT)"),
    ("tpot_s", "Time per output token (TPOT)"),
    ("request_s", "Whole answer"),
)


def heading(plan: Plan) -> Line:
    """The recommendation in one sentence."""
    if plan.tried.released is None:
        return line("Train ", named(plan.best), " per image")
    return line("Cheapest that fits: " if plan.by_cost else "Deploy ", released_pick(plan))


def opening(plan: Plan, judgement: Judgement | None) -> tuple[Block, ...]:
    """The blocks under the heading."""
    return (
        Paragraph(_reason(plan)),
        Facts(tuple(_figures(plan)), large=True),
        *warned(plan),
        *_states(plan, judgement),
        Facts(tuple(_configuration(plan))),
    )


def _reason(plan: Plan) -> Line:
    best = plan.best
    fitting = v.count(plan.fitting_count, "candidates that keep every limit")
    compared = v.count(plan.candidates_count, "candidates that were compared")
    under = joined([limit_text(one.limit) for one in plan.limits])
    if plan.fitting_count == 1:
        return line("Of ", compared, " configurations it is the only one that keeps ", under, ".")
    if plan.by_cost:
        kind = plan.cost_kind
        least = f"{'most' if kind.at_least else 'least'} {kind.title}, "
        cost = v.limited(v.limit_kind(kind.name, 1.0), best.quantities[kind.column], kind.title, strong=True)
        return line(
            "Of the ", fitting, " configurations that keep ", under, ", it has the ", least, cost, ". ", compared,
            " were compared in all, by cost alone: no law ranks them, and nothing is said of their quality.",
        )  # fmt: skip
    if not plan.level_known:
        return line(
            "Of the ", fitting, " configurations that keep ", under, ", it is ",
            "the likeliest" if expected_worse(plan) else "expected", " to be the best by published results: ",
            gain_line(plan), ". ", compared, " were compared in all.",
        )  # fmt: skip
    error = v.predicted(best.error, best.predicts, strong=True)
    sure = (
        line(" (", v.level(), " interval ", v.interval(*best.interval, f"the predicted {best.predicts}"), ")")
        if best.interval
        else ()
    )
    scored = () if best.score is None else line(", a score of ", v.score(best.error))
    return line(
        "Of the ", fitting, " configurations that keep ", under, ", ", _chosen(plan), ", ",
        error, sure, scored, ". ", compared, " were compared in all.",
    )  # fmt: skip


def _chosen(plan: Plan) -> str:
    """ "it has the lowest predicted error", unless one that is less likely to be the best has a slightly lower one."""
    best = plan.best
    if plan.runners_up and plan.runners_up[0].error < best.error - NO_GAP:
        return f"it is the likeliest to be the best of those with hardly more than the lowest predicted {best.predicts}"
    return f"it has the lowest predicted {best.predicts}"


def _what(best: Candidate) -> str:
    return "Predicted error (one minus the average score)" if best.predicts == "error" else f"Predicted {best.predicts}"


def _figures(plan: Plan) -> list[tuple[str, Line]]:
    best = plan.best
    found: list[tuple[str, Line]] = []
    if plan.gain_over_next is not None:
        worse = expected_worse(plan)
        gain = points(abs(plan.gain_over_next.points), "distance from the next best")
        title = "Expected error above that of the next best" if worse else "Gain over the next best"
        found.append((title, (replace(gain, strong=True),)))
    elif not plan.by_cost and plan.level_known:
        found.append((_what(best), (v.predicted(best.error, best.predicts, strong=True),)))
    if best.score is not None:
        found.append(("Predicted score", (v.score(best.error, strong=True),)))
    if not plan.by_cost and not_known(plan.law, plan.tried.released):
        found.append(("Probability of being best", ("not known",)))
    if best.probability_best is not None and plan.fitting_count > 1:
        odds = v.odds(best.probability_best, "probability that nothing that fits is better", strong=True)
        found.append(("Probability of being best", (odds,)))
    found.append(("Computing, one request", (v.flops(best.total_flops, "FLOPs of one request", strong=True),)))
    for name, title in _TIMES:
        if name in best.quantities:
            found.append((title, (v.seconds(best.quantities[name], title, strong=True),)))
    memory = v.size(float(best.memory.peak), "peak memory per device", strong=True)
    found.append(("Peak memory per device", (memory,)))
    price = best.quantities.get("price_per_million_requests")
    if price is not None:
        kind = v.limit_kind("price_per_million_requests", 1.0)
        title = "price of a million requests, in the currency of the price per hour"
        found.append(("Price of a million requests", (v.limited(kind, price, title, strong=True),)))
    return found


def _states(plan: Plan, judgement: Judgement | None) -> tuple[Block, ...]:
    """Whether it was measured, and how far it is from what is known."""
    if judgement is None:
        measured = Paragraph(line("Not measured yet: every cost on this page is computed."), "warn")
    else:
        measured = banner(plan, judgement)
    outside, assumed = len(plan.extrapolates), len(plan.assumptions)
    if plan.by_cost and not assumed:
        return (measured,)
    if not outside and not assumed:
        return measured, Paragraph(
            line("The pick lies inside the data of the law, and nothing else is assumed."), "good"
        )
    parts: list[Line] = []
    if outside:
        ways = "way" if outside == 1 else "ways"
        parts.append(line("lies outside the data of the law in ", v.count(outside, "extrapolations"), f" {ways}"))
    if assumed:
        things = "assumption" if assumed == 1 else "assumptions"
        parts.append(line("rests on ", v.count(assumed, "assumptions"), f" {things}"))
    return measured, Paragraph(line("The pick ", joined(parts), ": see below."), "warn")


def _configuration(plan: Plan) -> list[tuple[str, Line]]:
    """What is deployed, part by part."""
    best, deployment, load = plan.best, plan.deployment, plan.load
    found: list[tuple[str, Line]] = [
        *_parts(plan),
        ("Precision", _precision(best)),
    ]
    if deployment.hardware is None:
        found.append(("Hardware", ("none was named: no times, no price",)))
    else:
        gpus, shared, batch = gpus_of(plan), best.tensor_parallel, best.batch
        name = foreign(deployment.hardware.title, "hardware", NAME_MAX)
        several = line(v.count(gpus, "GPUs in all"), " x ") if gpus > 1 else ()
        idle = idle_text(plan)
        left = line("; ", foreign(idle, "GPUs that are too few for another replica")) if idle else ()
        found.append(("Hardware", line(several, name, _shared(gpus, shared), left)))
        if plan.carried is None:
            found.append(("Batch", line(v.count(batch, "requests that run together"), " at once" if batch > 1 else "")))
        else:
            found.append(("Load", asked_line(plan, label=False)))
        hour = deployment.price_per_hour
        if hour is not None:
            found.append(("Price of a GPU", line(v.significant(hour, "price of a GPU for an hour"), " for an hour")))
            if (paid := gpus_paid(plan)) > 1:
                price = v.significant(hour * paid, "price of the GPUs for an hour")
                which = "Price of all GPUs" if paid == gpus else "Price of the GPUs that serve"
                found.append((which, line(price, " for an hour")))
    if load.tail == load.mean:
        return [*found, ("Request", _request(load.mean, ""))]
    requests = v.count(load.requests, "requests in the file of traffic")
    note = line("; the mean of ", requests, " requests, FLOPs and price hold for it")
    long = line(_request(load.tail, "long request: "), "; times and memory hold for it")
    return [
        *found,
        ("Request", line(_request(load.mean, ""), note)),
        ("Long request", line(v.level_of_tail(), " percentile: ", long)),
    ]


def _parts(plan: Plan) -> list[tuple[str, Line]]:
    """What is trained, part by part; or which weights are taken, with the knob."""
    best = plan.best
    if best.released is None:
        return [
            ("Language model", (foreign(best.llm.name, "language model", NAME_MAX),)),
            ("Vision tower", (foreign(best.vision.name, "vision tower", NAME_MAX),)),
            ("Compressor", (compressor_title(best.compressor),)),
            ("Prompt", (foreign(best.prompt_order, "prompt order", NAME_MAX),)),
        ]
    checkpoint = best.released.checkpoint
    return [
        ("Model", (foreign(checkpoint.name, "model", NAME_MAX),)),
        ("Weights", (foreign(weights_text(plan), "repository and licence of the weights", 200),)),
        ("Knob", (foreign(best.knob or "as published", "knob", NAME_MAX),)),
        ("Image", (foreign(str(best.released.image), "size of the image", NAME_MAX),)),
    ]


def _shared(gpus: int, shared: int) -> Line:
    """How the GPUs serve: each alone, or some of them with one copy of the model."""
    if shared > 1:
        which = v.count(shared, "GPUs that share the model")
        return line("; ", which, " share the model" if shared == gpus else " share each copy of the model")
    return ("; each holds a whole model",) if gpus > 1 else ()


def _precision(best: Candidate) -> Line:
    kv = best.kv_precision
    cache = line(", KV cache ", foreign(kv, "precision of the KV cache", NAME_MAX)) if kv else ()
    return line(foreign(best.precision, "precision of the weights", NAME_MAX), cache)


def _request(workload: Workload, which: str) -> Line:
    """ "50 query tokens, 32 answer tokens, 1 image"."""
    names = {
        "query_tokens": " query tokens",
        "generated_tokens": " answer tokens",
        "cached_tokens": " cached tokens",
        "system_tokens": " system tokens",
        "images": " images",
    }
    parts: list[Line] = []
    for name, text in names.items():
        number: int = getattr(workload, name)
        if number or name in ("query_tokens", "generated_tokens"):
            unit = text.removesuffix("s") if number == 1 else text
            parts.append(line(Value(f"{number:,}", number, f"{which}{name.replace('_', ' ')}"), unit))
    return joined(parts, ", ")
