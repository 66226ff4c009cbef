"""Prompts and images to model inputs: image tokens in their places, and the query beside the prompt if it is read."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from transformers import AddedToken, BatchFeature, PreTrainedTokenizerBase, ProcessorMixin
from transformers.image_utils import make_flat_list_of_images
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
from transformers.processing_utils import MultiModalData

from .configuration import PlannerVlmConfig
from .image_token import with_image_token
from .marking import has_marks, marked
from .orders import PROMPT_ORDERS
from .towers import TOWERS

IMAGE_TOKEN = "<image>"

_PIL_TWINS = {"CLIPImageProcessor": CLIPImageProcessorPil, "SiglipImageProcessor": SiglipImageProcessorPil}
"""The image processors that draw with PIL. The others resize to slightly different pixels; a model sees one kind."""

_PLAIN_TEMPLATE = """
{%- for message in messages -%}
    {%- if message.role == 'system' -%}
        {{- message.content + ' ' -}}
    {%- elif message.role == 'user' -%}
        {{- 'USER: ' + message.content + ' ' -}}
    {%- else -%}
        {{- 'ASSISTANT:' -}}{%- generation -%}{{- ' ' + message.content + (eos_token or '') -}}{%- endgeneration -%}
    {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{- 'ASSISTANT:' -}}
{%- endif -%}
"""
"""LLaVA-1.5's conversation, for language models that bring no template."""

_FLATTEN = """
{%- set seen = namespace(messages=[]) -%}
{%- for message in messages -%}
    {%- if message.content is defined and message.content is not string and message.content is not none -%}
        {%- set parts = namespace(images='', text='') -%}
        {%- for part in message.content -%}
            {%- if part.type == 'image' -%}
                {%- set parts.images = parts.images + 'IMAGE_TOKEN' -%}
            {%- elif part.type == 'text' -%}
                {%- set parts.text = parts.text + part.text -%}
            {%- endif -%}
        {%- endfor -%}
        {%- if parts.images -%}
            {%- set parts.text = JOINED -%}
        {%- endif -%}
        {%- set seen.messages = seen.messages + [dict(message, content=parts.text)] -%}
    {%- else -%}
        {%- set seen.messages = seen.messages + [message] -%}
    {%- endif -%}
{%- endfor -%}
{%- set messages = seen.messages -%}
"""


def chat_template(template: str | None, prompt_order: str, image_token: str = IMAGE_TOKEN) -> str:
    """A language model's own template, taught to place images before or behind the text of their message.

    Where it can be told, what the assistant wrote is marked for `return_assistant_tokens_mask`.
    """
    head = _FLATTEN.replace("IMAGE_TOKEN", image_token).replace("JOINED", PROMPT_ORDERS.find(prompt_order).joined)
    return head + marked(template or _PLAIN_TEMPLATE)


class PlannerVlmProcessor(ProcessorMixin):
    """Images, texts and conversations -> the inputs of `PlannerVlmForConditionalGeneration`."""

    def __init__(
        self,
        image_processor: Any = None,
        tokenizer: Any = None,
        chat_template: str | None = None,
        image_token: str = IMAGE_TOKEN,
        visual_tokens: int = 1,
        emits_queries: bool = True,
        **kwargs: Any,
    ) -> None:
        """Ties an image processor and a tokenizer together; `from_config` builds both ends to fit a model.

        Args:
            image_processor: a CLIP or SigLIP image processor; replaced by its PIL twin.
            tokenizer: the language model's; gets the image token if it has none, a pad token if it has none, and pads
                on the left, as generation needs.
            chat_template: Jinja, with the image token where images stand.
            image_token: placeholder of an image in texts.
            visual_tokens: image tokens per image.
            emits_queries: whether the model reads the query beside the prompt.
        """
        self.image_token = image_token
        self.visual_tokens = visual_tokens
        self.emits_queries = emits_queries
        if tokenizer is not None:
            if image_token not in tokenizer.get_vocab():
                tokenizer.add_tokens([AddedToken(image_token, special=True, normalized=False)], special_tokens=True)
            if tokenizer.pad_token_id is None:
                tokenizer.pad_token = tokenizer.eos_token
            tokenizer.padding_side = "left"
            self.image_token_id = tokenizer.convert_tokens_to_ids(image_token)
        twin = _PIL_TWINS.get(type(image_processor).__name__)
        if twin is not None:
            image_processor = twin.from_dict(image_processor.to_dict())
        super().__init__(image_processor, tokenizer, chat_template=chat_template, **kwargs)

    @classmethod
    def from_config(
        cls, config: PlannerVlmConfig, tokenizer: PreTrainedTokenizerBase, image_token: str = IMAGE_TOKEN
    ) -> PlannerVlmProcessor:
        """The processor of a model; sets the config's `image_token_id` to the tokenizer's.

        A tokenizer without the image token gets it, in place of a reserved token where the embedding has no row for
        another one (`with_image_token`).
        """
        tower = config.vision_config
        tokenizer = with_image_token(tokenizer, image_token, config.text_config.vocab_size)
        processor = cls(
            TOWERS.find(tower.model_type).image_processor(tower.image_size),
            tokenizer,
            chat_template=chat_template(_default_template(tokenizer), config.prompt_order, image_token),
            image_token=image_token,
            visual_tokens=config.visual_tokens,
            emits_queries=config.asks_beside_the_prompt,
        )
        config.image_token_id = processor.image_token_id
        return processor

    def __call__(
        self,
        images: Any = None,
        text: str | Sequence[str] | None = None,
        videos: None = None,
        audio: None = None,
        queries: str | Sequence[str] | None = None,
        visual_tokens: int | None = None,
        **kwargs: Any,
    ) -> BatchFeature:
        """Model inputs of a batch of prompts.

        Args:
            images: in the order in which their tokens stand in the texts.
            text: prompts with one image token for each image.
            videos: not read.
            audio: not read.
            queries: what each prompt asks, for a compressor that reads it beside the prompt; by default the prompt
                itself without its image tokens.
            visual_tokens: tokens per image, for a model that leaves the choice.
            **kwargs: of the tokenizer and the image processor; `return_tensors="pt"` and `padding=True` for batches.
        """
        if videos is not None or audio is not None:
            raise ValueError("expected images and text, got videos or audio")
        if visual_tokens is not None and visual_tokens != self.visual_tokens:
            other = copy.copy(self)
            other.visual_tokens = visual_tokens
            inputs = other(images, text, queries=queries, **kwargs)
            inputs["visual_tokens"] = visual_tokens
            return inputs
        if text is not None and images is not None:
            self._check_places([text] if isinstance(text, str) else text, images)
        inputs = super().__call__(images=images, text=text, **kwargs)
        if self.emits_queries and images is not None and text is not None:
            texts = [text] if isinstance(text, str) else list(text)
            if queries is None:
                queries = [prompt.replace(self.image_token, "").strip() for prompt in texts]
            queries = [queries] if isinstance(queries, str) else list(queries)
            if len(queries) != len(texts):
                raise ValueError(f"expected a query for each of {len(texts)} prompts, got {len(queries)}")
            tensors = kwargs.get("return_tensors", kwargs.get("text_kwargs", {}).get("return_tensors"))
            asked = self.tokenizer(queries, padding=True, return_tensors=tensors)
            inputs["query_input_ids"] = asked["input_ids"]
            inputs["query_attention_mask"] = asked["attention_mask"]
        return inputs

    def _check_places(self, texts: Sequence[str], images: Any) -> None:
        """Raises ValueError where the texts have another number of places than there are images."""
        flat: Any = make_flat_list_of_images(images)
        places, given = sum(text.count(self.image_token) for text in texts), len(flat)
        if places != given:
            raise ValueError(f"expected one {self.image_token} in the prompts for each of {given} images, got {places}")

    def apply_chat_template(self, conversation: Any, *args: Any, **kwargs: Any) -> Any:
        """As of any processor; the query of a conversation is the text of its last user message.

        Raises:
            ValueError: `return_assistant_tokens_mask` for a template that does not say what the assistant wrote.
        """
        template = kwargs.get("chat_template") or self.chat_template
        if kwargs.get("return_assistant_tokens_mask") and not (isinstance(template, str) and has_marks(template)):
            raise ValueError(
                "the chat template does not say what the assistant wrote, so that no token would be learned: expected "
                "{% generation %} and {% endgeneration %} around it; give such a chat_template"
            )
        if self.emits_queries and kwargs.get("tokenize"):
            batched = not isinstance(conversation[0], Mapping)
            queries = [last_question(messages) for messages in (conversation if batched else [conversation])]
            options = dict(kwargs.get("processor_kwargs") or {})
            options.setdefault("queries", queries if batched else queries[0])
            kwargs["processor_kwargs"] = options
        return super().apply_chat_template(conversation, *args, **kwargs)

    def replace_image_token(self, image_inputs: Mapping[str, Any], image_idx: int, **kwargs: Any) -> str:
        """What an image's placeholder becomes."""
        return self.image_token * self.visual_tokens

    def _get_num_multimodal_tokens(self, image_sizes: Sequence[Any] | None = None, **kwargs: Any) -> MultiModalData:
        """Tokens that images will take, for serving engines."""
        count = len(image_sizes or ())
        return MultiModalData(num_image_tokens=[self.visual_tokens] * count, num_image_patches=[1] * count)

    @property
    def model_input_names(self) -> list[str]:
        names = [*self.tokenizer.model_input_names, *self.image_processor.model_input_names]
        return names + (["query_input_ids", "query_attention_mask"] if self.emits_queries else [])


def last_question(messages: Sequence[Mapping[str, Any]]) -> str:
    """The text of the last user message that has some; the whole conversation's where there is none."""
    texts = [(message.get("role"), _text_of(message.get("content"))) for message in messages]
    asked = [text for role, text in texts if role == "user" and text]
    return asked[-1] if asked else "\n".join(text for _, text in texts)


def _text_of(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in content or () if part.get("type") == "text")


def _default_template(tokenizer: PreTrainedTokenizerBase) -> str | None:
    template = tokenizer.chat_template
    return template.get("default") if isinstance(template, dict) else template
