"""The `torch` convention against FlopCounterMode, and parameter counts against transformers: differences of exactly 0.

Small models run on the CPU; full-size ones on the meta device, where tensors have shapes and no memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from costs.loose import decoder_flops, encoder_flops, head_flops, request_flops
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.costs.stages import Workload
from planner.parts.catalog import compressor_catalog, llm_catalog, load_llm_config, vision_catalog
from planner.parts.configs import read_llm
from planner.parts.llms import Dense, Llm

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from torch.nn.attention import SDPBackend, sdpa_kernel  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

TOWER = vision_catalog()["CLIP-ViT-B/32-224"]
CATALOG = json.loads(resources.files("planner.parts").joinpath("catalog.json").read_text("utf-8"))

Config = dict[str, Any]


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """The tensors are too small to share."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


# ---- models, and what is counted when they run -------------------------------------------------------------------


def causal_lm(model_type: str, config: Config, device: str = "meta") -> Any:
    """A transformers model of random weights, bfloat16 on the meta device."""
    dtype = torch.bfloat16 if device == "meta" else torch.float32
    with torch.device(device):
        made = transformers.CONFIG_MAPPING[model_type](**config)
        return transformers.AutoModelForCausalLM.from_config(made, dtype=dtype).eval()


@cache
def full_size(name: str) -> Any:
    """A model of the catalogue on the meta device."""
    entry = CATALOG["llm"][name]
    return causal_lm(entry["model_type"], entry["config"])


def passes(model: Any, steps: Sequence[tuple[int, bool]], batch: int = 1) -> list[int]:
    """FLOPs of passes over so many new tokens each, one behind the other in one cache.

    The flag says whether the head gives logits for the last position, or the decoder layers run alone.
    """
    known = transformers.DynamicCache(config=model.config)
    found = []
    for tokens, head in steps:
        shape = (batch, tokens, model.config.hidden_size)
        embeds = torch.zeros(shape, dtype=model.dtype, device=model.device)
        options = {"inputs_embeds": embeds, "past_key_values": known, "use_cache": True}
        # the CPU's fused kernel is not counted, so attention is asked for as plain products there
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            if head:
                model(**options, logits_to_keep=1)
            else:
                model.model(**options)
        found.append(counter.get_total_flops())
    return found


def predicted(llm: Llm, tokens: int, cached: int, head: bool = True) -> float:
    flops = float(decoder_flops(llm, tokens, cached, causal=False))
    return flops + (float(head_flops(llm, 1)) if head else 0.0)


def assert_exact(model: Any, llm: Llm, prefill: int = 19, cached: int = 7) -> None:
    """A prefill behind what is cached, with logits for one position, and one decode step."""
    counted = passes(model, [(cached, False), (prefill, True), (1, True)])
    assert counted == [
        predicted(llm, cached, 0, head=False),
        predicted(llm, prefill, cached),
        predicted(llm, 1, cached + prefill),
    ]


def parameters(model: Any) -> int:
    """Distinct ones: a tied head is the embedding."""
    return sum(weight.numel() for weight in model.parameters())


# ---- language models of the catalogue ----------------------------------------------------------------------------


def small(config: Config) -> Config:
    """The same shape in small: query heads to a key/value head, tying, head dimension and the rest stay as they are."""
    shared = config["num_attention_heads"] // config["num_key_value_heads"]
    heads = 2 * shared
    return {
        **config,
        "hidden_size": 40 * heads,
        "intermediate_size": 56,
        "num_hidden_layers": 2,
        "num_attention_heads": heads,
        "num_key_value_heads": 2,
        "vocab_size": 101,
        **({"head_dim": 48} if "head_dim" in config else {}),
        "pad_token_id": 0,
    }


def kind(entry: Config) -> tuple[str, bool, bool]:
    """What makes small shapes differ: family, tying, grouped-query attention."""
    config = entry["config"]
    grouped = config["num_key_value_heads"] < config["num_attention_heads"]
    return entry["family"], config["tie_word_embeddings"], grouped


SMALL = {kind(entry): (entry["model_type"], small(entry["config"])) for entry in CATALOG["llm"].values()}


@pytest.mark.parametrize(
    ("model_type", "config"), SMALL.values(), ids=[f"{name}-{tied}-{grouped}" for name, tied, grouped in SMALL]
)
def test_small_models_of_every_family_run_what_is_predicted(model_type: str, config: Config) -> None:
    model, llm = causal_lm(model_type, config, "cpu"), read_llm("small", config, model_type=model_type)
    assert parameters(model) == llm.params
    assert_exact(model, llm)


@pytest.mark.parametrize("family", ["Qwen2.5", "Phi-4"])
def test_a_batch_of_equal_requests_costs_its_multiple(family: str) -> None:
    model_type, config = next(shape for (name, *_), shape in SMALL.items() if name == family)
    model, llm = causal_lm(model_type, config), read_llm("small", config, model_type=model_type)
    assert passes(model, [(9, True), (1, True)], batch=5) == [5 * predicted(llm, 9, 0), 5 * predicted(llm, 1, 9)]


QUICK = {
    "Qwen1.5-0.5B": "multi-head, biases, tied",
    "Qwen2.5-72B": "grouped-query, biases, 80 layers",
    "Qwen3-0.6B": "QK-norm, attention wider than the model",
    "Llama-3.2-1B": "grouped-query, tied",
    "Phi-1.5": "no gate, biases, LayerNorm",
    "Phi-3.5-mini": "fused projections",
}


@pytest.mark.parametrize("name", QUICK)
def test_full_size_models_prefill_what_is_predicted(name: str) -> None:
    assert passes(full_size(name), [(66, True)]) == [predicted(llm_catalog()[name], 66, 0)]


@pytest.mark.slow
@pytest.mark.parametrize("name", CATALOG["llm"])
def test_full_size_models_run_what_is_predicted(name: str) -> None:
    assert_exact(full_size(name), llm_catalog()[name], prefill=66, cached=50)


@pytest.mark.parametrize("name", CATALOG["llm"])
def test_parameter_counts_are_those_of_transformers(name: str) -> None:
    assert parameters(full_size(name)) == llm_catalog()[name].params == CATALOG["llm"][name]["params"]


# ---- config.json files of other models ---------------------------------------------------------------------------

SIZES: Config = {
    "hidden_size": 64,
    "intermediate_size": 112,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 131,
    "pad_token_id": 0,
}
FILES: dict[str, Config] = {
    "mistral": {"model_type": "mistral", "sliding_window": None, "tie_word_embeddings": False},
    "mistral, head dimension": {"model_type": "mistral", "sliding_window": None, "head_dim": 24},
    "mistral, window longer than the context": {"model_type": "mistral", "sliding_window": 64},
    "gemma": {"model_type": "gemma", "num_key_value_heads": 1, "head_dim": 32},
    "gemma2, soft caps": {"model_type": "gemma2", "head_dim": 16, "sliding_window": 64},
    "gemma3": {"model_type": "gemma3_text", "num_key_value_heads": 1, "head_dim": 32, "sliding_window": 64},
    "phi": {"model_type": "phi", "partial_rotary_factor": 0.5},
    "phi3": {"model_type": "phi3", "partial_rotary_factor": 0.75},
    "llama, biases": {"model_type": "llama", "attention_bias": True, "mlp_bias": True},
    "llama, head dimension": {"model_type": "llama", "head_dim": 24},
    "llama, one key/value head": {"model_type": "llama", "num_key_value_heads": 1},
    "qwen3, biases": {"model_type": "qwen3", "attention_bias": True, "head_dim": 16},
    "qwen2": {"model_type": "qwen2", "tie_word_embeddings": True},
}


@pytest.mark.parametrize("name", FILES)
def test_config_files_are_read_to_the_last_flop(tmp_path: Path, name: str) -> None:
    """The file is the one that transformers itself saves, defaults included."""
    config = SIZES | FILES[name]
    model = causal_lm(config["model_type"], config, "cpu")
    model.config.save_pretrained(tmp_path)
    llm = load_llm_config(tmp_path / "config.json")
    assert parameters(model) == llm.params
    assert_exact(model, llm)


@pytest.mark.parametrize("model_type", ["mistral", "gemma2", "gemma3_text"])
def test_a_window_shorter_than_the_context_is_counted(model_type: str) -> None:
    """The mask saves no work in a pass over new tokens; the cache of a layer with a window holds the window only."""
    config = SIZES | {"head_dim": 16, "sliding_window": 8}
    model, llm = causal_lm(model_type, config), read_llm("windowed", config, model_type=model_type)
    prefill, more, step = passes(model, [(19, True), (5, True), (1, True)])
    assert prefill == predicted(llm, 19, 0)
    assert more == predicted(llm, 5, 19)
    assert step == predicted(llm, 1, 24)
    assert isinstance(llm, Dense)
    everywhere = replace(llm, windows=())
    assert predicted(llm, 1, 0) < step < predicted(everywhere, 1, 24)
    assert prefill == predicted(everywhere, 19, 0)
    assert decoder_flops(llm, 19, 0) < decoder_flops(everywhere, 19, 0)


PUBLISHED: dict[str, Config] = {
    "Mistral-7B": {
        "model_type": "mistral",
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "vocab_size": 32000,
        "sliding_window": 4096,
    },
    "gemma-2b": {
        "model_type": "gemma",
        "hidden_size": 2048,
        "intermediate_size": 16384,
        "num_hidden_layers": 18,
        "num_attention_heads": 8,
        "num_key_value_heads": 1,
        "head_dim": 256,
        "vocab_size": 256000,
    },
    "gemma-2-2b": {
        "model_type": "gemma2",
        "hidden_size": 2304,
        "intermediate_size": 9216,
        "num_hidden_layers": 26,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "head_dim": 256,
        "vocab_size": 256000,
    },
    "gemma-3-1b": {
        "model_type": "gemma3_text",
        "hidden_size": 1152,
        "intermediate_size": 6912,
        "num_hidden_layers": 26,
        "num_attention_heads": 4,
        "num_key_value_heads": 1,
        "head_dim": 256,
        "vocab_size": 262144,
    },
    "phi-1": {
        "model_type": "phi",
        "hidden_size": 2048,
        "intermediate_size": 8192,
        "num_hidden_layers": 24,
        "num_attention_heads": 32,
        "vocab_size": 51200,
    },
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name == "Mistral-7B" else [pytest.mark.slow]) for name in PUBLISHED]
)
def test_published_config_files_are_read_to_the_last_flop(tmp_path: Path, name: str) -> None:
    file = tmp_path / name / "config.json"
    file.parent.mkdir()
    file.write_text(json.dumps(PUBLISHED[name]), encoding="utf-8")
    llm = load_llm_config(file)
    config = {key: value for key, value in PUBLISHED[name].items() if key != "model_type"}
    model = causal_lm(PUBLISHED[name]["model_type"], config)
    assert parameters(model) == llm.params
    assert passes(model, [(66, True), (1, True)]) == [predicted(llm, 66, 0), predicted(llm, 1, 66)]


@settings(deadline=None, max_examples=10)
@given(
    model_type=st.sampled_from(["llama", "qwen2", "qwen3", "mistral", "gemma", "gemma2", "gemma3_text", "phi3"]),
    kv_heads=st.integers(1, 3),
    shared=st.integers(1, 4),
    head_dim=st.sampled_from([4, 8, 14]),
    hidden_size=st.integers(1, 9).map(lambda n: 12 * n),
    intermediate_size=st.integers(1, 200),
    num_layers=st.integers(1, 3),
    vocab_size=st.integers(2, 300),
    biases=st.booleans(),
    tied=st.booleans(),
    prefill=st.integers(1, 40),
    cached=st.integers(1, 20),
)
def test_any_shape_runs_what_is_predicted(
    model_type: str,
    kv_heads: int,
    shared: int,
    head_dim: int,
    hidden_size: int,
    intermediate_size: int,
    num_layers: int,
    vocab_size: int,
    biases: bool,
    tied: bool,
    prefill: int,
    cached: int,
) -> None:
    config = {
        "hidden_size": hidden_size - hidden_size % (kv_heads * shared) or kv_heads * shared,
        "intermediate_size": intermediate_size,
        "num_hidden_layers": num_layers,
        "num_attention_heads": kv_heads * shared,
        "num_key_value_heads": kv_heads,
        "head_dim": head_dim,
        "vocab_size": vocab_size,
        "attention_bias": biases,
        "mlp_bias": biases,
        "tie_word_embeddings": tied,
        "sliding_window": 64,
        "pad_token_id": 0,
    }
    model, llm = causal_lm(model_type, config), read_llm("any", config, model_type=model_type)
    assert parameters(model) == llm.params
    assert_exact(model, llm, prefill, cached)


# ---- whole requests: query pass, chunked prefill, decode ---------------------------------------------------------

QWEN = small(CATALOG["llm"]["Qwen2.5-7B"]["config"])
REQUESTS = {
    "nothing cached or generated": Workload(5, 0, system_tokens=4),
    "all kinds": Workload(11, 2, cached_tokens=13, system_tokens=6, images=2),
}


@pytest.mark.parametrize(
    ("compressor", "prompt_order"), [("quecc", "image-first"), ("quecc", "text-first"), ("none", "text-first")]
)
@pytest.mark.parametrize("workload", REQUESTS.values(), ids=REQUESTS)
@pytest.mark.parametrize("model_type", ["qwen2", "phi"])
def test_stages_of_the_llm_are_the_passes_that_run(
    model_type: str, workload: Workload, prompt_order: str, compressor: str
) -> None:
    """Text first, the pass over the text is the query pass, and the image follows in the same cache."""
    config = QWEN if model_type == "qwen2" else SIZES
    model, llm = causal_lm(model_type, config), read_llm("small", config, model_type=model_type)
    squeezer = compressor_catalog()[compressor]
    visual, text = 9 * workload.images, workload.prefilled_text_tokens
    flops = request_flops(
        llm, 9, workload, vision=TOWER, compressor=squeezer, convention="torch", prompt_order=prompt_order
    )
    known = [(workload.cached_tokens, False)] if workload.cached_tokens else []
    runs_ahead = squeezer.query_aware and prompt_order == "text-first"
    prompt = [(text, False), (visual, True)] if runs_ahead else [(text + visual, True)]
    counted = passes(model, [*known, *prompt, *[(1, True)] * workload.generated_tokens])[len(known) :]
    assert flops.prefill == sum(counted[: len(prompt)])
    assert flops.decode == sum(counted[len(prompt) :])
    if squeezer.query_aware and prompt_order == "image-first":
        assert [flops.query_pass] == passes(model, [(workload.query_tokens, False)])
    else:
        assert flops.query_pass == 0


# ---- towers ------------------------------------------------------------------------------------------------------


def tower(name: str, layers: int, **config: Any) -> Any:
    entry = CATALOG["vision"][name]
    made = transformers.CONFIG_MAPPING[entry["model_type"]](
        **{**entry["config"], "num_hidden_layers": layers, **config}
    )
    kind = transformers.CLIPVisionModel if "clip" in entry["model_type"] else transformers.SiglipVisionModel
    with torch.device("meta"):
        return kind(made).eval()


@pytest.mark.parametrize("name", CATALOG["vision"])
def test_towers_run_what_is_predicted(name: str) -> None:
    """As they are built for their second-last layer: one layer fewer, no pooling head and no norm behind the layers."""
    vision = vision_catalog()[name]
    headless = {} if vision.class_token else {"vision_use_head": False}
    model = tower(name, vision.layers_run, **headless)
    pixels = torch.zeros(1, 3, vision.image_size, vision.image_size, device="meta")
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        features = model(pixel_values=pixels).last_hidden_state
    assert features.shape == (1, vision.patches + vision.class_token, vision.hidden_size)
    assert counter.get_total_flops() == encoder_flops(vision)
    last_norm = next(part for name, part in model.named_modules() if name.endswith("post_layernorm"))
    assert parameters(model) - parameters(last_norm) == vision.params_run


@pytest.mark.parametrize("name", CATALOG["vision"])
def test_parameter_counts_of_whole_towers_are_those_of_transformers(name: str) -> None:
    vision = vision_catalog()[name]
    assert parameters(tower(name, vision.num_layers)) == vision.params == CATALOG["vision"][name]["params"]
