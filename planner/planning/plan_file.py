"""A plan's file: format, version and hash; a plan -> what the file holds -> a plan."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from planner.base.codec import encode
from planner.base.errors import InputError
from planner.base.file_format import FileFormat
from planner.base.place import Place
from planner.base.version import __version__
from planner.parts.connectors import Connector, Mlp
from planner.planning.candidate import Candidate, SlackOfPick
from planner.planning.deployment import Deployment
from planner.planning.limits import LIMITS, RELAXED_BY, limits_of
from planner.planning.pick_facts import weights_text
from planner.planning.plan_laws import law_head, laws_of_file
from planner.planning.plan_record import (
    CandidateRecord,
    Counts,
    Inputs,
    LimitRecord,
    NamedLlm,
    Parts,
    PlanRecord,
    Points,
)
from planner.planning.plan_upgrade import from_first
from planner.planning.released_record import ReleasedInputs, restored_model
from planner.planning.request import Budget, Load
from planner.planning.serving import serving
from planner.planning.tried import Tried
from planner.planning.under_load.stored import restored_traffic, stored

if TYPE_CHECKING:
    from planner.planning.result import Plan

HASH = "sha256"
"""The entry that holds the hash of all others."""

PLAN_FILE = FileFormat(
    "vlm-planner plan",
    2,
    PlanRecord,
    "a plan",
    "vlm-planner plan -o",
    upgrades={1: from_first},
    derived={
        "convention": lambda one: one.inputs.convention,
        "budget": lambda one: {name: limit.limit for name, limit in one.limits.items()},
        "workload": lambda one: encode(one.inputs.workload),
        "hardware": lambda one: None if one.hardware_profile is None else one.hardware_profile.name,
        "latency_s": lambda one: None if one.best.latency is None else one.best.latency.to_dict(),
        "memory_bytes": lambda one: one.best.memory.to_dict(),
        "vision": lambda one: one.best.vision,
        "compressor": lambda one: one.best.compressor,
        "prompt_order": lambda one: one.best.prompt_order,
        "law": lambda one: None if one.law_file is None else law_head(one.law_file),
    },
    hashed=HASH,
)
"""The file of a plan. Version 1 named the parts without their numbers, and kept bytes and times of the pick alone."""


def record(plan: Plan) -> PlanRecord:
    """What the file of a plan holds."""

    def several(candidates: Sequence[Candidate]) -> tuple[CandidateRecord, ...]:
        return tuple(one.record() for one in candidates)

    tried, (sizes, counts) = plan.tried, plan.tried.fitting_points
    law = None if plan.by_cost else plan.law
    one_law = all(one is law for one in plan.laws.values())
    return PlanRecord(
        best=replace(plan.best.record(), engine={one.engine: str(one) for one in serving(plan)}),
        runners_up=several(plan.runners_up),
        tied=several(plan.tied),
        frontier=several(plan.frontier),
        next_up=None if plan.next_up is None else plan.next_up.record(),
        extrapolates=plan.extrapolates,
        assumptions=plan.assumptions,
        limits={one.limit.name: _limit_record(one) for one in plan.limits},
        best_of_each=several(plan.best_of_each),
        hardware_profile=plan.deployment.hardware,
        speed_limit_tokens=plan.speed_limit_tokens,
        candidates=Counts(tried.compared_count, tried.fitting_count),
        fitting_points=Points(sizes, counts),
        law_file=law,
        law_files={} if one_law else plan.laws,
        inputs=_inputs(plan, one_law),
        made_with=plan.made_with or made_with(),
        notes=plan.notes,
        weights=weights_text(plan),
        warnings=plan.warnings,
        published=plan.published,
        gain_over_next=plan.gain_over_next,
        next_other_model=None if plan.next_other_model is None else plan.next_other_model.record(),
        earlier_sha256=plan.earlier_sha256,
        parts=Parts(
            llms={one.name: one for one in tried.llms} if tried.released is None else {},
            vision={one.name: one for one in tried.towers},
            compressors={one.name: one for one in tried.compressors},
            connectors={}
            if tried.released is not None or plan.best.connector == Mlp()
            else {plan.best.connector.name: plan.best.connector},
        ),
        traffic=plan.traffic,
        at_scale=None if plan.at_scale is None else plan.at_scale.record(),
        workload_p95=None if plan.load.tail == plan.load.mean else plan.load.tail,
    )


def _limit_record(one: SlackOfPick) -> LimitRecord:
    return LimitRecord(
        title=one.limit.title,
        quantity=one.limit.column,
        at_least=one.limit.at_least,
        limit=one.limit.value,
        used=one.used,
        keeps_better_out=one.keeps_better_out,
        relaxed_by=RELAXED_BY,
        relaxed=None if one.relaxed is None else one.relaxed.record(),
    )


def _inputs(plan: Plan, one_law: bool) -> Inputs:
    tried, deployment, asked = plan.tried, plan.deployment, plan.budget.limits
    released = None if tried.released is None else ReleasedInputs.of(tried.released)
    return Inputs(
        limits={one.limit.name: asked[one.limit.name] for one in plan.limits if one.limit.name in asked},
        convention=plan.budget.convention,
        workload=plan.load.mean,
        workload_p95=plan.load.tail,
        requests=plan.load.requests,
        workload_longest=plan.load.longest,
        llms=() if released else tuple(NamedLlm(one.name, tried.sources.get(one.name)) for one in tried.llms),
        visual_tokens=tried.visual_tokens,
        vision=tuple(one.name for one in tried.towers),
        vision_source=tried.sources.get(plan.best.vision.name),
        compressor=tuple(one.name for one in tried.compressors),
        prompt_order=tried.prompt_orders,
        precision=deployment.precisions,
        kv_precision=deployment.kv_precision,
        tensor_parallel=deployment.tensor_parallel,
        batch=deployment.batches,
        gpus=deployment.gpus,
        price_per_hour=deployment.price_per_hour,
        latency_source=deployment.latency_source,
        one_law=one_law,
        as_measured=plan.as_measured,
        released=released,
        rank_by=plan.rank_by,
        workload_kinds=plan.load.kinds if len(plan.load.kinds) > 1 else (),
        workload_shares=plan.load.shares if len(plan.load.kinds) > 1 else (),
        requests_file=plan.load.file,
        requests_logged=plan.load.logged,
        **stored(deployment.traffic),
    )


def made_with() -> dict[str, str]:
    """Versions that decide the numbers."""
    return {"vlm-planner": __version__, "python": platform.python_version(), "numpy": np.__version__}


def restored(content: Any, origin: str) -> dict[str, Any]:
    """The fields of the plan in a dictionary of its file. Raises InputError."""
    found = PLAN_FILE.from_dict(content, origin)
    place = PLAN_FILE.place(origin or "the plan")
    inputs, parts = found.inputs, found.parts

    def part(kind: Mapping[str, Any], what: str, name: str) -> Any:
        if name not in kind:
            raise place.at("parts").at(what).missing(name)
        if kind[name].name != name:
            raise place.at("parts").at(what).at(name).wrong(f"the name {name!r}", kind[name].name)
        return kind[name]

    def connector(name: str) -> Connector:
        usual = Mlp()
        found: Connector = part(parts.connectors or {usual.name: usual}, "connectors", name)
        return found

    released = None if inputs.released is None else inputs.released.tried(place.at("inputs").at("released"))

    def candidate(one: CandidateRecord) -> Candidate:
        for name in ("flops", "memory", "latency"):
            _check_of_one(getattr(one, name), place.at("candidate").at(name))
        same = {name: getattr(one, name) for name in CandidateRecord.SAME}
        if released is not None:
            images = inputs.workload_p95.images
            model = restored_model(one.model_source, one.image, one.knob, one.params, images, place.at(str(one.model)))
            own: dict[str, Any] = {"vision": model.tower, "compressor": model.compressor, "connector": model.connector}
            return Candidate(llm=model.llm, released=model, **own, **same)
        return Candidate(
            llm=part(parts.llms, "llms", one.llm),
            vision=part(parts.vision, "vision", one.vision),
            compressor=part(parts.compressors, "compressors", one.compressor),
            connector=connector(one.connector),
            **same,
        )

    def several(records: tuple[CandidateRecord, ...]) -> tuple[Candidate, ...]:
        return tuple(map(candidate, records))

    def maybe(one: CandidateRecord | None) -> Candidate | None:
        return None if one is None else candidate(one)

    for name in inputs.limits:
        if name not in LIMITS:
            raise place.error(
                f"{place.origin} has the limit {name!r}, which is not known here: install the plug-in that adds it, "
                "or planner.register its LimitKind, and read the plan again"
            )
    try:
        budget = Budget(convention=inputs.convention, **inputs.limits)  # type: ignore[arg-type]  # limits by name
        traffic = restored_traffic(inputs, budget)
        percentile = None if traffic is None else traffic.percentile
        limits = {limit.name: limit for limit in limits_of(budget, found.hardware_profile, percentile)}
    except InputError as error:
        raise place.at("inputs").at("limits").complaint(str(error)) from None
    if set(limits) != set(found.limits):
        raise place.at("limits").wrong(f"the limits {', '.join(limits)}", ", ".join(found.limits))
    compressors = inputs.compressor if released is None else (found.best.compressor,)
    return {
        "best": candidate(found.best),
        "runners_up": several(found.runners_up),
        "tied": several(found.tied),
        "frontier": several(found.frontier),
        "next_up": maybe(found.next_up),
        "next_other_model": maybe(found.next_other_model),
        "best_of_each": several(found.best_of_each),
        "limits": tuple(
            SlackOfPick(limits[name], one.used, one.keeps_better_out, maybe(one.relaxed))
            for name, one in found.limits.items()
        ),
        "laws": laws_of_file(found, compressors, place),
        "rank_by": inputs.rank_by,
        "budget": budget,
        "load": Load(
            inputs.workload,
            inputs.workload_p95,
            inputs.requests,
            inputs.workload_longest,
            inputs.workload_kinds,
            inputs.workload_shares,
            file=inputs.requests_file,
            logged=inputs.requests_logged,
        ),
        "deployment": Deployment(
            hardware=found.hardware_profile,
            precisions=inputs.precision,
            kv_precision=inputs.kv_precision,
            tensor_parallel=inputs.tensor_parallel,
            batches=inputs.batch,
            gpus=inputs.gpus,
            price_per_hour=inputs.price_per_hour,
            latency_source=inputs.latency_source,
            traffic=traffic,
        ),
        "tried": Tried(
            llms=tuple(part(parts.llms, "llms", one.name) for one in inputs.llms)
            if released is None
            else tuple(one.llm for one in released.selection.checkpoints),
            visual_tokens=inputs.visual_tokens,
            towers=tuple(part(parts.vision, "vision", name) for name in inputs.vision),
            compressors=tuple(part(parts.compressors, "compressors", name) for name in inputs.compressor),
            prompt_orders=inputs.prompt_order,
            compared_count=found.candidates.compared,
            sources={one.name: one.source for one in inputs.llms if one.source is not None}
            | ({} if inputs.vision_source is None else {found.best.vision: inputs.vision_source}),
            fitting_count=found.candidates.fitting,
            fitting_points=(found.fitting_points.llm_params, found.fitting_points.visual_tokens),
            released=released,
        ),
        "speed_limit_tokens": found.speed_limit_tokens,
        "extrapolates": found.extrapolates,
        "assumptions": found.assumptions,
        "as_measured": inputs.as_measured,
        "notes": found.notes,
        "carried": None if found.traffic is None else found.traffic.confirmed,
        "stored_traffic": found.traffic,
        "at_scale": maybe(found.at_scale),
        "made_with": found.made_with,
        "earlier_sha256": found.earlier_sha256,
    }


def _check_of_one(value: Any, place: Place) -> None:
    """A candidate has numbers where many candidates have arrays. Raises InputError."""
    if isinstance(value, np.ndarray):
        raise place.wrong("a number", value.tolist())
    if is_dataclass(value):
        for field in fields(value):
            _check_of_one(getattr(value, field.name), place.at(field.name))
