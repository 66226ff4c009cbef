"""Errors in the words of the command line, one sentence each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import typer

from planner.base.errors import near_names
from planner.cli.common import app

IN_COMMANDS = {
    "overwrite=True": "--force",
    "allow_unstable=True": "--allow-unstable",
    "results_skeleton": "vlm-planner import --list",
    "planner.write_report": "vlm-planner report",
}
"""What Python calls otherwise than the command line does."""
UsageError: Any = typer.BadParameter.__base__
"""What typer raises for a command line that it cannot read."""

_BUDGET = re.compile(r"(?<![\w.])budget=Budget\(([^()]*)\)")
"""Limits, which are options of their own on the command line."""
_ARGUMENT = re.compile(r"(?<![\w'\"-])([a-z][a-z_]*)=(?:'([^']*)'|(\d+))?")


def in_options(text: str, arguments: Sequence[str]) -> str:
    """A message of the Python API in the words of the command line: "hardware='l4'" becomes "--hardware l4".

    Args:
        text: the message.
        arguments: of the command line; the first is the verb, whose options are named.
    """
    if text.startswith("--"):
        return text  # it is in these words already
    group: Any = typer.main.get_command(app)
    verb = group.commands.get(arguments[0] if arguments else "")
    options = {one.name: one.opts[-1] for one in verb.params if one.param_type_name == "option"} if verb else {}

    def said(found: re.Match[str]) -> str:
        name, quoted, number = found.groups()
        if name not in options:
            return found.group()
        return " ".join([options[name], *([quoted or number] if quoted or number else [])])

    head, colon, rest = text.partition(": ")
    head = options.get(head, head) if colon else head
    found = f"{head}{colon}{rest}"
    for python, typed in IN_COMMANDS.items():
        found = found.replace(python, typed)
    return _ARGUMENT.sub(said, _BUDGET.sub(r"\1", found))


def usage_text(error: Any, arguments: Sequence[str], verbs: Iterable[str]) -> str:
    """What is wrong with a command line that typer cannot read, and where the right one is described.

    Args:
        error: the UsageError.
        arguments: of the command line.
        verbs: all of them.
    """
    context, kind, said = getattr(error, "ctx", None), type(error).__name__, str(error.format_message())
    verb = f" {arguments[0]}" if arguments[0] in verbs else ""
    advice = f"see vlm-planner{verb} --help"
    unknown = re.match(r"No such command ['\"](.*?)['\"]", said)
    if unknown is not None:
        near = near_names(unknown[1], verbs)
        return f"no verb is called {unknown[1]!r}; " + (f"did you mean {near[0]}?" if near else advice)
    if kind == "NoSuchOption":
        options = [] if context is None else [name for one in context.command.params for name in one.opts]
        near = near_names(error.option_name, options)
        return f"no option is called {error.option_name}; " + (f"did you mean {near[0]}?" if near else advice)
    param = getattr(error, "param", None)
    if param is None:
        return f"{_sentence(said)}; {advice}"
    name = param.opts[-1] if param.param_type_name == "option" else param.metavar or str(param.name).upper()
    if kind == "MissingParameter":
        return f"{name} is missing; {advice}"
    return f"{name}: {_sentence(str(error.message))}; {advice}"


def _sentence(text: str) -> str:
    """The first part of a message of typer's, as a part of a sentence."""
    text = text.partition(", unable to")[0].rstrip(".")
    return text[:1].lower() + text[1:]
