"""Every kind of block against transformers, on small models with random weights: parameters, FLOPs of a prefill, of one
behind a cache and of a decode step under the convention `torch`, the cache after them; differences of exactly 0."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from planner.costs.flops import walk_flops
from planner.parts.configs import read_llm
from planner.parts.llms import Layered, Llm
from planner.parts.walk import Pass

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

Config = dict[str, Any]

SIZES: Config = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "vocab_size": 200,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
HEADLESS: Config = {key: value for key, value in SIZES.items() if key != "head_dim"}
WINDOW: Config = {**SIZES, "sliding_window": 4}
EXPERTS: Config = {**SIZES, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24}
LOCAL: Config = {**SIZES, "num_local_experts": 4, "num_experts_per_tok": 2}
LATENT: Config = {
    **HEADLESS,
    "num_key_value_heads": 4,
    "q_lora_rank": 24,
    "kv_lora_rank": 16,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 16,
    "v_head_dim": 12,
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 24,
    "first_k_dense_replace": 1,
    "n_group": 1,
    "topk_group": 1,
}
DELTA: Config = {
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 12,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
}
STATE: Config = {"mamba_n_heads": 4, "mamba_d_state": 8, "mamba_chunk_size": 4}
SLICES: Config = {**WINDOW, "hidden_size_per_layer_input": 8, "vocab_size_per_layer_input": 120}
WIDE: Config = {**SLICES, "global_head_dim": 24}
HEADED: Config = {"mamba_num_heads": 4, "mamba_head_dim": 12, "n_groups": 2, "ssm_state_size": 8, "chunk_size": 4}
ALONE: Config = {
    key: SIZES[key] for key in ("hidden_size", "vocab_size", "pad_token_id", "bos_token_id", "eos_token_id")
}
KIMI: Config = {key: LATENT[key] for key in LATENT if key not in ("q_lora_rank", "n_routed_experts")}
INDEXED: Config = {**LATENT, "index_topk": 5, "index_head_dim": 16, "index_n_heads": 3}
OLD: Config = {"n_embd": 64, "n_layer": 3, "n_head": 4, "vocab_size": 200, "bos_token_id": 1, "eos_token_id": 2}

KINDS: dict[str, tuple[str, Config]] = {
    "plain MLP, positions": ("gpt2", {**OLD, "n_positions": 64}),
    "parallel blocks, bias of the head": ("gptj", {**OLD, "n_positions": 64, "rotary_dim": 8}),
    "one key/value head": ("falcon", {key: HEADLESS[key] for key in HEADLESS if key[:5] not in ("inter", "num_k")}),
    "windows by layer": ("gemma3_text", WINDOW),
    "windows everywhere": ("mistral", WINDOW),
    "norms over all heads": ("olmo2", SIZES),
    "experts": ("mixtral", LOCAL),
    "experts beside an MLP in every layer": ("hunyuan_v1_moe", {**SIZES, "num_experts": 4, "moe_topk": [2] * 6}),
    "experts, nested sizes": (
        "dbrx",
        {
            "d_model": 64,
            "n_heads": 4,
            "n_layers": 3,
            "max_seq_len": 64,
            "vocab_size": 200,
            "pad_token_id": 0,
            "attn_config": {"kv_n_heads": 2, "clip_qkv": 8.0, "rope_theta": 10000.0},
            "ffn_config": {"ffn_hidden_size": 24, "moe_num_experts": 4, "moe_top_k": 2},
        },
    ),
    "experts with biases, sinks": ("gpt_oss", {**LOCAL, "sliding_window": 4}),
    "experts and a shared one": ("qwen2_moe", {**EXPERTS, "shared_expert_intermediate_size": 40}),
    "experts in every other layer": ("qwen3_moe", {**EXPERTS, "decoder_sparse_step": 2}),
    "experts behind dense layers": (
        "glm4_moe",
        {**SIZES, "n_routed_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24, "num_hidden_layers": 3},
    ),
    "all experts run": ("llama4_text", {**LOCAL, "intermediate_size_mlp": 40, "attention_chunk_size": 4}),
    "latent attention": ("deepseek_v3", LATENT),
    "latent attention, no query latent": ("deepseek_v2", {**LATENT, "q_lora_rank": None}),
    "linear attention": ("qwen3_5_text", {**SIZES, **DELTA}),
    "linear attention, experts": ("qwen3_next", {**EXPERTS, **DELTA, "shared_expert_intermediate_size": 40}),
    "short convolutions": ("lfm2", {**SIZES, "layer_types": ["conv", "full_attention", "conv"] * 2}),
    "state space, experts": ("jamba", {**HEADLESS, "num_experts": 4, "attn_layer_period": 3, "attn_layer_offset": 1}),
    "state space with heads": ("bamba", {**SIZES, **STATE, "attn_layer_indices": [1, 4]}),
    "state space with heads, experts": (
        "granitemoehybrid",
        {**LOCAL, **STATE, "shared_intermediate_size": 40, "layer_types": ["linear_attention", "full_attention"] * 3},
    ),
    "state space with heads, alone": (
        "mamba2",
        {
            **ALONE,
            "num_hidden_layers": 3,
            "num_heads": 8,
            "head_dim": 16,
            "state_size": 8,
            "n_groups": 2,
            "chunk_size": 4,
        },
    ),
    "state space, alone": ("falcon_mamba", ALONE),
    "one block a layer, plain experts in a width of their own": (
        "nemotron_h",
        {
            **{key: SIZES[key] for key in SIZES if key != "num_hidden_layers"},
            **HEADED,
            "layers_block_type": ["linear_attention", "mlp", "full_attention", "moe"],
            "n_routed_experts": 4,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": 24,
            "moe_shared_expert_intermediate_size": 40,
            "moe_latent_size": 16,
            "mlp_bias": True,
            "use_bias": True,
        },
    ),
    "state space beside attention": (
        "falcon_h1",
        {**HEADLESS, **STATE, "mamba_d_ssm": 48, "mamba_n_groups": 2, "mamba_rms_norm": True, "projectors_bias": True},
    ),
    "linear attention by channel, latent attention": (
        "kimi_linear",
        {**KIMI, "num_local_experts": 4, "linear_head_dim": 8, "linear_num_heads": 3, "num_hidden_layers": 5},
    ),
    "linear attention by channel, gated latent attention": (
        "bailing_hybrid",
        {**KIMI, "head_dim": 12, "num_local_experts": 4, "layer_group_size": 3},
    ),
    "linear attention with a fixed decay": ("minimax", {**LOCAL, "block_size": 4}),
    "linear attention, norms over all heads": ("olmo_hybrid", HEADLESS),
    "latent attention to selected tokens": ("deepseek_v32", INDEXED),
    "latent attention to selected tokens, shared": ("glm_moe_dsa", {**INDEXED, "index_topk_freq": 2}),
    "streams, per-layer inputs, borrowed caches": ("gemma3n_text", {**SLICES, "num_kv_shared_layers": 1}),
    "wider heads, per-layer inputs": ("gemma4_text", {**WIDE, "num_kv_shared_layers": 2, "num_hidden_layers": 12}),
    "keys that are values, experts beside an MLP": (
        "gemma4_text",
        {
            **WIDE,
            "hidden_size_per_layer_input": 0,
            "attention_k_eq_v": True,
            "num_global_key_value_heads": 1,
            "enable_moe_block": True,
            "num_experts": 4,
            "top_k_experts": 2,
            "moe_intermediate_size": 24,
        },
    ),
}


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)


def made(model_type: str, config: Config) -> tuple[Any, Llm]:
    """A model of transformers and ours, from the same values."""
    own = transformers.CONFIG_MAPPING[model_type](**config)
    own._experts_implementation = "eager"
    model = transformers.AutoModelForCausalLM.from_config(own, attn_implementation="eager").eval()
    model.requires_grad_(False)  # values that are clamped in place have no gradient to be counted by
    return model, read_llm("small", {**config, "model_type": model_type})


def decoder(model: Any) -> Any:
    """The model without its output head."""
    return getattr(model, "model", model.base_model)


def counted(model: Any, cache: Any, tokens: int, **further: Any) -> int:
    """FLOPs of a pass without the output head."""
    ids, run = torch.randint(3, 100, (1, tokens)), decoder(model)
    key = "cache_params" if "cache_params" in inspect.signature(run.forward).parameters else "past_key_values"
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        run(input_ids=ids, use_cache=True, **{key: cache}, **further)
    return int(counter.get_total_flops())


def predicted(llm: Llm, todo: Pass) -> float:
    return float(walk_flops(llm.walk(todo), masked=False))


@pytest.mark.parametrize("kind", KINDS)
def test_a_small_model_runs_what_is_predicted(kind: str) -> None:
    model, llm = made(*KINDS[kind])
    assert sum(weight.numel() for weight in model.parameters()) == llm.params
    cache = empty_cache(model)
    assert counted(model, cache, 7) == predicted(llm, Pass(1.0, 7.0))
    assert counted(model, cache, 13) == predicted(llm, Pass(1.0, 13.0, 7.0))
    assert counted(model, cache, 1) == predicted(llm, Pass(1.0, 1.0, 20.0, step=True))
    assert held(cache) == sum(
        one.values_per_token * min(21, one.window - 1) + one.constant_values for one in llm.caches()
    )


def empty_cache(model: Any) -> Any:
    """The cache that a model makes for itself."""
    own = getattr(sys.modules[type(model).__module__], "MiniMaxCache", None)
    return transformers.DynamicCache(config=model.config) if own is None else own()


def held(cache: Any) -> int:
    """Numbers in a cache of transformers, which between two steps keeps one token less than a window holds."""
    names = ("keys", "values", "indexer_keys", "conv_states", "recurrent_states")
    found = [getattr(layer, name, None) for layer in cache.layers for name in names]
    flat = [one for entry in found for one in (entry.values() if isinstance(entry, dict) else [entry])]
    return sum(one.numel() for one in [*flat, *getattr(cache, "linear_cache", [])] if torch.is_tensor(one))


def test_layers_beside_the_sequence_run_what_is_predicted() -> None:
    """Llama 3.2 Vision: without an image its crossing layers are skipped; with one they attend to all of it."""
    config = {**SIZES, "cross_attention_layers": [1, 4], "model_type": "mllama_text_model"}
    llm = read_llm("small", config)
    own = transformers.models.mllama.MllamaTextConfig(**config)
    model = transformers.models.mllama.MllamaForCausalLM._from_config(own, attn_implementation="eager").eval()
    assert sum(weight.numel() for weight in model.parameters()) == llm.params
    assert counted(model, transformers.DynamicCache(config=own), 7) == predicted(llm, Pass(1.0, 7.0))
    image = torch.zeros((1, 9, 64))
    cache = transformers.DynamicCache(config=own)
    assert counted(model, cache, 7, cross_attention_states=image) == predicted(llm, Pass(1.0, 7.0, image_tokens=9.0))
    assert counted(model, cache, 1) == predicted(llm, Pass(1.0, 1.0, 7.0, step=True, image_tokens=9.0))
    assert llm.images_beside


# ---- experts that are really touched -----------------------------------------------------------------------------


@pytest.mark.parametrize("tokens", [1, 3, 16, 200])
def test_experts_that_a_run_touches(tokens: int) -> None:
    """With weights drawn at random tokens are routed nearly evenly: distinct experts as expected, within 3 standard
    errors of 40 runs; FLOPs are those of k experts a token, whichever they are."""
    model, llm = made("mixtral", {**LOCAL, "num_local_experts": 16, "num_hidden_layers": 1})
    assert isinstance(llm, Layered)
    (experts,) = (block for block in llm.kinds[0].blocks if hasattr(block, "touched"))
    met: list[int] = []
    rows: list[int] = []
    routed = next(module for module in model.modules() if type(module).__name__.endswith("Experts"))

    def see(module: Any, arguments: Any, options: Any) -> None:
        chosen = options.get("top_k_index", arguments[1] if len(arguments) > 1 else None)
        met.append(len(set(chosen.flatten().tolist())))
        rows.append(chosen.numel())

    routed.register_forward_pre_hook(see, with_kwargs=True)
    for run in range(40):
        torch.manual_seed(run)
        for module in model.modules():  # a router of its own in each run
            if hasattr(module, "weight") and module.weight.shape == (16, 64):
                torch.nn.init.normal_(module.weight)
        embeds = torch.randn((1, tokens, 64))
        with torch.no_grad():
            decoder(model)(inputs_embeds=embeds)
    assert set(rows) == {tokens * 2}
    mean, spread = sum(met) / len(met), torch.tensor(met, dtype=torch.float64).std().item()
    assert mean == pytest.approx(float(experts.touched(tokens)), abs=max(3 * spread / len(met) ** 0.5, 0.05))


# ---- windows, at length ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tokens", [512, 8192, 130_000])
@pytest.mark.parametrize("model_type", ["gemma3_text", "mistral", "gpt_oss", "llama4_text", "gemma2"])
def test_caches_with_windows_are_as_large_as_transformers_own(model_type: str, tokens: int) -> None:
    """At its class's own sizes; what a step attends to is the cache and the token that comes: a window holds both."""
    config = transformers.CONFIG_MAPPING[model_type]()
    llm = read_llm("any", json_of(config), model_type=model_type)
    cache = transformers.DynamicCache(config=config)
    shape = (1, config.num_key_value_heads, tokens, config.head_dim)
    seen = 0
    for layer in range(config.num_hidden_layers):
        states = torch.empty(shape, device="meta")
        cache.update(states, states, layer)
        one = torch.empty((*shape[:2], 1, shape[3]), device="meta")
        keys, values = cache.update(one, one, layer)
        seen += keys.numel() + values.numel()
    assert seen == sum(one.values_per_token * one.kept(tokens + 1) for one in llm.caches())


def json_of(config: Any) -> Config:
    found: Config = json.loads(config.to_json_string())
    return found
