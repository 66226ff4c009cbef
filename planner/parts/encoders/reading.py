"""From a released model's config.json to its encoder: one reader for each type of model, by its outer `model_type`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from planner.base.dataclass import dataclass
from planner.base.errors import SpecError, UnknownArchitectureError
from planner.base.quantities import shown
from planner.base.registry import Registry
from planner.parts.configs.values import Values
from planner.parts.encoders.base import Encoder


@dataclass(frozen=True)
class Parts:
    """A config with its vision part and what the encoder must know of the language model."""

    name: str
    outer: Values
    vision: Values
    llm_width: int


@dataclass(frozen=True, kw_only=True)
class EncoderReader:
    """Reads the vision side of one type of model."""

    name: str
    """The outer `model_type`."""
    read: Callable[[Parts], Encoder]
    reads: tuple[str, ...] = ()
    """Keys of the vision part that the reader knows beyond those of its class."""
    optional: bool = False
    """Whether a config without a vision part is a language model alone; otherwise the part is its class's default."""

    def sees(self, config: Mapping[str, Any]) -> bool:
        """Whether a model of this config takes images."""
        return not self.optional or config.get("vision_config") is not None


SAYS_NOTHING_OF_SIZES = (
    "default_output_length",
    "global_head_dim",
    "image_seq_length",
    "in_chans",
    "in_token_limit",
    "max_image_size",
    "num_image_tokens",
    "projection_dim",
    "projector_hidden_act",
    "size",
    "spatial_patch_size",
    "tokens_per_second",
    "video_max_frames",
    "video_seq_length",
    "vision_feature_layer",
    "vocab_size",
)
"""Keys of published vision parts that their classes do not have: image sizes, text sizes of CLIP, class attributes."""

CHANNELS = 3

ENCODER_READERS: Registry[EncoderReader] = Registry("type of vision encoder", EncoderReader)


def read_encoder(name: str, config: Mapping[str, Any], llm_width: int) -> Encoder:
    """The vision side of a released model.

    Args:
        name: what messages call the model.
        config: values of its config.json.
        llm_width: width of its language model's embeddings.

    Raises:
        SpecError: nothing is known of this type of model, or a value is missing or wrong.
    """
    reader = ENCODER_READERS.get(config.get("model_type"))
    if reader is None:
        raise UnknownArchitectureError(
            f"{name}: nothing is known of the vision tower of model type {shown(config.get('model_type'))}, so its "
            "cost cannot be counted"
        )
    outer = Values(name, config)
    return reader.read(Parts(name, outer, vision_part(outer, reader.reads), llm_width))


def vision_part(outer: Values, reads: tuple[str, ...] = ()) -> Values:
    """The values of the vision part, with its class's defaults. Raises SpecError."""
    nested = None if outer.known is None else outer.known.nested.get("vision_config")
    given = outer.given.get("vision_config")
    if given is None:
        given = {} if nested is None else dict(nested.first)
    if not isinstance(given, Mapping):
        raise SpecError(f"{outer.name}: expected 'vision_config' to be an object, got {shown(given)}")
    own = str(given.get("model_type") or "")
    kind = own if nested is None or not (nested.fixed or not own) else nested.type
    found = Values(f"{outer.name}, vision_config", given, kind)
    if found.known is None:
        raise SpecError(f"{outer.name}: nothing is known of a vision tower of the type {shown(kind)}")
    found.check_keys((*SAYS_NOTHING_OF_SIZES, *reads))
    if found.get("num_channels") not in (None, CHANNELS):
        raise found.wrong("num_channels", f"{CHANNELS}, the channels of an image")
    return found


def check_heads(values: Values, width: int, key: str = "num_attention_heads") -> None:
    """Raises SpecError where the heads of queries, keys and values do not make up the width."""
    heads = values.count(key)
    kv_heads, size = values.count("num_key_value_heads", heads), values.count("head_dim", max(1, width // heads))
    if kv_heads != heads or heads * size != width:
        raise SpecError(
            f"{values.name}: expected as many heads of keys and values as of queries, {width} numbers wide together, "
            f"got {heads} and {kv_heads} heads of {size}"
        )


def side(values: Values, key: str) -> int:
    """A length in pixels, given as a number or one for each side. Raises SpecError."""
    value = values.get(key)
    if isinstance(value, list | tuple) and len(value) == 2 and value[0] == value[1]:
        return Values(values.name, {key: value[0]}).count(key)
    return values.count(key)
