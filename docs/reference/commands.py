"""docs/cli.md: every verb of the typer app, whatever is registered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from planner import cli
from reference.markdown import NOTE, cell, paragraphs, spaced


def cli_reference() -> str:
    """Every verb: what it does, how it is called, every option."""
    cli.load()
    group: Any = typer.main.get_command(cli.app)
    verbs = sorted(_verbs(group, "vlm-planner"))
    lines = [
        "# The command line",
        "",
        NOTE,
        "",
        "Every verb with `--json` prints one JSON document on stdout and everything else on stderr. Exit codes: 0 "
        "done, 1 nothing fits the budget or verification failed, 2 bad input (one sentence on stderr), 3 it cannot be "
        "measured here or not steadily enough to be judged, 130 interrupted.",
        "",
        "| verb | what it does |",
        "|---|---|",
    ]
    for name, command in verbs:
        anchor = name.replace(" ", "-")
        lines.append(f"| [`{name.removeprefix('vlm-planner ')}`](#{anchor}) | {cell(paragraphs(command.help)[0])} |")
    for name, command in verbs:
        lines += ["", f"## {name}", "", *spaced(paragraphs(command.help)), "", *_usage(name, command)]
        lines += _table("argument", [one for one in command.params if one.param_type_name == "argument"])
        lines += _table("option", [one for one in command.params if one.param_type_name == "option"])
    return "\n".join(lines) + "\n"


def _verbs(group: Any, path: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if command.hidden:
            continue
        if hasattr(command, "commands"):
            yield from _verbs(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def _usage(name: str, command: Any) -> list[str]:
    words = [name]
    for one in command.params:
        if one.param_type_name == "argument":
            title = one.name.upper() + ("..." if one.nargs == -1 else "")
            words.append(title if one.required else f"[{title}]")
        elif one.required:
            words.append(f"{one.opts[-1]} {_kind(one)}")
    return ["```text", " ".join([*words, "[OPTIONS]"]), "```"]


def _table(what: str, params: list[Any]) -> list[str]:
    """A row for each parameter; nothing where there is none."""
    shown = [one for one in params if not getattr(one, "hidden", False)]
    if not shown:
        return []
    rows = [f"| {what} | default | |", "|---|---|---|"]
    for one in shown:
        name = one.name.upper() if what == "argument" else ", ".join([*one.opts, *one.secondary_opts])
        takes = "" if what == "argument" or getattr(one, "is_flag", False) else f" {_kind(one)}"
        rows.append(f"| `{name}{takes}` | {_default(one)} | {cell(one.help or '')} |")
    return ["", *rows]


def _kind(param: Any) -> str:
    """What an option takes: TEXT, INTEGER, NUMBER."""
    annotation = param.type_descriptor.annotation
    return {int: "INTEGER", float: "NUMBER", Path: "PATH"}.get(annotation, "TEXT")


def _default(param: Any) -> str:
    if param.required:
        return "required"
    value = param.default
    if value is None or value is False or callable(value) or (isinstance(value, list | tuple) and not value):
        return ""
    return f"`{value}`" if value != "" else ""
