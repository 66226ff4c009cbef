"""A folder with what is needed to build the pick, to serve it and to load it: scripts, exact versions, and what of it
was tested. Of a released model, which nobody builds, what downloads it and serves it in an engine."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from importlib import metadata, resources
from pathlib import Path

from planner.base.errors import InputError
from planner.base.files import file_text, write_text
from planner.base.quantities import shown
from planner.planning.candidate import Candidate
from planner.planning.load_plan import PlanLike, as_plan
from planner.planning.plan_file import HASH
from planner.planning.result import Plan
from planner.planning.serving import serving, serving_room
from planner.tell.asked import HARDWARE_FILE, PLAN_FILE, Again, again
from planner.tell.document import visible
from planner.tell.recommendation.reproduce import MODEL, build_command, get_command
from planner.tell.render.markdown import literal

_SCRIPTS = ("load_test.py",)
_CLIENT = "prompt_embeds_client.py"
_TEMPLATES = ("README.md", "build.sh", "serve_prompt_embeds.md")
_PACKAGES = ("torch", "transformers", "tokenizers", "accelerate", "safetensors", "huggingface-hub", "numpy", "pillow",
             "starlette", "uvicorn")  # fmt: skip


def check_folder(folder: str | os.PathLike[str]) -> Path:
    """A folder that is not there yet, or is empty. Raises InputError."""
    target = Path(folder)
    try:
        full = target.exists() and not (target.is_dir() and not any(target.iterdir()))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot write {shown(str(target))}: {reason}; name another folder") from None
    if full:
        raise InputError(f"{shown(str(target))} exists and is no empty folder: it is left as it is; name another one")
    if not target.absolute().parent.is_dir():
        raise InputError(f"cannot write {shown(str(target))}: there is no folder {shown(str(target.parent))}")
    return target


def write_artefacts(plan: PlanLike, folder: str | os.PathLike[str]) -> tuple[str, ...]:
    """Write the folder, whole or not at all; returns the names of its files.

    Raises:
        InputError: a plan that cannot be read, or a folder that is not empty or cannot be written.
    """
    found = as_plan(plan)
    target = check_folder(folder)
    files = _files(found)
    try:
        part = Path(tempfile.mkdtemp(dir=target.absolute().parent, prefix=f".{target.name[:40]}.", suffix=".part"))
    except OSError as error:
        raise InputError(f"cannot write {shown(str(target))}: {error.strerror or error}") from None
    try:
        for name, text in files.items():
            write_text(part / name, text)
        for script in part.glob("*.sh"):
            script.chmod(0o755)
        part.chmod(0o755)
        if target.exists():
            target.rmdir()  # it is empty
        part.rename(target)
    except OSError as error:
        raise InputError(f"cannot write {shown(str(target))}: {error.strerror or error}") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return tuple(sorted(files))


def _files(plan: Plan) -> dict[str, str]:
    """Every file's text by its name."""
    content, command = plan.to_dict(), again(plan)
    values = {
        "sha256": content[HASH],
        "plan": PLAN_FILE,
        "command": visible(command.command, 10**9),
        "inputs": _rows(command),
    }
    pick = _built if plan.best.released is None else _released
    files = {PLAN_FILE: file_text(content), **pick(plan, values, command.missing)}
    for name, one in command.laws.items():
        files[name] = file_text(one.to_dict())
    card = plan.deployment.hardware
    if card is not None and HARDWARE_FILE in command.files:
        files[HARDWARE_FILE] = file_text(card.to_dict())
    return files


def _built(plan: Plan, values: dict[str, str], missing: tuple[str, ...]) -> dict[str, str]:
    """Of a pick that is to be trained: what makes the model, serves it and loads it."""
    best = plan.best
    values = {
        **values,
        "pick": literal(f"{best} per image"),
        "llm": literal(best.llm.name),
        "model": MODEL,
        "llm_folder": "my-llm",
        "port": "8000",
        "engine_port": "8001",
        "build": build_command(plan),
        "notes": _notes(best, missing),
    }
    return {
        "requirements.txt": requirements(),
        "serve.py": _own("serve.txt"),  # no module of this package: it starts the command line, which imports this one
        **{name: _own(name) for name in _SCRIPTS},
        _CLIENT: resources.files("planner.make").joinpath(_CLIENT).read_text("utf-8"),
        **{name: _filled(_own(name), values) for name in _TEMPLATES},
    }


def _released(plan: Plan, values: dict[str, str], missing: tuple[str, ...]) -> dict[str, str]:
    """Of a pick whose weights exist: a script for each engine that serves it, and why the others do not."""
    scripts, rows, commands, notes = {}, [], [get_command(plan)], []
    for one in serving(plan):
        if one.command is None:
            notes.append(f"{one.title}: {one}.")
            continue
        name = f"serve-{one.engine}.sh"
        scripts[name] = f'#!/bin/sh\n# {one.title}, {one.checked}. Further options go to it.\nexec {one.command} "$@"\n'
        rows.append(f"| `{name}` | serves it with {one.title} | {one.checked} |\n")
        commands.append(f"sh {name}")
        notes += [f"{one.title}: {text}." for text in (one.client, *one.notes) if text]
    room = serving_room(plan)
    notes += [f"{room.text}."] if room is not None and scripts else []
    notes += [f"Not exact: {text}." for text in missing]
    values = {
        **values,
        "pick": literal(str(plan.best)),
        "commands": "\n".join(commands),
        "scripts": "".join(rows),
        "notes": "\n".join(f"- {literal(note)}" for note in notes),
    }
    return {"README.md": _filled(_own("released.md"), values), **scripts}


def _own(name: str) -> str:
    """The text of a file of this package."""
    return resources.files(__package__).joinpath("files", name).read_text("utf-8")


def requirements() -> str:
    """The packages that a built model needs, at the versions that are installed here."""
    lines = ["# What serve.py needs, as it was installed where this was written."]
    for name in _PACKAGES:
        try:
            version = metadata.version(name).partition("+")[0]  # without the build, as +cpu
            lines.append(f"{name}=={version}")
        except metadata.PackageNotFoundError:
            lines.append(f"# {name}: not installed where this was written; take what vlm-planner[vlm] asks for")
    return "\n".join(lines) + "\n"


def _filled(template: str, values: dict[str, str]) -> str:
    """A text with every {{name}} in it replaced."""
    return re.sub(r"\{\{(\w+)\}\}", lambda found: values[found[1]], template)


def _rows(command: Again) -> str:
    """A row of the table for each file that the command reads."""
    rows = []
    for name in command.files:
        what = "a law that it rests on" if name in command.laws else "the card that it is for"
        rows.append(f"| `{name}` | {what} | read by the command that made the plan, in the planner's tests |\n")
    return "".join(rows)


def _notes(best: Candidate, missing: tuple[str, ...]) -> str:
    """Where what is served here differs from what was planned, and what the plan's file does not hold."""
    notes = []
    if best.precision not in ("bf16", "fp16", "fp32"):
        notes.append(f"The plan is for weights in {literal(best.precision)}: serve.py runs 16 or 32 bits.")
    if best.tensor_parallel > 1:
        gpus = best.tensor_parallel
        notes.append(f"The plan is for {gpus} GPUs that share the model: serve.py runs on one device.")
    if best.batch > 1:
        notes.append(f"The plan is for batches of {best.batch}: start serve.py with --max-batch {best.batch}.")
    notes += [f"Not exact: {literal(text)}." for text in missing]
    return "".join(f"- {note}\n" for note in notes)
