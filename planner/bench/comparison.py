"""MeasurementComparison: what a change made of times and memory, with how sure that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from planner.base.codec import encode
from planner.base.dataclass import dataclass
from planner.base.result import Result

if TYPE_CHECKING:
    import pandas as pd

SAME, EQUAL = "no difference", "equal"
"""Words for what shows none: by its interval, and of what is exact."""


@dataclass(frozen=True)
class Change:
    """One quantity of one shape, before and after."""

    DERIVED: ClassVar[tuple[str, ...]] = ("ratio", "word")

    name: str
    """With its unit: "ttft_s", "peak_memory_bytes"."""
    title: str
    """For people: "TTFT"."""
    unit: str
    """"s", "bytes", "flops", "joules"."""
    before: float
    """The median; over several runs the geometric mean of theirs."""
    after: float
    low: float | None = None
    """Lower end of the ratio's 95 % interval; None for what is exact, or measured once."""
    high: float | None = None
    samples: tuple[int, ...] = ()
    """Before and after; () for what is measured once."""

    @property
    def ratio(self) -> float:
        """After over before: above 1, it takes more."""
        return self.after / self.before

    @property
    def word(self) -> str:
        """ "slower", "faster", "more", "less"; "no difference" where the interval holds 1, "equal" of what is exact."""
        low, high = self.sure
        if low == high == 1:
            return EQUAL
        if low <= 1 <= high:
            return SAME
        return ("slower" if self.unit == "s" else "more") if low > 1 else ("faster" if self.unit == "s" else "less")

    @property
    def sure(self) -> tuple[float, float]:
        """The interval; of what is exact the ratio itself, twice."""
        return (self.ratio if self.low is None else self.low), (self.ratio if self.high is None else self.high)

    def above(self, share: float) -> bool:
        """Whether it takes more than so much more, beyond doubt: the lower end of its interval lies above 1 + share."""
        return self.sure[0] > 1 + share


@dataclass(frozen=True)
class Unlike:
    """An entry of the environments that is not the same before and after."""

    name: str
    before: str
    after: str


@dataclass(frozen=True)
class ShapeChange:
    """One model, request and batch, measured before and after."""

    title: str
    changes: tuple[Change, ...]
    unstable: tuple[str, ...] = ()
    """Why a side's times may not be trusted, with advice."""
    runs: tuple[int, int] = (1, 1)
    """Measurements of this shape on each side."""

    def disturbed(self, change: Change) -> bool:
        """Whether what was measured says nothing, since something disturbed a side: of times and energy, which run
        with them; bytes and FLOPs are exact."""
        return bool(self.unstable) and change.unit in ("s", "joules")

    def change(self, name: str) -> Change:
        """By its name, "ttft_s". Raises KeyError."""
        for one in self.changes:
            if one.name == name:
                return one
        raise KeyError(f"nothing is called {name!r}; there are: {', '.join(one.name for one in self.changes)}")


@dataclass(frozen=True, repr=False)
class MeasurementComparison(Result):
    """All shapes that were measured before and after."""

    shapes: tuple[ShapeChange, ...]
    unlike: tuple[Unlike, ...]
    """In what the environments differ, by name: what was changed, or what spoils the comparison."""
    left_out: tuple[str, ...]
    """Shapes of one side alone."""
    level: float
    """Of the intervals."""
    draws: int
    """Of the bootstrap."""

    @property
    def stable(self) -> bool:
        """Whether the times of both sides may be trusted."""
        return not any(one.unstable for one in self.shapes)

    def above(self, share: float) -> tuple[tuple[ShapeChange, Change], ...]:
        """What takes more than so much more, beyond doubt."""
        return tuple((shape, one) for shape in self.shapes for one in shape.changes if one.above(share))

    def proved(self, share: float) -> tuple[tuple[ShapeChange, Change], ...]:
        """What takes more than so much more, beyond doubt, while nothing disturbed the machine."""
        return tuple((shape, one) for shape, one in self.above(share) if not shape.disturbed(one))

    def __repr__(self) -> str:
        found = [f"{one.title} x {one.ratio:.3f}" for one in self.shapes[0].changes if one.name in ("ttft_s", "tpot_s")]
        return f"MeasurementComparison({len(self.shapes)} shapes; {self.shapes[0].title!r}: {', '.join(found)})"

    def to_frame(self) -> pd.DataFrame:
        """A row for each shape and quantity."""
        import pandas as pd

        rows = [{"shape": shape.title, **encode(one)} for shape in self.shapes for one in shape.changes]
        return pd.DataFrame(rows)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        found: dict[str, Any] = encode(self, "the comparison")
        return found | {"stable": self.stable}
