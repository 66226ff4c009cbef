"""Text-first prompts: the prefix that asks the compressor is never run twice, and nothing else changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import DynamicCache
from vlm.tiny import CHECKPOINTING, FAMILIES, IMAGE, answers, batch, image, model, pixels, text

from planner.vlm import PlannerVlmForConditionalGeneration
from planner.vlm.prompts import find_runs, last_position, positions_of, runs_of

EXACT = {"atol": 1e-5, "rtol": 1e-5}
ROW = text(1, 2, 3) + image() + text(4, 5)
SAME_COLUMNS = text(6, 7, 8) + image() + text(9, 10)
SHORTER = text(6) + image() + text(9, 10)
LATER = text(1, 2, 3, 4, 5) + image() + text(9)
TWO_TURNS = text(1, 2, 3) + image() + text(4, 5, 6, 7) + image(8) + text(8)  # two images in the second


def text_first(**options: Any) -> PlannerVlmForConditionalGeneration:
    return model(**{"prompt_order": "text-first"} | options)


def uncached(built: PlannerVlmForConditionalGeneration, ids: Sequence[int], images: Tensor) -> tuple[Tensor, Tensor]:
    """Logits (S, vocabulary) and embeddings (S, H) of one sample, every pass run whole and without a cache."""
    llm, features = built.language_model, built.vision_features(images) if len(images) else []
    embeds = built.get_input_embeddings()(torch.tensor(ids) % IMAGE)
    shown = 0
    for start, end in runs_of([token == IMAGE for token in ids]):
        text_feature = llm.model(inputs_embeds=embeds[None, :start], use_cache=False).last_hidden_state[:, -1]
        for column in range(start, end, 4):
            x, *levels = (layer[shown : shown + 1] for layer in features)
            tokens = built.projector(built.compressor(x, levels, text_feature))[0]
            embeds = torch.cat([embeds[:column], tokens, embeds[column + 4 :]])
            shown += 1
    return llm(inputs_embeds=embeds[None], use_cache=False).logits[0], embeds


def lengths_run(built: PlannerVlmForConditionalGeneration) -> list[int]:
    """Grows by the tokens of every pass through the language model."""
    seen: list[int] = []
    built.get_decoder().layers[0].register_forward_hook(lambda _, args, __: seen.append(args[0].shape[1]))
    return seen


@pytest.mark.parametrize("family", FAMILIES)
def test_equals_the_uncached_computation(family: str) -> None:
    built = text_first(family=family)
    seen = lengths_run(built)
    logits = built(input_ids=torch.tensor([ROW]), pixel_values=pixels(1)).logits[0]
    assert seen == [3, 6]  # nine tokens, none twice
    torch.testing.assert_close(logits, uncached(built, ROW, pixels(1))[0], **EXACT)


@pytest.mark.parametrize("family", ["qwen2", "gemma2"])
def test_equals_the_uncached_computation_over_turns(family: str) -> None:
    built = text_first(family=family)
    seen = lengths_run(built)
    logits = built(input_ids=torch.tensor([TWO_TURNS]), pixel_values=pixels(3)).logits[0]
    assert seen == [3, 8, 9] and sum(seen) == len(TWO_TURNS)
    torch.testing.assert_close(logits, uncached(built, TWO_TURNS, pixels(3))[0], **EXACT)


@pytest.mark.parametrize("padding", ["left", "right"])
@pytest.mark.parametrize(
    ("rows", "images", "passes"),
    [
        ([ROW, SAME_COLUMNS], 2, 2),  # one prefix, one rest
        ([ROW, SHORTER], 2, None),
        ([ROW, SHORTER, LATER, TWO_TURNS], 6, None),
        ([ROW, text(1, 2), TWO_TURNS], 4, None),  # a sample without an image
    ],
)
def test_batches_equal_their_samples(rows: list[list[int]], images: int, passes: int | None, padding: str) -> None:
    built = text_first()
    seen = lengths_run(built)
    inputs = batch(rows, padding)
    out = built(**inputs, pixel_values=pixels(images))
    assert passes is None or len(seen) == passes
    shown = 0
    for row, ids in enumerate(rows):
        count = ids.count(IMAGE) // 4
        logits, embeds = uncached(built, ids, pixels(images)[shown : shown + count])
        torch.testing.assert_close(out.logits[row][inputs["attention_mask"][row].bool()], logits, **EXACT)
        tokens = embeds[torch.tensor(ids) == IMAGE].view(count, 4, 32)
        torch.testing.assert_close(out.image_hidden_states[shown : shown + count], tokens, **EXACT)
        shown += count


def test_left_padding_keeps_questions_of_any_length_on_one_cache() -> None:
    built = text_first()
    seen = lengths_run(built)
    rows = [text(1, 2, 3, 4) + image() + text(9), text(5) + image() + text(9)]
    built(**batch(rows), pixel_values=pixels(2))
    assert seen == [4, 5]


def test_conversation_goes_on_behind_its_cache() -> None:
    built = text_first()
    seen = lengths_run(built)
    first = batch([ROW, SAME_COLUMNS])
    said = built.generate(
        **first,
        pixel_values=pixels(2),
        max_new_tokens=4,
        min_new_tokens=4,
        do_sample=False,
        return_dict_in_generate=True,
    )
    seen.clear()
    question = torch.tensor([[11, 12, *image(), 13], [14, 15, *image(), 16]])
    ids = torch.cat([said.sequences, question], 1)
    more = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "pixel_values": pixels(2, seed=5)}
    got = answers(built, more, past_key_values=said.past_key_values)
    assert seen[:2] == [3, 5]  # the answer's last token and the question, then image and suffix: nothing before them
    whole = torch.stack([pixels(2), pixels(2, seed=5)], 1).flatten(0, 1)
    assert torch.equal(got, answers(built, more | {"pixel_values": whole}))
    for row in range(2):
        logits, _ = uncached(built, ids[row].tolist(), whole[2 * row : 2 * row + 2])
        assert int(logits[-1].argmax()) == int(got[row, 0])


def test_three_turns_piece_by_piece_equal_one_prompt() -> None:
    built = text_first()
    turns = [text(1, 2) + image() + text(3), text(4, 5, 6) + image(8) + text(7), text(8) + image()]
    images = pixels(4)
    expected, _ = uncached(built, [token for turn in turns for token in turn], images)
    cache, shown, pieces = DynamicCache(config=built.config.text_config), 0, []
    for ids in turns:
        count = ids.count(IMAGE) // 4
        out = built(
            input_ids=torch.tensor([ids]),
            pixel_values=images[shown : shown + count],
            past_key_values=cache,
            use_cache=True,
        )
        pieces.append(out.logits[0])
        shown += count
    torch.testing.assert_close(torch.cat(pieces), expected, **EXACT)


def test_ragged_turn_behind_a_cache() -> None:
    built = text_first()
    cache = DynamicCache(config=built.config.text_config)
    start = batch([ROW, SHORTER])
    built(**start, position_ids=positions_of(start["attention_mask"]), pixel_values=pixels(2), past_key_values=cache)
    turns = batch([text(11) + image() + text(12, 13), text(14, 15, 16) + image() + text(17)], padding="right")
    mask = torch.cat([start["attention_mask"], turns["attention_mask"]], 1)
    positions = positions_of(mask)[:, -len(turns["input_ids"][0]) :]
    out = built(
        input_ids=turns["input_ids"],
        attention_mask=mask,
        position_ids=positions,
        pixel_values=pixels(2, seed=3),
        past_key_values=cache,
    )
    for row, ids in enumerate((ROW, SHORTER)):
        kept = turns["attention_mask"][row].bool()
        whole = ids + turns["input_ids"][row][kept].tolist()
        images = torch.stack([pixels(2)[row], pixels(2, seed=3)[row]])
        logits, _ = uncached(built, whole, images)
        torch.testing.assert_close(out.logits[row][kept], logits[len(ids) :], **EXACT)


def test_caches_beams_and_samples() -> None:
    built = text_first()
    for rows in ([ROW, SAME_COLUMNS], [ROW, SHORTER], [ROW, LATER]):
        inputs = batch(rows) | {"pixel_values": pixels(2)}
        expected = answers(built, inputs)
        assert torch.equal(answers(built, inputs, use_cache=False), expected)
        assert torch.equal(answers(built, inputs, cache_implementation="static"), expected)
        seen: list[int] = []
        handle = built.vision_tower.register_forward_hook(lambda _, args, __, seen=seen: seen.append(len(args[0])))
        beams = answers(built, inputs, num_beams=3, num_return_sequences=3)
        handle.remove()
        assert seen == [2]
        for row in range(2):
            alone = {"input_ids": torch.tensor([rows[row]]), "pixel_values": pixels(2)[row : row + 1]}
            assert torch.equal(answers(built, alone)[0], expected[row])
            assert torch.equal(answers(built, alone, num_beams=3, num_return_sequences=3), beams[3 * row : 3 * row + 3])
        torch.manual_seed(0)
        assert answers(built, inputs, do_sample=True, num_return_sequences=2).shape == (4, 6)


def test_sliding_windows_and_static_caches() -> None:
    built = text_first(family="gemma2")  # a window of eight, shorter than the prompt
    inputs = batch([TWO_TURNS]) | {"pixel_values": pixels(3)}
    assert torch.equal(answers(built, inputs), answers(built, inputs, cache_implementation="static"))


@pytest.mark.parametrize("rows", [[ROW, SAME_COLUMNS], [ROW, LATER]])
def test_training_gives_the_same_gradients_with_and_without_checkpointing(rows: list[list[int]]) -> None:
    inputs = batch(rows, padding="right") | {"pixel_values": pixels(2)}
    losses, gradients = [], []
    for checkpointed in (False, True):
        built = text_first().train()
        if checkpointed:
            getattr(built, f"{CHECKPOINTING}_enable")()
        out = built(**inputs, labels=inputs["input_ids"].masked_fill(inputs["attention_mask"] == 0, -100))
        out.loss.backward()
        losses.append(out.loss)
        gradients.append({name: weight.grad for name, weight in built.named_parameters()})
    torch.testing.assert_close(losses[0], losses[1], **EXACT)
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][name], atol=1e-4, rtol=1e-3, msg=name)


def test_query_gradient() -> None:
    for wanted in (True, False):
        built = text_first(query_gradient=wanted)
        built(input_ids=torch.tensor([ROW]), pixel_values=pixels(1)).image_hidden_states.sum().backward()
        assert (built.get_decoder().layers[0].mlp.up_proj.weight.grad is not None) is wanted
        assert built.compressor.text_projection[0].weight.grad is not None


def test_hidden_states_of_all_positions_on_request() -> None:
    built = text_first()
    inputs = batch([ROW, SHORTER]) | {"pixel_values": pixels(2)}
    plain, shown = built(**inputs), built(**inputs, output_hidden_states=True)
    torch.testing.assert_close(shown.logits, plain.logits, **EXACT)
    assert [state.shape for state in shown.hidden_states] == [(2, 9, 32)] * 4


def test_one_picture_under_two_questions() -> None:
    built = text_first()
    inputs = batch([ROW, SAME_COLUMNS])
    shared = built(**inputs, pixel_values=pixels(1), image_index=torch.tensor([0, 0]))
    twice = built(**inputs, pixel_values=pixels(1).repeat(2, 1, 1, 1))
    torch.testing.assert_close(shared.logits, twice.logits, **EXACT)


def test_query_embeds_replace_the_prefix() -> None:
    built = text_first()
    seen = lengths_run(built)
    feature = built.get_decoder()(torch.tensor([ROW[:3]])).last_hidden_state[:, -1]
    seen.clear()
    out = built(input_ids=torch.tensor([ROW]), pixel_values=pixels(1), query_embeds=feature)
    assert seen == [9]
    torch.testing.assert_close(out.logits[0], uncached(built, ROW, pixels(1))[0], **EXACT)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (image() + text(1), "a text-first prompt needs text before its image"),
        (text(1) + image(2) + text(2) + image(2), "4 image tokens for each image, got a row of 2: was the prompt"),
    ],
)
def test_refusals(row: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        text_first()(input_ids=torch.tensor([row]), pixel_values=pixels(1))


def test_refuses_a_mask_that_is_no_padding() -> None:
    with pytest.raises(ValueError, match="attention mask of two dimensions"):
        text_first()(
            input_ids=torch.tensor([ROW]), pixel_values=pixels(1), attention_mask=torch.ones(1, 1, 9, 9).bool()
        )


def test_a_row_of_padding_only_before_its_image() -> None:
    with pytest.raises(ValueError, match="text before each image"):
        text_first()(**batch([ROW, image() + text(4, 5)]), pixel_values=pixels(2))


def test_runs() -> None:
    assert runs_of([]) == []
    assert runs_of([True, True, False, True]) == [(0, 2), (3, 4)]
    same = torch.tensor([[0, 1, 1, 0], [0, 1, 1, 0]]).bool()
    assert find_runs(same) == ([(1, 3)], [[(1, 3)], [(1, 3)]])
    assert find_runs(torch.tensor([[0, 1], [1, 1]]).bool()) == (None, [[(1, 2)], [(0, 2)]])


def test_last_position_whatever_side_is_padded() -> None:
    mask = torch.tensor([[1, 1, 0, 0], [0, 0, 1, 1], [0, 1, 1, 0], [1, 0, 1, 0]])
    assert last_position(mask).tolist() == [1, 3, 2, 2]
