"""plan(): exact enumeration of (LLM, visual tokens) candidates, vectorised."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.costs.flops import PAPER, request_flops
from planner.costs.sizes import LlmArrays
from planner.costs.stages import TEXT_FIRST, Workload
from planner.errors import FitError, InputError, NothingFitsError
from planner.laws.combined import Law
from planner.laws.fitted import NOT_IDENTIFIED, FittedLaw
from planner.laws.shipped import as_law
from planner.laws.uncertainty import uncertainty
from planner.models.catalog import (
    DEFAULT_COMPRESSOR,
    DEFAULT_VISION,
    Llms,
    family_of,
    find_compressor,
    find_llms,
    find_vision,
)
from planner.models.specs import CompressorSpec, LlmSpec, VisionSpec
from planner.planning.request import Budget, as_budget, as_workload
from planner.planning.result import Candidate, Plan
from planner.planning.table import CandidateTable
from planner.quantities import format_factor, format_flops, format_params, format_tokens, whole_number

RUNNERS_UP = 5
DRAWS = 1000
"""Posterior draws behind the probability of being best and the expected regret."""


def plan(
    law: Law | str | Path | None = None,
    *,
    budget: Budget | float | str,
    query_tokens: int | None = None,
    generated_tokens: int | None = None,
    cached_tokens: int = 0,
    workload: Workload | None = None,
    llms: Llms | None = None,
    visual_tokens: int | Iterable[int] | None = None,
    vision: str | VisionSpec = DEFAULT_VISION,
    compressor: str | CompressorSpec = DEFAULT_COMPRESSOR,
    prompt_order: str = "image-first",
    convention: str | None = None,
    form: str | None = None,
) -> Plan:
    """The (LLM, visual tokens) pair with the smallest predicted error whose cost fits the budget.

    Every language model is tried with every admissible number of visual tokens; the answer is exact, not a search.
    Equal errors go to the cheaper candidate.

    Args:
        law: a fitted law, the name of a shipped one ("reasoning", "ocr"), or a law file; "reasoning" by default.
        budget: FLOPs of one request ("2 TFLOPs", 2e12), or a `Budget`.
        query_tokens: new text tokens of a request.
        generated_tokens: answer tokens.
        cached_tokens: text tokens already in the KV cache, on top of `query_tokens`.
        workload: all token counts at once, instead of the three above.
        llms: candidates: names, families, "all", config.json paths or specs; by default the family that the law
            was measured on.
        visual_tokens: candidates; by default all that the compressor admits for the tower.
        vision: vision tower.
        compressor: "quecc", "tokenpacker", "average-pool" or "none".
        prompt_order: "image-first", or "text-first", which makes QueCC's query pass free.
        convention: "full" or "paper"; overrides that of the budget.
        form: form of a shipped law; "additive" by default.

    Raises:
        NothingFitsError: no candidate fits; names the cheapest and its cost.
        InputError: a bad quantity, name, law or architecture, in one sentence.
    """
    law = as_law(law, form)
    budget = as_budget(budget, convention)
    workload = as_workload(workload, query_tokens, generated_tokens, cached_tokens)
    tower, squeezer = find_vision(vision), find_compressor(compressor)
    models = find_llms(llms) if llms is not None else _own_family(law)
    tokens = _admissible(visual_tokens, squeezer, tower)
    flops = request_flops(
        LlmArrays.of(models),
        np.array(tokens, float),
        workload,
        vision=tower,
        compressor=squeezer,
        convention=budget.convention,
        prompt_order=prompt_order,
    )
    total = np.asarray(flops.total)
    nominal = np.array([[llm.nominal_params] for llm in models])
    error = np.broadcast_to(law.predict(nominal, np.array(tokens, float)), total.shape)

    errors, costs = error.ravel(), total.ravel()
    fits = costs <= budget.flops
    doubt = _Doubt.of(law, np.broadcast_to(nominal, total.shape).ravel(), np.tile(tokens, len(models)), errors, fits)

    def candidate(flat: int) -> Candidate:
        i, j = divmod(flat, len(tokens))
        parts = (models[i], tokens[j], float(error[i, j]), flops.at(i, j), tower, squeezer, prompt_order)
        return Candidate(*parts, **doubt.facts(flat))

    if not fits.any():
        cheapest = candidate(int(np.argmin(costs)))
        raise NothingFitsError(
            f"nothing fits {format_flops(budget.flops)} ({budget.convention} count): the cheapest candidate is "
            f"{cheapest} at {format_flops(cheapest.total_flops)}; raise the budget or name smaller models",
            budget_flops=budget.flops,
            cheapest=str(cheapest),
            cheapest_flops=cheapest.total_flops,
        )
    ranking = np.lexsort((costs, errors))
    ranking = ranking[fits[ranking]]
    best = candidate(int(ranking[0]))
    better = np.flatnonzero((errors < best.predicted_error) & ~fits)
    next_up = candidate(int(better[np.lexsort((errors[better], costs[better]))[0]])) if len(better) else None
    return Plan(
        best=best,
        runners_up=tuple(candidate(int(i)) for i in ranking[1 : 1 + RUNNERS_UP]),
        tied=tuple(candidate(int(i)) for i in sorted(doubt.tied, key=lambda i: (costs[i], errors[i]))),
        frontier=tuple(candidate(int(i)) for i in pareto(costs, errors) if fits[i]),
        next_up=next_up,
        law=law,
        budget=budget,
        workload=workload,
        table=CandidateTable(
            llms=models,
            llm_index=np.repeat(np.arange(len(models)), len(tokens)),
            visual_tokens=np.tile(np.array(tokens, float), len(models)),
            predicted_error=errors,
            fits=fits,
            quantities={"total_flops": costs},
        ),
        extrapolates=_extrapolations(law, best),
        assumptions=_assumptions(law, best, budget, workload),
    )


@dataclass(frozen=True)
class _Doubt:
    """What is known of how sure each candidate is, by its flat position; nothing for a law without runs."""

    fitting: dict[int, int]
    """Flat position -> position among the candidates that fit the budget."""
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    probability_best: NDArray[np.float64]
    expected_regret: NDArray[np.float64]
    tied: tuple[int, ...]
    """Flat positions of what cannot be told from the best."""

    @classmethod
    def of(
        cls,
        law: Law,
        llm_params: NDArray[np.float64],
        visual_tokens: NDArray[np.int_],
        errors: NDArray[np.float64],
        fits: NDArray[np.bool_],
    ) -> _Doubt:
        """Ask every form that the runs allow, for the candidates that fit the budget."""
        known = uncertainty(law) if fits.any() else None
        none = np.zeros(0)
        nothing = cls({}, none, none, none, none, ())
        if known is None:
            return nothing
        flat = np.flatnonzero(fits)
        n, t = llm_params[flat], visual_tokens[flat].astype(float)
        low, high = known.intervals(n, t)
        best = int(np.argmin(errors[flat]))
        tied = known.not_worse(n, t, (float(n[best]), float(t[best])))
        try:
            draws = known.draws(n, t, DRAWS)
        except FitError:  # errors that do not fall as the form says: the law's own status says so
            draws = None
        winners = regret = np.full(len(flat), np.nan)
        if draws is not None:
            winners = np.bincount(draws.argmin(axis=1), minlength=len(flat)) / DRAWS
            regret = (draws - draws.min(axis=1, keepdims=True)).mean(axis=0)
        positions = {int(i): k for k, i in enumerate(flat)}
        return cls(positions, low, high, winners, regret, tuple(int(i) for i in flat[tied]))

    def facts(self, flat: int) -> dict[str, Any]:
        """The uncertain fields of the candidate at a flat position."""
        if flat not in self.fitting:
            return {}
        k = self.fitting[flat]
        return {
            "interval": (float(self.low[k]), float(self.high[k])),
            "probability_best": None if np.isnan(self.probability_best[k]) else float(self.probability_best[k]),
            "expected_regret": None if np.isnan(self.expected_regret[k]) else float(self.expected_regret[k]),
        }


def pareto(costs: NDArray[np.float64], errors: NDArray[np.float64]) -> NDArray[np.intp]:
    """Positions that no cheaper or equally cheap one equals or beats, by ascending cost."""
    order = np.lexsort((errors, costs))
    best_before = np.concatenate([[np.inf], np.minimum.accumulate(errors[order])[:-1]])
    return order[errors[order] < best_before]


def _own_family(law: Law) -> tuple[LlmSpec, ...]:
    """The catalogue's models of the families that the law was measured on. Raises InputError if it knows none."""
    families = dict.fromkeys(family for name in law.llms if (family := family_of(name)))
    if not families:
        measured = f"on {', '.join(law.llms)}, which the catalogue does not know" if law.llms else "on no named models"
        raise InputError(
            f"the law was measured {measured}: name the candidates with llms= (--llms): models, families, 'all', "
            "or config.json paths"
        )
    return find_llms(list(families))


def _admissible(wanted: int | Iterable[int] | None, compressor: CompressorSpec, vision: VisionSpec) -> tuple[int, ...]:
    """The candidates' visual tokens, ascending. Raises InputError for a count that the compressor cannot make."""
    admissible = compressor.visual_tokens(vision)
    if wanted is None:
        return admissible
    counts = wanted if isinstance(wanted, Iterable) else [wanted]
    chosen = sorted({whole_number(count, "visual_tokens", 1) for count in counts})
    for count in chosen:
        if count not in admissible:
            raise InputError(
                f"{compressor.title} cannot make {count} visual tokens from the {vision.grid_side} x "
                f"{vision.grid_side} patches of {vision.name}; it can make {', '.join(map(str, admissible))}"
            )
    if not chosen:
        raise InputError(f"visual_tokens: expected at least one of {', '.join(map(str, admissible))}, got none")
    return tuple(chosen)


def _extrapolations(law: Law, best: Candidate) -> tuple[str, ...]:
    """Where the pick lies outside the law's data, in words."""
    out = []
    for quantity, nearest, ratio in law.outside(best.llm.nominal_params, best.visual_tokens):
        size = quantity == "llm_params"
        value, form = (best.llm.nominal_params, format_params) if size else (best.visual_tokens, format_tokens)
        edge = "above the largest" if value > nearest else "below the smallest"
        out.append(
            f"{quantity} {form(value)} is {edge} measured, {form(nearest)}, by a factor of {format_factor(ratio)}"
        )
    return tuple(out)


def _assumptions(law: Law, best: Candidate, budget: Budget, workload: Workload) -> tuple[str, ...]:
    """What has to hold for the law to speak of this pick, in sentences."""
    out = []
    if isinstance(law, FittedLaw) and "assumption" in law.joint:
        out.append(str(law.joint["assumption"]).removeprefix("assumes that ").removeprefix("assumes "))
    if law.n_runs and not law.compressors:
        out.append(f"the compressor of the runs is not known, the plan is for {best.compressor.name}")
    if law.status == NOT_IDENTIFIED:
        out.append(f"the law is not identified: {law.advice}")
    if law.compressors and best.compressor.name not in law.compressors:
        measured = [name for name in law.compressors if name != "none"] or ["no compressor"]
        out.append(
            f"the law was measured with {', '.join(measured)}, the plan is for {best.compressor.name}: "
            "the gain of a visual token differs between compressors"
        )
    families = {family_of(name) or name for name in law.llms}
    if families and (family_of(best.llm.name) or best.llm.family) not in families:
        out.append(
            f"the law was measured on {', '.join(sorted(families))}, the pick is {best.llm.family}: "
            "another family may stand higher or lower at the same size"
        )
    if law.vision and best.vision.name != law.vision:
        out.append(f"the law was measured with {law.vision}, the plan is for {best.vision.name}")
    limit = best.compressor.published_tokens_max
    if limit is not None and best.visual_tokens > limit:
        out.append(f"{best.compressor.title} has published results up to {limit} visual tokens only")
    if best.prompt_order == TEXT_FIRST:
        out.append("a text-first prompt keeps the quality of an image-first one: the law was not measured on it")
    if workload.images > 1:
        out.append(f"the law, measured with one image a request, holds for {workload.images}")
    if budget.convention == PAPER:
        out.append("the paper's count leaves out the vision tower, the compressor and its query pass")
    if not 0 <= best.predicted_error <= 1:
        out.append("the predicted error is outside 0 to 1: the law is used too far from its data")
    out += best.llm.notes
    return tuple(out)
