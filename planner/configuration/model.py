"""What is made: a vision-language model and its parts."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import field, replace
from typing import Any

import numpy as np

from planner.base.dataclass import dataclass
from planner.base.errors import InputError, UnknownNameError
from planner.base.quantities import shown, whole_number
from planner.configuration.checked import checked
from planner.parts.catalog import (
    DEFAULT_COMPRESSOR,
    DEFAULT_CONNECTOR,
    DEFAULT_VISION,
    LLMS,
    TOWERS,
    find_compressor,
    find_connector,
    find_llms,
    find_vision,
)
from planner.parts.compressors import Compressor
from planner.parts.connectors import Connector, Mlp
from planner.parts.llms import Llm, stacked
from planner.parts.towers import Tower
from planner.parts.walk import Number, Walk

IMAGE_FIRST = "image-first"
TEXT_FIRST = "text-first"
PROMPT_ORDERS = (IMAGE_FIRST, TEXT_FIRST)


@dataclass(frozen=True, repr=False)
class Model:
    """A vision-language model: its parts, how many tokens an image becomes, and where the image stands in the prompt.

    In the search `llm` stands for many models and `visual_tokens` is an array; see `planner.parts.llms.stacks`.
    """

    llm: Llm
    tower: Tower
    compressor: Compressor
    visual_tokens: Number
    """Per image."""
    prompt_order: str = IMAGE_FIRST
    """"image-first", or "text-first" (which makes a query-aware compressor's query pass free)."""
    connector: Connector = field(default_factory=Mlp)

    def __post_init__(self) -> None:
        if not isinstance(self.prompt_order, str) or self.prompt_order not in PROMPT_ORDERS:
            raise UnknownNameError("prompt order", self.prompt_order, PROMPT_ORDERS)
        if not (np.asarray(self.visual_tokens) >= 0).all():
            raise InputError(
                f"visual_tokens: expected counts of at least 0, got {shown(float(np.min(self.visual_tokens)))}"
            )

    @classmethod
    def of(
        cls,
        llm: str | os.PathLike[str] | Llm,
        visual_tokens: int,
        *,
        vision: str | Tower = DEFAULT_VISION,
        compressor: str | Compressor = DEFAULT_COMPRESSOR,
        connector: str | Connector = DEFAULT_CONNECTOR,
        prompt_order: str = IMAGE_FIRST,
    ) -> Model:
        """A model by the names of its parts.

        Args:
            llm: name, config.json path, or the language model itself.
            visual_tokens: per image, a number that the compressor can make from the tower's patches; 0: no image.
            vision: the vision tower; a name, config.json path or tower.
            compressor: what makes the visual tokens.
            connector: what leads them into the language model.
            prompt_order: "image-first" or "text-first".

        Raises:
            InputError: a name, count or file that cannot be used, in one sentence.
        """
        found = find_llms(llm)
        if len(found) > 1:
            raise InputError(f"{llm} names {len(found)} language models, expected one, such as {found[0].name}")
        tower, squeezer = find_vision(vision), find_compressor(compressor)
        tokens = whole_number(visual_tokens, "visual_tokens", 0)
        if tokens and tokens not in squeezer.visual_tokens(tower):
            raise InputError(cannot_make(squeezer, tower, tokens))
        return cls(found[0], tower, squeezer, tokens, prompt_order, find_connector(connector))

    def __str__(self) -> str:
        tokens = "1 visual token" if self.visual_tokens == 1 else f"{self.visual_tokens} visual tokens"
        return f"{self.llm.name} with {tokens}"

    def __repr__(self) -> str:
        return f"Model({self}, {self.tower.name}, {self.compressor.name}, {self.prompt_order})"

    @property
    def has_images(self) -> bool:
        """Whether there is anything to see: with 0 visual tokens neither tower nor compressor runs."""
        return np.ndim(self.visual_tokens) > 0 or bool(self.visual_tokens)

    @property
    def sequence_tokens(self) -> Number:
        """Visual tokens that stand in the prompt, for each image."""
        return 0 if self.llm.images_beside else self.visual_tokens

    @property
    def beside_tokens(self) -> Number:
        """Visual tokens that stand beside it, for layers that attend to them."""
        return self.visual_tokens if self.llm.images_beside else 0

    def stored_llm_bytes(self, precision: str) -> Number | None:
        """Bytes of the language model's weights as a checkpoint stores them in that precision; None where none does,
        and NaN in a column's rows of those that do not."""
        return None

    def encode(self, images: Number) -> Walk:
        """What the tower runs for so many images."""
        return self.tower.walk(images) if self.has_images else ()

    def compress(self, images: Number) -> Walk:
        """What compressor and connector run for so many images."""
        if not self.has_images:
            return
        tokens, width = np.asarray(self.visual_tokens, float), self.llm.hidden_size
        yield from self.compressor.walk(images, self.tower, width, tokens)
        yield from self.connector.walk(images * tokens, self.tower.hidden_size, width)

    @property
    def beside_params(self) -> Number:
        """Parameters of compressor and connector."""
        own = self.compressor.params(self.tower, self.llm.hidden_size, np.asarray(self.visual_tokens, float))
        return self.connector.params(float(self.tower.hidden_size), self.llm.hidden_size) + own

    @property
    def params(self) -> Number:
        """Parameters of all parts, as they are built."""
        return self.llm.params + self.tower.params_run + self.beside_params

    def params_by_part(self) -> dict[str, int]:
        """Parameters as they are built: in all, those that a token passes, and by part."""
        llm, vision, beside = self.llm.params, self.tower.params_run, int(self.beside_params)
        total = llm + vision + beside
        return {
            "total": total,
            "active": total - llm + self.llm.active_params,
            "llm": llm,
            "vision": vision,
            "connector": beside,
            "audio": 0,
        }

    @property
    def names(self) -> dict[str, Any]:
        """What a measurement of it says that was measured: its parts by name, visual tokens of an image."""
        return {
            "llm": self.llm.name,
            "visual_tokens": int(self.visual_tokens),
            "vision": self.tower.name,
            "compressor": self.compressor.name,
            "prompt_order": self.prompt_order,
        }

    @property
    def notes(self) -> tuple[str, ...]:
        """What reading its parts had to assume."""
        return self.llm.notes

    @property
    def tokens_move_alone(self) -> bool:
        """Whether the number of visual tokens can change while the tower does the same."""
        return True

    @property
    def stack_key(self) -> Hashable:
        """Equal for models whose costs `columns` gives in one go."""
        return self.tower.name, self.compressor.name, self.connector.name, self.prompt_order, self.llm.stack_key

    def columns(self, models: Sequence[Model]) -> Model:
        """Models of one `stack_key`, this one among them, as one whose language models and visual tokens are columns
        (models,)."""
        llm = stacked([one.llm for one in models], (-1,))
        return replace(self, llm=llm, visual_tokens=np.array([one.visual_tokens for one in models], float))

    def to_dict(self) -> dict[str, Any]:
        """By the names of its parts; a `source` is the config.json of one that has no name of its own."""
        return {
            "llm": self.llm.name,
            "llm_source": None if LLMS.get(self.llm.name) == self.llm else self.llm.source,
            "visual_tokens": int(self.visual_tokens),
            "vision": self.tower.name,
            "vision_source": None if TOWERS.get(self.tower.name) == self.tower else self.tower.source,
            "compressor": self.compressor.name,
            "connector": self.connector.name,
            "prompt_order": self.prompt_order,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Model:
        """The model of a dictionary that `to_dict` made. Raises InputError where a part is not known here."""
        values = checked(content, "model", ("llm", "visual_tokens", "vision", "compressor"))
        return cls.of(
            values.get("llm_source") or values["llm"],
            values["visual_tokens"],
            vision=values.get("vision_source") or values["vision"],
            compressor=values["compressor"],
            connector=values.get("connector", DEFAULT_CONNECTOR),
            prompt_order=values.get("prompt_order", IMAGE_FIRST),
        )


def cannot_make(compressor: Compressor, tower: Tower, visual_tokens: int) -> str:
    """Why a compressor cannot make a number of visual tokens, and which it can, in a sentence."""
    listed = ", ".join(map(str, compressor.visual_tokens(tower)))
    return (
        f"{compressor.title} cannot make {visual_tokens} visual tokens from the {tower.grid_text} patches of "
        f"{tower.name}; it can make {listed}"
    )


def cannot_share(llm: Llm, gpus: int) -> str:
    """Why so many GPUs cannot share a language model, in a sentence."""
    return (
        f"tensor_parallel: {llm.name} has {llm.obstacle(gpus)}, which {gpus} GPUs cannot share evenly; expected a "
        "number that divides them"
    )
