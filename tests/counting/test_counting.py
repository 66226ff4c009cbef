"""Architectures that are not known here, counted on the meta device, against real small instances that run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from support import Run
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModelForCausalLM, Cohere2Config, DiffLlamaConfig, Idefics2Config, MiMoV2FlashConfig

from planner.base.errors import InputError, SpecError, UnknownArchitectureError, UnknownNameError
from planner.costs.request import released_cost
from planner.costs.result import RequestCost
from planner.counting import store
from planner.counting.count import Count

SMALL = {
    "vocab_size": 320,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
}
DIFF = DiffLlamaConfig(**SMALL)
WINDOWED_EXPERTS = MiMoV2FlashConfig(
    **{**SMALL, "num_attention_heads": 8, "num_key_value_heads": 4},
    head_dim=16,
    v_head_dim=8,
    n_routed_experts=8,
    num_experts_per_tok=2,
    moe_intermediate_size=32,
    sliding_window=16,
)
UNKNOWN = {"diffllama": DIFF, "mimo_v2_flash": WINDOWED_EXPERTS}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "cache_directory", lambda: tmp_path / "cache")


def folder(tmp_path: Path, config: dict[str, Any]) -> Path:
    path = tmp_path / "model"
    path.mkdir()
    (path / "config.json").write_text(json.dumps(config))
    return path


def counted(path: Path, query: int = 40, generated: int = 6, **more: Any) -> RequestCost:
    return released_cost(path, None, count_with="transformers", query_tokens=query, generated_tokens=generated, **more)


@pytest.mark.parametrize("kind", UNKNOWN)
def test_counts_are_those_of_a_real_model(tmp_path: Path, kind: str) -> None:
    """Parameters, cache and FLOPs of a request that runs past the window, step by step on the CPU."""
    settings = UNKNOWN[kind]
    model = AutoModelForCausalLM.from_config(
        settings, attn_implementation="eager", experts_implementation="batched_mm"
    ).eval()
    cost = counted(folder(tmp_path, settings.to_dict()))
    assert cost.model.params_by_part()["total"] == sum(one.numel() for one in model.parameters())
    with torch.no_grad():
        with FlopCounterMode(display=False) as prefill:
            out = model(torch.zeros(1, 40, dtype=torch.long), use_cache=True, logits_to_keep=1)
        cache = out.past_key_values
        with FlopCounterMode(display=False) as decode:
            for _ in range(6):
                model(torch.zeros(1, 1, dtype=torch.long), past_key_values=cache, use_cache=True)
    assert cost.convention == "torch"
    assert cost.flops.prefill == prefill.get_total_flops()
    assert cost.flops.decode == decode.get_total_flops()
    per_token = [2 * (layer.keys.numel() + layer.values.numel()) / layer.keys.shape[-2] for layer in cache.layers]
    assert cost.kv_bytes_per_token == sum(per_token)


def test_active_parameters_leave_out_the_experts_that_a_token_misses(tmp_path: Path) -> None:
    cost = counted(folder(tmp_path, WINDOWED_EXPERTS.to_dict()))
    model = AutoModelForCausalLM.from_config(WINDOWED_EXPERTS)
    experts = sum(one.numel() for name, one in model.named_parameters() if ".experts." in name)
    assert experts
    assert cost.model.params_by_part()["active"] == cost.llm.params - experts * 6 // 8


def test_vision_model_by_part(tmp_path: Path) -> None:
    """Language model, tower and connector of a type whose tower is not known; its images are refused."""
    tower = {"hidden_size": 48, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    settings = Idefics2Config(
        text_config={"model_type": "mistral", **SMALL, "sliding_window": None},
        vision_config={**tower, "image_size": 56, "patch_size": 14},
    )
    from transformers import Idefics2ForConditionalGeneration

    model = Idefics2ForConditionalGeneration(settings)
    path = folder(tmp_path, settings.to_dict())
    found = counted(path).model.params_by_part()
    inner: Any = model.model

    def params(*modules: Any) -> int:
        return sum(one.numel() for module in modules for one in module.parameters())

    assert found["llm"] == params(inner.text_model, model.lm_head)
    assert found["vision"] == params(inner.vision_model)
    assert found["connector"] == params(inner.connector)
    with pytest.raises(InputError, match="nothing is known of how it cuts images"):
        released_cost(path, "336x336", count_with="transformers", query_tokens=8, generated_tokens=2)


def test_every_output_says_that_it_was_counted(tmp_path: Path) -> None:
    import transformers

    mark = f"counted with transformers {transformers.__version__}"
    cost = counted(folder(tmp_path, DIFF.to_dict()), hardware="l4")
    said = cost.to_dict()
    assert said["counted"] == mark
    assert said["notes"][0].startswith(mark)
    assert said["stages"]["prefill"]["source"].endswith(mark)
    assert cost.latency is not None
    assert cost.latency.ttft_s > 0


def test_never_counted_unasked(tmp_path: Path) -> None:
    with pytest.raises(UnknownArchitectureError, match=r"'diffllama'.*; the transformers .*count_with='transformers'$"):
        released_cost(folder(tmp_path, DIFF.to_dict()), None, query_tokens=8, generated_tokens=2)
    assert not (tmp_path / "cache").exists()


def test_second_time_from_the_cache_and_a_damaged_file_is_counted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from planner.counting import meta

    path = folder(tmp_path, DIFF.to_dict())
    first, runs = counted(path), []
    real = meta.count_model

    def watched(name: str, config: Any) -> Count:
        runs.append(name)
        return real(name, config)

    monkeypatch.setattr(meta, "count_model", watched)
    assert counted(path).to_dict() == first.to_dict()
    assert runs == []
    (file,) = (tmp_path / "cache").iterdir()
    file.write_text(file.read_text()[:100])
    again = counted(path)
    assert runs == ["model"]
    assert again.flops == first.flops
    (said,) = set(again.notes) - set(first.notes)
    assert said == f"the cached count {file} was damaged, so the model was counted again"
    assert counted(path).notes == first.notes


@pytest.mark.parametrize(
    "damage", [{"hidden_size": "64"}, {"llm_params": -1}, {"prefill": {}}, {"products": 3}, {"transformers": "0.0"}]
)
def test_a_file_with_another_meaning_is_damaged(tmp_path: Path, damage: dict[str, Any]) -> None:
    path = folder(tmp_path, DIFF.to_dict())
    counted(path)
    (file,) = (tmp_path / "cache").iterdir()
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, "count": {**content["count"], **damage}}))
    found, said = store.load(file, content["count"]["transformers"])
    assert found is None
    assert "damaged" in said


def test_another_version_is_another_file() -> None:
    assert store.file_of({"a": 1}, "5.0") != store.file_of({"a": 1}, "5.1")
    assert store.file_of({"a": 1, "_name_or_path": "x"}, "5.0") == store.file_of({"a": 1}, "5.0")
    assert store.file_of({"a": 1}, "5.0") != store.file_of({"a": 2}, "5.0")


def test_the_cache_is_read_without_torch(tmp_path: Path) -> None:
    path = folder(tmp_path, DIFF.to_dict())
    counted(path)
    script = (
        "import sys\nfrom pathlib import Path\nfrom planner.counting import store\n"
        f"store.cache_directory = lambda: Path({str(tmp_path / 'cache')!r})\n"
        "from planner.costs.request import released_cost\n"
        f"released_cost({str(path)!r}, None, count_with='transformers', query_tokens=8, generated_tokens=2)\n"
        "print(sorted({'torch', 'transformers'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_beyond_what_was_counted(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="counted up to 128 tokens"):
        counted(folder(tmp_path, DIFF.to_dict()), query=200)


def test_what_a_count_cannot_say_is_refused(tmp_path: Path) -> None:
    path = folder(tmp_path, DIFF.to_dict())
    with pytest.raises(InputError, match="convention='torch'"):
        counted(path, convention="full")
    with pytest.raises(InputError, match="2 GPUs cannot share"):
        counted(path, tensor_parallel=2)
    with pytest.raises(InputError, match="latency_source='roofline'"):
        counted(path, hardware="l4", latency_source="silicon")
    with pytest.raises(UnknownNameError, match="counter"):
        released_cost(path, None, count_with="torch", query_tokens=8, generated_tokens=2)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"model_type": "bailing_moe", "auto_map": {"AutoConfig": "a.B"}}, "code from a repository is never run"),
        ({"model_type": "bert"}, "no key/value cache"),
        ({"model_type": "clip"}, "no language or image-text model of the type 'clip'"),
        ({**DIFF.to_dict(), "num_experts": 8}, "does not read 'num_experts'"),
        ({**DIFF.to_dict(), "quantization_config": {"bits": 4}}, "quantised"),
        ({**DIFF.to_dict(), "architectures": ["DiffLlamaForSequenceClassification"]}, "is not DiffLlamaForCausalLM"),
        ({**DIFF.to_dict(), "hidden_size": "wide"}, "cannot build it"),
    ],
)
def test_refused_in_one_sentence(tmp_path: Path, config: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        counted(folder(tmp_path, config))
    assert "\n" not in str(caught.value)


def test_a_known_architecture_is_not_counted(tmp_path: Path) -> None:
    settings = Cohere2Config(**SMALL)
    cost = counted(folder(tmp_path, settings.to_dict()))
    assert "counted with" not in cost.notes[0]
    assert cost.notes[-1] == "its architecture is known exactly, so nothing was counted with transformers"
    assert cost.convention == "full"
    assert not (tmp_path / "cache").exists()


def test_a_count_that_is_none() -> None:
    with pytest.raises(SpecError, match="expected the count of a model"):
        Count.from_dict([])


def test_a_counted_model_is_built_as_it_was_counted(run: Run, tmp_path: Path) -> None:
    """Marked in every output; without the option it is refused with the offer."""
    path = folder(tmp_path, DIFF.to_dict())
    asked = ("build", "--model", path, "--device", "meta")
    assert run(*asked).complaint.endswith("the transformers installed here may count it: --count-with transformers")
    content = run(*asked, "--count-with", "transformers", "--json").json
    assert content["counted"].startswith("counted with transformers ")
    assert any(note.startswith(content["counted"]) for note in content["notes"])
    total = sum(weight.numel() for weight in AutoModelForCausalLM.from_config(DIFF).parameters())
    for side in ("built", "predicted"):
        assert sum(part[side] for part in content["params"].values()) == total
    assert f"model, {content['counted']}" in run(*asked, "--count-with", "transformers").words
    assert "no counter is called 'transformer'" in run(*asked, "--count-with", "transformer").complaint
    parts = ("build", "--llm", "Qwen2.5-0.5B", "--device", "meta", "--count-with", "transformers")
    assert "--count-with counts a model as it is published: name it with --model" in run(*parts).complaint
    named = ("--model", "Qwen/Qwen3-VL-2B-Instruct", "--device", "meta")
    known = run("build", *named, "--count-with", "transformers", "--json")
    assert known.json["counted"] is None
    assert "its architecture is known exactly, so nothing was counted with transformers" in known.json["notes"]


def test_a_plan_refuses_what_it_would_have_to_count(run: Run, tmp_path: Path) -> None:
    """Nothing counts how images are cut and what a tower does with them; the sentence names what can be had."""
    path = folder(tmp_path, DIFF.to_dict())
    models = f"Qwen/Qwen3-VL-2B-Instruct,{path}"
    limits = ("--budget", "9TFLOPs", "--image", "300x200", "--query-tokens", 3, "--generated-tokens", 3)
    said = run("plan", "--models", models, *limits).complaint
    command = f"vlm-planner cost {path} --images 0 --count-with transformers"
    assert said.startswith("model: nothing is known of language models of the type 'diffllama'")
    assert said.endswith(f"count its language model, though not its images, which a plan needs: {command}")
    request = ("--query-tokens", 3, "--generated-tokens", 3, "--json")
    assert run(*command.split()[1:], *request).json["notes"][0].startswith("counted with transformers ")
