"""The command that makes the plan again, from what its file says was asked for."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from planner.base.errors import InputError
from planner.hardware import hardware_catalog
from planner.laws.combined import MIX, CombinedLaw, Law
from planner.laws.shipped import load_law, load_mix
from planner.parts.catalog import family_of, find_llms
from planner.planning.limits import as_option, find_limit
from planner.tell.document import (
    Block,
    Bullets,
    Command,
    Facts,
    Inline,
    Line,
    Section,
    Value,
    foreign,
    line,
)
from planner.tell.recommendation.fields import Fields
from planner.tell.recommendation.plan_file import laws_of

PLAN_FILE, LAW_FILE, HARDWARE_FILE = "plan.json", "law.json", "hardware.json"
MODEL = "my-vlm"
_SHA = Value("SHA-256", "SHA-256", "kind of a hash")


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


def again(plan: Fields, law: Law) -> Again:
    """The command, with every default spelled out. Raises InputError for a damaged plan."""
    asked = plan.part("inputs")
    words, missing = ["vlm-planner", "plan"], []
    for name, limit in asked.part("limits").content.items():
        if limit is not None:
            words += as_option(find_limit(name), asked.number("limits", name))
    if asked.whole("requests") > 1 or asked.part("workload").content != asked.part("workload_p95").content:
        words += ["--workload", "requests.csv"]
        missing.append("the file of requests is not part of the plan: put the one that was planned for in its place")
    else:
        for name in ("query_tokens", "generated_tokens", "cached_tokens", "system_tokens", "images"):
            number = asked.whole("workload", name)
            if number != {"images": 1}.get(name, 0) or name in ("query_tokens", "generated_tokens"):
                words += [f"--{name.replace('_', '-')}", str(number)]
    files: list[str] = []
    laws: dict[str, Law] = {}
    own = laws_of(plan)
    words += ["--law", _each_law(own, laws)] if own else _law(law, laws)
    files += laws
    if not own and not asked.flag("one_law"):
        missing.append(
            "the laws of the other compressors are not part of the plan: name them, as --law quecc=LAW,none=LAW"
        )
    words += _llms(asked.parts("llms"))
    words += ["--visual-tokens", ",".join(str(int(one)) for one in asked.numbers("visual_tokens"))]
    vision = asked.maybe_text("vision_source")
    words += ["--vision", ",".join(asked.texts("vision")) if vision is None else vision]
    words += ["--compressor", ",".join(asked.texts("compressor"))]
    connector = plan.maybe_text("best", "connector")
    words += [] if connector is None else ["--connector", connector]
    words += ["--prompt-order", ",".join(asked.texts("prompt_order"))]
    words += ["--convention", asked.text("convention"), *_deployment(plan, asked, files, missing)]
    return Again(shlex.join([*words, "-o", PLAN_FILE]), tuple(files), laws, tuple(missing))


def reproduce(plan: Fields, found: Again, law: Law) -> Section:
    """The section."""
    versions: list[tuple[Inline, Line]] = [
        (foreign(name, "package"), (foreign(plan.text("made_with", name), "version"),))
        for name in plan.part("made_with").content
    ]
    hashes: list[tuple[Inline, Line]] = [
        ("Hash of the plan", (_SHA, " ", foreign(plan.text("sha256"), "hash of the plan"))),
        ("Hash of the runs", (_SHA, " ", foreign(law.runs_sha256 or "none", "hash of the runs"))),
    ]
    notes = [line("The command writes the plan that this page was made from; the same plan has the same hash.")]
    notes += [line(foreign(name, "file"), " is written by vlm-planner report --artefacts.") for name in found.files]
    notes += [line("Not exact: ", foreign(text, "what is missing"), ".") for text in found.missing]
    blocks: tuple[Block, ...] = (
        Command((found.command,), "Make the plan again"),
        Bullets(tuple(notes)),
        Command((build_command(plan),), "Make the model"),
        Facts((*hashes, *versions)),
    )
    return Section("reproduce", "How to reproduce", blocks)


def build_command(plan: Fields) -> str:
    """From the plan to the model; parts that came from a config.json are named by it."""
    words = ["vlm-planner", "build", "--from", PLAN_FILE]
    name, asked = plan.text("best", "llm"), plan.part("inputs")
    source = next((one.maybe_text("source") for one in asked.parts("llms") if one.text("name") == name), None)
    tower = asked.maybe_text("vision_source")
    words += ["--llm-config", source] if source else []
    words += ["--vision", tower] if tower else []
    return shlex.join([*words, "-o", MODEL])


def measure_commands() -> tuple[str, ...]:
    """What measures the pick, and makes this page again with what was measured."""
    return (
        f"vlm-planner verify {PLAN_FILE} -o verdict.json",
        f"vlm-planner report {PLAN_FILE} --verdict verdict.json -o recommendation.html",
    )


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
    if isinstance(law, CombinedLaw) and law.kind == MIX:
        tries += [(["--mix", law.name, *form], _mix(law.name, form)) for form in ([], ["--form", "auto"])]
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


def _mix(name: str, form: list[str]) -> Callable[[], Law]:
    return lambda: load_mix(name, *form[1:])


def _llms(llms: tuple[Fields, ...]) -> list[str]:
    """Families by name where they are tried whole, else each model; a path where there was one."""
    names = [one.text("name") for one in llms]
    families = list(dict.fromkeys(family for name in names if (family := family_of(name))))
    if families and all(one.maybe_text("source") is None for one in llms):
        whole = [one.name for one in find_llms(families)]
        if whole == names:
            return ["--llms", ",".join(families)]
    words: list[str] = []
    for one in llms:
        words += ["--llms", one.maybe_text("source") or one.text("name")]
    return words


def _plain(number: float) -> str:
    return repr(int(number)) if number.is_integer() and number < 1e15 else repr(number)


def _deployment(plan: Fields, asked: Fields, files: list[str], missing: list[str]) -> list[str]:
    words = ["--precision", ",".join(asked.texts("precision"))]
    words += ["--tensor-parallel", ",".join(str(int(one)) for one in asked.numbers("tensor_parallel"))]
    words += ["--batch", ",".join(str(int(one)) for one in asked.numbers("batch"))]
    card = plan.maybe_part("hardware_profile")
    if card is not None:
        known: Any = hardware_catalog().get(card.text("name"))
        if known is not None and known.to_dict() == card.content:
            words += ["--hardware", known.name]
        else:
            files.append(HARDWARE_FILE)
            words += ["--hardware", HARDWARE_FILE]
    for name in ("gpus", "price_per_hour"):
        number = asked.maybe_number(name)
        if number is not None:
            words += [f"--{name.replace('_', '-')}", _plain(number)]
    kv = asked.maybe_text("kv_precision")
    if kv is not None:
        words += ["--kv-precision", kv]
    source = asked.text("latency_source")
    if source != "roofline":
        words += ["--latency-source", source]
    if any(one.maybe_text("source") is not None for one in asked.parts("llms")):
        missing.append("a candidate came from a config.json of its own, which has to be where it was")
    return words
