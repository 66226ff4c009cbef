"""The command that makes the plan again, from what its file says was asked for."""

from __future__ import annotations

import shlex

from planner.planning.plan_file import made_with
from planner.planning.result import Plan
from planner.tell.asked import PLAN_FILE, Again, tower_source
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
from planner.tell.plan.story import serving_blocks

MODEL = "my-vlm"
_SHA = Value("SHA-256", "SHA-256", "kind of a hash")


def reproduce(plan: Plan, found: Again, sha256: str) -> Section:
    """The section."""
    versions: list[tuple[Inline, Line]] = [
        (foreign(name, "package"), (foreign(version, "version"),))
        for name, version in (plan.made_with or made_with()).items()
    ]
    hashes: list[tuple[Inline, Line]] = [("Hash of the plan", (_SHA, " ", foreign(sha256, "hash of the plan")))]
    if not plan.by_cost:
        of_runs = foreign(plan.law.runs_sha256 or "none", "hash of the runs")
        hashes.append(("Hash of the runs", (_SHA, " ", of_runs)))
    notes = [line("The command writes the plan that this page was made from; the same plan has the same hash.")]
    notes += [line(foreign(name, "file"), " is written by vlm-planner report --artefacts.") for name in found.files]
    notes += [line("Not exact: ", foreign(text, "what is missing"), ".") for text in found.missing]
    blocks: tuple[Block, ...] = (
        Command((found.command,), "Make the plan again"),
        Bullets(tuple(notes)),
        Command((get_command(plan),), "Get the weights" if plan.best.released else "Make the model"),
        *serving_blocks(plan),
        Facts((*hashes, *versions)),
    )
    return Section("reproduce", "How to reproduce", blocks)


def get_command(plan: Plan) -> str:
    """What gives the model: it is downloaded, or made."""
    if plan.best.released is None:
        return build_command(plan)
    checkpoint = plan.best.released.checkpoint
    return shlex.join(["hf", "download", checkpoint.hub_id] if checkpoint.hub_id else ["ls", checkpoint.source])


def build_command(plan: Plan) -> str:
    """From the plan to the model; parts that came from a config.json are named by it."""
    words = ["vlm-planner", "build", "--from", PLAN_FILE]
    source, tower = plan.tried.sources.get(plan.best.llm.name), tower_source(plan)
    words += ["--llm-config", source] if source else []
    words += ["--vision", tower] if tower else []
    return shlex.join([*words, "-o", MODEL])


def measure_commands(plan: Plan) -> tuple[str, ...]:
    """What measures the pick, and makes this page again with what was measured; () for a released model, which is
    measured in its engine."""
    if plan.best.released is not None:
        return ()
    return (
        f"vlm-planner verify {PLAN_FILE} -o verdict.json",
        f"vlm-planner report {PLAN_FILE} --verdict verdict.json -o recommendation.html",
    )
