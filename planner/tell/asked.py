"""What was asked for, as options: the command that makes a plan again, and the one that ranks what to measure next."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, replace
from functools import partial

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.costs.request import ROOFLINE
from planner.costs.stages import Workload
from planner.hardware import hardware_catalog
from planner.laws.combined import MIX, CombinedLaw, Law
from planner.laws.hierarchy.law import EvidenceLaw, evidence_law
from planner.laws.shipped import DEFAULT_LAW, load_law, load_mix
from planner.parts.catalog import DEFAULT_CONNECTOR, family_of, find_llms
from planner.planning.deployment import Deployment
from planner.planning.limits import as_option, find_limit
from planner.planning.released_record import source_of
from planner.planning.request import Load
from planner.planning.result import Plan
from planner.planning.tried import Released, Tried
from planner.planning.under_load.asked import CONTINUOUS, RATE, STATIC

PLAN_FILE, LAW_FILE, HARDWARE_FILE = "plan.json", "law.json", "hardware.json"
REQUESTS_FILE = "requests.csv"
"""Where the plan's file does not say which it was."""


@dataclass(frozen=True)
class Again:
    """How a plan is made again."""

    command: str
    files: tuple[str, ...]
    """Files that the command reads and that `report --artefacts` writes."""
    laws: Mapping[str, Law]
    """What of them holds a law, by the file's name."""
    missing: tuple[str, ...]
    """What the plan's file does not hold, in sentences."""


def again(plan: Plan) -> Again:
    """The command, with every default spelled out."""
    tried, load = plan.tried, plan.load
    missing: list[str] = []
    words = ["vlm-planner", "plan", *_limits(plan), *_requests(load, missing)]
    files: list[str] = []
    laws: dict[str, Law] = {}
    if plan.by_cost:
        words += ["--rank-by", plan.rank_by]
    elif all(law is plan.law for law in plan.laws.values()):
        words += _law(plan.law, laws)
    else:
        words += ["--law", _each_law(plan.laws, laws)]
    files += laws
    if tried.released is not None:
        words += _released(tried.released, missing)
        words += ["--convention", plan.budget.convention, *_deployment(plan, files)]
        return Again(shlex.join([*words, "-o", PLAN_FILE]), tuple(files), laws, tuple(missing))
    words += _llms(tried)
    words += ["--visual-tokens", ",".join(map(str, tried.visual_tokens))]
    own = tower_source(plan)
    words += ["--vision", ",".join(own if own and one == plan.best.vision else one.name for one in tried.towers)]
    words += ["--compressor", ",".join(one.name for one in tried.compressors)]
    if plan.best.connector.name != DEFAULT_CONNECTOR:
        words += ["--connector", plan.best.connector.name]
    words += ["--prompt-order", ",".join(tried.prompt_orders)]
    words += ["--convention", plan.budget.convention, *_deployment(plan, files)]
    if any(one.name in tried.sources for one in tried.llms):
        missing.append("a candidate came from a config.json of its own, which has to be where it was")
    return Again(shlex.join([*words, "-o", PLAN_FILE]), tuple(files), laws, tuple(missing))


@dataclass(frozen=True)
class Ranking:
    """What ranks what to measure next."""

    command: str
    files: tuple[str, ...]
    """Files that the command reads and that only `report --artefacts` writes: those that were planned with are not
    known."""


def rank_command(plan: Plan) -> Ranking | None:
    """What ranks what to measure next: for a pick to be trained, training runs; else evaluations of released models.

    None where the plan chose among several towers, compressors or prompt orders: next-run takes one of each; where it
    does not say which file of requests it is for; and for a mix of fitted laws and published results, for which
    next-run has no answer. Where it ordered by cost alone, the default law ranks them.
    """
    tried, given = plan.tried, plan.given
    members = plan.law.members if not plan.by_cost and isinstance(plan.law, CombinedLaw) else ()
    if any(isinstance(one, EvidenceLaw) for one in members):
        return None
    laws, files = dict[str, Law](), list[str]()
    several = (tried.compressors, tried.prompt_orders, tried.towers)
    law = [DEFAULT_LAW] if plan.by_cost else _law(plan.law, laws)
    if law[0] == "--law":
        law = law[1:]  # next-run takes it as its argument
    if laws and (given.law or given.task or given.mix):  # what no name loads was given in some way
        options = {"--form": given.form, "--task": given.task, "--mix": given.mix}
        law = [*([given.law] if given.law else []), *_said(options)]
    else:
        files += laws
    if plan.load.requests > 1 and not plan.load.file:
        return None
    words = ["vlm-planner", "next-run", *law, *_limits(plan), *_requests(plan.load, [])]
    if tried.released is not None:
        words += _released(tried.released, [])
    elif any(len(one) > 1 for one in several) or plan.load.requests > 1:
        return None
    else:
        words += [*_llms(tried), "--vision", tower_source(plan) or tried.towers[0].name]
        words += ["--compressor", tried.compressors[0].name, "--prompt-order", tried.prompt_orders[0]]
    words += ["--convention", plan.budget.convention, *_deployment(plan, files, again=False)]
    return Ranking(shlex.join(words), tuple(files))


def _said(options: Mapping[str, str]) -> list[str]:
    """Those that have a text."""
    return [word for option, text in options.items() if text for word in (option, text)]


def _limits(plan: Plan) -> list[str]:
    words: list[str] = []
    for name, limit in plan.budget.limits.items():
        words += as_option(find_limit(name), limit)
    return words


def _requests(load: Load, missing: list[str]) -> list[str]:
    if load.requests > 1 or load.mean != load.tail:
        file = load.file or REQUESTS_FILE
        where = "it has to be where it was" if load.file else f"put the one that was planned for in place of {file}"
        missing.append(f"the file of requests is not part of the plan: {where}")
        return ["--traffic" if load.logged else "--workload", file]
    return _workload(load.mean)


def tower_source(plan: Plan) -> str | None:
    """The config.json of the pick's tower; None for one of the catalogue."""
    return plan.tried.sources.get(plan.best.vision.name)


def _workload(one: Workload) -> list[str]:
    words = []
    for item in fields(Workload):
        number = getattr(one, item.name)
        if item.default is MISSING or number != item.default:
            words += [f"--{item.name.replace('_', '-')}", str(number)]
    return words


def _each_law(laws: Mapping[str, Law], files: dict[str, Law]) -> str:
    """ "quecc=reasoning,none=law-1.json": shipped laws by name, others as a file each."""
    pairs = []
    for compressor, law in laws.items():
        name = law.name
        if not _loads(partial(load_law, law.name), law):
            known = next((file for file, one in files.items() if one is law), None)
            name = known or f"law-{len(files) + 1}.json"
            files[name] = law
        pairs.append(f"{compressor}={name}")
    return ",".join(pairs)


def _law(law: Law, files: dict[str, Law]) -> list[str]:
    """A shipped law by name, else its file."""
    tries: list[tuple[list[str], Callable[[], Law]]] = []
    if isinstance(law, EvidenceLaw):
        shares = ",".join(f"{one.task}={_plain(one.share)}" for one in law.mix)
        words = ["--task", law.mix[0].task] if len(law.mix) == 1 else ["--mix", shares]
        asked = {one.task: one.share for one in law.mix}
        tries.append((words, lambda: evidence_law(asked).with_scales(law.scales)))  # a plan finds its models' anew
    elif isinstance(law, CombinedLaw) and law.kind == MIX:
        tries += [(["--mix", law.name, *form], _mix(law, form)) for form in ([], ["--form", "auto"])]
    else:
        tries.append((["--law", law.name, "--form", law.form], lambda: load_law(law.name, law.form)))
    for words, load in tries:
        if _loads(load, law):
            return words
    files[LAW_FILE] = law
    return ["--law", LAW_FILE]


def _loads(load: Callable[[], Law], law: Law) -> bool:
    """Whether a name loads just this law."""
    try:
        return bool(law.name) and load().to_dict() == law.to_dict()
    except (InputError, OSError):
        return False


def _mix(law: CombinedLaw, form: list[str]) -> Callable[[], Law]:
    """A mix by its name, with the images of the plan for its tasks of the evidence: a plan finds those anew."""

    def load() -> Law:
        found = load_mix(law.name, *form[1:])
        if not isinstance(found, CombinedLaw):
            return found
        members = tuple(
            one.with_scales(own.scales) if isinstance(one, EvidenceLaw) and isinstance(own, EvidenceLaw) else one
            for one, own in zip(found.members, law.members, strict=False)
        )
        return replace(found, members=members)

    return load


def _llms(tried: Tried) -> list[str]:
    """Families by name where they are tried whole, else each model; a path where there was one."""
    names = [one.name for one in tried.llms]
    families = list(dict.fromkeys(family for name in names if (family := family_of(name))))
    if families and not any(name in tried.sources for name in names):
        whole = [one.name for one in find_llms(families)]
        if whole == names:
            return ["--llms", ",".join(families)]
    words: list[str] = []
    for name in names:
        words += ["--llms", tried.sources.get(name, name)]
    return words


def _released(tried: Released, missing: list[str]) -> list[str]:
    """The models as they were asked for, and the images."""
    mix = tried.images
    models = ",".join(tried.selection.asked or map(source_of, tried.selection.checkpoints))
    if any(not one.hub_id for one in tried.selection.checkpoints):
        missing.append("a candidate came from a folder of its own, which has to be where it was")
    if tried.refused and not tried.selection.asked:
        missing.append("models that were left out are not named again, so the hash is another one")
    if mix.source:
        missing.append("the file of image sizes is not part of the plan: it has to be where it was")
        return ["--models", models, "--image", mix.source]
    if len(set(mix.shares)) > 1:
        missing.append("how often each image size comes in: give a CSV with a column count")
    return ["--models", models, "--image", ",".join(map(str, mix.sizes))]


def _plain(number: float) -> str:
    return repr(int(number)) if float(number).is_integer() and number < 1e15 else repr(number)


def _load_words(asked: Deployment, again: bool) -> list[str]:
    """How an engine batches, and what it has to carry beside a rate; only who plans again asks for the next size."""
    traffic = asked.traffic
    if traffic is None:
        return ["--batch", ",".join(map(str, asked.batches))]
    words = ["--scheduler", CONTINUOUS, "--percentile", _plain(traffic.percentile)]
    for name in ("concurrency", *(["scale"] if again else []), "max_num_seqs", "max_num_batched_tokens"):
        if (number := getattr(traffic, name)) is not None:
            words += [f"--{name.replace('_', '-')}", _plain(number)]
    return words


def _deployment(plan: Plan, files: list[str], again: bool = True) -> list[str]:
    """How it is run. A profile is that of the artefacts where the plan is made again, else the one that was given."""
    asked = plan.deployment
    own = plan.tried.released is not None and plan.tried.released.own_dtype
    words = [] if own else ["--precision", ",".join(asked.precisions)]
    words += ["--tensor-parallel", ",".join(map(str, asked.tensor_parallel))]
    if asked.traffic is None and RATE in plan.budget.limits:
        words += ["--scheduler", STATIC]
    words += _load_words(asked, again)
    card = asked.hardware
    if card is not None:
        if hardware_catalog().get(card.name) == card:
            words += ["--hardware", card.name]
        elif plan.given.hardware and not again:
            words += ["--hardware", plan.given.hardware]
        else:
            files.append(HARDWARE_FILE)
            words += ["--hardware", HARDWARE_FILE]
    for option, number in (("--gpus", asked.gpus), ("--price-per-hour", asked.price_per_hour)):
        if number is not None:
            words += [option, _plain(number)]
    if asked.kv_precision is not None:
        words += ["--kv-precision", asked.kv_precision]
    if asked.latency_source != ROOFLINE:
        words += ["--latency-source", asked.latency_source]
    if plan.as_measured:
        words += ["--as-measured", ",".join(plan.as_measured)]
    return words
