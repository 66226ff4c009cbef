"""The whole model, image-first: what it computes, for every language model, tower, compressor and way of asking."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import AutoModel, AutoModelForImageTextToText, StaticCache
from vlm.tiny import (
    FAMILIES,
    IMAGE,
    PAD,
    VOCABULARY,
    answers,
    asked,
    batch,
    config,
    image,
    llm_config,
    model,
    pixels,
    text,
)

from planner.vlm import COMPRESSORS, PlannerVlmForConditionalGeneration, PlannerVlmModel

EXACT = {"atol": 1e-5, "rtol": 1e-5}
"""Float32 noise of logits between 1 and 10 when the same sums run in another order."""

ONE = text(11, 12) + image() + text(13, 14, 15, 16)
OTHER = text(21) + image() + text(22, 23)
QUESTIONS = [text(13, 14, 15, 16), text(22, 23)]
ENCODER = {"query_features": "encoder", "query_config": llm_config(hidden_size=16, num_hidden_layers=1)}
WAYS_OF_ASKING: list[dict[str, Any]] = [
    {"query_features": "llm"},
    {"query_features": "llm-layers", "query_layers": 2},
    ENCODER,
    {"query_features": "none"},
]


def two_samples(padding: str = "left") -> dict[str, Tensor]:
    return batch([ONE, OTHER], padding) | asked(QUESTIONS, padding) | {"pixel_values": pixels(2)}


def sample(row: int) -> dict[str, Tensor]:
    """One of the two by itself, without padding."""
    alone = {"input_ids": torch.tensor([[ONE, OTHER][row]]), "query_input_ids": torch.tensor([QUESTIONS[row]])}
    return alone | {"pixel_values": pixels(2)[row : row + 1]}


def by_hand(built: PlannerVlmForConditionalGeneration, inputs: dict[str, Tensor]) -> Tensor:
    """Logits of one sample with one image: embeddings with visual tokens, into the plain language model."""
    features = built.vision_features(inputs["pixel_values"])
    states = built.language_model.model(input_ids=inputs["query_input_ids"]).last_hidden_state
    tokens = built.projector(built.compressor(features[0], features[1:], states[:, -1]))
    ids = inputs["input_ids"][0]
    first = ids.tolist().index(IMAGE)
    table = built.get_input_embeddings()
    embeds = torch.cat([table(ids[:first]), tokens[0], table(ids[first + len(tokens[0]) :])])
    return built.language_model(inputs_embeds=embeds[None]).logits


@pytest.mark.parametrize("family", FAMILIES)
def test_every_language_model(family: str) -> None:
    built = model(family)
    inputs = sample(0)
    torch.testing.assert_close(built(**inputs).logits, by_hand(built, inputs), **EXACT)
    labels = inputs["input_ids"].masked_fill(inputs["input_ids"] == IMAGE, -100)
    out = built.train()(**inputs, labels=inputs["input_ids"])
    torch.testing.assert_close(out.loss, built.language_model.loss_function(out.logits, labels, VOCABULARY))
    out.loss.backward()
    without = [name for name, weight in built.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert [name for name in without if "k_proj.bias" not in name] == []  # a key's bias moves no softmax
    assert answers(built.eval(), inputs).shape == (1, 6)


@pytest.mark.parametrize("tower", ["clip", "siglip"])
@pytest.mark.parametrize("name", COMPRESSORS)
def test_every_compressor_on_both_towers(name: str, tower: str) -> None:
    tokens = 36 if name == "none" else 9
    built = model(tower=tower, compressor=name, visual_tokens=tokens)
    assert built.vision_tower.config.num_hidden_layers == 4  # of five
    inputs = batch([text(1, 2) + image(tokens) + text(3), image(tokens) + text(4)]) | {"pixel_values": pixels(2)}
    out = built(**inputs, **asked([[3], [4]]), labels=inputs["input_ids"])
    assert out.image_hidden_states.shape == (2, tokens, 32)
    out.loss.backward()
    assert all(weight.grad is not None for weight in built.parameters())
    other = built(**inputs | {"pixel_values": pixels(2, seed=9)}, **asked([[3], [4]]))
    assert (other.logits[:, -1] - out.logits[:, -1]).abs().amax(-1).min() > 1e-3  # the image is seen


@pytest.mark.parametrize("way", WAYS_OF_ASKING, ids=lambda way: way["query_features"])
@pytest.mark.parametrize("padding", ["left", "right"])
def test_a_padded_batch_equals_its_samples(way: dict[str, Any], padding: str) -> None:
    built = model(**way)
    inputs = two_samples(padding)
    logits = built(**inputs).logits
    for row in range(2):
        alone = built(**sample(row)).logits[0]
        torch.testing.assert_close(logits[row][inputs["attention_mask"][row].bool()], alone, **EXACT)


@pytest.mark.parametrize("way", WAYS_OF_ASKING, ids=lambda way: way["query_features"])
def test_the_question_changes_the_visual_tokens_where_it_is_read(way: dict[str, Any]) -> None:
    built = model(**way)
    first, second = (
        built(**sample(0) | {"query_input_ids": torch.tensor([ids])}).image_hidden_states for ids in ([5, 6], [5, 7])
    )
    assert torch.equal(first, second) is (way["query_features"] == "none")


def test_cut_after_all_layers_is_the_whole_language_model() -> None:
    whole, cut = model(), model(query_features="llm-layers", query_layers=3)
    cut.load_state_dict(whole.state_dict())
    torch.testing.assert_close(cut(**sample(0)).logits, whole(**sample(0)).logits, **EXACT)
    assert not any("_decoder_view" in name for name in cut.state_dict())


def test_cut_runs_its_first_layers_only() -> None:
    built = model(query_features="llm-layers", query_layers=1)
    runs: list[int] = []
    for number, layer in enumerate(built.get_decoder().layers):
        layer.register_forward_hook(lambda *_, number=number: runs.append(number))
    feature = built.query_feature(torch.tensor([[5, 6]]))
    assert runs == [0]
    state = built.get_decoder()(torch.tensor([[5, 6]]), output_hidden_states=True).hidden_states[1]
    torch.testing.assert_close(feature, built.get_decoder().norm(state)[:, -1], **EXACT)
    twin = copy.deepcopy(built)  # the view must not point back into the model that was copied
    twin.get_decoder().layers[0].mlp.down_proj.weight.data.zero_()
    assert not torch.equal(twin.query_feature(torch.tensor([[5, 6]])), feature)


def test_precomputed_query_features_and_visual_tokens() -> None:
    built, inputs = model(), two_samples()
    expected = built(**inputs)
    queries = {name: inputs.pop(name) for name in ("query_input_ids", "query_attention_mask")}
    features = built.query_feature(*queries.values())
    assert torch.equal(built(**inputs, query_embeds=features).logits, expected.logits)
    made = built.get_image_features(inputs.pop("pixel_values"), **queries).pooler_output
    assert torch.equal(made, expected.image_hidden_states)
    assert torch.equal(built(**inputs, image_embeds=made).logits, expected.logits)


def test_several_images_in_a_sample_and_none_in_another() -> None:
    built = model()
    rows = [text(1) + image() + text(2) + image() + text(3, 4), text(5, 6), image() + image() + text(7)]
    inputs = batch(rows) | asked([[3, 4], [5], [7]])
    logits = built(**inputs, pixel_values=pixels(4)).logits
    parts = [(rows[0], [3, 4], pixels(4)[:2]), (rows[1], [5], None), (rows[2], [7], pixels(4)[2:])]
    for row, (ids, query, images) in enumerate(parts):
        alone = {"input_ids": torch.tensor([ids]), "pixel_values": images}
        expected = built(**alone, query_input_ids=torch.tensor([query])).logits[0]
        torch.testing.assert_close(logits[row, -len(ids) :], expected, **EXACT)


def test_one_image_shown_to_two_questions_is_not_shared_between_them() -> None:
    built, inputs = model(), two_samples()
    one = inputs["pixel_values"][:1]
    shared = built(**inputs | {"pixel_values": one, "image_index": torch.tensor([0, 0])})
    twice = built(**inputs | {"pixel_values": one.repeat(2, 1, 1, 1)})
    torch.testing.assert_close(shared.logits, twice.logits, **EXACT)
    assert not torch.equal(shared.image_hidden_states[0], shared.image_hidden_states[1])


def test_cache_or_none_static_or_dynamic() -> None:
    built, inputs = model(), two_samples()
    expected = answers(built, inputs)
    assert torch.equal(answers(built, inputs, use_cache=False), expected)
    assert torch.equal(answers(built, inputs, cache_implementation="static"), expected)
    cache = StaticCache(config=built.config.text_config, max_cache_len=32)
    assert torch.equal(answers(built, inputs, past_key_values=cache), expected)
    for row in range(2):
        assert torch.equal(answers(built, sample(row))[0], expected[row])


def test_beams_samples_and_several_answers() -> None:
    built = model()
    rows = [text(1) + image() + text(2) + image() + text(3), text(5) + image() + text(6)]
    inputs = batch(rows) | asked([[3], [6]]) | {"pixel_values": pixels(3)}
    seen: list[int] = []
    built.vision_tower.register_forward_hook(lambda _, args, __: seen.append(len(args[0])))
    beams = answers(built, inputs, num_beams=3, num_return_sequences=2)
    assert beams.shape == (4, 6) and seen == [3]  # three images, encoded once for three beams
    assert not torch.equal(beams[0], beams[1])
    alone = {"input_ids": torch.tensor(rows[:1]), "pixel_values": pixels(3)[:2], "query_input_ids": torch.tensor([[3]])}
    assert torch.equal(answers(built, alone, num_beams=3, num_return_sequences=2), beams[:2])
    torch.manual_seed(1)
    drawn = answers(built, inputs, do_sample=True, num_return_sequences=3)
    assert drawn.shape == (6, 6) and len({tuple(row) for row in drawn.tolist()}) > 2


def test_never_says_the_image_token() -> None:
    built = model()
    with torch.no_grad():
        built.get_output_embeddings().weight[IMAGE] = built.get_output_embeddings().weight.abs().amax()
    inputs = sample(0)
    for options in ({}, {"suppress_tokens": [5]}, {"num_beams": 2}):
        assert IMAGE not in answers(built, inputs, max_new_tokens=20, **options)
    answers(built, inputs, use_cache=False)  # reads its own answer back


def test_logits_of_the_last_positions_only() -> None:
    built, inputs = model(), two_samples()
    whole = built(**inputs).logits
    assert torch.allclose(built(**inputs, logits_to_keep=1).logits, whole[:, -1:], atol=1e-6)
    assert torch.allclose(built(**inputs, logits_to_keep=torch.tensor([2, 5])).logits, whole[:, [2, 5]], atol=1e-6)


def test_the_query_passes_without_the_head() -> None:
    built = model()
    seen: list[int] = []
    built.get_output_embeddings().register_forward_hook(lambda _, args, __: seen.append(args[0].shape[1]))
    answers(built, two_samples(), max_new_tokens=3, min_new_tokens=3)
    assert seen == [1, 1, 1]


def test_query_gradient() -> None:
    inputs = sample(0)
    for wanted in (True, False):
        built = model(query_gradient=wanted)
        built(**inputs).image_hidden_states.sum().backward()
        assert (built.get_input_embeddings().weight.grad is not None) is wanted
        assert built.compressor.text_projection[0].weight.grad is not None


def test_bf16_and_attention_implementations() -> None:
    built, inputs = model(), two_samples()
    assert {part.config._attn_implementation for part in (built.vision_tower, built.language_model)} == {"sdpa"}
    real = inputs["attention_mask"].bool()
    expected = built(**inputs).logits[real]
    eager = copy.deepcopy(built)
    eager.set_attn_implementation("eager")
    torch.testing.assert_close(eager(**inputs).logits[real], expected, **EXACT)
    half = copy.deepcopy(built).bfloat16()
    logits = half(**inputs).logits[real]
    assert logits.dtype == torch.bfloat16
    spread = (expected - expected.mean(-1, keepdim=True)).std()
    assert (logits.float() - expected).std() < 0.1 * spread  # 8 bits of mantissa
    assert answers(half, inputs).shape == (2, 6)


@pytest.mark.parametrize(
    ("order", "way"),
    [
        ("image-first", {}),
        pytest.param("text-first", {}, marks=pytest.mark.slow),
        pytest.param("image-first", {"query_features": "llm-layers", "query_layers": 1}, marks=pytest.mark.slow),
        pytest.param("text-first", ENCODER, marks=pytest.mark.slow),
    ],
)
def test_compiles_as_one_graph(order: str, way: dict[str, Any]) -> None:
    built = model(prompt_order=order, **way)
    inputs = batch([text(1, 2, 3) + image() + text(4), text(5, 6, 7) + image() + text(8)]) | {"pixel_values": pixels(2)}
    inputs |= asked([[2, 3], [7]]) if built.config.asks_beside_the_prompt else {"image_runs": [(3, 7)]}
    torch._dynamo.reset()
    compiled = torch.compile(built, fullgraph=True, backend="aot_eager")
    with torch.no_grad():
        torch.testing.assert_close(
            compiled(**inputs, logits_to_keep=1).logits, built(**inputs, logits_to_keep=1).logits, **EXACT
        )


@pytest.mark.parametrize("options", [{}, {"family": "llama", "prompt_order": "text-first"}, ENCODER])
def test_saves_and_loads_bit_by_bit(options: dict[str, Any], tmp_path: Path) -> None:
    built = model(**options)
    built.save_pretrained(tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".safetensors", ".py"}
    read, base = AutoModelForImageTextToText.from_pretrained(tmp_path), AutoModel.from_pretrained(tmp_path)
    assert type(read) is PlannerVlmForConditionalGeneration and type(base) is PlannerVlmModel
    assert read.state_dict().keys() == built.state_dict().keys()
    for name, weight in built.state_dict().items():
        assert torch.equal(read.state_dict()[name], weight), name
    tied = read.get_output_embeddings().weight is read.get_input_embeddings().weight
    assert tied is (options.get("family") == "llama")
    torch.testing.assert_close(read(**two_samples()).logits, built(**two_samples()).logits, **EXACT)
    states = base(**two_samples()).last_hidden_state
    torch.testing.assert_close(built.get_output_embeddings()(states), built(**two_samples()).logits, **EXACT)
    torch.testing.assert_close(states, built.base_model(**two_samples()).last_hidden_state, **EXACT)


def test_the_base_model_is_a_view() -> None:
    built = model("llama")
    view = built.base_model
    assert view is built.base_model is not built and type(view) is PlannerVlmModel
    assert dict(view.named_parameters()).keys() == dict(built.named_parameters()).keys()
    copied = copy.deepcopy(built)
    assert copied.base_model.vision_tower is copied.vision_tower is not built.vision_tower
    assert built.get_decoder() is view.get_decoder() and built.get_encoder("image") is built.vision_tower
    assert built.get_encoder() is built
    given = two_samples()
    expected, whole = built.base_model(**given).last_hidden_state, built.forward
    built.forward = lambda **inputs: built.base_model(**inputs).last_hidden_state  # as TRL does
    torch.testing.assert_close(built(**given), expected, **EXACT)
    built.forward = whole
    assert built.train().base_model.training and not built.eval().base_model.training


def test_an_engine_builds_it_without_a_head() -> None:
    with torch.device("meta"):
        bare = AutoModel.from_config(config("llama"))
    assert not any("lm_head" in name for name, _ in bare.named_parameters())
    assert bare.get_encoder("image") is bare.vision_tower and bare.get_output_embeddings() is None
    whole = model("llama", compressor="tokenpacker")
    images = whole.base_model.get_image_features(pixels(2), return_dict=True).pooler_output
    assert torch.equal(images, whole.get_image_features(pixels(2), return_dict=False)[0])
    embeds = whole.get_input_embeddings()(torch.tensor([[1, 2, 3]]))
    given = {"input_ids": None, "position_ids": torch.arange(3)[None], "use_cache": False, "return_dict": False}
    states = whole.base_model(inputs_embeds=embeds, **given)[0]
    assert torch.equal(whole.get_output_embeddings()(states), whole(torch.tensor([[1, 2, 3]])).logits)


def test_the_language_model_saves_by_itself(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    built = model("llama")
    built.language_model.save_pretrained(tmp_path)
    plain = AutoModelForCausalLM.from_pretrained(tmp_path)
    ids = torch.tensor([[1, 2, 3]])
    torch.testing.assert_close(plain(ids).logits, built(ids).logits, **EXACT)


def test_an_image_token_behind_the_vocabulary_is_never_looked_up() -> None:
    built, inputs = model(), sample(0)
    expected = built(**inputs, labels=inputs["input_ids"])
    built.config.image_token_id = VOCABULARY + 7
    inputs["input_ids"] = inputs["input_ids"].masked_fill(inputs["input_ids"] == IMAGE, VOCABULARY + 7)
    moved = built(**inputs, labels=inputs["input_ids"])
    assert torch.equal(moved.logits, expected.logits) and torch.equal(moved.loss, expected.loss)


def test_matryoshka_chooses_at_run_time() -> None:
    built = model(compressor="matryoshka", visual_tokens=36)
    for tokens in (1, 4, 9, 36):
        inputs = batch([text(1) + image(tokens) + text(2)]) | {"pixel_values": pixels(1), "visual_tokens": tokens}
        fixed = model(compressor="average-pool", visual_tokens=tokens)
        fixed.load_state_dict(built.state_dict())
        del inputs["visual_tokens"]
        expected = fixed(**inputs).logits
        torch.testing.assert_close(built(**inputs, visual_tokens=tokens).logits, expected, **EXACT)
        assert torch.equal(answers(built, inputs | {"visual_tokens": tokens}), answers(fixed, inputs))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pixel_values": pixels(1)}, "expected 4 image tokens for each of 1 images, got 8"),
        ({"query_input_ids": None}, "reads the query: expected query_input_ids or query_embeds"),
        ({"input_ids": None}, "expected either input_ids or inputs_embeds"),
        ({"input_ids": None, "inputs_embeds": torch.zeros(2, 3, 32)}, "hold their visual tokens already"),
        ({"visual_tokens": 9}, "built for 4 visual tokens, got 9"),
    ],
)
def test_refusals(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        model()(**two_samples() | change)


def test_text_alone() -> None:
    built = model()
    inputs = batch([[1, 2, 3], [4]])
    plain = built.language_model(**inputs).logits
    assert torch.equal(built(**inputs).logits, plain)
    embeds = built.get_input_embeddings()(inputs["input_ids"])
    assert torch.equal(built(inputs_embeds=embeds, attention_mask=inputs["attention_mask"]).logits, plain)
    assert (inputs["input_ids"] == PAD).any()
