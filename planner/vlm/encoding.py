"""From pixels and a query to visual tokens: the parts of the model, and what runs before its prompt.

Letters: B samples, N images, M places for images in the prompts (M = N unless an image is shown twice), Q query tokens,
P patches, T visual tokens per image, d tower width, H language model width, F width of the text feature.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModel, AutoModelForCausalLM, PreTrainedModel
from transformers.cache_utils import DynamicCache
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.utils.generic import can_return_tuple
from transformers.utils.output_capturing import maybe_install_capturing_hooks

from .baselines import make_compressor
from .configuration import PlannerVlmConfig
from .prompts import last_position, pad_rows, positions_of, take_rows
from .quecc import Compressor, Projector
from .versions import CACHE, layers_to_keep


class PlannerVlmParts(PreTrainedModel):
    """Vision tower, compressor, projector, causal language model and, where the query has one, its encoder."""

    config: PlannerVlmConfig
    vision_tower: Any
    compressor: Compressor
    projector: Projector
    language_model: Any
    query_encoder: Any
    config_class = PlannerVlmConfig
    base_model_prefix = "vlm"
    input_modalities = ["image", "text"]  # noqa: RUF012 - as the base class has it
    supports_gradient_checkpointing = True
    _skip_keys_device_placement = ["past_key_values", "cache"]  # noqa: RUF012
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_flex_attn = True
    _supports_attention_backend = True
    _can_compile_fullgraph = True

    def __init__(self, config: PlannerVlmConfig) -> None:
        super().__init__(config)
        self.vision_tower = AutoModel.from_config(config.vision_config)
        self.vision_tower.post_layernorm = nn.Identity()  # nothing reads its output: weights without a gradient
        maybe_install_capturing_hooks(self.vision_tower)  # at the first call, they would break a compiled graph
        self.compressor = make_compressor(
            config.compressor,
            width=config.vision_config.hidden_size,
            grid_side=config.grid_side,
            visual_tokens=config.visual_tokens,
            text_width=config.text_feature_size,
            levels=len(config.vision_feature_layers),
            heads=config.compressor_heads,
            **(config.compressor_options or {}),
        )
        self.projector = Projector(config.vision_config.hidden_size, config.text_config.hidden_size)
        self.language_model = self._make_language_model()
        if config.query.has_encoder:
            self.query_encoder = AutoModel.from_config(config.query_config)
        if config.query.asks:
            config.query.source(self)  # what it makes at the first call would break a compiled graph
        self._no_split_modules = [type(part).__name__ for part in (self.compressor, self.projector)]
        self.post_init()

    def _make_language_model(self) -> Any:
        return AutoModelForCausalLM.from_config(self.config.text_config)

    # ---- the parts -----------------------------------------------------------------------------------------------

    def get_input_embeddings(self) -> Any:
        return self.language_model.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.language_model.set_input_embeddings(value)

    def get_output_embeddings(self) -> Any:
        return self.language_model.get_output_embeddings()

    def set_output_embeddings(self, new_embeddings: nn.Module) -> None:
        self.language_model.set_output_embeddings(new_embeddings)

    def get_decoder(self) -> Any:
        """The language model without its head."""
        return self.language_model.get_decoder()

    @property
    def recomputes(self) -> bool:
        """Whether activations are recomputed in the backward pass, which no cache survives."""
        return self.training and any(getattr(part, "gradient_checkpointing", False) for part in self.modules())

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """Compressor and projector start as PyTorch's own layers do, like the reference's."""
        reset = getattr(module, "reset_parameters", None)
        if callable(reset):
            reset()

    # ---- images --------------------------------------------------------------------------------------------------

    def vision_features(self, pixel_values: Tensor) -> list[Tensor]:
        """Pixels (N, 3, side, side) -> the layers that the compressor reads, each (N, P, d), the query layer first."""
        layers = self.config.layers_read
        weight = self.vision_tower.embeddings.patch_embedding.weight
        pixels = pixel_values.to(device_of(weight, pixel_values), weight.dtype)
        states = self.vision_tower(pixels, output_hidden_states=layers_to_keep(layers)).hidden_states
        patches = self.config.grid_side**2
        return [states[layer][:, -patches:] for layer in layers]  # a class token stands before the patches

    def compress(self, features: Sequence[Tensor], text: Tensor | None, visual_tokens: int | None = None) -> Tensor:
        """Features of M images, each (M, P, d), with their text features (M, F) -> visual tokens (M, T, H)."""
        x, *levels = features
        text = None if text is None else text.to(x.device, x.dtype)
        return self.projector(self.compressor(x, levels, text, visual_tokens))

    @can_return_tuple
    def get_image_features(
        self,
        pixel_values: Tensor,
        query_input_ids: Tensor | Sequence[Tensor] | None = None,
        query_attention_mask: Tensor | Sequence[Tensor] | None = None,
        query_embeds: Tensor | None = None,
        image_rows: Tensor | None = None,
        image_index: Tensor | None = None,
        visual_tokens: int | None = None,
    ) -> BaseModelOutputWithPooling:
        """Visual tokens (M, T, H), as `pooler_output`, of images and the queries that are asked about them.

        Args:
            pixel_values: (N, 3, side, side).
            query_input_ids: (B, Q), or a list of (1, Q), or `query_embeds` in their place.
            query_attention_mask: (B, Q), padding on either side.
            query_embeds: (B, F), text features computed before.
            image_rows: (M,), which of the B queries each place is asked; its own by default.
            image_index: (M,), which of the N images each place shows; its own by default.
            visual_tokens: T, where the compressor leaves a choice.
        """
        features = self.vision_features(pixel_values)
        if image_index is not None:
            features = [layer[image_index.to(layer.device)] for layer in features]
        text = None
        if self.config.query.asks:
            text = self.query_feature(query_input_ids, query_attention_mask) if query_embeds is None else query_embeds
            if image_rows is not None:
                text = text[image_rows.to(text.device)]
        return BaseModelOutputWithPooling(pooler_output=self.compress(features, text, visual_tokens))

    # ---- the query -----------------------------------------------------------------------------------------------

    def query_feature(
        self,
        query_input_ids: Tensor | Sequence[Tensor] | None,
        query_attention_mask: Tensor | Sequence[Tensor] | None = None,
    ) -> Tensor:
        """The text feature (B, F) of queries (B, Q): the hidden state at their last token; no logits are computed.

        Queries of several lengths may come as a list of (1, Q), as serving engines hand over those of requests that
        they run together.
        """
        if query_input_ids is None:
            raise ValueError("this compressor reads the query: expected query_input_ids or query_embeds")
        if not isinstance(query_input_ids, Tensor):
            masks: Any = query_attention_mask
            masks = [torch.ones_like(row) for row in query_input_ids] if masks is None else masks
            query_input_ids, query_attention_mask = pad_rows(query_input_ids), pad_rows(masks)
        if query_attention_mask is not None and not isinstance(query_attention_mask, Tensor):
            raise ValueError("query_attention_mask: expected a tensor, as query_input_ids, got a list")
        query = self.config.query
        source = query.source(self)
        ids = query_input_ids.to(device_of(source.get_input_embeddings().weight, query_input_ids))
        if query_attention_mask is None:
            mask, options = torch.ones_like(ids), {}
            if query.runs_llm and not self.recomputes:
                # thrown away: without a cache, the language model reads position ids for packed sequences, and waits
                options = {CACHE: DynamicCache(), "use_cache": True}
        else:
            mask = query_attention_mask.to(ids.device)
            options = {"attention_mask": mask}
            if query.runs_llm:
                options |= {"position_ids": positions_of(mask), "use_cache": False}
        with contextlib.nullcontext() if self.config.query_gradient else torch.no_grad():
            states = source(input_ids=ids, **options).last_hidden_state
        return take_rows(states, last_position(mask))

    def first_layers(self, count: int) -> Any:
        """The decoder as if it ended after `count` layers: a view that owns no weights."""
        decoder = self.get_decoder()
        layers = list(decoder.layers)[:count]
        view = self.__dict__.get("_decoder_view")
        if view is None or any(ours is not theirs for ours, theirs in zip(view.layers, layers, strict=True)):
            view = copy.copy(decoder)
            view._modules = {**decoder._modules, "layers": nn.ModuleList(layers)}
            view.config = copy.copy(decoder.config)
            view.config.num_hidden_layers = count
            self.__dict__["_decoder_view"] = view  # no submodule: nothing to save, move or train twice
        return view


def device_of(weight: Tensor, given: Tensor) -> torch.device:
    """Where a module wants its input: at its weight, unless that is offloaded."""
    return given.device if weight.device.type == "meta" else weight.device
