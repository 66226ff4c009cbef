"""The model's configuration: vision tower, compressor, language model, and how the query reaches the compressor."""

from __future__ import annotations

import copy
from typing import Any, ClassVar

from huggingface_hub.dataclasses import strict
from transformers import AutoConfig, PreTrainedConfig
from transformers.configuration_utils import SubConfigSpec

from .baselines import COMPRESSORS
from .quecc import region_side

IMAGE_FIRST = "image-first"
TEXT_FIRST = "text-first"
PROMPT_ORDERS = (IMAGE_FIRST, TEXT_FIRST)

QUERY_FEATURES = ("llm", "llm-layers", "encoder", "none")
"""Where QueCC's text feature comes from.

llm         the language model's last hidden state at the last token of the query (the paper)
llm-layers  the same of a language model cut after `query_layers` layers (its final norm stays)
encoder     a small model of its own, `query_config`, over the same token ids
none        nowhere: query-blind
"""

VISION_TYPES = ("clip_vision_model", "siglip_vision_model")


@strict
class PlannerVlmConfig(PreTrainedConfig):
    """Configuration of `PlannerVlmForConditionalGeneration`.

    Args:
        vision_config: a CLIP or SigLIP tower. Layers behind the last one that is read are cut off.
        text_config: any causal language model that `AutoModelForCausalLM` knows.
        query_config: the query's encoder, for `query_features="encoder"`: any text model that `AutoModel` knows, with
            the language model's vocabulary.
        compressor: "quecc", "tokenpacker", "average-pool", "matryoshka" or "none".
        visual_tokens: tokens per image; for "matryoshka" the default, for "none" all patches.
        compressor_heads: attention heads of QueCC and TokenPacker.
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
    sub_configs_defaults: ClassVar[dict[str, SubConfigSpec]] = {
        "vision_config": SubConfigSpec(
            config_class=AutoConfig,
            model_type="clip_vision_model",
            init_kwargs={
                "hidden_size": 1024,
                "intermediate_size": 4096,
                "num_hidden_layers": 24,
                "num_attention_heads": 16,
                "image_size": 336,
                "patch_size": 14,
                "projection_dim": 768,
            },
        ),
        "text_config": SubConfigSpec(config_class=AutoConfig, model_type="qwen2"),
        "query_config": SubConfigSpec(config_class=AutoConfig, model_type="qwen2", optional=True),
    }

    vision_config: Any = None
    text_config: Any = None
    query_config: Any = None
    compressor: str = "quecc"
    visual_tokens: Any = None
    compressor_heads: int = 8
    vision_feature_layers: Any = None
    vision_query_layer: Any = None
    query_features: str = "llm"
    query_layers: Any = None
    query_gradient: bool = True
    prompt_order: str = IMAGE_FIRST
    image_token_id: Any = None

    def __post_init__(self, **kwargs: Any) -> None:
        super().__post_init__(**kwargs)
        self._check_choices()
        self._set_vision()
        self._set_query()
        if self.image_token_id is None:
            self.image_token_id = self.text_config.vocab_size

    def _check_choices(self) -> None:
        for name, known in (
            ("compressor", COMPRESSORS),
            ("query_features", QUERY_FEATURES),
            ("prompt_order", PROMPT_ORDERS),
        ):
            if getattr(self, name) not in known:
                raise ValueError(f"{name}: expected one of {', '.join(known)}, got {getattr(self, name)!r}")
        if self.vision_config.model_type not in VISION_TYPES:
            raise ValueError(
                f"vision_config: expected a tower of type {' or '.join(VISION_TYPES)}, "
                f"got {self.vision_config.model_type!r}"
            )

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
        if vision.model_type == "siglip_vision_model":
            vision.vision_use_head = False
        if self.visual_tokens is None:
            self.visual_tokens = self.grid_side**2 if self.compressor == "none" else 1
        if isinstance(self.visual_tokens, bool) or not isinstance(self.visual_tokens, int):
            raise ValueError(f"visual_tokens: expected a whole number, got {self.visual_tokens!r}")
        region_side(self.grid_side, self.visual_tokens)
        if self.compressor == "none" and self.visual_tokens != self.grid_side**2:
            raise ValueError(
                f"without a compressor all {self.grid_side**2} patches are visual tokens, got {self.visual_tokens}"
            )

    def _set_query(self) -> None:
        if self.compressor != "quecc":
            self.query_features = "none"
        if self.query_features == "llm-layers":
            depth = self.text_config.num_hidden_layers
            if self.query_layers is None or not 1 <= self.query_layers <= depth:
                raise ValueError(f"query_layers: expected 1 to {depth} layers of the LLM, got {self.query_layers}")
            if self.prompt_order == TEXT_FIRST:
                raise ValueError(
                    'query_features "llm-layers" saves nothing in a text-first prompt, whose prefix runs through all '
                    'layers anyway: use "llm"'
                )
        if (self.query_features == "encoder") != (self.query_config is not None):
            raise ValueError('query_config: expected for query_features "encoder", and only for it')
        if self.query_config is not None and self.query_config.vocab_size < self.text_config.vocab_size:
            raise ValueError(
                f"query_config: expected the language model's {self.text_config.vocab_size} token ids, "
                f"got {self.query_config.vocab_size}"
            )

    @property
    def grid_side(self) -> int:
        """Patches along one side of the tower's input."""
        side: int = self.vision_config.image_size // self.vision_config.patch_size
        return side

    @property
    def layers_read(self) -> list[int]:
        """Layers of the tower whose features the compressor reads, the query layer first."""
        levels = self.vision_feature_layers if self.compressor in ("quecc", "tokenpacker") else []
        return [self.vision_query_layer, *levels]

    @property
    def text_feature_size(self) -> int | None:
        """Width of the text feature, None where there is none."""
        if self.query_features == "none":
            return None
        size: int = (self.query_config if self.query_features == "encoder" else self.text_config).hidden_size
        return size

    @property
    def prefix_asks(self) -> bool:
        """Whether the text feature comes from the prompt's own pass."""
        return self.query_features == "llm" and self.prompt_order == TEXT_FIRST

    @property
    def asks_beside_the_prompt(self) -> bool:
        """Whether the compressor needs the query by itself, as `query_input_ids`."""
        return self.query_features != "none" and not self.prefix_asks


def default_feature_layers(depth: int) -> list[int]:
    """The paper's layers 12, 16, 22 and 23 of a tower of 24; in proportion, and the last two but one, for others."""
    return [round(depth * 12 / 24), round(depth * 16 / 24), max(depth - 2, 0), max(depth - 1, 0)]
