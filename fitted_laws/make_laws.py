"""Fit every shipped law again from the runs beside this file: python -m fitted_laws.make_laws [--check]

Writes NAME.FORM.json beside this file. With --check it writes nothing and fails where a file differs.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from planner.laws.fit import fit
from planner.laws.fitted import FittedLaw
from planner.laws.forms import FORMS
from planner.runs import read_runs

HERE = Path(__file__).parent
RUNS = {
    "reasoning": "qwen1.5_tokenpacker_reasoning.csv",
    "ocr": "qwen1.5_tokenpacker_ocr.csv",
}
VISION = "CLIP-ViT-L/14-336"
PUBLISHED_EXPONENTS = {"alpha": 0.077, "beta": 0.015}
"""arXiv 2411.03312, figure 1."""


def make_laws() -> dict[str, FittedLaw]:
    """Every shipped law by file name."""
    laws = {}
    for name, file in RUNS.items():
        runs = read_runs(HERE / "runs" / file)
        for form in FORMS:
            laws[f"{name}.{form}.json"] = fit(runs, form, name=name, vision=VISION)
    laws["paper.multiplicative.json"] = _published()
    return laws


def _published() -> FittedLaw:
    """The paper's own exponents, with A and D solved again for the reasoning runs."""
    import lmfit

    params = lmfit.Parameters()
    for name, value in PUBLISHED_EXPONENTS.items():
        params.add(name, value=value, vary=False)
    runs = read_runs(HERE / "runs" / RUNS["reasoning"])
    law = fit(runs, "multiplicative", params=params, name="paper", vision=VISION)
    return replace(law, advice="alpha and beta are the published ones, not the optimum; A and D were solved again")


def main(check: bool) -> int:
    stale = []
    for name, law in make_laws().items():
        path = HERE / name
        if check:
            stale += [name] if not path.exists() or path.read_text(encoding="utf-8") != law.to_json() else []
        else:
            law.save(path, overwrite=True)
            print(f"{name}: RSS {law.rss:.4g}, {law.status}")
    if stale:
        print(f"stale: {', '.join(stale)}; run python -m fitted_laws.make_laws", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
