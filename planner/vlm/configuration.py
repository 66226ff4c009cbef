"""The model's configuration: vision tower, compressor, language model, and how the query reaches the compressor."""

from __future__ import annotations

import copy
from typing import Any, ClassVar

from .versions import make_sub_config  # first: it refuses a transformers that lacks what comes next

# isort: split
from huggingface_hub.dataclasses import strict
from transformers import AutoConfig, PreTrainedConfig

from .baselines import COMPRESSORS
from .orders import IMAGE_FIRST, PROMPT_ORDERS, PromptOrder
from .quecc import Compressor
from .queries import NO_QUERY, QUERY_FEATURES, QueryFeature
from .towers import TOWERS

_TOWER = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "image_size": 336,
    "patch_size": 14,
    "projection_dim": 768,
}
"""CLIP-ViT-L/14-336, the paper's."""


@strict
class PlannerVlmConfig(PreTrainedConfig):
    """Configuration of `PlannerVlmForConditionalGeneration`.

    Args:
        vision_config: a CLIP or SigLIP tower. Layers behind the last one that is read are cut off.
        text_config: any causal language model that `AutoModelForCausalLM` knows.
        query_config: the query's encoder, for `query_features="encoder"`: any text model that `AutoModel` knows, with
            the language model's vocabulary.
        compressor: "quecc", "tokenpacker", "average-pool", "matryoshka", "none", or another name of `COMPRESSORS`.
        visual_tokens: tokens per image; for "matryoshka" the default, for "none" all patches.
        compressor_heads: attention heads of QueCC and TokenPacker.
        compressor_options: keyword arguments of a compressor from outside beside its sizes.
        vision_feature_layers: layers whose features QueCC and TokenPacker read as keys and values, counted from 0 (the
            patch embeddings). The paper's 12, 16, 22, 23 of 24 by default, in proportion for other depths.
        vision_query_layer: the layer that every compressor reads as patches: the second-last by default.
        query_features: "llm", "llm-layers", "encoder" or "none".
        query_layers: layers of the language model that "llm-layers" runs.
        query_gradient: whether training sends gradient through the query's pass.
        prompt_order: "image-first" or "text-first": where the image's tokens stand in a prompt. Text-first, the query's
            pass through the language model is the prefix of the prefill.
        image_token_id: the placeholder of one visual token. It is never looked up in the embeddings, so that it may lie
            behind the vocabulary: the default is the first id that does. What looks prompts up in the scores (a
            repetition penalty) needs one of the vocabulary, though.

    Raises:
        ValueError: options that do not go together.
    """

    model_type = "planner_vlm"
    keys_to_ignore_at_inference: ClassVar[list[str]] = ["past_key_values", "image_hidden_states"]
    sub_configs: ClassVar[dict[str, Any]] = dict.fromkeys(("vision_config", "text_config", "query_config"), AutoConfig)

    vision_config: Any = None
    text_config: Any = None
    query_config: Any = None
    compressor: str = "quecc"
    visual_tokens: Any = None
    compressor_heads: int = 8
    compressor_options: Any = None
    vision_feature_layers: Any = None
    vision_query_layer: Any = None
    query_features: str = "llm"
    query_layers: Any = None
    query_gradient: bool = True
    prompt_order: str = IMAGE_FIRST.name
    image_token_id: Any = None

    def __post_init__(self, **kwargs: Any) -> None:
        self.vision_config = make_sub_config(self.vision_config, "clip_vision_model", _TOWER)
        self.text_config = make_sub_config(self.text_config, "qwen2", {})
        if self.query_config is not None:
            self.query_config = make_sub_config(self.query_config, "qwen2", {})
        super().__post_init__(**kwargs)
        self._check_choices()
        self._set_vision()
        self._set_query()
        if self.image_token_id is None:
            self.image_token_id = self.text_config.vocab_size

    def _check_choices(self) -> None:
        COMPRESSORS.find(self.compressor)
        QUERY_FEATURES.find(self.query_features)
        PROMPT_ORDERS.find(self.prompt_order)
        TOWERS.find(self.vision_config.model_type)
        if not isinstance(self.compressor_options, (dict, type(None))):
            raise ValueError(f"compressor_options: expected keyword arguments, got {self.compressor_options!r}")

    def _set_vision(self) -> None:
        """Fills in layers and tokens, and cuts the tower behind the last layer that is read."""
        vision = self.vision_config = copy.deepcopy(self.vision_config)
        depth = vision.num_hidden_layers
        if self.vision_query_layer is None:
            self.vision_query_layer = max(depth - 1, 0)
        if self.vision_feature_layers is None:
            self.vision_feature_layers = default_feature_layers(depth)
        self.vision_feature_layers = [int(layer) for layer in self.vision_feature_layers]
        if not self.vision_feature_layers or not all(0 <= layer <= depth for layer in self.layers_read):
            raise ValueError(f"expected vision layers between 0 and {depth}, got {self.layers_read}")
        vision.num_hidden_layers = max(self.layers_read)
        for name, value in TOWERS.find(vision.model_type).settings.items():
            setattr(vision, name, value)
        if self.visual_tokens is None:
            self.visual_tokens = self.compressor_class.tokens_by_default(self.grid_side)
        if isinstance(self.visual_tokens, bool) or not isinstance(self.visual_tokens, int):
            raise ValueError(f"visual_tokens: expected a whole number, got {self.visual_tokens!r}")
        self.compressor_class.check_tokens(self.grid_side, self.visual_tokens)

    def _set_query(self) -> None:
        if not self.compressor_class.query_aware:
            self.query_features = NO_QUERY
        self.query.check(self)
        if self.query.has_encoder != (self.query_config is not None):
            raise ValueError('query_config: expected for query_features "encoder", and only for it')
        if self.query_config is not None and self.query_config.vocab_size < self.text_config.vocab_size:
            raise ValueError(
                f"query_config: expected the language model's {self.text_config.vocab_size} token ids, "
                f"got {self.query_config.vocab_size}"
            )

    @property
    def compressor_class(self) -> type[Compressor]:
        """The class of the compressor's module."""
        return COMPRESSORS.find(self.compressor)

    @property
    def query(self) -> QueryFeature:
        """Where the text feature comes from."""
        return QUERY_FEATURES.find(self.query_features)

    @property
    def order(self) -> PromptOrder:
        """Where the image's tokens stand in a prompt."""
        return PROMPT_ORDERS.find(self.prompt_order)

    @property
    def grid_side(self) -> int:
        """Patches along one side of the tower's input."""
        side: int = self.vision_config.image_size // self.vision_config.patch_size
        return side

    @property
    def layers_read(self) -> list[int]:
        """Layers of the tower whose features the compressor reads, the query layer first."""
        levels = self.vision_feature_layers if self.compressor_class.reads_levels else []
        return [self.vision_query_layer, *levels]

    @property
    def text_feature_size(self) -> int | None:
        """Width of the text feature, None where there is none."""
        return self.query.width(self)

    @property
    def prefix_asks(self) -> bool:
        """Whether the text feature comes from the prompt's own pass."""
        return self.query.in_the_prompt and self.order.text_ahead

    @property
    def asks_beside_the_prompt(self) -> bool:
        """Whether the compressor needs the query by itself, as `query_input_ids`."""
        return self.query.asks and not self.prefix_asks


def default_feature_layers(depth: int) -> list[int]:
    """The paper's layers 12, 16, 22 and 23 of a tower of 24; in proportion, and the last two but one, for others."""
    return [round(depth * 12 / 24), round(depth * 16 / 24), max(depth - 2, 0), max(depth - 1, 0)]
