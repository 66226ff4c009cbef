"""What the pick costs: stage by stage, memory by owner, the limits and what a little more of each would buy."""

from __future__ import annotations

from planner.costs.stages import STAGES
from planner.planning.limits import RELAXED_BY, Limit
from planner.tell import values as v
from planner.tell.document import (
    Block,
    Bullets,
    Line,
    Paragraph,
    Section,
    Table,
    Value,
    foreign,
    line,
)
from planner.tell.recommendation.candidates import Pick, limits_in
from planner.tell.recommendation.fields import Fields
from planner.tell.recommendation.kept import Held, gpus_of, held_by
from planner.tell.recommendation.verdict_file import Verdict
from planner.tell.stages import STAGE_TITLES

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


def costs(plan: Fields, best: Pick, verdict: Verdict | None) -> Section:
    """The section."""
    blocks: list[Block] = [_stages(plan, best), *_remarks(plan), _memory(plan), _limits(plan, best, verdict)]
    return Section("costs", "What it costs", (*blocks, *_more(plan, best)))


def _stages(plan: Fields, best: Pick) -> Table:
    latency = plan.maybe_part("latency_s")
    counted = best.stage_flops()
    rows = []
    for stage in STAGES:
        times = _times(plan, latency, stage)
        if counted[stage] == 0 and (not times or times[0] == ("-",)):
            continue  # it does not run, or is not counted
        title = STAGE_TITLES[stage]
        flops = v.flops(counted[stage], f"FLOPs of the {title}")
        part = v.share(counted[stage], best.total_flops, f"share of the {title}")
        rows.append((line(title), (flops,), (part,), *times))
    whole: list[Line] = [line("total"), (v.flops(best.total_flops, "FLOPs of one request"),), ()]
    if latency is not None:
        source = foreign(latency.text("source"), "source of the times")
        whole += [(v.seconds(latency.number("request_s"), "seconds of the whole answer"),), (), (source,)]
    timed = ["time", "bound", "source"] if latency is not None else []
    batch = best.fields.whole("batch")
    together: Line = ()
    if latency is not None and batch > 1:
        together = line("; times are those of a batch of ", v.count(batch, "requests that run together"))
    caption = line("One request, stage by stage", together)
    columns = ("stage", "FLOPs", "share", *timed)
    return Table(caption, columns, tuple(rows), (tuple(whole),), words=frozenset({"bound", "source"}))


def _times(plan: Fields, latency: Fields | None, stage: str) -> list[Line]:
    if latency is None:
        return []
    steps, name = 1, stage
    if stage == "decode":
        work = plan.maybe_part("workload_p95") or plan.part("workload")
        steps, name = max(work.whole("generated_tokens") - 1, 0), "decode_step"
    part = latency.part(name)
    taken = steps * part.number("seconds")
    if taken == 0:
        return [("-",), (), ()]
    bound, source = (
        foreign(part.text("bound"), "what bounds the stage"),
        foreign(part.text("source"), "source of the time"),
    )
    return [(v.seconds(taken, f"seconds of the {STAGE_TITLES[stage]}"),), (bound,), (source,)]


def _remarks(plan: Fields) -> list[Block]:
    convention = plan.text("convention")
    head = line("FLOPs: a multiply-add is ", Value("2", 2, "FLOPs of a multiply-add", "FLOPs"), "; ")
    told = _CONVENTIONS.get(convention)
    sentences: list[Line] = [line(head, told if told else foreign(convention, "how FLOPs are counted"), ".")]
    latency = plan.maybe_part("latency_s")
    if latency is None:
        sentences.append(line(" No hardware was named, so there are no times."))
    else:
        source = latency.text("source")
        known = next((text for name, text in _SOURCES.items() if source.startswith(name)), "times have several sources")
        light = v.share(latency.number("speed_of_light_share"), 1.0, "ideal time over predicted time")
        sentences.append(line(f" {known[0].upper()}{known[1:]}; perfect kernels would need ", light, " of them."))
        fewest = plan.maybe_number("speed_limit_tokens")
        if fewest is not None and fewest > 1:
            tokens = v.tokens(fewest, "visual tokens below which fewer save no time")
            saving = Value("5 %", 0.05, "saving that counts as none", "share")
            sentences.append(
                line(" Below ", tokens, " visual tokens, fewer of them save less than ", saving,
                     " of the time to the first token.")
            )  # fmt: skip
    return [Paragraph(line(*sentences))]


def _memory(plan: Fields) -> Table:
    memory = plan.part("memory_bytes")
    stage = memory.text("peak_stage")
    title = STAGE_TITLES.get(stage)
    owners = {
        "weights": memory.number("weights_bytes"),
        "KV cache at the peak": memory.number("peak_kv_cache_bytes"),
        f"activations ({title or 'at the peak'})": memory.number(f"{stage}_bytes" if title else "prefill_bytes"),
        "reserve of driver and libraries": memory.number("reserve_bytes"),
    }
    peak = memory.number("peak_bytes")
    rows = [
        (line(name), (v.size(number, f"bytes: {name}"),), (v.share(number, peak, f"share of memory: {name}"),))
        for name, number in owners.items()
    ]
    whole = (line("peak"), (v.size(peak, "peak memory per device"),), ())
    return Table(line("Memory per device, by what takes it"), ("", "bytes", "share"), tuple(rows), (whole,))


def _limits(plan: Fields, best: Pick, verdict: Verdict | None) -> Table:
    held = held_by(plan, best, verdict)
    rows = []
    for limit, (_, one) in zip(limits_in(plan), plan.items("limits"), strict=True):
        allowed = line("at least " if limit.at_least else "", v.limited(limit, limit.value, f"limit: {limit.title}"))
        used = v.share(one.number("used"), 1.0, f"share of the limit that is used: {limit.title}")
        binds = "yes" if one.flag("binds") else "no"
        pick = best.cost(limit, f"{limit.title} of the pick")
        measured = [_measured(held.get(limit.name))] if held else []
        rows.append((_limit_title(plan, best, limit), allowed, (pick,), (used,), *measured, (binds,)))
    columns = ("limit", "allowed", "pick", "used", *["measured"] * bool(held), "binding")
    return Table(
        line("The limits; behind a binding one lies a better configuration"),
        columns,
        tuple(rows),
        words=frozenset({columns[-1]}),
    )


def _limit_title(plan: Fields, best: Pick, limit: Limit) -> Line:
    """Requests per second are those of all GPUs together."""
    gpus = gpus_of(plan, best)
    if not limit.kind.of_all_gpus or gpus < 2:
        return line(limit.title)
    return line(f"{limit.title} of ", v.count(gpus, "GPUs that serve"), " GPUs")


def _measured(one: Held | None) -> Line:
    if one is None:
        return ()
    note = f" ({one.note})" if one.note else ""
    return line(one.value, note, "" if one.kept else ", not kept")


def _more(plan: Fields, best: Pick) -> list[Block]:
    """What a tenth more of each limit would buy, and what the next budget would be."""
    items: list[Line] = []
    for limit, (_, one) in zip(limits_in(plan), plan.items("limits"), strict=True):
        fields = one.maybe_part("relaxed")
        if fields is None:
            continue
        other, looser = Pick.of(fields), limit.relaxed()
        before, after = limit.kind.looser.split("{}")
        items.append(
            line(
                "With ", before, _by(limit), f"{after} (", v.limited(looser, looser.value, "looser limit"), "): ",
                other.title, ", error ", other.error_value, ", lower by ",
                v.error(best.error - other.error, "gain in error"), ".",
            )
        )  # fmt: skip
    if not items:
        share = v.share(RELAXED_BY, 1.0, "by how much a limit is loosened")
        items.append(line(share, " more of one limit alone would buy nothing."))
    fields = plan.maybe_part("next_up")
    if fields is not None:
        other, limit = Pick.of(fields), limits_in(plan)[0]
        items.append(
            line("The next better configuration needs ", v.of(limit, other.cost(limit)), ": ", other.title,
                 ", error ", other.error_value, ".")
        )  # fmt: skip
    return [Bullets(tuple(items))]


def _by(limit: Limit) -> Value:
    return v.share(abs(limit.relaxed().value - limit.value), limit.value, "by how much a limit is loosened")
