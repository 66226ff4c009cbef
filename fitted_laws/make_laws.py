"""Fit every shipped law again from the runs beside this file: python -m fitted_laws.make_laws [--check]

Writes NAME.FORM.json beside this file where its numbers have changed by more than rounding (`agree`). With --check it
writes nothing and fails where they have.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from fitted_laws.agree import same
from planner.laws.fit import fit
from planner.laws.fitted import FittedLaw
from planner.laws.forms import forms_for
from planner.laws.joint import fit_joint
from planner.runs import read_runs

HERE = Path(__file__).parent
RUNS = {
    "reasoning": "qwen1.5_tokenpacker_reasoning.csv",
    "ocr": "qwen1.5_tokenpacker_ocr.csv",
}
COMPRESSORS = "vicuna7b_compressors_table1.csv"
BORROWED: Mapping[str, tuple[str, ...]] = {
    "additive": ("A", "alpha", "D"),
    "multiplicative": ("alpha", "D"),
    "log-linear": ("c1",),
}
"""By form, of those that four token counts at one LLM size can tell: what a compressor of Table 1 borrows from the
Qwen1.5 reasoning runs, all that tells the effect of N."""
TABLE1_REMARK = (
    "on the same eight tasks TokenPacker gains from tokens as QueCC does (ln error falls by .046 and .042 per ln T, by "
    ".015 on the reasoning runs): most of the step from the law reasoning to this one is the tasks', not QueCC's"
)
VISION = "CLIP-ViT-L/14-336"
PUBLISHED_EXPONENTS = {"alpha": 0.077, "beta": 0.015}
"""arXiv 2411.03312, figure 1."""


def make_laws() -> dict[str, FittedLaw]:
    """Every shipped law by file name."""
    laws = {}
    for form in (one.name for one in forms_for(2)):
        for name, file in RUNS.items():
            laws[f"{name}.{form}.json"] = fit(read_runs(HERE / "runs" / file), form, name=name, vision=VISION)
        for compressor in ("quecc", "tokenpacker") if form in BORROWED else ():
            laws[f"{compressor}.{form}.json"] = _of_table1(compressor, form)
    laws["paper.multiplicative.json"] = _published()
    return laws


def _of_table1(compressor: str, form: str) -> FittedLaw:
    """A compressor's own tokens (Vicuna-1.5-7B, eight tasks) with the effect of N of the reasoning runs."""
    import pandas as pd

    reasoning, compressors = (read_runs(HERE / "runs" / file) for file in (RUNS["reasoning"], COMPRESSORS))
    own = compressors.select(compressor=compressor).to_frame()
    if compressor in (reasoning.compressor or ()):
        own["compressor"] = group = f"{compressor}, Table 1"  # a group of its own beside the reasoning runs
    else:
        group = compressor
    table = pd.concat([reasoning.to_frame(), own], ignore_index=True)
    law = fit_joint(table, form, by="compressor", shared=BORROWED[form], vision=VISION)[group]
    return replace(law, name=compressor, compressors=(compressor,), remarks=(*law.remarks, TABLE1_REMARK))


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
        if path.exists() and same(json.loads(path.read_text(encoding="utf-8")), law.to_dict()):
            continue
        stale.append(name)
        if not check:
            law.save(path, overwrite=True)
            print(f"{name}: RSS {law.rss:.4g}, {law.status}")
    if not check:
        print(f"{len(stale)} files written, the others agree")
    elif stale:
        print(f"stale: {', '.join(stale)}; run python -m fitted_laws.make_laws", file=sys.stderr)
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
