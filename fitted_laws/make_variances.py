"""Estimate the variances of the hierarchy from the shipped rows: python -m fitted_laws.make_variances [--check]

Writes evidence/variances.json: the standard deviation of each effect and the noise of each study that are most
probable given the rows (`planner/laws/hierarchy/estimation.py`). With --check it writes nothing and fails where the
shipped ones are not those of the shipped rows.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from planner.base.codec import encode
from planner.base.files import file_text
from planner.laws.hierarchy.effects import EFFECTS
from planner.laws.hierarchy.estimation import NEW_NOISE, Objective
from planner.laws.hierarchy.factor import Frame
from planner.laws.hierarchy.rows import EvidenceRows, shipped_rows
from planner.laws.hierarchy.variances import FILE, FOLDER, Tail, Variances, shipped_variances

HERE = Path(__file__).parent / FOLDER

FloatArray = NDArray[np.float64]

START, SMALLEST = 0.02, 1e-4
"""Standard deviations that the search starts from, and below which an effect is as good as none."""
DIGITS = 3
"""Significant ones, in the file."""
APART = 0.5
"""Nats that the log likelihood of rounded standard deviations may be off."""


def objective(rows: EvidenceRows) -> Objective:
    """How probable standard deviations are, given some rows."""
    return Objective(Frame.of(rows), rows.error, rows.error_se, rows.study)


def estimated(rows: EvidenceRows, tail: Tail) -> Variances:
    """The most probable standard deviations, given some rows."""
    from scipy.optimize import minimize

    about = objective(rows)
    count = len(about.free) + len(about.studies)

    def downhill(point: FloatArray) -> tuple[float, FloatArray]:
        density, slopes = about(point)
        return -density, -slopes

    found = minimize(
        downhill,
        np.full(count, np.log(START)),
        jac=True,
        method="L-BFGS-B",
        bounds=[(np.log(SMALLEST), 0.0)] * count,
        options={"maxiter": 500, "ftol": 1e-10, "gtol": 1e-3},
    )
    sds, noise = about.split(found.x)
    return Variances(
        sds={EFFECTS[e].name: _rounded(float(sds[e])) for e in about.free},
        noise={name: _rounded(value) for name, value in noise.items()},
        new_noise=NEW_NOISE,
        tail=tail,
        rows=len(rows),
        log_likelihood=round(about.factor(found.x).log_likelihood, 1),
    )


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def stale(rows: EvidenceRows, variances: Variances) -> str:
    """Why variances are not those of some rows; "" where they are. Cheap: the rows are factored once."""
    if variances.rows != len(rows):
        return f"estimated from {variances.rows} rows, there are {len(rows)}"
    about = objective(rows)
    if set(about.studies) != set(variances.noise):
        return "the studies are others"
    found = about.factor(about.joined(variances.sds, variances.noise)).log_likelihood
    apart = abs(found - variances.log_likelihood)
    return f"the rows' log likelihood is {found:.1f}" if apart > APART else ""


def main(check: bool) -> int:
    if check:
        why = stale(shipped_rows(), shipped_variances())
        print(f"{FILE} is stale: {why}; run python -m fitted_laws.make_variances" if why else f"{FILE} agrees")
        return 1 if why else 0
    text = file_text(encode(estimated(shipped_rows(), shipped_variances().tail)))
    (HERE / FILE).write_text(text, encoding="utf-8")
    print(f"{FILE}: {len(text) / 1e3:.1f} kB")
    return 0


if __name__ == "__main__":
    if set(sys.argv[1:]) - {"--check"}:
        sys.exit(f"usage: python -m fitted_laws.make_variances [--check], got {' '.join(sys.argv[1:])}")
    sys.exit(main("--check" in sys.argv[1:]))
