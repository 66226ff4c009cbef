"""The processor: prompts, conversations and images to inputs, in both prompt orders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoProcessor, CLIPImageProcessorPil, SiglipImageProcessorPil, pipeline
from vlm.tiny import IMAGE, PAD, SIDE, answers, config, model, picture, processor, tokenizer

from planner.vlm import PlannerVlmProcessor, chat_template
from planner.vlm.questions import last_question

CHAT = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [{"type": "image", "image": picture()}, {"type": "text", "text": "What is it?"}]},
]
ANSWERED = [
    *CHAT,
    {"role": "assistant", "content": "A cat."},
    {"role": "user", "content": [{"type": "image", "image": picture(1)}, {"type": "text", "text": "And this?"}]},
]
INPUTS: dict[str, Any] = {"tokenize": True, "return_dict": True, "return_tensors": "pt", "add_generation_prompt": True}
CHATML = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def words(of: PlannerVlmProcessor, ids: torch.Tensor) -> str:
    return str(of.tokenizer.decode(ids))


def test_image_first_prompts_and_their_queries() -> None:
    made = processor(config())
    inputs = made(images=picture(), text="<image>\nWhat is it?", return_tensors="pt")
    assert set(inputs) == {"input_ids", "attention_mask", "pixel_values", "query_input_ids", "query_attention_mask"}
    assert set(inputs) == set(made.model_input_names)
    assert words(made, inputs["input_ids"][0]) == "<image>" * 4 + "\nWhat is it?"
    assert words(made, inputs["query_input_ids"][0]) == "What is it?"
    assert inputs["pixel_values"].shape == (1, 3, SIDE, SIDE)
    told = made(images=picture(), text="<image>\nWhat is it?", queries="it", return_tensors="pt")
    assert words(made, told["query_input_ids"][0]) == "it"


def test_text_first_prompts_carry_their_query_themselves() -> None:
    made = processor(config(prompt_order="text-first"))
    inputs = made(images=picture(), text="What is it?\n<image>", return_tensors="pt")
    assert set(inputs) == {"input_ids", "attention_mask", "pixel_values"} == set(made.model_input_names)


def test_batches_are_padded_on_the_left() -> None:
    made = processor(config())
    texts = ["<image>\nWhat is it?", "<image> <image>\nAnd?"]
    inputs = made(images=[picture(0), picture(1), picture(2)], text=texts, return_tensors="pt", padding=True)
    assert inputs["pixel_values"].shape[0] == 3
    assert (inputs["input_ids"] == IMAGE).sum(1).tolist() == [4, 8]
    assert inputs["attention_mask"][:, -1].all() and not inputs["attention_mask"][:, 0].all()
    assert inputs["query_attention_mask"].sum(1).tolist() == [11, 4]
    assert (inputs["query_input_ids"][1, :7] == PAD).all()
    expected = answers(model(), inputs)
    nested = made(images=[[picture(0)], [picture(1), picture(2)]], text=texts, return_tensors="pt", padding=True)
    assert torch.equal(answers(model(), nested), expected)


@pytest.mark.parametrize(
    ("order", "template", "expected"),
    [
        ("image-first", None, "Be brief. USER: <image>\nWhat is it? ASSISTANT:"),
        ("text-first", None, "Be brief. USER: What is it?\n<image> ASSISTANT:"),
        ("image-first", CHATML, "<|system|>Be brief.\n<|user|><image>\nWhat is it?\n<|assistant|>"),
        ("text-first", CHATML, "<|system|>Be brief.\n<|user|>What is it?\n<image>\n<|assistant|>"),
        ("text-first", {"default": CHATML}, "<|system|>Be brief.\n<|user|>What is it?\n<image>\n<|assistant|>"),
    ],
)
def test_conversations_in_the_language_models_own_template(order: str, template: Any, expected: str) -> None:
    own = tokenizer()
    own.chat_template = template
    made = PlannerVlmProcessor.from_config(config(prompt_order=order), own)
    assert made.apply_chat_template(CHAT, add_generation_prompt=True) == expected
    inputs = made.apply_chat_template(CHAT, **INPUTS)
    assert words(made, inputs["input_ids"][0]) == expected.replace("<image>", "<image>" * 4)
    assert ("query_input_ids" in inputs) is (order == "image-first")
    whole = made.apply_chat_template([CHAT, ANSWERED], **INPUTS, processor_kwargs={"padding": True})
    assert whole["pixel_values"].shape[0] == 3
    assert answers(model(prompt_order=order), whole).shape == (2, 6)


def test_a_conversation_asks_its_last_question() -> None:
    made = processor(config())
    inputs = made.apply_chat_template([CHAT, ANSWERED], **INPUTS, processor_kwargs={"padding": True})
    asked = [words(made, ids).replace("<pad>", "") for ids in inputs["query_input_ids"]]
    assert asked == ["What is it?", "And this?"]
    assert last_question([{"role": "system", "content": "a"}, {"role": "assistant", "content": "b"}]) == "image"


def test_a_conversation_grows_by_its_turns_in_text_first_order() -> None:
    made = processor(config(prompt_order="text-first"))
    before = made.apply_chat_template(ANSWERED[:3])
    assert made.apply_chat_template(ANSWERED).startswith(before)


@pytest.mark.parametrize("order", ["image-first", "text-first"])
@pytest.mark.parametrize("tower", ["clip", "siglip"])
def test_round_trip(tower: str, order: str, tmp_path: Path) -> None:
    settings = config(tower=tower, prompt_order=order)
    made = processor(settings)
    made.save_pretrained(tmp_path)
    settings.save_pretrained(tmp_path)
    read = AutoProcessor.from_pretrained(tmp_path)
    kind = CLIPImageProcessorPil if tower == "clip" else SiglipImageProcessorPil
    assert type(read) is PlannerVlmProcessor and type(read.image_processor) is kind
    assert read.tokenizer.padding_side == "left"
    assert read.image_token_id == made.image_token_id == settings.image_token_id == IMAGE
    ours, theirs = made.apply_chat_template(CHAT, **INPUTS), read.apply_chat_template(CHAT, **INPUTS)
    assert set(ours) == set(theirs) and all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_image_processors_draw_with_pil() -> None:
    class CLIPImageProcessor(CLIPImageProcessorPil):
        """As torchvision's would be called."""

    other = CLIPImageProcessor(size={"shortest_edge": 30}, crop_size={"height": 30, "width": 30})
    made = PlannerVlmProcessor(other, tokenizer())
    assert type(made.image_processor) is CLIPImageProcessorPil
    assert made.image_processor.crop_size["height"] == 30


def test_pixels_are_those_of_the_towers_processor() -> None:
    made = processor(config())
    values = made(images=picture(size=(SIDE, SIDE)), text="<image>", return_tensors="pt")["pixel_values"][0]
    plain = np.asarray(picture(size=(SIDE, SIDE))).transpose(2, 0, 1) / 255
    mean, std = np.array(made.image_processor.image_mean), np.array(made.image_processor.image_std)
    np.testing.assert_allclose(values.numpy(), (plain - mean[:, None, None]) / std[:, None, None], atol=1e-6)


def test_pipeline(tmp_path: Path) -> None:
    built = model()
    made = processor(built.config)
    built.save_pretrained(tmp_path)
    made.save_pretrained(tmp_path)
    pipe = pipeline("image-text-to-text", model=str(tmp_path), device="cpu")
    said = pipe(text=CHAT, max_new_tokens=4, return_full_text=False, do_sample=False)[0]["generated_text"]
    inputs = made.apply_chat_template(CHAT, **INPUTS)
    expected = answers(built, inputs, max_new_tokens=4, min_new_tokens=0)
    assert said == made.decode(expected[0], skip_special_tokens=True)


def test_tokens_chosen_at_run_time() -> None:
    built = model(compressor="matryoshka", visual_tokens=36)
    made = processor(built.config)
    inputs = made(images=picture(), text="<image> what", visual_tokens=9, return_tensors="pt")
    assert int((inputs["input_ids"] == IMAGE).sum()) == 9 and inputs["visual_tokens"] == 9
    assert answers(built, inputs).shape == (1, 6)
    assert made.visual_tokens == 36
    assert int((made(images=picture(), text="<image> what", return_tensors="pt")["input_ids"] == IMAGE).sum()) == 36
    assert made._get_num_multimodal_tokens([(3, 4), (5, 6)]).num_image_tokens == [36, 36]


def test_text_alone_and_images_alone() -> None:
    made = processor(config())
    assert set(made(text="hello", return_tensors="pt")) == {"input_ids", "attention_mask"}
    assert set(made(images=picture(), return_tensors="pt")) == {"pixel_values"}
    assert isinstance(made(text="hello")["input_ids"][0], list)


def test_a_tokenizer_without_a_pad_token_pads_with_its_end() -> None:
    own = tokenizer()
    own.pad_token = None
    assert PlannerVlmProcessor(None or CLIPImageProcessorPil(), own).tokenizer.pad_token == "</s>"


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"images": picture(), "text": "no place"}, "one <image> in the prompts for each of 1 images, got 0"),
        ({"images": picture(), "text": "<image> a", "queries": ["a", "b"]}, "a query for each of 1 prompts, got 2"),
        ({"text": "a", "videos": [1]}, "expected images and text, got videos or audio"),
    ],
)
def test_refusals(inputs: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        processor(config())(**inputs)


def test_templates_keep_everything_but_contents() -> None:
    made = chat_template("{{ messages | tojson }}", "image-first")
    own = processor(config())
    rendered = own.apply_chat_template([{"role": "tool", "name": "x", "content": "y"}], chat_template=made)
    assert rendered == '[{"role": "tool", "name": "x", "content": "y"}]'
