"""Prompts and images to model inputs: image tokens in their places, and the query beside the prompt if it is read."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, cast

from transformers import AddedToken, BatchFeature, PreTrainedTokenizerBase, ProcessorMixin
from transformers.image_utils import make_flat_list_of_images
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
from transformers.processing_utils import MultiModalData

from .configuration import PlannerVlmConfig
from .image_fit import IMAGE_FITS
from .image_token import with_image_token
from .marking import has_marks
from .pictures import check_pixels, padded, upright
from .questions import NOTHING_ASKED, Turns, last_question, question_of
from .templates import IMAGE_TOKEN, chat_template
from .towers import TOWERS
from .typed import MARK, TypedTokenizer, control_tokens, mark, mark_messages, unmark

_PIL_TWINS = {"CLIPImageProcessor": CLIPImageProcessorPil, "SiglipImageProcessor": SiglipImageProcessorPil}
"""The image processors that draw with PIL. The others resize to slightly different pixels; a model sees one kind."""


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
        pad_to_square: bool = False,
        max_positions: int | None = None,
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
            pad_to_square: whether images are padded with the mean colour before the image processor resizes them.
            max_positions: tokens that the language model has positions for; longer prompts are refused.
        """
        self.image_token = image_token
        self.visual_tokens = visual_tokens
        self.emits_queries = emits_queries
        self.pad_to_square = pad_to_square
        self.max_positions = max_positions
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
        cls,
        config: PlannerVlmConfig,
        tokenizer: PreTrainedTokenizerBase,
        image_token: str = IMAGE_TOKEN,
        image_fit: str | None = None,
    ) -> PlannerVlmProcessor:
        """The processor of a model; sets the config's `image_token_id` to the tokenizer's.

        A tokenizer without the image token gets it, in place of a reserved token where the embedding has no row for
        another one (`with_image_token`). Images become squares by `image_fit`: "pad", "crop" or "resize"; by default
        as the recipe of the tower does, padded for CLIP and resized for SigLIP.
        """
        tower = config.vision_config
        family = TOWERS.find(tower.model_type)
        fit = IMAGE_FITS.find(image_fit or family.image_fit)
        tokenizer = with_image_token(tokenizer, image_token, config.text_config.vocab_size)
        processor = cls(
            family.image_processor(fit.settings(tower.image_size)),
            tokenizer,
            chat_template=chat_template(_default_template(tokenizer), config.prompt_order, image_token),
            image_token=image_token,
            visual_tokens=config.visual_tokens,
            emits_queries=config.asks_beside_the_prompt,
            pad_to_square=fit.pads,
            max_positions=getattr(config.text_config, "max_position_embeddings", None),
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
            images: of any kind that `upright` reads, in the order in which their tokens stand in the texts.
            text: prompts with one image token for each image.
            videos: not read.
            audio: not read.
            queries: what each prompt asks, for a compressor that reads it beside the prompt; by default the last
                question of a conversation in the processor's template, the whole of a plain prompt, and the word
                "image" where nothing is asked.
            visual_tokens: tokens per image, for a model that leaves the choice.
            **kwargs: of the tokenizer and the image processor; `return_tensors="pt"` and `padding=True` for batches.

        Raises:
            ValueError: an image that cannot be read, a prompt longer than the language model's positions, one whose
                question cannot be found, no query for each prompt.
        """
        if videos is not None or audio is not None:
            raise ValueError("expected images and text, got videos or audio")
        if visual_tokens is not None and visual_tokens != self.visual_tokens:
            other = copy.copy(self)
            other.visual_tokens = visual_tokens
            inputs = other(images, text, queries=queries, **kwargs)
            inputs["visual_tokens"] = visual_tokens
            return inputs
        images = self._squares(images, kwargs)
        texts = [text] if isinstance(text, str) else list(text or ())
        if text is not None and images is not None:
            self._check_places(texts, images)
        reader = self
        if any(MARK in one for one in texts):
            reader = copy.copy(self)
            reader.tokenizer = TypedTokenizer(self.tokenizer)
        inputs = ProcessorMixin.__call__(reader, images=images, text=text, **kwargs)
        self._check_length(inputs)
        if self.emits_queries and images is not None and text is not None:
            tensors = kwargs.get("return_tensors", kwargs.get("text_kwargs", {}).get("return_tensors"))
            asked = self._read_queries(texts, queries, tensors)
            inputs["query_input_ids"] = asked["input_ids"]
            inputs["query_attention_mask"] = asked["attention_mask"]
        return inputs

    def _check_places(self, texts: Sequence[str], images: Any) -> None:
        """Raises ValueError where the texts have another number of places than there are images."""
        flat: Any = make_flat_list_of_images(images)
        places, given = sum(text.count(self.image_token) for text in texts), len(flat)
        if places != given:
            raise ValueError(f"expected one {self.image_token} in the prompts for each of {given} images, got {places}")

    def _squares(self, images: Any, kwargs: dict[str, Any]) -> Any:
        """Images upright and in RGB, padded if the model's are; what that settles leaves the arguments."""
        own = dict(kwargs.get("images_kwargs") or {})
        settled = {name: own.pop(name, kwargs.pop(name, None)) for name in ("input_data_format", "do_rescale")}
        if "images_kwargs" in kwargs:
            kwargs["images_kwargs"] = own
        if settled["do_rescale"] is False:
            raise ValueError("do_rescale=False: leave it out, floats from 0 to 1 are known by their type")
        return self._fitted(upright(images, settled["input_data_format"]))

    def _fitted(self, images: Any) -> Any:
        if images is None or isinstance(images, list):
            return images and [self._fitted(image) for image in images]
        if self.pad_to_square:
            return padded(images, self.image_processor.image_mean)
        short, long = sorted(images.size)
        edge = getattr(self.image_processor.size, "shortest_edge", None) or 0
        check_pixels(edge or 1, edge * long // short or 1, "resized before it is cropped")
        return images

    def _check_length(self, inputs: BatchFeature) -> None:
        if self.max_positions is None or "input_ids" not in inputs:
            return
        rows = inputs.get("attention_mask", inputs["input_ids"])
        masked = "attention_mask" in inputs
        rows = [rows] if len(rows) and isinstance(rows[0], int) else rows
        longest = max((int(sum(row)) if masked else len(row) for row in rows), default=0)
        if longest > self.max_positions:
            raise ValueError(
                f"expected a prompt of at most {self.max_positions:,} tokens with its images, the language model's "
                f"positions, got {longest:,}: shorten it"
            )

    def _read_queries(self, texts: Sequence[str], queries: str | Sequence[str] | None, tensors: Any) -> Any:
        """Queries as token ids: what they spell is text."""
        control = control_tokens(self.tokenizer)
        if queries is None:
            turns = self._turns()
            queries = [question_of(prompt, turns, self.image_token, control) for prompt in texts]
        queries = [queries] if isinstance(queries, str) else list(queries)
        if len(queries) != len(texts):
            raise ValueError(f"expected a query for each of {len(texts)} prompts, got {len(queries)}")
        asked = [mark(unmark(query).strip(), control) or NOTHING_ASKED for query in queries]
        return TypedTokenizer(self.tokenizer)(asked, padding=True, return_tensors=tensors)

    def _turns(self) -> Turns | None:
        template = self.chat_template
        if not isinstance(template, str):
            return None
        known = self.__dict__.get("_turns_of")
        if known is None or known[0] != template:
            render = partial(self._render, template)
            known = self.__dict__["_turns_of"] = (template, Turns.of(render))
        return cast("Turns | None", known[1])

    def _render(self, template: str, messages: Any, answering: bool) -> str:
        return super().apply_chat_template(messages, chat_template=template, add_generation_prompt=answering)

    def apply_chat_template(self, conversation: Any, *args: Any, **kwargs: Any) -> Any:
        """As of any processor; the query of a conversation is the text of its last user message.

        Images stand where parts of the type image do. A placeholder or a control token that a text spells is text.

        Raises:
            ValueError: `return_assistant_tokens_mask` for a template that does not say what the assistant wrote.
        """
        template = kwargs.get("chat_template") or self.chat_template
        if kwargs.get("return_assistant_tokens_mask") and not (isinstance(template, str) and has_marks(template)):
            raise ValueError(
                "the chat template does not say what the assistant wrote, so that no token would be learned: expected "
                "{% generation %} and {% endgeneration %} around it; give such a chat_template"
            )
        batched = not isinstance(conversation[0], Mapping)
        asked = list(conversation) if batched else [conversation]
        control = control_tokens(self.tokenizer)
        said = [mark_messages(messages, control) for messages in asked]
        if self.emits_queries and kwargs.get("tokenize"):
            queries = [last_question(messages) for messages in asked]
            options = dict(kwargs.get("processor_kwargs") or {})
            options.setdefault("queries", queries if batched else queries[0])
            kwargs["processor_kwargs"] = options
        return super().apply_chat_template(said if batched else said[0], *args, **kwargs)

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


def _default_template(tokenizer: PreTrainedTokenizerBase) -> str | None:
    template = tokenizer.chat_template
    return template.get("default") if isinstance(template, dict) else template
