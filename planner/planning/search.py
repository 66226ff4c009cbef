"""plan(): exact enumeration of candidates, vectorised."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from planner.base.errors import UnknownNameError
from planner.base.lazily import Lazily
from planner.configuration import PROMPT_ORDERS
from planner.costs.stages import Workload
from planner.hardware import Hardware, find_hardware
from planner.parts.catalog import (
    DEFAULT_COMPRESSOR,
    DEFAULT_CONNECTOR,
    DEFAULT_VISION,
    Llms,
    find_compressor,
    find_connector,
    find_llms,
    find_vision,
)
from planner.parts.compressors import Compressor
from planner.parts.connectors import Connector
from planner.parts.towers import Tower
from planner.planning.blocks import Space, candidate_at
from planner.planning.candidate import Candidate, SlackOfPick
from planner.planning.choices import LawLike, admissible, laws_of, own_families
from planner.planning.deployment import Deployment, as_deployment, some
from planner.planning.distinct import behind_its_own
from planner.planning.doubt import Doubt
from planner.planning.frontier import frontier
from planner.planning.limits import all_met, computed_columns, limits_of, slacks
from planner.planning.notes import assumptions, extrapolations
from planner.planning.nothing_fits import nothing_fits
from planner.planning.question import Images, check_question
from planner.planning.ranking import ERROR, as_ranking
from planner.planning.request import Budget, Load, Quantity, as_budget, as_workload
from planner.planning.result import Plan
from planner.planning.space import Axes
from planner.planning.speed_limit import speed_limit
from planner.planning.table import ranking_keys
from planner.planning.traffic import read_traffic
from planner.planning.transfer.known import nothing_known
from planner.planning.transfer.origin import Targets
from planner.planning.transfer.spreads import shipped_spreads
from planner.planning.transfer.transfer import Transfer, axes_of

if TYPE_CHECKING:
    from planner.parts.released import Models
    from planner.planning.released import ReleasedAxes

__all__ = ["plan", "plan_among"]

RUNNERS_UP = 5


def plan(
    law: LawLike | Mapping[str, LawLike] = None,
    *,
    task: str | Mapping[str, float] | None = None,
    budget: Budget | Quantity,
    query_tokens: int | None = None,
    generated_tokens: int | None = None,
    cached_tokens: int = 0,
    workload: Workload | str | Path | None = None,
    models: Models | None = None,
    image: Images | None = None,
    llms: Llms | None = None,
    visual_tokens: int | Iterable[int] | None = None,
    vision: str | Tower | Iterable[str | Tower] = DEFAULT_VISION,
    compressor: str | Compressor | Iterable[str | Compressor] = DEFAULT_COMPRESSOR,
    connector: str | Connector = DEFAULT_CONNECTOR,
    prompt_order: str | Iterable[str] = "image-first",
    convention: str | None = None,
    form: str | None = None,
    hardware: str | Path | Hardware | None = None,
    precision: str | Iterable[str] | None = None,
    kv_precision: str | None = None,
    tensor_parallel: int | Iterable[int] = 1,
    batch: int | Iterable[int] | None = None,
    gpus: int | None = None,
    price_per_hour: float | None = None,
    latency_source: str = "roofline",
    rank_by: str = ERROR,
    as_measured: str | Iterable[str] = (),
) -> Plan:
    """The candidate with the smallest predicted error that keeps every limit of the budget.

    With `models` it chooses among released models, whose weights exist: a candidate is a checkpoint with one value of
    its knob. Otherwise it chooses what to train: a language model with a number of visual tokens, a compressor, a tower
    and a prompt order. Either may run in several ways. All combinations are tried; the answer is exact, not a search.
    Equal errors go to the candidate with fewer FLOPs, then the lower price, then the shorter TTFT.

    Args:
        law: a fitted law, the name of a shipped one ("reasoning", "ocr"), or a law file; "reasoning" by default. A
            mapping gives each compressor its own.
        task: choose by published results of a task instead ("docvqa"), or of a mix of tasks with their shares
            ({"docvqa": 0.5, "gqa": 0.5}); `planner.evidence` lists them. A class ("text", "general", "knowledge",
            "localisation") stands for a task that nobody has measured. They tell by how much candidates differ, not the
            error of any. With `law`, which may then be a CSV of runs too, the runs of one's own are reckoned with; a
            complete grid of them keeps its own law.
        budget: FLOPs of one request ("2 TFLOPs", 2e12), or a `Budget` with any limits.
        query_tokens: new text tokens of a request.
        generated_tokens: answer tokens.
        cached_tokens: text tokens already in the KV cache, on top of `query_tokens`.
        workload: all token counts at once, instead of the three above; or a CSV of requests with the columns
            query_tokens, generated_tokens and, if wanted, images, cached_tokens, system_tokens: FLOPs, throughput,
            energy and price are then planned for the mean request, times and memory for the 95th percentile.
        models: released models to choose from: "released" (all), families ("qwen3-vl"), hub ids, folders.
        image: of a request to a released model: width x height in pixels ("1024x768" or (1024, 768)), a list of sizes,
            a mapping from sizes to how often each comes in, or a CSV of sizes: throughput is then planned for the mean
            image, limits for the one that 95 % of them do not exceed.
        llms: candidates: names, families, "all", config.json paths or specs; by default the family that the law
            was measured on.
        visual_tokens: candidates; by default all that the compressor admits for the tower.
        vision: vision towers.
        compressor: "quecc", "tokenpacker", "average-pool", "none".
        connector: what leads the visual tokens into the language model, of all candidates: "mlp".
        prompt_order: "image-first", "text-first" (which makes QueCC's query pass free).
        convention: "full", "paper" or "torch"; overrides that of the budget.
        form: one form alone, such as "additive"; by default all forms, with what they leave out.
        hardware: name of a card ("h100-sxm"), a profile's path, or "cpu"; its memory is a limit then.
        precision: of the LLM's matrices: by default "bf16", of released models the dtype that their files name, and
            "fp16" in place of bf16 on a card that has none; "fp8", "int4", ...
        kv_precision: of the KV cache; 16 bits by default.
        tensor_parallel: GPUs that share one model.
        batch: requests that run together; 1 by default, or 1 to 64 where throughput, energy or price is limited.
        gpus: GPUs in all, for throughput; by default one replica.
        price_per_hour: of one GPU.
        latency_source: "roofline", or "silicon": measured kernels of aiconfigurator-core 0.12.0.
        rank_by: "error", as the law predicts it. Released models are also ordered by a cost alone, which asks no law
            and says nothing of quality: "cost" takes the first limit of the budget (in the order FLOPs, TTFT, TPOT,
            latency, memory, energy, price, throughput), the name of a limit, as "price", that one.
        as_measured: of "compressor", "family" and "recipe", those by which the candidates are to count as what the law
            was measured on, although their names are others: what others add to interval and odds is left out then,
            and the plan lists it as an assumption.

    Raises:
        NothingFitsError: no candidate keeps all limits; names those that exclude each other.
        InputError: a bad quantity, name, law or architecture, in one sentence.
    """
    budget = as_budget(budget, convention)
    if isinstance(workload, str | Path):
        as_workload(Workload(0, 0), query_tokens, generated_tokens, cached_tokens)  # not both
        load = read_traffic(workload)
    else:
        one = as_workload(workload, query_tokens, generated_tokens, cached_tokens, "a Workload or a CSV's path")
        load = Load(one, one)
    parts = {"llms": llms, "visual_tokens": visual_tokens, "vision": vision, "compressor": compressor}
    check_question(models, image, {**parts, "connector": connector, "prompt_order": prompt_order})
    measured_axes = axes_of(as_measured)
    given = {"law": law, "form": form, "task": task, "as_measured": measured_axes or None}
    ranking = as_ranking(rank_by, models, given)
    notes: tuple[str, ...] = ()
    if task is not None:
        from planner.planning.published import law_on_task  # only plans on published results pay for its import

        law, notes = law_on_task(law, task, form)
    released = None
    if models is not None:
        from planner.planning.released_choices import released_axes  # only who asks for them pays for their import

        hardware = card = None if hardware is None else find_hardware(hardware)
        released, precision = released_axes(models, image, law, form, load, precision, card, ranking)
    deployment = as_deployment(
        budget, hardware, precision, kv_precision, tensor_parallel, batch, gpus, price_per_hour, latency_source
    )
    if released is not None:
        return plan_among(released.timed_by(deployment, load), budget, load, deployment, measured_axes, notes)
    compressors = tuple(find_compressor(one) for one in some(compressor, "compressor"))
    towers = tuple(find_vision(one) for one in some(vision, "vision"))
    orders = some(prompt_order, "prompt_order")
    for order in orders:
        if order not in PROMPT_ORDERS:
            raise UnknownNameError("prompt order", order, PROMPT_ORDERS)
    laws = laws_of(law, form, compressors)
    candidates = find_llms(llms) if llms is not None else own_families(laws.values())
    tokens = admissible(visual_tokens, compressors, towers)
    axes = Axes(candidates, towers, compressors, orders, tokens, laws, find_connector(connector))
    return plan_among(axes, budget, load, deployment, measured_axes, notes)


def plan_among(
    axes: Axes | ReleasedAxes,
    budget: Budget,
    load: Load,
    deployment: Deployment,
    as_measured: tuple[str, ...] = (),
    notes: tuple[str, ...] = (),
) -> Plan:
    """The best of the candidates that these axes make. Raises NothingFitsError."""
    laws = axes.laws
    convention = budget.convention
    space = axes.evaluate(deployment, load, convention)
    limits = limits_of(budget, deployment.hardware)
    quantities = {**space.table.quantities, **computed_columns(limits, space.table.quantities)}
    fits = all_met(limits, quantities) & space.possible
    space = replace(space, table=replace(space.table, quantities=quantities, fits=fits))
    table = space.table
    if not fits.any():
        ways = (partial(one.evaluate, load=load, convention=convention) for one in (axes, axes.in_any_precision()))
        raise nothing_fits(space, limits, budget, deployment, *ways)

    if axes.rank_by != ERROR:
        from planner.planning.cheapest import cheapest  # only who asks for it pays for its import

        return cheapest(axes.rank_by, space, axes.tried(space), limits, budget, load, deployment)
    owners = list({id(one): one for one in laws.values()}.values())
    blocks = [next(k for k, own in enumerate(owners) if own is block.law) for block in space.blocks]
    errors, costs = table.predicted_error, table.quantities["total_flops"]
    tried = axes.tried(space)
    asked = fits & (not nothing_known(owners, tried.released))
    transfer = Transfer(Targets.of(table, tried.released), shipped_spreads(), as_measured)
    doubt = Doubt.of(owners, np.array(blocks)[space.block_index], table, asked, transfer)

    level_known = all(law.level_known for law in owners)

    row_of: dict[int, int] = {}

    @cache  # so that no other object has the id of one
    def candidate(row: int) -> Candidate:
        facts = doubt.facts(row) if level_known else doubt.differences(row, best_row, errors)
        found = candidate_at(space, row, deployment.kv_precision, facts)
        row_of[id(found)] = row
        return found

    ranking = np.lexsort(ranking_keys(table.quantities, errors))
    ranking = ranking[fits[ranking]]
    distinct = ranking[space.listed_once(ranking)]
    best_row, distinct = doubt.led_by_the_pick(distinct, errors)
    best = candidate(best_row)
    primary = limits[0]  # the frontier runs along FLOPs where they are limited, else along the first limit asked for
    along = table.quantities[primary.column] * (-1.0 if primary.at_least else 1.0)
    others = all_met([limit for limit in limits if limit is not primary], table.quantities) & space.possible
    better = np.flatnonzero((errors < errors[distinct].min()) & others & ~fits)
    next_up = candidate(int(better[np.lexsort((errors[better], along[better]))[0]])) if len(better) else None
    tied = distinct[np.isin(distinct, doubt.tied_rows())]
    tied = tied[np.lexsort((errors[tied], costs[tied]))]
    following = doubt.next_best(distinct)
    other = None if level_known or tried.released is None else behind_its_own(table.llm_index, best_row, following)
    chosen_law = laws[best.compressor.name]
    return Plan(
        best=best,
        runners_up=tuple(candidate(int(row)) for row in following[:RUNNERS_UP]),
        tied=Lazily(len(tied), lambda k: candidate(int(tied[k])), holds=lambda one: _among(tied, row_of.get(id(one)))),
        frontier=tuple(candidate(row) for row in frontier(np.flatnonzero(fits), along, errors, best_row)),
        next_up=next_up,
        best_of_each=_best_of_each(space, ranking, candidate),
        limits=tuple(
            SlackOfPick(
                one.limit,
                one.used,
                one.keeps_better_out,
                None if one.relaxed_row is None else candidate(one.relaxed_row),
            )
            for one in slacks(limits, table.quantities, errors, space.possible, int(distinct[0]))
        ),
        laws=laws,
        budget=budget,
        load=load,
        deployment=deployment,
        tried=tried,
        all_candidates=replace(
            table,
            doubt=doubt,
            predicted_error=errors if level_known else errors - errors[best_row],
            level_known=level_known,
        ),
        speed_limit_tokens=speed_limit(best, deployment, load),
        extrapolates=extrapolations(chosen_law, best, tried.released),
        next_other_model=None if other is None else candidate(other),
        assumptions=assumptions(chosen_law, best, budget, load.tail, best.run(deployment.hardware), as_measured),
        as_measured=as_measured,
        notes=notes,
    )


def _among(rows: NDArray[np.intp], row: int | None) -> bool | None:
    """Whether a row is one of some; None where it is not known."""
    return None if row is None else bool(np.any(rows == row))


def _best_of_each(space: Space, ranking: NDArray[np.intp], candidate: Any) -> tuple[Candidate, ...]:
    """The best of each compressor, tower and prompt order under the same budget, best first; () where one is tried."""
    names = [(setup["compressor"], setup["vision"], setup["prompt_order"]) for setup in space.table.setups]
    if len(set(names)) < 2:
        return ()
    kinds = np.array([names.index(name) for name in names])[space.block_index[ranking]]
    return tuple(candidate(int(ranking[i])) for i in np.sort(np.unique(kinds, return_index=True)[1]))
