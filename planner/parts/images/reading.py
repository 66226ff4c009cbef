"""From a model's config.json and preprocessor_config.json to its image rule: one reader for each model type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any

from planner.base.dataclass import dataclass
from planner.base.errors import SpecError
from planner.base.quantities import shown
from planner.base.registry import Registry
from planner.parts.images.base import ImageRule

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Files:
    """What was published with a model, with what its classes fill in."""

    name: str
    """What messages call it."""
    config: Values
    processor: Values
    """Of preprocessor_config.json, over the defaults of the processor's class."""
    kind: str = ""
    """Class of the image processor, without "Fast" or "Pil"; "" where no file says it."""

    def count(self, key: str) -> int:
        """A whole number of the processor. Raises SpecError."""
        return whole(self.processor, key, self.name)

    def tiles(self, key: str) -> int:
        """A count of tiles. Raises SpecError, also above TILES_MAX."""
        found = self.count(key)
        if found > TILES_MAX:
            raise SpecError(f"{self.name}: expected {key!r} of at most {TILES_MAX} tiles, got {found}")
        return found

    def flag(self, key: str, default: bool = False) -> bool:
        """A truth value of the processor; null is false. Raises SpecError."""
        value = self.processor.get(key, default)
        if value is None:
            return False
        if not isinstance(value, bool):
            raise SpecError(f"{self.name}: expected {key!r} to be true or false, got {shown(value)}")
        return value

    def edge(self, *keys: str, group: str = "size") -> int:
        """A length of "size": one number, or a mapping with one of the keys. Raises SpecError."""
        value = self.processor.get(group)
        if isinstance(value, Mapping):
            value = next((value[key] for key in keys if value.get(key) is not None), None)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise SpecError(f"{self.name}: expected {group!r} with {' or '.join(map(repr, keys))}, got {shown(value)}")
        return value

    def of_vision(self, key: str, default: int | None = None) -> int:
        """A whole number of the config's vision part. Raises SpecError."""
        vision = self.config.get("vision_config")
        return whole(vision if isinstance(vision, Mapping) else {}, key, f"{self.name}, vision_config", default)

    def of_model(self, key: str, default: int | None = None) -> int:
        """A whole number of the config. Raises SpecError."""
        return whole(self.config, key, self.name, default)


@dataclass(frozen=True, kw_only=True)
class ImageReader:
    """Reads the image rule of one type of model."""

    name: str
    """The outer `model_type`."""
    processors: tuple[str, ...]
    """Classes of image processor whose arithmetic it knows."""
    read: Callable[[Files], ImageRule]
    defaults: Values = field(default_factory=dict)
    """Of the processor's class: what a published file may leave out (transformers 5.23)."""
    published: Callable[[Values], Values] = lambda config: {}
    """What the family publishes beyond the defaults, for a config that comes without its preprocessor_config.json."""


TILES_MAX = 256
"""Most tiles of an image that a file may ask for; no released model has more than 36."""

TRIED = (224, 224)
"""An image that every rule has to take."""

IMAGE_READERS: Registry[ImageReader] = Registry("type of image rule", ImageReader)


def read_images(
    name: str, config: Values, preprocessor: Values | None = None, processor: Values | None = None
) -> tuple[ImageRule, tuple[str, ...]]:
    """The image rule of a published model, and what has to be said of it.

    Args:
        name: what messages call the model.
        config: values of its config.json.
        preprocessor: of its preprocessor_config.json; None where there is none.
        processor: of its processor_config.json, which newer versions keep the image processor in.

    Returns:
        The rule, and notes: that the family's published settings stand in for a file that is not there.

    Raises:
        SpecError: nothing is known of this type of model or of its processor, or a value is missing or wrong.
    """
    model_type = config.get("model_type")
    reader = IMAGE_READERS.get(model_type)
    if reader is None:
        raise SpecError(
            f"{name}: nothing is known of how model type {shown(model_type)} cuts images, so its visual tokens cannot "
            "be counted; give --visual-tokens instead of --image"
        )
    nested = (processor or {}).get("image_processor")
    given = preprocessor if preprocessor is not None else nested if isinstance(nested, Mapping) else None
    notes: tuple[str, ...] = ()
    if given is None:
        given = reader.published(config)
        notes = (f"no preprocessor_config.json: images are cut by the settings that {reader.name} models publish",)
    merged = {**reader.defaults, **(processor or {}), **given}
    kind = str(merged.get("image_processor_type") or "").removesuffix("Fast").removesuffix("Pil")
    if kind and kind not in reader.processors:
        raise SpecError(
            f"{name}: nothing is known of the image processor {shown(kind)} with model type {reader.name}; expected "
            f"{' or '.join(reader.processors)}"
        )
    try:
        rule = reader.read(Files(name, config, merged, kind))
        seen = rule.see(*TRIED)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        if isinstance(error, SpecError):
            raise
        raise SpecError(f"{name}: its image settings cannot be used together ({error})") from None
    if min(seen.visual_tokens, seen.patches) < 1:
        raise SpecError(f"{name}: by its settings an image of {TRIED[0]}x{TRIED[1]} would become no visual token")
    return rule, notes


def whole(values: Values, key: str, name: str, default: int | None = None) -> int:
    """A whole number of at least 1. Raises SpecError."""
    value = values.get(key)
    if value is None:
        value = default
    if isinstance(value, Mapping):  # a length for each side
        value = [value.get("height"), value.get("width")]
    if isinstance(value, (list, tuple)) and len(value) == 2 and value[0] == value[1]:
        value = value[0]
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise SpecError(f"{name}: expected {key!r} to be a whole number of at least 1, got {shown(value)}")
    return value
