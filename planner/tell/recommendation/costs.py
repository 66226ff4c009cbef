"""What the pick costs: stage by stage, memory by owner, the limits and what a little more of each would buy."""

from __future__ import annotations

from dataclasses import replace

from planner.costs.stages import STAGES
from planner.planning.candidate import SlackOfPick
from planner.planning.limits import RELAXED_BY, Limit
from planner.planning.result import Plan
from planner.tell import values as v
from planner.tell.document import Block, Bullets, Line, Paragraph, Section, Table, Value, foreign, line
from planner.tell.recommendation.candidates import cost_of, error_of, title_of
from planner.tell.recommendation.judgement import Judgement
from planner.tell.recommendation.limits_kept import Measured, gpus_of, measured_limits
from planner.tell.stages import STAGE_TITLES, stage_table

_CONVENTIONS = {
    "full": "every stage that runs is counted",
    "paper": "the language model alone is counted, by its nominal size: what else runs is left out",
    "torch": "as PyTorch counts it",
}
_SOURCES = {
    "calibrated": "times are a roofline fitted to kernel times of this card, which others measured",
    "transferred": "times are a roofline fitted to a similar card, not to this one",
    "roofline": "times are a roofline with typical efficiencies",
    "silicon": "times are sums of measured kernels",
}


def costs(plan: Plan, judgement: Judgement | None) -> Section:
    """The section."""
    blocks: list[Block] = [_stages(plan), *_remarks(plan), _memory(plan), _limits(plan, judgement)]
    return Section("costs", "What it costs", (*blocks, *_more(plan)))


def _stages(plan: Plan) -> Table:
    best = plan.best
    table = stage_table(best.flops, best.latency, best.batch, plan.budget.convention)
    together: Line = ()
    if best.latency is not None and best.batch > 1:
        together = line("; times are those of a batch of ", v.count(best.batch, "requests that run together"))
    return replace(table, caption=line("One request, stage by stage", together))


def _remarks(plan: Plan) -> list[Block]:
    convention = plan.budget.convention
    head = line("FLOPs: a multiply-add is ", Value("2", 2, "FLOPs of a multiply-add", "FLOPs"), "; ")
    told = _CONVENTIONS.get(convention)
    sentences: list[Line] = [line(head, told if told else foreign(convention, "how FLOPs are counted"), ".")]
    latency = plan.best.latency
    if latency is None:
        return [Paragraph(line(*sentences, " No hardware was named, so there are no times."))]
    source = latency.source
    known = next((text for name, text in _SOURCES.items() if source.startswith(name)), "times have several sources")
    light = v.share(float(latency.speed_of_light_share), 1.0, "ideal time over predicted time")
    sentences.append(line(f" {known[0].upper()}{known[1:]}; perfect kernels would need ", light, " of them."))
    fewest = plan.speed_limit_tokens
    if fewest is not None and fewest > 1:
        tokens = v.tokens(fewest, "visual tokens below which fewer save no time")
        saving = Value("5 %", 0.05, "saving that counts as none", "share")
        sentences.append(
            line(" Below ", tokens, " visual tokens, fewer of them save less than ", saving,
                 " of the time to the first token.")
        )  # fmt: skip
    return [Paragraph(line(*sentences))]


def _memory(plan: Plan) -> Table:
    memory = plan.best.memory
    stage = STAGE_TITLES[STAGES[int(memory.peak_stage)]]
    owners = {
        "weights": float(memory.weights),
        "KV cache at the peak": float(memory.peak_kv_cache),
        f"activations ({stage})": memory.peak_activations,
        "reserve of driver and libraries": float(memory.reserve),
    }
    peak = float(memory.peak)
    rows = [
        (line(name), (v.size(number, f"bytes: {name}"),), (v.share(number, peak, f"share of memory: {name}"),))
        for name, number in owners.items()
    ]
    whole = (line("peak"), (v.size(peak, "peak memory per device"),), ())
    return Table(line("Memory per device, by what takes it"), ("", "bytes", "share"), tuple(rows), (whole,))


def _limits(plan: Plan, judgement: Judgement | None) -> Table:
    known = measured_limits(plan, judgement)
    rows = []
    for one in plan.limits:
        limit = one.limit
        allowed = line("at least " if limit.at_least else "", v.limited(limit, limit.value, f"limit: {limit.title}"))
        used = v.share(one.used, 1.0, f"share of the limit that is used: {limit.title}")
        pick = cost_of(plan.best, limit, f"{limit.title} of the pick")
        measured = [_measured(known.get(limit.name))] if known else []
        binds: Line = ("yes",) if one.binds else ("no",)
        rows.append((_limit_title(plan, limit), allowed, (pick,), (used,), *measured, binds))
    columns = ("limit", "allowed", "pick", "used", *["measured"] * bool(known), "binding")
    caption = line("The limits; behind a binding one lies a better configuration")
    return Table(caption, columns, tuple(rows), words=frozenset({columns[-1]}))


def _limit_title(plan: Plan, limit: Limit) -> Line:
    """Requests per second are those of all GPUs together."""
    gpus = gpus_of(plan)
    if not limit.kind.of_all_gpus or gpus < 2:
        return line(limit.title)
    return line(f"{limit.title} of ", v.count(gpus, "GPUs that serve"), " GPUs")


def _measured(one: Measured | None) -> Line:
    if one is None:
        return ()
    note = f" ({one.note})" if one.note else ""
    return line(one.value, note, "" if one.kept else ", not kept")


def _more(plan: Plan) -> list[Block]:
    """What a tenth more of each limit would buy, and what the next budget would be."""
    items = [_looser(plan, one) for one in plan.limits if one.relaxed is not None]
    if not items:
        share = v.share(RELAXED_BY, 1.0, "by how much a limit is loosened")
        items.append(line(share, " more of one limit alone would buy nothing."))
    other, limit = plan.next_up, plan.limits[0].limit
    if other is not None:
        needed = v.of(limit, cost_of(other, limit))
        items.append(
            line(
                "The next better configuration needs ", needed, ": ", title_of(other), ", error ", error_of(other), "."
            )
        )
    return [Bullets(tuple(items))]


def _looser(plan: Plan, one: SlackOfPick) -> Line:
    limit, looser, other = one.limit, one.limit.relaxed(), one.relaxed
    assert other is not None
    before, after = limit.kind.looser.split("{}")
    by = v.share(abs(looser.value - limit.value), limit.value, "by how much a limit is loosened")
    gain = v.error(plan.best.predicted_error - other.predicted_error, "gain in error")
    return line(
        "With ", before, by, f"{after} (", v.limited(looser, looser.value, "looser limit"), "): ",
        title_of(other), ", error ", error_of(other), ", lower by ", gain, ".",
    )  # fmt: skip
