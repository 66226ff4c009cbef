"""Pages that show commands and code: what they show is what is printed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
CONSOLE = re.compile(r"```console\n\$ (vlm-planner [^\n]+)\n(.*?)\n?```", re.DOTALL)
PYTHON = re.compile(r"```python\n(.*?)\n```\n\n```text\n(.*?)\n```", re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
_ENDS = {True: (1, 2), False: (0,)}


def printed(arguments: list[str], folder: Path, complains: bool = False) -> str:
    """What a process prints, without blanks at the ends of lines.

    It must succeed and be silent on stderr, or, where it `complains`, end with 1 or 2 and one line on stderr.
    """
    paths = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    environment = os.environ | {"COLUMNS": "80", "PYTHONPATH": str(ROOT), "PATH": paths}
    done = subprocess.run(arguments, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode in _ENDS[complains], done.stderr
    assert (done.stderr != "") == complains
    text = done.stdout + done.stderr
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def print_of_command(command: str, shown: str = "") -> str:
    """What a console block prints; `vlm-planner ... | sed -n 1,9p` too. One that shows an error is meant to fail."""
    return printed(["bash", "-o", "pipefail", "-c", command], ROOT, shown.startswith("error: "))


def print_of_code(code: str) -> str:
    return printed([sys.executable, "-c", code], ROOT)


def console_blocks(text: str) -> list[tuple[str, str]]:
    return CONSOLE.findall(text)


def python_blocks(text: str) -> list[tuple[str, str]]:
    return PYTHON.findall(text)


def links(text: str) -> list[str]:
    """Targets of all links and pictures, each once, without their anchors."""
    return sorted(set(LINK.findall(text)))


def fresh(text: str) -> str:
    """A page with what is printed now."""
    text = CONSOLE.sub(lambda found: f"```console\n$ {found[1]}\n{print_of_command(found[1], found[2])}\n```", text)
    return PYTHON.sub(lambda found: f"```python\n{found[1]}\n```\n\n```text\n{print_of_code(found[1])}\n```", text)
