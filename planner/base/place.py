"""Where in a file something is wrong: every complaint about the content of a file is worded here."""

from __future__ import annotations

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.base.quantities import shown

_PATH_MAX = 80  # characters of a place that an error repeats


@dataclass(frozen=True, slots=True)
class Place:
    """A value's place in a file, as errors name it: `best.memory.weights`, `checks[3].passed`."""

    origin: str
    """The file's name."""
    advice: str = "make it again"
    """What to do about a damaged file."""
    error: type[InputError] = InputError
    """What is raised."""
    by_hand: bool = False
    """Whether people write such files, which are then wrong rather than damaged."""
    above: Place | None = None
    key: str | int | None = None

    def at(self, key: str | int) -> Place:
        """The place of an entry."""
        return Place(self.origin, self.advice, self.error, self.by_hand, self, key)

    @property
    def path(self) -> str:
        """From the top of the file, "" for the whole of it."""
        keys: list[str | int] = []
        place: Place | None = self
        while place is not None:
            if place.key is not None:
                keys.append(place.key)
            place = place.above
        text = ""
        for key in reversed(keys):
            if isinstance(key, int):
                text += f"[{key}]"
            else:
                text += ("." if text else "") + repr(key)[1:-1]
        return text if len(text) <= _PATH_MAX else text[: _PATH_MAX - 1] + "\N{HORIZONTAL ELLIPSIS}"

    def wrong(self, expected: str, got: object) -> InputError:
        """That something else was expected here: to be raised."""
        return self.complaint(f"expected {expected}, got {shown(got)}")

    def missing(self, name: str) -> InputError:
        """That an entry is not there."""
        return self.at(name).complaint("is missing", joint=" ")

    def not_registered(self, what: str, name: object) -> InputError:
        """That what the file was made with is not there: nothing is wrong with the file."""
        where = f"{self.path}: " if self.path else ""
        advice = "register it first (planner.register) or install the package that brings it"
        return self.error(f"{self.origin}: {where}no {what} is called {shown(name)}: {advice}")

    def complaint(self, what: str, joint: str = ": ") -> InputError:
        """One sentence: the file, the place in it, what is wrong, what to do."""
        where = f"{self.path}{joint}" if self.path else ""
        head = f"{self.origin}: " if self.by_hand else f"{self.origin} is damaged: "
        return self.error(f"{head}{where}{what}" + (f"; {self.advice}" if self.advice else ""))
