"""Towers and connectors against small real models on the CPU: FLOPs and parameters, difference 0."""

from __future__ import annotations

import re
from typing import Any

import pytest
from parts.real_encoders import CASES, Case
from parts.released import published
from parts.test_encoders import flops

from planner.base.errors import SpecError
from planner.parts.encoders import ENCODER_READERS, Encoder, TransformerEncoder, read_encoder

CONNECTOR = re.compile(
    r"multi_modal_projector|connector|merger|embed_vision|image_newline|vision_adapter|img_projection|feature_extensor"
)
LLM = re.compile(r"language_model|text_model|lm_head|^model\.(layers|norm|embed_tokens\.weight)")
AUDIO = re.compile(r"audio")


def model_class(config: Any) -> Any:
    """The class that transformers makes a model of."""
    transformers = pytest.importorskip("transformers")
    for made in (transformers.AutoModelForImageTextToText, transformers.AutoModelForCausalLM):
        if type(config) in made._model_mapping:
            return made._model_mapping[type(config)]
    raise AssertionError(type(config))


def built(case: Case, attention: str = "eager") -> tuple[Any, Encoder]:
    """The real model and what is counted of it."""
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    values = case.config()
    config = transformers.AutoConfig.for_model(**values)
    model = model_class(config)._from_config(config, attn_implementation=attention, dtype=torch.float32).eval()
    return model, read_encoder(case.hub_id, values, 32)


def counted_params(model: Any) -> dict[str, int]:
    """Parameters beside the language model."""
    counted = {"tower": 0, "connector": 0, "audio": 0}
    for name, weight in model.named_parameters():
        if not LLM.search(name):
            kind = "audio" if AUDIO.search(name) else "connector" if CONNECTOR.search(name) else "tower"
            counted[kind] += weight.numel()
    return counted


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_flops_and_parameters_are_those_of_a_real_model(case: Case) -> None:
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    model, encoder = built(case)
    wanted = {"tower": encoder.tower_params, "connector": encoder.connector_params, "audio": encoder.audio_params}
    assert counted_params(model) == wanted

    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        case.run(model, case.inputs(torch))
    ran = counter.get_total_flops() - case.masking
    for name in case.unused:
        ((found, operations),) = [
            (module, counts) for module, counts in counter.get_flop_counts().items() if module.endswith(name)
        ]
        assert operations, found
        ran -= sum(operations.values())
    walks = sum(flops(encoder.tower_walk(seen, 1)) + flops(encoder.connector_walk(seen, 1)) for seen in case.seen)
    assert ran == walks


def test_every_reader_has_a_real_model() -> None:
    """The two convolutional towers need timm: recorded numbers stand for them in test_encoders.py."""
    types = {case.config()["model_type"] for case in CASES.values()}
    assert types == set(ENCODER_READERS.names()) - {"fast_vlm", "gemma3n"}


AUDIO_OF = {
    "google/gemma-4-E4B-it": ("model.audio_tower.", "model.embed_audio."),
    "google/gemma-4-12B-it": ("model.embed_audio.",),
    "microsoft/Phi-4-multimodal-instruct": ("model.embed_tokens_extend.audio_embed.",),
}


@pytest.mark.parametrize("hub_id", AUDIO_OF)
def test_audio_towers_have_the_parameters_of_the_real_classes(hub_id: str) -> None:
    """At the sizes of the class, beside a language model of one width; nothing of vision or text is built."""
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    values = published(hub_id, "config.json")
    assert values is not None
    config = transformers.AutoConfig.for_model(**values)
    with torch.device("meta"):
        model = model_class(config)(config)
    found = sum(w.numel() for name, w in model.named_parameters() if name.startswith(AUDIO_OF[hub_id]))
    assert found == read_encoder(hub_id, values, config.get_text_config().hidden_size).audio_params > 0


def test_the_audio_tower_beside_a_convolutional_one_has_the_parameters_of_the_real_classes() -> None:
    """Gemma 3n's vision tower needs timm: its audio tower and embedder are built by themselves."""
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    values = published("google/gemma-3n-E2B-it", "config.json")
    assert values is not None
    config = transformers.AutoConfig.for_model(**values)
    real = transformers.models.gemma3n.modeling_gemma3n
    with torch.device("meta"):
        modules = (
            real.Gemma3nAudioEncoder(config.audio_config),
            real.Gemma3nMultimodalEmbedder(config.audio_config, config.text_config),
        )
    found = sum(weight.numel() for module in modules for weight in module.parameters())
    assert found == read_encoder("it", values, config.text_config.hidden_size).audio_params > 0


def test_sizes_that_the_real_class_cannot_run_are_refused() -> None:
    llama, gemma = CASES["llama4"].config(), CASES["gemma4_unified"].config()
    llama["vision_config"] |= {"projector_input_dim": 40}
    with pytest.raises(SpecError, match="expected 'intermediate_size' to be 192"):
        read_encoder("it", llama, 32)
    gemma["vision_config"] |= {"output_proj_dims": 40}
    with pytest.raises(SpecError, match="expected 'output_proj_dims' to be 48 like 'mm_embed_dim', got 40"):
        read_encoder("it", gemma, 32)


def test_molmo_2_is_read_by_the_names_of_its_released_files() -> None:
    values = CASES["molmo2"].config()
    counted = read_encoder("it", values, 32).tower_params
    vision = values["vision_config"]
    for key in ("num_position_embeddings", "image_size", "patch_size"):
        vision.pop(key)
    vision |= {"image_default_input_size": [56, 28], "image_patch_size": 14}
    assert read_encoder("it", values, 32).tower_params == counted - 8 * 48
    vision["image_num_pos"] = 16
    assert read_encoder("it", values, 32).tower_params == counted
    vision["image_patch_size"] = 7
    assert read_encoder("it", values, 32).tower_params == counted - 48 * 3 * (14**2 - 7**2)


def test_molmo_2_needs_layers_up_to_the_last_that_it_uses() -> None:
    values = CASES["molmo2"].config()
    for used, needed in (([2, 1], 3), ([1, 0], 2), ([-2, 0], 2), ([-1], 3)):
        values["adapter_config"]["vision_feature_layer"] = used
        encoder = read_encoder("it", values, 32)
        assert isinstance(encoder, TransformerEncoder)
        assert encoder.layers_run == needed
    for used in ([3], [], [True], [-4], "last"):
        values["adapter_config"]["vision_feature_layer"] = used
        with pytest.raises(SpecError, match="to be a list of the tower's 3 layers"):
            read_encoder("it", values, 32)
