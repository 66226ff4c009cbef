"""Estimate the variances of the hierarchy from the shipped rows: python -m fitted_laws.make_variances [--check]

Writes evidence/variances.json: the standard deviation of each effect and the noise of each study and task that are most
probable given the rows (`planner/laws/hierarchy/estimation.py`), and the tail that held-out rows show. With --check it
writes nothing and fails where the shipped ones are not those of the shipped rows.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from planner.base.codec import encode
from planner.base.files import file_text
from planner.laws.hierarchy.calibration import Differences, differences, tail_of
from planner.laws.hierarchy.conditioning import Gaussian
from planner.laws.hierarchy.design import Layout
from planner.laws.hierarchy.effects import EFFECTS
from planner.laws.hierarchy.estimation import Objective
from planner.laws.hierarchy.factor import Factor
from planner.laws.hierarchy.left_out import left_out
from planner.laws.hierarchy.noise import Noise
from planner.laws.hierarchy.rows import EvidenceRows, shipped_rows
from planner.laws.hierarchy.variances import FILE, FOLDER, Variances, shipped_variances

HERE = Path(__file__).parent / FOLDER

FloatArray = NDArray[np.float64]

START = 0.02
"""Standard deviation of every effect and study that the search starts from."""
SDS, FACTORS = (1e-4, 1.0), (0.1, 10.0)
"""Between which standard deviations, and tasks' factors of the noise, are sought."""
HELD_OUT = ("study", "visual_tokens", "llm", "compressor", "task")
"""What is held out to see how far predictions are off: a study, or one value of a column in a study."""
DIGITS = 3
"""Significant ones, in the file."""
APART = 0.5
"""Nats that the log likelihood of rounded standard deviations may be off."""


def estimated(rows: EvidenceRows) -> Variances:
    """The most probable standard deviations, given some rows.

    Studies that compare come first; then, with theirs as they are, released models, of which nobody varies one thing at
    a time, so that their spread says nothing of what a study would find.
    """
    studies = rows.where(rows.population != "released")
    about = Objective.of(studies, Layout(tuple(effect for effect in EFFECTS if not effect.of_released)))
    start = about.start(START)
    point = _highest(about, start, np.ones(len(start), bool))
    (sds, noise), factor = about.split(point), about.factor(point)
    found = Variances(
        sds={about.frame.layout.effects[e].name: _rounded(float(sds[e])) for e in about.free},
        noise=replace(noise, study=_all_rounded(noise.study), task=_all_rounded(noise.task)),
        tail=tail_of(held_out(studies, factor, noise)),
        rows=len(rows),
        log_likelihood=round(factor.log_likelihood, 1),
    )
    return found if len(studies) == len(rows) else _with_released(rows, found)


def _with_released(rows: EvidenceRows, known: Variances) -> Variances:
    """The same with what released models add: effects, studies and tasks that no study has."""
    about = Objective.of(rows)
    names = [EFFECTS[e].name for e in about.free]
    noise = known.noise
    more = replace(
        noise,
        study={study: noise.study.get(study, START) for study in about.studies},
        task={task: noise.task.get(task, 1.0) for task in about.tasks},
    )
    start = about.joined({name: known.sds.get(name, START) for name in names}, more)
    unknown = [
        *(name not in known.sds for name in names),
        *(study not in noise.study for study in about.studies),
        *(task not in noise.task for task in about.tasks),
    ]
    point = _highest(about, start, np.array(unknown))
    sds, found = about.split(point)
    return replace(
        known,
        sds={name: _rounded(float(sds[e])) for name, e in zip(names, about.free, strict=True)},
        noise=replace(found, study=_all_rounded(found.study), task=_all_rounded(found.task)),
        log_likelihood=round(about.factor(point).log_likelihood, 1),
    )


def _highest(about: Objective, start: FloatArray, free: NDArray[np.bool_]) -> FloatArray:
    """Where the density is highest, of points that differ from one in their free coordinates."""
    from scipy.optimize import minimize

    factors = len(about.tasks)
    ends = np.log([SDS] * (len(start) - factors) + [FACTORS] * factors)

    def whole(part: FloatArray) -> FloatArray:
        point = start.copy()
        point[free] = part
        return point

    def downhill(part: FloatArray) -> tuple[float, FloatArray]:
        density, slopes = about(whole(part))
        return -density, -slopes[free]

    found = minimize(
        downhill,
        start[free],
        jac=True,
        method="L-BFGS-B",
        bounds=ends[free].tolist(),
        options={"maxiter": 500, "ftol": 1e-10, "gtol": 1e-3},
    )
    return whole(found.x)


def held_out(rows: EvidenceRows, factor: Factor, noise: Noise) -> Differences:
    """Pairs of cells that were predicted without their study, or its token count, language model, compressor or task;
    of models that were trained for their tokens, not pruned.
    """
    variance = noise.variance(rows.study, rows.task, rows.error_se)
    found = []
    for column in HELD_OUT:
        names = np.char.add(np.char.add(rows.study, "\n"), getattr(rows, column).astype(str))
        groups = [np.flatnonzero(names == name) for name in np.unique(names)]
        for group, errors in zip(groups, left_out(factor, rows.error, groups), strict=True):
            at = np.flatnonzero(rows.population[group] != "pruning")
            some = Gaussian(errors.mean[at], errors.covariance[np.ix_(at, at)])
            found.append(differences(rows, group[at], some, variance[group[at]]))
    return Differences.joined(found)


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def _all_rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: _rounded(value) for name, value in values.items()}


def stale(rows: EvidenceRows, variances: Variances) -> str:
    """Why variances are not those of some rows; "" where they are. Cheap: the rows are factored once."""
    if variances.rows != len(rows):
        return f"estimated from {variances.rows} rows, there are {len(rows)}"
    about = Objective.of(rows)
    if set(about.studies) != set(variances.noise.study):
        return "the studies are others"
    found = about.factor(about.joined(variances.sds, variances.noise)).log_likelihood
    apart = abs(found - variances.log_likelihood)
    return f"the rows' log likelihood is {found:.1f}" if apart > APART else ""


def main(check: bool) -> int:
    if check:
        why = stale(shipped_rows(), shipped_variances())
        print(f"{FILE} is stale: {why}; run python -m fitted_laws.make_variances" if why else f"{FILE} agrees")
        return 1 if why else 0
    text = file_text(encode(estimated(shipped_rows())))
    (HERE / FILE).write_text(text, encoding="utf-8")
    print(f"{FILE}: {len(text) / 1e3:.1f} kB")
    return 0


if __name__ == "__main__":
    if set(sys.argv[1:]) - {"--check"}:
        sys.exit(f"usage: python -m fitted_laws.make_variances [--check], got {' '.join(sys.argv[1:])}")
    sys.exit(main("--check" in sys.argv[1:]))
