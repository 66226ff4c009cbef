"""`cost` of released models, of folders and of text alone, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from parts.released import MODELS, published
from support import Run

REQUEST = ("--query-tokens", 120, "--generated-tokens", 200)


def test_a_released_model_with_its_own_parts(run: Run) -> None:
    content = run("cost", "Qwen/Qwen3-VL-8B-Instruct", "--image", "1024x768", *REQUEST, "--json").json
    golden = MODELS["Qwen/Qwen3-VL-8B-Instruct"]
    assert content["params"] == {
        "total": golden["total"],
        "active": golden["total"],
        "llm": golden["language_model"],
        "vision": golden["vision_tower"],
        "connector": golden["connector"],
        "audio": 0,
    }
    assert (content["visual_tokens"], content["patches"], content["extra_tokens"]) == (768, 3072, 2)
    assert content["kv_bytes_per_token"] == content["kv_bytes_per_token_full"] == golden["kv_bytes_per_token_bf16_all"]
    assert content["kv_cache_bytes"] == golden["kv_bytes_per_token_bf16_all"] * (770 + 120 + 200)
    assert content["weights_bytes"] == 2 * golden["total"]
    assert content["context_tokens"] == 262_144
    assert content["notes"] == []


def test_a_knob_changes_tokens_and_the_towers_work(run: Run) -> None:
    def cost(*more: object) -> dict[str, object]:
        content: dict[str, object] = run(
            "cost", "Qwen3-VL-8B-Instruct", "--image", "1024x768", *REQUEST, *more, "--json"
        ).json
        return content

    whole, less = cost(), cost("--knob", "max_pixels=256*32*32")
    assert less["visual_tokens"] == 234
    assert less["stages"]["encoder"]["flops"] < 0.3 * whole["stages"]["encoder"]["flops"]  # type: ignore[index]
    assert cost("--knob", "size.longest_edge=262144") == less
    shrunk = cost("--knob", "resize_longest_edge=512")
    assert shrunk["visual_tokens"] == 192


def test_the_prompt_holds_start_and_end_tokens(run: Run) -> None:
    content = run("cost", "SmolVLM-256M-Instruct", "--image", "1024x768", "--images", 2, *REQUEST, "--json").json
    tokens = 2 * 862 + 120 + 200
    assert (
        content["kv_cache_bytes"]
        == MODELS["HuggingFaceTB/SmolVLM-256M-Instruct"]["kv_bytes_per_token_bf16_all"] * tokens
    )


def test_a_folder_is_read_with_its_preprocessor(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "Qwen2.5-VL-7B"
    folder.mkdir()
    for name in ("config.json", "preprocessor_config.json"):
        (folder / name).write_text(json.dumps(published("Qwen/Qwen2.5-VL-7B-Instruct", name)))
    content = run("cost", folder, "--image", "4000x3000", *REQUEST, "--json").json
    assert (content["visual_tokens"], content["hub_id"], content["notes"]) == (15_301, None, [])
    other = folder / "Some-3B.json"
    other.write_bytes((folder / "config.json").read_bytes())
    assert run("cost", other, "--image", "4000x3000", *REQUEST, "--json").json["model"] == "Some-3B"
    (folder / "preprocessor_config.json").unlink()
    content = run("cost", folder / "config.json", "--image", "4000x3000", *REQUEST, "--json").json
    assert content["visual_tokens"] == 15_301
    assert any("no preprocessor_config.json" in note for note in content["notes"])
    told = run("cost", folder / "config.json", "--image", "4000x3000", *REQUEST).out
    assert "no preprocessor_config.json" in told
    assert run("cost", folder / "config.json", "--images", 0, *REQUEST, "--json").json["notes"] == []


def test_text_alone(run: Run) -> None:
    with_images = run("cost", "Qwen3-VL-8B-Instruct", "--images", 0, *REQUEST, "--json").json
    assert with_images["stages"]["encoder"]["flops"] == with_images["stages"]["compressor"]["flops"] == 0
    assert with_images["params"]["vision"] > 0
    alone = run("cost", "Llama-3.1-8B", "--images", 0, "--query-tokens", 1000, "--generated-tokens", 32, "--json").json
    assert alone["total_flops"] == pytest.approx(14.7e12, rel=0.005)


def test_a_language_models_folder_takes_no_image(run: Run, tmp_path: Path) -> None:
    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "vocab_size": 100}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2}
    config = {"model_type": "mistral", "torch_dtype": "float32", **sizes, **heads}
    (tmp_path / "config.json").write_text(json.dumps(config))
    content = run("cost", tmp_path, "--images", 0, *REQUEST, "--json").json
    assert content["params"]["vision"] == content["params"]["connector"] == 0
    assert content["weights_bytes"] == 4 * content["params"]["total"]
    refused = run("cost", tmp_path, "--image", "224x224", *REQUEST)
    assert "takes no images" in refused.complaint


def test_more_than_the_context_is_said(run: Run) -> None:
    content = run(
        "cost", "llava-1.5-7b-hf", "--image", "336x336", "--query-tokens", 4000, "--generated-tokens", 9, "--json"
    ).json
    assert any("4,585 tokens, more than the 4,096" in note for note in content["notes"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("Qwen3-VL-8B-Instruct",), "how many visual tokens? give --image WxH"),
        (("Qwen3-VL-8B-Instruct", "--image", "1024x768", "--visual-tokens", 3), "exclude each other"),
        (("Qwen3-VL-8B-Instruct", "--visual-tokens", 3), "makes its own visual tokens: give --image instead of"),
        (("Qwen3-VL-8B-Instrukt", "--image", "1024x768"), "Qwen/Qwen3-VL-8B-Instruct"),
        (("Qwen3-VL-8B-Instruct", "--image", "1024"), "such as 1024x768"),
        (("Qwen3-VL-8B-Instruct", "--image", "1024x768", "--knob", "max_pixel=3"), "max_pixels"),
        (("Qwen3-VL-8B-Instruct", "--image", "1024x768", "--knob", "max_pixels"), "expected NAME=VALUE"),
        (
            ("Qwen3-VL-8B-Instruct", "--image", "1024x768", "--knob", "max_pixels=1024", "--knob", "max_pixels=2048"),
            "--knob: expected one value of max_pixels, got '1024' and '2048'",
        ),
        (
            ("Qwen3-VL-8B-Instruct", "--image", "1024x768", "--knob", "max_pixels=1024", "--knob", "longest_edge=2048"),
            "max_pixels: expected one value, got 1024 and 2048 (longest_edge is another name of the same knob)",
        ),
        (
            ("Qwen3-VL-8B-Instruct", "--image", "1024x768", "--tensor-parallel", 3),
            "--tensor-parallel: Qwen3-VL-8B-Instruct has 32 heads, which 3 GPUs cannot share evenly; expected a number "
            "that divides them",
        ),
        (("Qwen3-VL-8B-Instruct", "--image", "1024x768", "--vision", "SigLIP-B/16-224"), "brings its own"),
        (("Qwen2.5-7B", "--visual-tokens", 16, "--knob", "max_pixels=3"), "--knob turns a released model's"),
        (("Qwen3-VL-8B-Instruct", "--image", "1x900"), "which the processor refuses"),
        (("/nowhere/at/all", "--image", "10x10"), "/nowhere/at/all"),
    ],
)
def test_what_cannot_be_answered_is_said(run: Run, arguments: tuple[object, ...], said: str) -> None:
    refused = run("cost", *arguments, *REQUEST)
    assert said in refused.complaint


PLAN = ("plan", "--hardware", "h100-sxm", "--ttft", "30ms", *REQUEST)


def test_plan_among_released_models(run: Run, tmp_path: Path) -> None:
    sizes = tmp_path / "sizes.csv"
    sizes.write_text("width,height,count\n1024,768,3\n640,480,1\n")
    best = run(*PLAN, "--models", "qwen3-vl", "--image", sizes, "--images", 2, "--json").json["best"]
    assert best["weights"] == "released"
    assert best["hub_id"].startswith("Qwen/Qwen3-VL-")
    assert set(best["engine"]) >= {"vllm", "sglang"}
    own = run(*PLAN, "--models", "Qwen/Qwen3-VL-2B-Instruct", "--image", "1024x768", "--json").json["best"]
    alone = ("--image", "1024x768", *REQUEST, "--hardware", "h100-sxm")
    knob = () if own["knob"] is None else ("--knob", f"{own['knob']['name']}={own['knob']['value']}")
    cost = run("cost", own["hub_id"], *alone, *knob, "--json").json
    assert cost["total_flops"] == own["total_flops"]
    assert cost["ttft_s"] == own["ttft_s"]
    assert cost["params"] == own["params"]


def test_train_says_the_other_question_aloud(run: Run) -> None:
    asked = ("plan", "--budget", "2TFLOPs", *REQUEST, "--json")
    assert run(*asked, "--train").json == run(*asked).json


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--models", "qwen3-vl", "--image", "10x10", "--train"), "give one of them"),
        (("--models", "qwen3-vl", "--image", "10x10", "--llms", "qwen2.5"), "leave out --llms or --models"),
        (("--models", "qwen3-vl", "--image", "10x10", "--visual-tokens", 4), "leave out --visual-tokens or --models"),
        (("--models", "qwen3-vl"), "such as --image 1024x768"),
        (("--image", "10x10"), "--models released"),
        (("--models", "qwen3-vk", "--image", "10x10"), "did you mean 'qwen3-vl'?"),
        (("--models", "qwen3-vl", "--image", "1024"), "such as 1024x768"),
        (("--models", "qwen3-vl", "--image", "1024x768", "--images", 0), "a plan chooses visual tokens of images"),
    ],
)
def test_plan_keeps_the_two_questions_apart(run: Run, arguments: tuple[object, ...], said: str) -> None:
    assert said in run(*PLAN, *arguments).complaint


def test_a_knob_that_the_processor_cannot_keep_is_said(run: Run) -> None:
    words = ("cost", "Qwen/Qwen3-VL-2B-Instruct", "--image", "1024x768", "--query-tokens", 10, "--generated-tokens", 2)
    said = "max_pixels=1 is less than the 1024 pixels of one visual token"
    found = run(*words, "--knob", "max_pixels=1", "--json").json
    assert found["visual_tokens"] == 1
    assert [note for note in found["notes"] if note.startswith(said)] != []
    assert said in run(*words, "--knob", "max_pixels=1").words
    assert said not in run(*words, "--knob", "max_pixels=65536").words
    assert run(*words, "--knob", "max_pixels=0").complaint == (
        "max_pixels: expected a whole number of 1 to 1000000000000, got '0'"
    )
