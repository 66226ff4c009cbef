"""What the pick costs: stage by stage, memory by owner, the limits and what a little more of each would buy."""

from __future__ import annotations

from dataclasses import replace

from planner.costs.frameworks import framework_of
from planner.hardware.efficiency import CALIBRATED, efficiency_of
from planner.planning.result import Plan
from planner.tell import values as v
from planner.tell.document import Bullets, Line, Paragraph, Section, Value, foreign, line
from planner.tell.memory import memory_table
from planner.tell.plan.sentences import more_lines
from planner.tell.plan.tables import limit_table, stages_of
from planner.tell.recommendation.judgement import Judgement
from planner.tell.recommendation.limits_kept import Measured, measured_limits
from planner.tell.recommendation.wording import capital

_CONVENTIONS = {
    "full": "every stage that runs is counted",
    "paper": "the language model alone is counted, by its nominal size: what else runs is left out",
    "torch": "as PyTorch counts it",
}
_SOURCES = {
    "calibrated": "Times are a roofline fitted to kernel times of this card, which others measured",
    "transferred": "Times are a roofline fitted to a similar card, not to this one",
    "roofline": "Times are a roofline with typical efficiencies",
    "silicon": "Times are sums of measured kernels",
}


def costs(plan: Plan, judgement: Judgement | None) -> Section:
    """The section."""
    known = measured_limits(plan, judgement)
    measured = {name: _measured(one) for name, one in known.items()} if known else None
    tables = (stages_of(plan), memory_table(plan.best.memory), limit_table(plan, measured))
    stages, memory, limits = (replace(table, caption=capital(table.caption)) for table in tables)
    if plan.by_cost:
        return Section("costs", "What it costs", (stages, _remarks(plan), memory, limits))
    limits = replace(
        limits,
        caption=line("Limits; behind one that binds, or the tightest, or just beyond, lies a better configuration"),
    )
    more = Bullets(tuple(map(capital, more_lines(plan))))
    return Section("costs", "What it costs", (stages, _remarks(plan), memory, limits, more))


def _measured(one: Measured) -> Line:
    note = f" ({one.note})" if one.note else ""
    return line(one.value, note, "" if one.kept else ", not kept")


def _times(plan: Plan, source: str) -> Line:
    """Where predicted times come from."""
    card = plan.deployment.hardware
    if source.startswith(CALIBRATED) and card is not None and card.efficiency != efficiency_of(card.name):
        head = "Times are a roofline with a profile of one's own"
        origin = card.efficiency.origin
        return line(head, ", ", foreign(origin, "origin of the efficiencies", 400)) if origin else (head,)
    return (next((text for name, text in _SOURCES.items() if source.startswith(name)), "Times have several sources"),)


def _remarks(plan: Plan) -> Paragraph:
    """How FLOPs are counted, where times come from, and from which number of tokens on fewer save none."""
    convention = plan.budget.convention
    head = line("FLOPs: a multiply-add is ", Value("2", 2, "FLOPs of a multiply-add", "FLOPs"), "; ")
    told = _CONVENTIONS.get(convention)
    sentences: list[Line] = [line(head, told if told else foreign(convention, "how FLOPs are counted"), ".")]
    latency = plan.best.latency
    if latency is None:
        return Paragraph(line(*sentences, " No hardware was named, so there are no times."))
    light = v.share(float(latency.speed_of_light_share), 1.0, "ideal time over predicted time")
    framework = framework_of(plan.deployment.hardware, plan.best.llm, latency.sources["decode_step"])
    under: Line = (", with ", foreign(framework, "framework"), "'s kernels") if framework else ()
    times = line(" ", _times(plan, latency.source), *under)
    sentences.append(line(times, "; perfect kernels would need ", light, " of them."))
    fewest = plan.speed_limit_tokens
    if fewest is not None and fewest > 1:
        tokens = v.tokens(fewest, "visual tokens below which fewer save no time")
        saving = Value("5 %", 0.05, "saving that counts as none", "share")
        sentences.append(
            line(" Below ", tokens, " visual tokens, fewer of them save less than ", saving,
                 " of the time to the first token.")
        )  # fmt: skip
    return Paragraph(line(*sentences))
