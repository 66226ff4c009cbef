"""Every verb and option explains itself."""

from __future__ import annotations

import re

import pytest
from cli.commands import VERBS
from support import Done, Run

import planner
from planner import cli


def test_the_table_of_verbs_is_true() -> None:
    assert list(cli.VERBS) == list(dict.fromkeys((*cli.VERBS, *VERBS)))
    for name, command in VERBS.items():
        assert command.callback.__module__ == f"planner.cli.{cli.VERBS[name]}"


def test_an_unknown_verb_and_help_know_all_verbs(run: Run) -> None:
    assert set(re.findall(r"^  ([a-z-]+)  ", run("--help").out, re.MULTILINE)) >= set(cli.VERBS)
    done = run("plam")
    assert done.code == 2
    assert done.err == "error: no verb is called 'plam'; did you mean plan?\n"


def test_every_command_is_there() -> None:
    assert {"fit", "show", "plan", "optimum", "catalog"} <= set(VERBS)


@pytest.mark.parametrize("name", sorted(VERBS))
def test_every_command_and_option_has_a_help_text(run: Run, name: str) -> None:
    command = VERBS[name]
    assert command.help
    done = run(name, "--help")
    assert (done.code, done.err) == (0, "")
    assert " ".join(command.help.split()) in " ".join(done.out.split())
    printed = " ".join(done.out.split()).replace("- ", "-")  # lines break after a hyphen too
    for parameter in command.params:
        assert parameter.help, parameter.name
        assert " ".join(parameter.help.split()).replace("- ", "-") in printed
    assert any("--json" in parameter.opts for parameter in command.params)


def test_the_help_lists_every_command(run: Run) -> None:
    done = run("--help")
    assert done.code == 0
    assert all(name in done.out for name in VERBS)
    assert "[OPTIONS] COMMAND [ARGS]... Choose the best (LLM" in " ".join(done.out.split())


def test_version(run: Run) -> None:
    assert run("--version") == Done(0, f"{planner.__version__}\n", "")
