"""Progress over a whole run: its legs, which take unequal times, on one scale that does not go back."""

from __future__ import annotations

from collections.abc import Callable, Sequence

Progress = Callable[[str, int, int], None]
"""(what is done, steps done, steps in all)."""
STEPS = 10_000
"""Of a whole run."""


class Course:
    """Tells the progress of each leg as progress of the whole."""

    def __init__(self, progress: Progress | None, weights: Sequence[float]) -> None:
        """
        Args:
            progress: told what is done of the whole; None to tell nobody.
            weights: of the legs, proportional to the time that they take.
        """
        self._progress = progress
        whole = sum(weights) or 1.0
        self._ends = [sum(weights[: leg + 1]) / whole for leg in range(len(weights))]
        self._done = 0

    def leg(self, number: int, title: str = "") -> Progress | None:
        """What tells the progress of one leg, from 0 on; what is done is told after the title."""
        if self._progress is None:
            return None
        start = self._ends[number - 1] if number else 0.0
        end = self._ends[number]

        def tell(what: str, done: int, total: int) -> None:
            share = start + (end - start) * min(done / total, 1.0) if total > 0 else start
            self._done = max(self._done, round(STEPS * share))  # a leg that is taken again begins where it began
            if self._progress is not None:
                self._progress(title + what, self._done, STEPS)

        return tell


def weights_of(sizes: Sequence[float]) -> list[float]:
    """Of measurements, by parameters times batch: half of the time grows with it, half is the same for all."""
    mean = sum(sizes) / max(len(sizes), 1) or 1.0
    return [1.0 + size / mean for size in sizes]
