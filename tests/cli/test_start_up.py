"""What a plan from cold does not load: what only other verbs, files and laws need."""

from __future__ import annotations

import subprocess
import sys

UNUSED = {
    "jinja2": "pages",
    "pydantic": "values that are not plain",
    "planner.laws.joint": "laws of a joint fit",
    "planner.planning.plan_file": "files of plans",
    "planner.tell.render.html": "pages",
    "planner.tell.recommendation": "recommendations",
    "numpy.ma": "masked arrays, which np.unique loads",
    "planner.runs.read": "tables of runs",
    "planner.laws.fit": "fits",
    "planner.parts.llms.layered": "language models whose layers differ",
    "planner.bench": "measurements",
    "planner.traffic": "loads",
    "planner.explore": "the explorer",
    "planner.vlm": "models",
}
"""Modules, and what they are for."""
SCRIPT = f"""
import sys
sys.argv[1:] = ["plan", "--budget", "2TFLOPs", "--query-tokens", "50", "--generated-tokens", "32"]
from planner.cli import main
try:
    main()
except SystemExit as end:
    assert end.code == 0
print(*(name for name in {list(UNUSED)!r} if name in sys.modules))
"""


def test_a_plan_loads_what_it_needs() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    *said, loaded = done.stdout.splitlines()
    assert {name: UNUSED[name] for name in loaded.split()} == {}
    assert len(said) > 20


def test_a_command_leaves_the_collector_as_it_was() -> None:
    """Verbs are run from other programs too, as here in the tests."""
    script = (
        "import gc, sys; before = gc.get_threshold(); sys.argv[1:] = ['catalog', 'laws', '--json']\n"
        "from planner.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert end.code in (0, 2)\n"
        "assert gc.isenabled()\nassert gc.get_threshold() == before\n"
    )
    subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
