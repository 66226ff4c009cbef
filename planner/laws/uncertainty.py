"""How sure is a comparison of configurations? Intervals, draws and differences over all forms that the runs allow.

One form's interval knows the noise, not whether the form is right. So every question is asked of each form that the
runs cannot rule out (the likeliest that share 95 % of the Akaike weight, and the law's own form always): an interval is
the envelope of theirs, draws come from each in proportion to its weight, and two configurations are told apart only if
every form tells them apart. Beyond the data forms drift apart, and the envelope widens by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from planner.base.errors import FitError, InputError
from planner.laws.combined import MIX, CombinedLaw, Law
from planner.laws.compare import evidence, other_forms
from planner.laws.fitted import FittedLaw
from planner.laws.intervals import LEVEL, profiler
from planner.laws.memo import remembered
from planner.laws.posterior import posterior

FloatArray = NDArray[np.float64]

WEIGHT_KEPT = 0.95
"""Share of the evidence that the forms kept have together: a confidence set of forms (Burnham and Anderson 2002)."""
_ROUNDING = 1e-12  # a point compared with itself differs by rounding


class Region(Protocol):
    """What a form says of errors and of their differences: a `Profiler`, or the law of a joint fit."""

    @property
    def law(self) -> FittedLaw: ...
    def predictions(self, llm_params: FloatArray, visual_tokens: FloatArray) -> tuple[FloatArray, FloatArray]: ...
    def differences(
        self, llm_params: FloatArray, visual_tokens: FloatArray, reference: tuple[float, float]
    ) -> tuple[FloatArray, FloatArray]: ...


@dataclass(frozen=True)
class JointRegion:
    """The law of one group of a joint fit; its intervals rest on the runs of all groups.

    Joint fits are loaded here, for laws that come of one: most plans rest on other laws.
    """

    law: FittedLaw

    def check(self) -> None:
        """Raises FitError where the fit kept no region."""
        from planner.laws.joint import joint_interval

        joint_interval(self.law, 1e9, 1.0)

    def predictions(self, llm_params: FloatArray, visual_tokens: FloatArray) -> tuple[FloatArray, FloatArray]:
        from planner.laws.joint import joint_interval

        return joint_interval(self.law, llm_params, visual_tokens, LEVEL)

    def differences(
        self, llm_params: FloatArray, visual_tokens: FloatArray, reference: tuple[float, float]
    ) -> tuple[FloatArray, FloatArray]:
        from planner.laws.joint import joint_difference

        return joint_difference(self.law, llm_params, visual_tokens, reference, LEVEL)


@dataclass(frozen=True)
class Belief:
    """The forms that speak for one set of runs, with their shares."""

    regions: tuple[Region, ...]
    shares: tuple[float, ...]
    """Akaike weights, scaled to sum to 1."""

    def envelope(self, ends: Callable[[Region], tuple[FloatArray, FloatArray]]) -> tuple[FloatArray, FloatArray]:
        """Lowest low and highest high (Q,) over the forms."""
        lows, highs = zip(*(ends(region) for region in self.regions), strict=True)
        return np.min(lows, axis=0), np.max(highs, axis=0)


@dataclass(frozen=True)
class Uncertainty:
    """Beliefs on each task of a law (one, unless it is a mix), and how the tasks are weighted."""

    beliefs: tuple[Belief, ...]
    weights: tuple[float, ...]

    def intervals(self, llm_params: FloatArray, visual_tokens: FloatArray) -> tuple[FloatArray, FloatArray]:
        """95 % intervals (Q,) of the law's error at points (Q,)."""
        return self._combined(lambda region: region.predictions(llm_params, visual_tokens))

    def not_worse(
        self, llm_params: FloatArray, visual_tokens: FloatArray, reference: tuple[float, float]
    ) -> NDArray[np.bool_]:
        """Which points (Q,) cannot be told at 95 % from being as good as the reference (llm_params, visual_tokens)."""
        low, _ = self._combined(lambda region: region.differences(llm_params, visual_tokens, reference))
        return low <= _ROUNDING

    def _combined(self, ends: Callable[[Region], tuple[FloatArray, FloatArray]]) -> tuple[FloatArray, FloatArray]:
        """Envelopes over forms; the tasks of a mix were measured independently, so half-widths add in squares."""
        lows, highs = (np.array(side) for side in zip(*(belief.envelope(ends) for belief in self.beliefs), strict=True))
        weights = np.array(self.weights)[:, None]
        center = np.sum(weights * (lows + highs) / 2, axis=0)
        half = np.sqrt(np.sum((weights * (highs - lows) / 2) ** 2, axis=0))
        return center - half, center + half

    def draws(self, llm_params: FloatArray, visual_tokens: FloatArray, count: int, seed: int = 0) -> FloatArray | None:
        """Posterior draws (R, Q) of the error at points (Q,), from each form in proportion to its share.

        None for a law of a joint fit, which keeps the edge of its region but no draws.
        """
        if any(isinstance(region, JointRegion) for belief in self.beliefs for region in belief.regions):
            return None
        total = np.zeros((count, len(llm_params)))
        for belief, weight in zip(self.beliefs, self.weights, strict=True):
            counts = np.floor(np.array(belief.shares) * count).astype(int)
            counts[np.argmax(counts)] += count - counts.sum()
            parts = [
                posterior(region.law, int(k), seed=seed).predict(llm_params, visual_tokens)
                for region, k in zip(belief.regions, counts, strict=True)
                if k
            ]
            rows = np.concatenate(parts)
            # the tasks of a mix are independent: pair their draws at random
            total += weight * rows[np.random.default_rng(seed).permutation(count)] if len(self.beliefs) > 1 else rows
        return total


def uncertainty(law: Law) -> Uncertainty | None:
    """What is known of how sure a law is; None for a law that was given, or whose constraints have no profile."""
    try:
        if isinstance(law, CombinedLaw) and law.kind == MIX:
            return Uncertainty(tuple(_belief_of(member) for member in law.members), law.weights)
        return Uncertainty((_belief_of(law),), (1.0,))
    except (FitError, InputError):
        return None


@remembered  # here and nowhere above, so that whoever asks of a task is given the same belief
def _belief_of(law: Law) -> Belief:
    """The forms of an average; of a fitted law its own form and those of the others that its runs allow."""
    if isinstance(law, CombinedLaw):
        if law.kind == MIX:
            raise InputError("a mix of mixes has no interval")
        members = tuple(member for member in law.members if isinstance(member, FittedLaw))
        return _belief(members, dict(zip((member.form for member in members), law.weights, strict=True)), None)
    if law.joint:
        region = JointRegion(law)
        region.check()
        return Belief((region,), (1.0,))
    laws = other_forms(law)
    if len(laws) == 1:
        return _belief(tuple(laws), {law.form: 1.0}, law.form)
    shares: dict[str, float] = {}
    for row in evidence(laws):
        shares[row.law.form] = shares.get(row.law.form, 0.0) + row.weight
    return _belief(tuple(laws), shares, law.form)


def _belief(laws: tuple[FittedLaw, ...], shares: dict[str, float], own: str | None) -> Belief:
    ranked = sorted(laws, key=lambda law: -shares[law.form])
    before = np.cumsum([0.0] + [shares[law.form] for law in ranked[:-1]])
    kept = [law for law, heavier in zip(ranked, before, strict=True) if heavier < WEIGHT_KEPT or law.form == own]
    total = sum(shares[law.form] for law in kept)
    return Belief(
        regions=tuple(profiler(law, LEVEL) for law in kept),
        shares=tuple(shares[law.form] / total for law in kept),
    )
