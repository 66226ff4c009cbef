"""The shipped evidence, conditioned: when first needed, and once per process."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources

from planner.laws.hierarchy.conditioning import Posterior
from planner.laws.hierarchy.effects import EFFECTS
from planner.laws.hierarchy.factor import Factor, Frame
from planner.laws.hierarchy.rows import EvidenceRows, shipped_rows
from planner.laws.hierarchy.variances import Variances, shipped_variances


@cache
def shipped_posterior() -> Posterior:
    """The hierarchy given all shipped rows."""
    return posterior_of(shipped_rows(), shipped_variances())


def posterior_of(rows: EvidenceRows, variances: Variances) -> Posterior:
    """The hierarchy given some rows of evidence.

    Raises InputError for a study whose noise the variances do not have.
    """
    noise = variances.noise.variance(rows.study, rows.task, rows.error_se)
    return Posterior(Factor.of(Frame.of(rows), rows.error, noise, variances.of(EFFECTS)))


@cache
def rows_sha256() -> str:
    """Fingerprint of the shipped rows."""
    path = resources.files("fitted_laws") / "evidence" / "rows.csv"
    return hashlib.sha256(path.read_bytes()).hexdigest()
