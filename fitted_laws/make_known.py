"""Work out what plans ask of the shipped laws: python -m fitted_laws.make_known [--check]

Writes known/, two files for each set of runs (see planner/laws/known.py), where its numbers have changed by more than
rounding (`agree`). With --check it writes nothing and fails where they have: a form, a fit or a draw is another one.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from fitted_laws.agree import same
from planner.base.files import file_text
from planner.laws.averaging import averaged
from planner.laws.combined import CombinedLaw
from planner.laws.fitted import FittedLaw
from planner.laws.known import FILE_FORMAT, FOLDER, FORMAT_VERSION, computed, files_of
from planner.laws.shipped import load_law, shipped_names
from planner.laws.uncertainty import Asked, uncertainty

HERE = Path(__file__).parent / FOLDER
INDEX = "index.json"


def make_known() -> dict[str, Any]:
    """Every file by name: what plans with one law, of each form and of the average of the forms, ask for."""
    with computed() as recorded:
        for name, form in shipped_names():
            law = load_law(name, form)
            if isinstance(law, FittedLaw) and not law.constraints and not law.joint:
                new = FittedLaw.from_dict(law.to_dict())  # of which nothing is remembered
                _ask(new)
                _ask(averaged(new))
    files = {
        name: {"format": FILE_FORMAT, "format_version": FORMAT_VERSION, "entries": entries}
        for runs, known in recorded.items()
        for name, entries in files_of(runs, known).items()
    }
    return {INDEX: {"runs": sorted(recorded)}, **files}


def _ask(law: FittedLaw | CombinedLaw) -> None:
    """What a plan asks: an interval, a comparison and the draws of a point."""
    about = uncertainty(law)
    if about is None:
        return
    about.ask(Asked(np.array([7e9, 4e9]), np.array([16.0, 36.0]), np.array(["", ""]), reference=1))


def main(check: bool) -> int:
    stale = []
    for name, content in make_known().items():
        path, text = HERE / name, file_text(content)
        if path.exists() and same(json.loads(path.read_text(encoding="utf-8")), json.loads(text)):
            continue
        stale.append(name)
        if not check:
            HERE.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"{name}: {len(text) / 1e3:.0f} kB")
    if not check:
        print(f"{len(stale)} files written, the others agree")
    elif stale:
        print(f"stale: {', '.join(stale)}; run python -m fitted_laws.make_known", file=sys.stderr)
    return 1 if check and stale else 0


if __name__ == "__main__":
    if set(sys.argv[1:]) - {"--check"}:
        sys.exit(f"usage: python -m fitted_laws.make_known [--check], got {' '.join(sys.argv[1:])}")
    sys.exit(main("--check" in sys.argv[1:]))
