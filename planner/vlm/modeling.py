"""The vision-language model: vision tower, compressor, projector and any causal language model, head included.

Letters: B samples, N images, M places for images in the prompts (M = N unless an image is shown twice), S prompt
tokens, C tokens in the cache before them, Q query tokens, P patches, T visual tokens per image, H language model width,
F width of the text feature.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from transformers.cache_utils import Cache
from transformers.modeling_outputs import CausalLMOutputWithPast
from transformers.utils.generic import can_return_tuple

from .base_model import PlannerVlmBody, PlannerVlmModel
from .generation import VlmGenerationMixin
from .prompts import VISUAL_INPUTS, Prompt, Run, Visual, positions_of
from .versions import CACHE, cache_of, given_cache, written_with


@dataclass
class PlannerVlmOutput(CausalLMOutputWithPast):
    """Loss (labels given), logits (B, kept, vocabulary), cache, and the visual tokens (M, T, H) of this call."""

    image_hidden_states: Tensor | None = None


class PlannerVlmForConditionalGeneration(PlannerVlmBody, VlmGenerationMixin):
    """A causal language model that sees: visual tokens, made by the compressor, stand in its prompts."""

    @property
    def vlm(self) -> PlannerVlmModel:
        """The same model seen without its head, as `base_model` gives it: every part and weight is this model's."""
        view = _VIEWS.get(self)
        if view is None:
            view = _VIEWS[self] = PlannerVlmModel.__new__(PlannerVlmModel)
        # trainers put a forward of their own into the model, which calls this one
        state = {name: value for name, value in vars(self).items() if name != "forward"}
        object.__setattr__(view, "__dict__", state)
        return view

    @property
    def lora_targets(self) -> str:
        """`target_modules` of PEFT for the language model alone: every linear layer of its decoder, as an expression.

        Names such as "q_proj", and "all-linear", reach the vision tower, the compressor and the projector as well.
        """
        decoder = next(name for name, part in self.named_modules() if part is self.get_decoder())
        linear = [name for name, part in self.get_decoder().named_modules() if isinstance(part, nn.Linear)]
        kinds = "|".join(dict.fromkeys(re.escape(name.rpartition(".")[2]) for name in linear))
        return rf"{re.escape(decoder)}\.(.+\.)?({kinds})"

    def save_pretrained(self, *args: Any, **kwargs: Any) -> None:
        """As of any model; the folder carries the code and names the model without its head, for `AutoModel`."""
        named = getattr(self.config, "auto_map", None) or {}
        self.config.auto_map = named | {"AutoModel": "base_model.PlannerVlmModel"}
        self.config.written_with = (getattr(self.config, "written_with", None) or {}) | written_with()
        super().save_pretrained(*args, **kwargs)

    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor | None = None,
        pixel_values: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | Tensor = 0,
        query_input_ids: Tensor | None = None,
        query_attention_mask: Tensor | None = None,
        query_embeds: Tensor | None = None,
        image_embeds: Tensor | None = None,
        image_index: Tensor | None = None,
        image_runs: Sequence[Run] | None = None,
        visual_tokens: int | None = None,
        cache: Cache | None = None,
        **kwargs: Any,
    ) -> PlannerVlmOutput:
        """Logits of a batch of prompts, and the loss where labels are given.

        Args:
            input_ids: (B, S), with T times `image_token_id` for each image.
            pixel_values: (N, 3, side, side), images in the order in which they stand in the prompts.
            attention_mask: (B, C + S), padding on either side.
            position_ids: (B, S).
            past_key_values: cache of what stands before; behind it, only new images are passed. Its name in
                transformers before 5.24.
            inputs_embeds: (B, S, H) instead of `input_ids`, visual tokens already in their places.
            labels: (B, S), -100 where nothing is learned; image tokens never are.
            use_cache: whether to return the cache.
            logits_to_keep: logits of that many last tokens only, 0 for all.
            query_input_ids: (B, Q), one query a sample, where the prompt's own pass does not give the text feature.
            query_attention_mask: (B, Q), padding on either side.
            query_embeds: (B, F), text features computed before.
            image_embeds: (N, T, H), visual tokens computed before, instead of `pixel_values`.
            image_index: (M,), which of the N images each place in the prompts shows; its own by default.
            image_runs: first column, and the one behind the last, of each row of image tokens, the same for all
                samples. Found if not given, which a graph compiled as a whole cannot do (text-first prompts only).
            visual_tokens: T, where the compressor leaves a choice.
            cache: `past_key_values` under its name from transformers 5.24 on.

        Raises:
            ValueError: inputs that do not go together.
        """
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
        logits = self._logits(pieces, logits_to_keep)
        loss = None
        if labels is not None:
            if input_ids is not None:
                labels = labels.masked_fill(torch.eq(labels, self.config.image_token_id), -100)
            vocabulary = self.config.text_config.vocab_size
            loss = self.loss_function(logits=logits, labels=labels, vocab_size=vocabulary, **kwargs)
        return PlannerVlmOutput(
            loss=loss,
            logits=logits,
            **{CACHE: cache_of(outputs)},
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
            image_hidden_states=tokens,
        )

    def _logits(self, pieces: Sequence[Tensor], keep: int | Tensor) -> Tensor:
        """Logits of the last `keep` positions of hidden states (B, S, H) that came in pieces."""
        hidden = pieces[-1]
        if len(pieces) > 1 and not (isinstance(keep, int) and 0 < keep <= hidden.shape[1]):
            hidden = torch.cat(tuple(pieces), dim=1)
        logits = self.get_output_embeddings()(hidden[:, slice(-keep, None) if isinstance(keep, int) else keep])
        cap = getattr(self.config.text_config, "final_logit_softcapping", None)
        return logits if cap is None else torch.tanh(logits / cap) * cap

    @torch.no_grad()
    def to_prompt_embeds(self, batch: Mapping[str, Any]) -> list[Tensor]:
        """Prompts as embeddings (S, H), one a sample and without padding, for engines that take prompt embeddings.

        The plain language model, given them, answers as this model does.

        Args:
            batch: what the processor returns.
        """
        embeds, is_image = self._embed(batch["input_ids"])
        mask = batch.get("attention_mask")
        prompt = Prompt(embeds, mask, None if mask is None else positions_of(mask), None)
        visual = Visual(**{name: batch[name] for name in VISUAL_INPUTS if name in batch})
        if visual.places:
            self._fill(prompt, is_image, visual, reuse=True)
        real = prompt.real(0, embeds.shape[1])
        return [row[kept] for row, kept in zip(prompt.embeds, real, strict=True)]


_VIEWS: WeakKeyDictionary[PlannerVlmForConditionalGeneration, PlannerVlmModel] = WeakKeyDictionary()
"""No attribute of the model: a view that is saved, copied or moved with it would be a second model."""
