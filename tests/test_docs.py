"""The pages in docs/: the reference is that of the code, blocks print what they show, links lead somewhere."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from shown import ROOT, console_blocks, fresh, links, print_of_code, print_of_command, python_blocks
from support import Run

import planner
from planner import cli

DOCS = ROOT / "docs"
GENERATED = ("cli.md", "api.md")
PAGES = sorted(path for path in DOCS.glob("*.md") if path.name not in GENERATED)


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("command", "shown"),
    [block for page in PAGES for block in console_blocks(text_of(page))],
    ids=lambda text: text[:60],
)
def test_a_command_prints_what_is_shown(command: str, shown: str) -> None:
    """To write what is printed now: python tests/test_docs.py"""
    assert print_of_command(command, shown) == shown


@pytest.mark.parametrize(
    ("code", "shown"), [block for page in PAGES for block in python_blocks(text_of(page))], ids=lambda text: text[-60:]
)
def test_a_python_block_prints_what_is_shown(code: str, shown: str) -> None:
    """To write what is printed now: python tests/test_docs.py"""
    assert print_of_code(code) == shown


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_every_block_of_a_page_is_checked(page: Path) -> None:
    text = text_of(page)
    assert text.count("```console\n") == len(console_blocks(text))
    assert text.count("```python\n") == len(python_blocks(text))


@pytest.mark.parametrize(
    ("page", "link"), [(path.name, link) for path in sorted(DOCS.glob("*.md")) for link in links(text_of(path))]
)
def test_links_lead_somewhere(page: str, link: str) -> None:
    assert link.startswith("http") or (DOCS / link).exists(), page


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda path: path.stem)
def test_anchors_are_headings_of_their_page(page: Path) -> None:
    text = text_of(page)
    headings = [
        re.sub(r"[^\w -]", "", line).strip().lower().replace(" ", "-")
        for line in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    ]
    names = {f"{name}-{headings[:i].count(name)}" if name in headings[:i] else name for i, name in enumerate(headings)}
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= names


def test_the_reference_is_that_of_the_code() -> None:
    done = subprocess.run(
        [sys.executable, str(DOCS / "make_reference.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr  # it names the command to run


@pytest.mark.slow
def test_a_stale_reference_is_noticed(tmp_path: Path) -> None:
    script = Path(shutil.copy(DOCS / "make_reference.py", tmp_path))
    shutil.copytree(DOCS / "reference", tmp_path / "reference")
    (tmp_path / "cli.md").write_text("old", encoding="utf-8")

    def ended(*arguments: str) -> tuple[int, str]:
        done = subprocess.run([sys.executable, str(script), *arguments], capture_output=True, text=True, check=False)
        return done.returncode, done.stderr

    told = "docs/cli.md and docs/api.md out of date: run python docs/make_reference.py\n"
    assert ended("--check") == (1, told)
    assert (tmp_path / "cli.md").read_text(encoding="utf-8") == "old"
    assert ended() == (0, "")
    assert ended("--check") == (0, "")


def test_the_reference_has_every_verb_every_option_and_every_name(run: Run) -> None:
    text = text_of(DOCS / "cli.md")
    cli.load()
    for command in cli.app.registered_commands:
        assert command.callback is not None
        name = command.name or command.callback.__name__.replace("_", "-")
        section = text.split(f"## vlm-planner {name}\n")[1].split("\n## ")[0]
        for option in set(re.findall(r"--[a-z][a-z-]+", run(name, "--help").out.split("Options:")[1])) - {"--help"}:
            assert option in section, (name, option)
    api = text_of(DOCS / "api.md")
    for name in (*planner.__all__, "build"):
        assert f"\n## {name}\n" in api


if __name__ == "__main__":  # python tests/test_docs.py: write what is printed now into the pages
    for page in PAGES:
        page.write_text(fresh(text_of(page)), encoding="utf-8")
