"""plan(): exact enumeration of candidates, vectorised."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from planner.base.errors import InputError, UnknownNameError
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
from planner.planning.among import plan_among
from planner.planning.choices import LawLike, admissible, laws_of, own_families
from planner.planning.deployment import as_deployment, some
from planner.planning.given import Given
from planner.planning.question import Images, check_question
from planner.planning.ranking import ERROR, as_ranking
from planner.planning.request import Budget, Load, Quantity, as_budget, as_workload
from planner.planning.result import Plan
from planner.planning.space import Axes
from planner.planning.traffic import read_traffic
from planner.planning.transfer.transfer import axes_of

if TYPE_CHECKING:
    from planner.parts.released import Models

__all__ = ["plan"]


def plan(
    law: LawLike | Mapping[str, LawLike] = None,
    *,
    task: str | Mapping[str, float] | None = None,
    budget: Budget | Quantity,
    query_tokens: int | None = None,
    generated_tokens: int | None = None,
    cached_tokens: int = 0,
    workload: Workload | str | Path | None = None,
    traffic: str | Path | None = None,
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
    scheduler: str | None = None,
    percentile: float | None = None,
    concurrency: int | None = None,
    scale: float | None = None,
    max_num_seqs: int | None = None,
    max_num_batched_tokens: int | None = None,
    rank_by: str = ERROR,
    as_measured: str | Iterable[str] = (),
) -> Plan:
    """The candidate with the smallest predicted error that keeps every limit of the budget.

    With `models` it chooses among released models, whose weights exist: a candidate is a checkpoint with one value of
    its knob. Otherwise it chooses what to train: a language model with a number of visual tokens, a compressor, a tower
    and a prompt order. Either may run in several ways. All combinations are tried; the answer is exact, not a search.
    Equal errors go to the candidate with fewer FLOPs, then the lower price, then the shorter TTFT.

    A rate in the budget, or `concurrency`, is the load of an engine whose requests join a running batch at every step.
    Limits of time then hold for the 95th percentile of the requests. GPUs that are not given follow from the load: with
    a limit of price or energy each candidate gets as many replicas as it needs, so that what they may cost decides;
    else all get the fewest GPUs with which one of them carries the load. A closed form discards candidates, a numerical
    solution of the queue confirms the pick.

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
        traffic: a log of requests with time stamps instead, as CSV or JSON Lines: its requests are the load, with the
            lengths that they have, as they came; with a rate in the budget, faster or slower.
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
        batch: requests that run together, in static batches; 1 by default, or 1 to 64 where throughput, energy or price
            is limited.
        gpus: GPUs in all, for throughput; by default one replica, or as many as a load needs.
        price_per_hour: of one GPU.
        latency_source: "roofline", or "silicon": measured kernels of aiconfigurator-core 0.12.0.
        scheduler: "continuous", the default where there is a load, or "static": equal batches, one after the other,
            and a rate is a limit of the throughput.
        percentile: of the requests that keep each limit of time under a load, 50 to 99; 95 by default.
        concurrency: the load as requests that are under way at once, on average.
        scale: how many times the load to plan for too, as the next size.
        max_num_seqs: sequences that an engine runs at once; by default as a profile says that was calibrated to an
            engine, else vLLM's default for the card.
        max_num_batched_tokens: tokens of an iteration, likewise.
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
    given_texts = Given.of(law, form, task, hardware)
    budget = as_budget(budget, convention)
    arriving, notes = None, tuple[str, ...]()
    if traffic is not None:
        load, notes = _logged(traffic, workload, query_tokens, generated_tokens, cached_tokens, budget, concurrency)
        assert load.arrivals is not None
        arriving = None if concurrency is not None else load.arrivals.requests_per_second
    elif isinstance(workload, str | Path):
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
    if task is not None:
        from planner.planning.published import law_on_task  # only plans on published results pay for its import

        law, of_task = law_on_task(law, task, form)
        notes += of_task
    released = None
    if models is not None:
        from planner.planning.released_choices import released_axes  # only who asks for them pays for their import

        hardware = card = None if hardware is None else find_hardware(hardware)
        released, precision = released_axes(models, image, law, form, load, precision, card, ranking)
    deployment = as_deployment(
        budget, hardware, precision, kv_precision, tensor_parallel, batch, gpus, price_per_hour, latency_source,
        scheduler=scheduler, percentile=percentile, concurrency=concurrency, scale=scale,
        max_num_seqs=max_num_seqs, max_num_batched_tokens=max_num_batched_tokens, arriving=arriving,
    )  # fmt: skip
    if deployment.traffic is not None and isinstance(workload, str | Path):
        from planner.planning.under_load.logged import with_kinds  # only who has a load pays for its import

        load = with_kinds(load, workload)
    if released is not None:
        found = plan_among(released.timed_by(deployment, load), budget, load, deployment, measured_axes, notes)
        return replace(found, given=given_texts)
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
    return replace(plan_among(axes, budget, load, deployment, measured_axes, notes), given=given_texts)


def _logged(
    traffic: str | Path,
    workload: Workload | str | Path | None,
    query_tokens: int | None,
    generated_tokens: int | None,
    cached_tokens: int,
    budget: Budget,
    concurrency: int | None,
) -> tuple[Load, tuple[str, ...]]:
    """What a log has of requests and when they came, and what has to be said of it. Raises InputError where something
    else says what requests are too."""
    if workload is not None or query_tokens is not None or generated_tokens is not None or cached_tokens:
        raise InputError("traffic: the log says what requests are; leave out workload= and the counts of tokens")
    from planner.planning.under_load.logged import load_of_log, pace  # only who has a log pays for its import

    load, log, notes = load_of_log(traffic)
    paced = pace(log, budget.requests_per_second, concurrency)
    return replace(load, arrivals=log), (*notes, *paced)
