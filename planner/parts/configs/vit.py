"""CLIP and SigLIP towers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner.base.dataclass import dataclass
from planner.base.errors import SpecError
from planner.parts.configs.reader import TOWER_READERS, Labels, TowerReader, count
from planner.parts.towers import Vit


@dataclass(frozen=True, kw_only=True)
class VitReader(TowerReader):
    """One type of vision transformer."""

    class_token: bool

    def read(self, config: Mapping[str, Any], labels: Labels) -> Vit:
        """A tower. Raises SpecError for sizes that are missing or do not fit."""

        def size(key: str) -> int:
            return count(config, key, labels.name, kind="vision tower")

        found = Vit(
            name=labels.name,
            model_type=self.name,
            hidden_size=size("hidden_size"),
            intermediate_size=size("intermediate_size"),
            num_layers=size("num_hidden_layers"),
            num_heads=size("num_attention_heads"),
            image_size=size("image_size"),
            patch_size=size("patch_size"),
            class_token=self.class_token,
            params=labels.params,
            hf_id=labels.hf_id,
            source=labels.source,
        )
        if found.grid_side < 1 or found.num_layers < 2:
            raise SpecError(
                f"{labels.name}: expected a patch that fits the image and at least two layers, got an image of "
                f"{found.image_size}, patches of {found.patch_size} and {found.num_layers} layers"
            )
        return found


for reader in (
    VitReader(name="clip_vision_model", class_token=True),
    VitReader(name="siglip_vision_model", class_token=False),
):
    TOWER_READERS.register(reader)
