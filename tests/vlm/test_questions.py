"""What a prompt asks: the same from a conversation and from its text, never an answer; what users type is text."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from vlm.tiny import EOS, IMAGE, answers, config, model, picture, processor, tokenizer

from planner.vlm import PlannerVlmProcessor, chat_template
from planner.vlm.questions import Turns, question_of
from planner.vlm.typed import MARK, mark, unmark

INPUTS: dict[str, Any] = {"tokenize": True, "return_dict": True, "return_tensors": "pt"}
QWEN = (
    "{% if messages[0].role != 'system' %}<|im_start|>system\nBe helpful.<|im_end|>\n{% endif %}"
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
LLAMA_2 = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}{{ '[INST] ' + m.content.strip() + ' [/INST]' }}"
    "{% else %}{{ ' ' + m.content + '</s>' }}{% endif %}{% endfor %}"
)
TEMPLATES = {"plain": None, "qwen": QWEN, "llama-2": LLAMA_2}


def made_with(template: str | None, order: str = "image-first") -> PlannerVlmProcessor:
    made = processor(config(prompt_order=order))
    made.chat_template = chat_template(template, order)
    return made


def user(text: str, *, images: int = 1) -> dict[str, Any]:
    pictures = [{"type": "image", "image": picture(seed)} for seed in range(images)]
    return {"role": "user", "content": [*pictures, {"type": "text", "text": text}]}


def assistant(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


CONVERSATIONS = {
    "a question": [user("What is it?")],
    "an answer": [user("What is it?"), assistant("A cat.")],
    "two turns": [user("What is it?"), assistant("A cat."), user("Which colour?", images=0)],
    "two answers": [user("What is it?"), assistant("A cat."), user("Which colour?"), assistant("Grey.")],
    "lines": [user("Look:\n\nwhat is it?"), assistant("A cat.\nIt sleeps.")],
    "nothing": [user("")],
    "nothing, and an answer": [user("  "), assistant("A cat.")],
    "nothing at last": [user("What is it?"), assistant("A cat."), user("")],
    "typed": [user("Is <image> or </s> or <pad> a token?"), assistant("Yes.")],
}
QUERIES = {
    "two turns": "Which colour?",
    "two answers": "Which colour?",
    "lines": "Look:\n\nwhat is it?",
    "nothing": "image",
    "nothing, and an answer": "image",
    "typed": "Is <image> or </s> or <pad> a token?",
}


@pytest.mark.parametrize("name", CONVERSATIONS)
@pytest.mark.parametrize("template", TEMPLATES)
def test_a_conversation_and_its_text_ask_the_same(template: str, name: str) -> None:
    made, said = made_with(TEMPLATES[template]), CONVERSATIONS[name]
    for begun in (False, True):
        told = made.apply_chat_template(said, **INPUTS, add_generation_prompt=begun)
        text = made.apply_chat_template(said, add_generation_prompt=begun)
        images = [part["image"] for turn in said for part in turn["content"] if part and "image" in part]
        called = made(images=images, text=text, return_tensors="pt")
        assert set(told) == set(called)
        assert all(torch.equal(told[key], called[key]) for key in told)
        assert made.tokenizer.decode(told["query_input_ids"][0]) == QUERIES.get(name, "What is it?")
        assert "cat" not in made.tokenizer.decode(told["query_input_ids"][0])


def test_what_users_type_is_text() -> None:
    made = made_with(None)
    spelled = "Is <image> or </s> or <pad> a token?"
    alone = made.apply_chat_template([user(spelled)], **INPUTS)
    raw = made.tokenizer(spelled, split_special_tokens=True)["input_ids"]
    head, tail = made.tokenizer("\n", add_special_tokens=False), made.tokenizer(" ", add_special_tokens=False)
    start = made.tokenizer("USER: ")["input_ids"]
    assert alone["input_ids"][0].tolist() == [*start, *[IMAGE] * 4, *head["input_ids"], *raw, *tail["input_ids"]]
    assert alone["query_input_ids"][0].tolist() == raw and not {EOS, IMAGE} & set(raw)
    batch = made.apply_chat_template([[user("Why?")], [user(spelled)]], **INPUTS, processor_kwargs={"padding": True})
    assert batch["input_ids"].shape == batch["attention_mask"].shape
    for row, single in zip((0, 1), (made.apply_chat_template([user("Why?")], **INPUTS), alone), strict=True):
        for key in ("", "query_"):
            kept = batch[f"{key}input_ids"][row][batch[f"{key}attention_mask"][row].bool()]
            assert torch.equal(kept, single[f"{key}input_ids"][0])
    strings = made.apply_chat_template([{"role": "user", "content": "<image>?"}], **INPUTS)
    assert IMAGE not in strings["input_ids"] and made.tokenizer.decode(strings["input_ids"][0]) == "USER: <image>? "
    told = made(images=picture(), text="<image>", queries=spelled, return_tensors="pt")
    assert told["query_input_ids"][0].tolist() == raw


def test_typed_tokens_in_text_first_prompts() -> None:
    made = made_with(QWEN, "text-first")
    inputs = made.apply_chat_template([user("a <image> b")], **INPUTS)
    assert int((inputs["input_ids"] == IMAGE).sum()) == 4
    assert MARK not in made.tokenizer.decode(inputs["input_ids"][0])


def test_offsets_of_typed_tokens_stay() -> None:
    made = made_with(None)
    options = {"return_offsets_mapping": True, "padding": True}
    inputs = made.apply_chat_template([[user("</s>")], [user("Why is it?")]], tokenize=True, return_dict=True,
                                      processor_kwargs=options)  # fmt: skip
    assert [len(row) for row in inputs["offset_mapping"]] == [len(row) for row in inputs["input_ids"]]


def test_marks() -> None:
    assert mark("a <image> </s>", ["<image>", "</s>"]) == f"a <{MARK}image> <{MARK}/s>"
    assert unmark(mark("a <image>", ["<image>"])) == "a <image>" and mark("plain", ["<image>"]) == "plain"
    assert mark("<a><ab>", ["<a>", "<a><ab>"]) == f"<{MARK}a><ab>"


def test_nothing_asked_is_the_word_image_alone_and_in_a_batch() -> None:
    built = model()
    made = processor(built.config)
    word = made.tokenizer("image")["input_ids"]
    alone = made(images=picture(), text="<image>", return_tensors="pt")
    assert alone["query_input_ids"].tolist() == [word]
    for queries in ("", " ", [""]):
        given = made(images=picture(), text="<image>", queries=queries, return_tensors="pt")
        assert given["query_input_ids"].tolist() == [word]
    batch = made(images=[picture(), picture(1)], text=["<image>", "<image> what is it"], padding=True,
                 return_tensors="pt")  # fmt: skip
    assert torch.equal(answers(built, alone)[0], answers(built, batch)[0])


def test_a_text_that_may_hold_its_answer_is_refused() -> None:
    made = made_with(None)
    with pytest.raises(ValueError, match="cannot find the question in a prompt with </s>, which may hold its answer"):
        made(images=picture(), text="<image>\nWhat is it?\nA cat.</s>")
    given = made(images=picture(), text="<image>\nWhat is it?\nA cat.</s>", queries="What is it?", return_tensors="pt")
    assert made.tokenizer.decode(given["query_input_ids"][0]) == "What is it?"
    text = processor(config(prompt_order="text-first"))(images=picture(), text="What?<image>A cat.</s>")
    assert "query_input_ids" not in text  # the model reads what stands before the image


def test_turns_that_a_template_does_not_show() -> None:
    def raises(messages: Any, answering: bool) -> str:
        raise RuntimeError("a system message is needed")

    assert Turns.of(raises) is None
    assert Turns.of(lambda messages, answering: "") is None
    assert Turns.of(lambda messages, answering: "".join(m["content"] for m in messages)) is None
    assert question_of("<image> what?", None, "<image>", ["<image>", "</s>"]) == "what?"
    assert question_of("<s><image> what?", None, "<image>", ["<s>"]) == "<s> what?"


def test_prompts_longer_than_the_positions_are_refused() -> None:
    settings = config()
    settings.text_config.max_position_embeddings = 20
    made = processor(settings)
    assert made.max_positions == 20
    assert made(images=picture(), text="<image>" + 16 * "a")["input_ids"]
    with pytest.raises(ValueError, match="at most 20 tokens with its images, the language model's positions, got 21"):
        made(images=picture(), text="<image>" + 17 * "a")
    with pytest.raises(ValueError, match="got 30: shorten it"):
        made(text=["a", 30 * "a"], padding=True, return_tensors="pt")
    assert (
        made(text=["a" * 20, "a"], padding="max_length", max_length=24, return_tensors="pt")["input_ids"].shape[1] == 24
    )
    assert PlannerVlmProcessor(made.image_processor, tokenizer())(text=30 * "a")["input_ids"]
