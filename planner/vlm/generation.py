"""How generate() treats the images of a prompt: they belong to the prefill, and are encoded once for all beams."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationMixin

from .prompts import VISUAL_INPUTS, Visual, rows_of_images


class VlmGenerationMixin(GenerationMixin):
    """generate() for `PlannerVlmForConditionalGeneration`."""

    def generate(self, *args: Any, **kwargs: Any) -> Any:
        """As of any model; it never says the image token, which would ask for an image when the answer is read back."""
        model: Any = self
        settings = kwargs.get("generation_config") or model.generation_config
        silent = kwargs.get("suppress_tokens") or getattr(settings, "suppress_tokens", None) or []
        if model.config.image_token_id < model.config.text_config.vocab_size:
            kwargs["suppress_tokens"] = [*silent, model.config.image_token_id]
        return GenerationMixin.generate(model, *args, **kwargs)

    def prepare_inputs_for_generation(  # type: ignore[override]  # called by keywords, whose names differ by version
        self,
        input_ids: Any,
        *,
        attention_mask: Any = None,
        inputs_embeds: Any = None,
        is_first_iteration: bool | None = False,
        **kwargs: Any,
    ) -> dict[str, Any]:
        model: Any = self
        inputs: dict[str, Any] = GenerationMixin.prepare_inputs_for_generation(
            model,
            input_ids,
            attention_mask=attention_mask,
            inputs_embeds=inputs_embeds,
            is_first_iteration=is_first_iteration,
            **kwargs,
        )
        visual = Visual(**{name: inputs.get(name) for name in VISUAL_INPUTS})
        if not is_first_iteration and kwargs.get("use_cache", True):
            for name in VISUAL_INPUTS:
                inputs.pop(name, None)
        elif model.config.prefix_asks and visual.places and not visual.answered:
            # a static cache's mask is made for the whole prefill, which will run in pieces
            place = inputs["input_ids"].device
            inputs["attention_mask"] = None if attention_mask is None else attention_mask.to(place)
        return inputs

    def _expand_inputs_for_generation(
        self, expand_size: int = 1, is_encoder_decoder: bool = False, input_ids: Any = None, **model_kwargs: Any
    ) -> Any:
        """Rows are repeated for beams and samples; images are not, but shown in every copy."""
        model: Any = self
        visual = Visual(**{name: model_kwargs.pop(name, None) for name in VISUAL_INPUTS})
        if expand_size > 1 and visual.places and input_ids is not None:
            visual = _shown_again(model, visual, input_ids, expand_size)
        input_ids, model_kwargs = GenerationMixin._expand_inputs_for_generation(
            model,
            expand_size=expand_size,
            is_encoder_decoder=is_encoder_decoder,
            input_ids=input_ids,
            **model_kwargs,
        )
        given = {name: getattr(visual, name) for name in VISUAL_INPUTS}
        return input_ids, model_kwargs | {name: value for name, value in given.items() if value is not None}


def _shown_again(model: Any, visual: Visual, input_ids: Tensor, copies: int) -> Visual:
    """Images A, B of a sample -> A, B, A, B, ...; compressed now where the prompt's own pass does not ask."""
    per_image = model.compressor.tokens_of(visual.visual_tokens)
    rows = rows_of_images(input_ids == model.config.image_token_id, per_image, visual.places)
    places = torch.arange(visual.places, device=rows.device)
    index = places if visual.image_index is None else visual.image_index.to(rows.device)
    if visual.image_embeds is None and (visual.answered or not model.config.prefix_asks):
        made = model.get_image_features(
            visual.pixel_values,
            visual.query_input_ids,
            visual.query_attention_mask,
            visual.query_embeds,
            rows,
            index,
            per_image,
        )
        visual, index = Visual(image_embeds=made.pooler_output, visual_tokens=visual.visual_tokens), places
    shown = [index[rows == row].repeat(copies) for row in range(len(input_ids))]
    return replace(visual, image_index=torch.cat(shown))
