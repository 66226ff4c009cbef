"""Costs stage by stage, as a table: what it is on every medium, for a plan's pick and for a configuration alone."""

from __future__ import annotations

from planner.costs.flops import Flops
from planner.costs.latency import Latency
from planner.costs.stages import STAGES
from planner.tell import values as v
from planner.tell.document import Line, Paragraph, Table, Value, foreign, line

STAGE_TITLES = {
    "encoder": "vision encoder",
    "compressor": "compressor and projector",
    "query_pass": "query pass",
    "prefill": "prefill",
    "decode": "decode",
}


def stage_title(stage: str, short: bool = False) -> str:
    """A stage in words; `short` where a table has many columns."""
    return stage.replace("_", " ") if short else STAGE_TITLES[stage]


def stage_table(
    flops: Flops,
    latency: Latency | None,
    batch: int,
    convention: str,
    budget_flops: float | None = None,
    of_many: bool = False,
) -> Table:
    """FLOPs of each stage with its share; where the hardware is known the time too, what bounds it, and its source.

    Args:
        flops: of one request.
        latency: of a batch; None without hardware.
        batch: requests that run together.
        convention: how FLOPs were counted.
        budget_flops: the share that the total is of it stands in the last row, where there are no times.
        of_many: the FLOPs are those of the mean of many requests, the times those of the long one.
    """
    timed = ("time", "bound", "source") if latency is not None else ()
    whole, rows = float(flops.total), []
    for stage in STAGES:
        counted = float(getattr(flops, stage))
        times = _times(latency, stage)
        if counted == 0 and (not times or times[0] == ("-",)):
            continue  # it does not run, or is not counted
        title = stage_title(stage)
        cells = (v.flops(counted, f"FLOPs of the {title}"), v.share(counted, whole, f"share of the {title}"))
        rows.append((line(stage_title(stage, latency is not None)), *((cell,) for cell in cells), *times))
    total: list[Line] = [line("total"), line(v.flops(whole, "FLOPs of one request")), ()]
    if latency is not None:
        seconds = v.seconds(float(latency.request_s), "seconds of the whole answer")
        total += [line(seconds), (), line(foreign(latency.source, "source of the times"))]
    elif budget_flops:
        total[-1] = line(v.share(whole, budget_flops, "share of the budget"), " of budget")
    caption = _caption(latency, batch, convention, of_many)
    columns = ("stage", "FLOPs", "share", *timed)
    return Table(caption, columns, tuple(rows), (tuple(total),), words=frozenset({"bound", "source"}))


def _caption(latency: Latency | None, batch: int, convention: str, of_many: bool) -> Line:
    head = line("mean" if of_many else "one", " request, ", foreign(convention, "how FLOPs are counted"), " count")
    of: list[Line] = [line(v.level_of_tail(), " percentile")] if of_many else []
    of += [line("a batch of ", v.count(batch, "requests that run together"))] if batch > 1 else []
    if latency is None or not of:
        return head
    return line(head, "; times of ", of[0], *(line(", ", one) for one in of[1:]))


def _times(latency: Latency | None, stage: str) -> list[Line]:
    """Time, bound and source of a stage; the prefill yields the first token, so a step fewer than tokens is decoded."""
    if latency is None:
        return []
    steps, name = 1, stage
    if stage == "decode":
        steps, name = max(latency.generated_tokens - 1, 0), "decode_step"
    part = getattr(latency, name)
    seconds = steps * float(part.seconds)
    if seconds == 0:
        return [("-",), (), ()]
    bound = foreign(str(part.bound), "what bounds the stage")
    source = foreign(latency.sources[name], "source of the time")
    return [line(v.seconds(seconds, f"seconds of the {stage_title(stage)}")), line(bound), line(source)]


def speed_limit(tokens: int) -> Paragraph:
    """From which number of visual tokens on fewer of them save no time."""
    if tokens <= 1:
        return Paragraph(line("every visual token less saves time to the first token here"))
    fewest = v.tokens(tokens, "visual tokens below which fewer save no time")
    part = Value("5 %", 0.05, "saving that does not count", "share")
    return Paragraph(line("below ", fewest, " visual tokens, fewer of them save less than ", part, " of the TTFT here"))
