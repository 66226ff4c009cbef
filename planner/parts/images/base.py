"""What every image rule says: how many tokens an image becomes, and what the vision tower sees of it.

A rule is the arithmetic of a model's own image processor. Its fields are the processor's settings; those that people
turn are its knobs, and a rule with a knob turned is another rule: `rule.turned({"max_pixels": 401408})`.
Sizes are width x height in pixels, as people say them; grids are rows x columns.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

from planner.base.dataclass import dataclass
from planner.base.errors import InputError, UnknownNameError
from planner.base.quantities import shown

Setting: TypeAlias = "int | bool | str"


@dataclass(frozen=True)
class View:
    """Grids of patches of one shape, each of which the tower sees as a sequence of its own."""

    rows: int
    columns: int
    count: int = 1

    @property
    def patches(self) -> int:
        """Of all of them."""
        return self.count * self.rows * self.columns


@dataclass(frozen=True)
class Seen:
    """What a model makes of one image."""

    visual_tokens: int
    """Tokens that carry a feature of the image; newline tokens that the model puts among them count as such."""
    views: tuple[View, ...]
    """What the tower sees."""
    extra_tokens: int = 0
    """Start, end, row and tile tokens that the processor puts around them."""
    class_tokens: int = 0
    """Positions of each view that are no patch."""
    in_sequence: bool = True
    """False where the image enters by cross-attention: then one placeholder stands in the prompt."""
    padded_patches: int | None = None
    """Patches that the reference processor pads to; None where it pads nothing."""

    @property
    def tiles(self) -> int:
        """Views of the image."""
        return sum(view.count for view in self.views)

    @property
    def patches(self) -> int:
        """Positions that the tower computes, class tokens among them."""
        return sum(view.patches for view in self.views) + self.tiles * self.class_tokens

    @property
    def placeholders(self) -> int:
        """Tokens of the prompt that stand for features."""
        return self.visual_tokens if self.in_sequence else 1

    @property
    def prompt_tokens(self) -> int:
        """What the image adds to the language model's sequence."""
        return self.placeholders + self.extra_tokens

    @property
    def beside_tokens(self) -> int:
        """What stands beside the sequence for layers that attend to images, as many as the reference pads to."""
        return 0 if self.in_sequence else self.padded_patches or self.visual_tokens


@dataclass(frozen=True)
class Knob:
    """A setting of the processor that changes how many tokens an image becomes."""

    name: str
    """The field of the rule; as the processor calls it."""
    title: str
    values: tuple[Setting, ...]
    """Worth trying, cheapest first."""
    low: int | None = None
    """Least whole number that it takes; None where it takes none, or only `values`."""
    high: int | None = None
    aliases: tuple[str, ...] = ()
    """Other spellings."""
    per_request: bool = True
    """Whether an engine takes it with a request; otherwise it is set when the model is loaded."""

    def parse(self, given: object) -> Setting:
        """A value from a text, a number or a truth value. Raises InputError."""
        kinds = {type(value) for value in self.values}
        if kinds == {bool}:
            found = given if isinstance(given, bool) else _TRUTH.get(str(given).strip().lower())
            if found is None:
                raise InputError(f"{self.name}: expected true or false, got {shown(given)}")
            return found
        if self.low is not None:
            return self._whole(given)
        found_text = next((value for value in self.values if str(value) == str(given).strip()), None)
        if found_text is None:
            raise InputError(f"{self.name}: expected one of {', '.join(map(str, self.values))}, got {shown(given)}")
        return found_text

    def _whole(self, given: object) -> int:
        """A whole number in range; products are read as people write pixel budgets: "256*28*28"."""
        factors = str(given).replace("_", "").replace(",", "").split("*")
        found = None if isinstance(given, bool) else 1
        for factor in factors:
            text = factor.strip()
            found = found * int(text) if found is not None and text.isdecimal() and len(text) <= 13 else None
        assert self.low is not None
        if found is None or found < self.low or (self.high is not None and found > self.high):
            upto = "at least " + str(self.low) if self.high is None else f"{self.low} to {self.high}"
            raise InputError(f"{self.name}: expected a whole number of {upto}, got {shown(given)}")
        return found


_TRUTH = {"true": True, "false": False, "yes": True, "no": False, "on": True, "off": False}


@dataclass(frozen=True, kw_only=True)
class ImageRule(ABC):
    """How one kind of processor cuts images."""

    resize_longest_edge: int = 0
    """Longer side in pixels that an image is shrunk to before the processor sees it; 0: it comes as it is."""

    @abstractmethod
    def own_knobs(self) -> tuple[Knob, ...]:
        """The knobs of the processor, the one that decides most first."""

    @abstractmethod
    def cut(self, width: int, height: int) -> Seen:
        """What becomes of an image of that size. Raises InputError where the processor refuses it."""

    def cut_one_of(self, width: int, height: int, images: int) -> Seen:
        """What becomes of an image that shares its prompt with others."""
        return self.cut(width, height)

    def remarks(self, turned: Collection[str] = ()) -> tuple[str, ...]:
        """What the processor does with settings that it cannot keep, and knobs that were turned and do nothing.

        Args:
            turned: names of the knobs that were turned.
        """
        return ()

    def knobs(self) -> tuple[Knob, ...]:
        """All knobs: the processor's own, then shrinking the image first, which every model has."""
        return (*self.own_knobs(), RESIZE)

    def see(self, width: int, height: int, images: int = 1) -> Seen:
        """What the model makes of one image of width x height pixels, of so many in its prompt.

        Raises:
            InputError: a side is no whole number of at least 1, or the processor refuses the shape.
        """
        for side in (width, height):
            if isinstance(side, bool) or not isinstance(side, int) or not 1 <= side <= SIDE_MAX:
                raise InputError(f"image: expected sides of 1 to {SIDE_MAX} pixels, got {shown(side)}")
        return self.cut_one_of(*shrunk(width, height, self.resize_longest_edge), images)

    def visual_tokens(self, width: int, height: int) -> int:
        """Visual tokens of one image of width x height pixels. Raises InputError."""
        return self.see(width, height).visual_tokens

    def knob(self, name: str) -> Knob:
        """A knob by its name or another spelling of it. Raises UnknownNameError."""
        for knob in self.knobs():
            if name in (knob.name, *knob.aliases):
                return knob
        raise UnknownNameError("knob", name, [knob.name for knob in self.knobs()])

    def setting(self, name: str) -> Setting:
        """How a knob stands."""
        value: Setting = getattr(self, self.knob(name).name)
        return value

    def turned(self, settings: Mapping[str, object]) -> ImageRule:
        """The rule with knobs turned. Raises UnknownNameError, and InputError for a wrong value or two for one knob."""
        found: dict[str, Any] = {}
        for name, value in settings.items():
            knob = self.knob(name)
            parsed = knob.parse(value)
            if found.get(knob.name, parsed) != parsed:
                raise InputError(
                    f"{knob.name}: expected one value, got {shown(found[knob.name])} and {shown(parsed)} ({name} is "
                    "another name of the same knob)"
                )
            found[knob.name] = parsed
        return replace(self, **found) if found else self

    def to_dict(self) -> dict[str, Any]:
        """Its knobs as they stand, by name."""
        return {knob.name: self.setting(knob.name) for knob in self.knobs()}


SIDE_MAX = 1_000_000

RESIZE = Knob(
    "resize_longest_edge",
    "longer side, in pixels, that images are shrunk to first (0: as they come)",
    (224, 336, 448, 672, 896, 1344, 0),
    low=0,
    high=SIDE_MAX,
)


def shrunk(width: int, height: int, longest_edge: int) -> tuple[int, int]:
    """Width and height after shrinking the longer side to so many pixels; sides are rounded, never enlarged."""
    longer = max(width, height)
    if not 0 < longest_edge < longer:
        return width, height
    return max(1, round(width * longest_edge / longer)), max(1, round(height * longest_edge / longer))


def without_effect(rule: ImageRule, name: str, turned: Collection[str], needed: str) -> tuple[str, ...]:
    """The remark on a knob that was turned and does nothing, since another switch is off."""
    if name not in turned or rule.setting(needed):
        return ()
    return (f"{settings_text({name: rule.setting(name)})} changes nothing while {needed} is false",)


def unlike_bounds(low: str, least: int, high: str, most: int) -> tuple[str, ...]:
    """The remark on bounds that exclude each other: processors of this kind look at the upper one first."""
    if least <= most:
        return ()
    return (
        f"{high}={most} is less than {low}={least}: the image processor keeps {high} where an image has more, and "
        f"enlarges any other to {low}",
    )


def settings_text(settings: Mapping[str, Setting]) -> str:
    """ "max_pixels=401408" as it is typed."""
    return ", ".join(
        f"{name}={json.dumps(value) if isinstance(value, bool) else value}" for name, value in settings.items()
    )
