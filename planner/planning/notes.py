"""What a pick rests on, in sentences: where it lies outside the data, and what has to hold for it."""

from __future__ import annotations

from planner.base.quantities import format_factor, format_params, format_tokens
from planner.configuration import TEXT_FIRST, Run
from planner.costs.flops import PAPER
from planner.costs.stages import Workload
from planner.hardware.efficiency import TRANSFERRED
from planner.laws.combined import Law, single_laws
from planner.laws.fitted import NOT_IDENTIFIED, FittedLaw
from planner.laws.lack_of_fit import lack_of_fit
from planner.laws.memo import remembered
from planner.parts.catalog import family_of
from planner.planning.candidate import Candidate
from planner.planning.request import Budget
from planner.planning.serving import unserved
from planner.planning.transfer.known import beside_the_sequence, nameless, not_known, unmeasured
from planner.planning.transfer.query_blind import query_blind
from planner.planning.transfer.transfer import COMPRESSOR, FAMILY
from planner.planning.tried import Released
from planner.runs.table import ERROR

_MEASURED_PRECISIONS = ("bf16", "fp16", "fp32")


def extrapolations(law: Law, best: Candidate, released: Released | None = None) -> tuple[str, ...]:
    """Where the pick lies outside the law's data, in words; of released models what is not known for it comes first."""
    out = [told] if (told := not_known(law, released)) else []
    if _ranks_generations_alike(law, released):
        out.append("N and T alone rank these models: an old one of some size stands as high as a new one")
    if best.llm.active_params < best.llm.params:
        out.append(_all_experts(best))
    if best.released is not None and not best.released.seen.in_sequence:
        out.append(beside_the_sequence(best.released.checkpoint.name))
    for quantity, nearest, ratio in law.outside(best.llm.nominal_params, best.visual_tokens):
        size = quantity == "llm_params"
        value, form = (best.llm.nominal_params, format_params) if size else (best.visual_tokens, format_tokens)
        edge = "above the largest" if value > nearest else "below the smallest"
        out.append(
            f"{quantity} {form(value)} is {edge} measured, {form(nearest)}, by a factor of {format_factor(ratio)}"
        )
    return tuple(out)


def _ranks_generations_alike(law: Law, released: Released | None) -> bool:
    """Whether families that its runs do not name compete by N and T alone."""
    if released is None or law.reckons_with_transfer or not unmeasured([law], released):
        return False
    from planner.parts.released.select import family_of_released  # only plans among released models pay for its import

    return len({family_of_released(one.hub_id or one.name) for one in released.selection.checkpoints}) > 1


def _all_experts(best: Candidate) -> str:
    """What the law's N stands for in a mixture of experts."""
    active, nominal = format_params(best.llm.active_params), format_params(best.llm.nominal_params)
    return (
        f"llm_params {nominal} counts all experts, of which a token passes {active}: the law was fitted to dense "
        "models, and may take a mixture of experts for better than it is"
    )


def assumptions(
    law: Law | None,
    best: Candidate,
    budget: Budget,
    workload: Workload,
    run: Run,
    as_measured: tuple[str, ...] = (),
) -> tuple[str, ...]:
    """What has to hold for the law to speak of this pick, and for its costs, in sentences; of the costs alone without a
    law. What its interval reckons with is not assumed."""
    out = [] if law is None else _of_the_law(law, best, as_measured)
    if best.released is not None and (said := run.stands_in(best.released.checkpoint.dtype)):
        out.append(f"{best.released.checkpoint.name} keeps its quality in {said}")
    out += unserved(best, workload.images, run.hardware)
    if best.latency is not None and best.latency.source == TRANSFERRED:
        out.append("times on this card rest on efficiencies of a similar one: measure before you rely on them")
    if run.hardware is not None and (said := run.hardware.memory_note):
        out.append(f"all of the memory is free: {said}; a memory limit says how much it is")
    if law is not None and workload.images > 1:
        out.append(f"the law, measured with one image a request, holds for {workload.images}")
    if budget.convention == PAPER:
        out.append("the paper's count leaves out the vision tower, the compressor and its query pass")
    if best.predicts == ERROR and best.predicted_error is not None and not 0 <= best.predicted_error <= 1:
        out.append("the predicted error is outside 0 to 1: the law is used too far from its data")
    out += best.model.notes
    return tuple(out)


@remembered
def _misfits(law: Law) -> tuple[str, ...]:
    """What a law cannot follow in its runs."""
    return tuple(tested.assumption for tested in lack_of_fit(law) if tested.found)


def _of_the_law(law: Law, best: Candidate, as_measured: tuple[str, ...]) -> list[str]:
    """What has to hold for the law to speak of this pick."""
    out = []
    if isinstance(law, FittedLaw) and "assumption" in law.joint:
        out.append(str(law.joint["assumption"]).removeprefix("assumes that ").removeprefix("assumes "))
    if law.n_runs and not law.compressors and not law.reckons_with_transfer and best.released is None:
        out.append(
            f"the compressor of the runs is not known, the plan is for {best.compressor.name}"
            + _left_out(best, ": what another one would change is not in the interval")
        )
    if law.n_runs and nameless([law]) and best.released is None:
        out.append(
            f"the language models of the runs are not named, the plan is for {best.llm.family}"
            + _left_out(best, ": what another family would change is not in the interval")
        )
    if law.status == NOT_IDENTIFIED:
        out.append(f"the law is not identified: {law.advice}")
    out += _misfits(law)
    if law.reckons_with_transfer:
        out.append("what published studies have in common holds for your data, vision tower and training")
    elif best.released is None:
        out += _of_the_parts(law, best, as_measured)
    elif as_measured:
        listed = " and ".join(filter(None, (", ".join(as_measured[:-1]), as_measured[-1])))
        out.append(f"these models stand where the law stands, by {listed}: it was fitted to others")
    if best.prompt_order == TEXT_FIRST:
        out.append(
            "a text-first prompt keeps the quality of an image-first one: the law was not measured on it"
            + _left_out(best, ", and how far it is off is not in the interval")
        )
    if best.precision not in _MEASURED_PRECISIONS:
        out.append(
            f"weights in {best.precision} keep the quality of 16 bits: the law was not measured on it"
            + _left_out(best, ", and how far they are off is not in the interval")
        )
    return out


def _of_the_parts(law: Law, best: Candidate, as_measured: tuple[str, ...]) -> list[str]:
    """What has to hold for a law of other compressors, families and towers."""
    out = []

    def assumed(axis: str) -> bool:
        return best.interval is None or axis in as_measured or best.predicts != ERROR

    if law.compressors and best.compressor.name not in law.compressors and assumed(COMPRESSOR):
        measured = [name for name in law.compressors if name != "none"] or ["no compressor"]
        out.append(
            f"a law measured with {', '.join(measured)} holds for {best.compressor.name} "
            "(the gain of a visual token differs between compressors)"
        )
    families = {family_of(name) or name for one in single_laws(law) for name in one.llms}
    if families and (family_of(best.llm.name) or best.llm.family) not in families and assumed(FAMILY):
        out.append(
            f"a law measured on {', '.join(sorted(families))} holds for {best.llm.family} "
            "(another family may stand higher or lower at the same size)"
        )
    if law.vision and best.vision.name != law.vision:
        out.append(
            f"a law measured with {law.vision} holds for {best.vision.name}"
            + _left_out(best, ": how far it is off is not in the interval")
        )
    limit = best.compressor.published_tokens_max
    if limit is not None and best.visual_tokens > limit and not _measured_up_to(law, best):
        out.append(f"{best.compressor.title} has published results up to {limit} visual tokens only")
    if said := query_blind(best.compressor, best.vision, best.visual_tokens):
        out.append(f"{said}, and a compressor that never reads it gives as much for less")
    return out


def _left_out(best: Candidate, told: str) -> str:
    """What is said of an interval, where there is one."""
    return "" if best.interval is None else told


def _measured_up_to(law: Law, best: Candidate) -> bool:
    """Whether the law's own runs, those of every form and task, reach the pick's visual tokens with its compressor.

    A token for each patch is what runs without a compressor have: where some were pooled, that level proves nothing.
    """

    def levels(one: FittedLaw) -> list[float]:
        pooled = "none" in one.compressors
        return [level for level in one.visual_tokens_levels if not (pooled and level == best.vision.patches)]

    return all(
        best.compressor.name in one.compressors and max(levels(one), default=0) >= best.visual_tokens
        for one in single_laws(law)
    )
