"""The model without the head of its language model: prompts filled with visual tokens, and run.

Image-first prompts ([system][image tokens][question]): the query runs through the language model by itself, without its
head, and its last hidden state asks the compressor. Text-first ([system][question][image tokens]): the language model
is causal, so that its pass over what stands before the image gives both that hidden state and the cache that the rest
of the prefill goes on from.

Letters: B samples, N images, M places for images in the prompts (M = N unless an image is shown twice), S prompt
tokens, C tokens in the cache before them, Q query tokens, P patches, T visual tokens per image, d tower width, H
language model width, F width of the text feature.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers.cache_utils import Cache, DynamicCache
from transformers.modeling_outputs import BaseModelOutputWithPast
from transformers.utils.generic import can_return_tuple
from transformers.utils.import_utils import torch_compilable_check

from .encoding import PlannerVlmParts, device_of
from .prefix import run_each_by_itself, run_on_one_cache
from .prompts import Prompt, Run, Visual, check_runs, find_runs, rows_of_images
from .versions import CACHE, cache_of, given_cache


@dataclass
class PlannerVlmModelOutput(BaseModelOutputWithPast):
    """As of any decoder: last hidden states (B, S, H) and cache; and the visual tokens (M, T, H) of this call."""

    image_hidden_states: Tensor | None = None


class PlannerVlmBody(PlannerVlmParts):
    """What runs a prompt with its images, up to the last hidden states."""

    # ---- the prompt ----------------------------------------------------------------------------------------------

    def _fill(self, prompt: Prompt, is_image: Tensor, visual: Visual, reuse: bool) -> Tensor:
        """Puts the visual tokens (M, T, H), which it returns, into the prompt's columns; may run part of the prompt."""
        per_image = self.compressor.tokens_of(visual.visual_tokens)
        if is_image.device.type != "meta":
            torch_compilable_check(
                is_image.sum() == visual.places * per_image,
                lambda: (
                    f"expected {per_image} image tokens for each of {visual.places} images, got {int(is_image.sum())}: "
                    "was the prompt truncated?"
                ),
            )
        if self.config.prefix_asks and not visual.answered:
            return self._fill_from_prefixes(prompt, is_image, visual, per_image, reuse)
        if visual.image_embeds is None:
            made: Any = self.get_image_features(
                visual.pixel_values,
                visual.query_input_ids,
                visual.query_attention_mask,
                visual.query_embeds,
                rows_of_images(is_image, per_image, visual.places),
                visual.image_index,
                per_image,
            ).pooler_output
        else:
            made = visual.image_embeds if visual.image_index is None else visual.image_embeds[visual.image_index]
        tokens: Tensor = made.to(prompt.embeds)
        prompt.embeds = prompt.embeds.masked_scatter(is_image.to(tokens.device)[..., None], tokens)
        return tokens

    def _fill_from_prefixes(
        self, prompt: Prompt, is_image: Tensor, visual: Visual, per_image: int, reuse: bool
    ) -> Tensor:
        if isinstance(prompt.mask, Mapping) or (prompt.mask is not None and prompt.mask.ndim != 2):
            raise ValueError("a text-first prompt is run in pieces: expected an attention mask of two dimensions")
        if visual.image_runs is None:
            common, rows = find_runs(is_image)
        else:
            common = list(visual.image_runs)
            rows = [common] * len(is_image)
        check_runs(rows, per_image)
        features = self.vision_features(visual.pixel_values)

        def make_tokens(places: Tensor, text: Tensor) -> Tensor:
            text = text if self.config.query_gradient else text.detach()
            if visual.image_index is None and len(places) == len(features[0]):
                return self.compress(features, text, per_image)
            shown = places if visual.image_index is None else visual.image_index.to(places.device)[places]
            return self.compress([layer[shown.to(layer.device)] for layer in features], text, per_image)

        def decode(part: Prompt, start: int, end: int, cache: Cache | None) -> Tensor:
            options = {CACHE: cache, "use_cache": cache is not None}
            return self.get_decoder()(**part.inputs(start, end), **options).last_hidden_state

        if common is None or not reuse:
            return run_each_by_itself(prompt, rows, per_image, decode, make_tokens)
        if prompt.cache is None:
            prompt.cache = DynamicCache(config=self.config.text_config)
        return run_on_one_cache(prompt, common, per_image, decode, make_tokens)

    def _embed(self, input_ids: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings (B, S, H) of the text, and where the image tokens stand (B, S), whose id is not looked up."""
        embedding = self.get_input_embeddings()
        is_image = torch.eq(input_ids, self.config.image_token_id)
        ids = input_ids.masked_fill(is_image, 0)
        return embedding(ids.to(device_of(embedding.weight, ids))), is_image

    # ---- the whole -----------------------------------------------------------------------------------------------

    def _run(
        self,
        input_ids: Tensor | None,
        inputs_embeds: Tensor | None,
        attention_mask: Tensor | None,
        position_ids: Tensor | None,
        cache: Cache | None,
        use_cache: bool | None,
        visual: Visual,
        **kwargs: Any,
    ) -> tuple[Sequence[Tensor], Any, Tensor | None]:
        """Last hidden states in pieces that make (B, S, H), the output of the last piece, and the visual tokens."""
        if use_cache is None:
            use_cache = bool(getattr(self.config.text_config, "use_cache", True)) and not self.recomputes
        tokens = None
        if input_ids is not None and inputs_embeds is None:
            embeds, is_image = self._embed(input_ids)
            prompt = Prompt(embeds, attention_mask, position_ids, cache)
            if visual.places:
                captures = kwargs.get("output_hidden_states") or kwargs.get("output_attentions")
                tokens = self._fill(prompt, is_image, visual, reuse=not self.recomputes and not captures)
        elif input_ids is None and inputs_embeds is not None:
            if visual.places:
                raise ValueError("inputs_embeds hold their visual tokens already: expected no images beside them")
            prompt = Prompt(inputs_embeds, attention_mask, position_ids, cache)
        else:
            raise ValueError("expected either input_ids or inputs_embeds")
        options = {CACHE: prompt.cache, "use_cache": use_cache or prompt.cache is not None, **kwargs}
        outputs = self.get_decoder()(**prompt.inputs(prompt.done, prompt.embeds.shape[1]), **options)
        if not use_cache:
            setattr(outputs, CACHE, None)
        return (*prompt.hidden, outputs.last_hidden_state), outputs, tokens


class PlannerVlmModel(PlannerVlmBody):
    """The model without a head: what `AutoModel` loads, serving engines build and trainers with their own loss run.

    Engines bring a head and run the prompt themselves: visual tokens come from `get_image_features`, and the language
    model is called with their embeddings.
    """

    def _make_language_model(self) -> Any:
        whole = super()._make_language_model()
        whole.set_output_embeddings(nn.Identity())
        whole._tied_weights_keys = whole.all_tied_weights_keys = {}
        return whole

    def get_output_embeddings(self) -> None:
        return None

    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor | None = None,
        pixel_values: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        use_cache: bool | None = None,
        query_input_ids: Tensor | None = None,
        query_attention_mask: Tensor | None = None,
        query_embeds: Tensor | None = None,
        image_embeds: Tensor | None = None,
        image_index: Tensor | None = None,
        image_runs: Sequence[Run] | None = None,
        visual_tokens: int | None = None,
        cache: Cache | None = None,
        **kwargs: Any,
    ) -> PlannerVlmModelOutput:
        """Last hidden states of a batch of prompts; the inputs are those of `PlannerVlmForConditionalGeneration`."""
        visual = Visual(
            pixel_values=pixel_values,
            image_embeds=image_embeds,
            image_index=image_index,
            image_runs=image_runs,
            visual_tokens=visual_tokens,
            query_input_ids=query_input_ids,
            query_attention_mask=query_attention_mask,
            query_embeds=query_embeds,
        )
        cache = given_cache(past_key_values, cache)
        pieces, outputs, tokens = self._run(
            input_ids, inputs_embeds, attention_mask, position_ids, cache, use_cache, visual, **kwargs
        )
        return PlannerVlmModelOutput(
            last_hidden_state=pieces[0] if len(pieces) == 1 else torch.cat(tuple(pieces), dim=1),
            **{CACHE: cache_of(outputs)},
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
            image_hidden_states=tokens,
        )
