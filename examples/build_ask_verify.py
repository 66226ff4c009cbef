"""From the pick to a verdict: plan for this processor, build the model with random weights, ask it, verify the plan.

The language model and the vision tower are small ones, described by their Hugging Face config.json, so that all of it
runs in seconds: samples are short, and each is taken once. With real sizes the same lines hold: leave out `llms`,
`vision`, `seconds` and `retakes`, and name your card. Counts and bytes must be equal; times of so small a model on a
busy processor need not, and the verdict says which are not.
"""

import json
import tempfile
from pathlib import Path

from PIL import Image

import planner
from planner.vlm.answering import answer
from planner.vlm.build import make_processor

LLM = {
    "model_type": "qwen2",
    "hidden_size": 256,
    "intermediate_size": 688,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 1024,
    "max_position_embeddings": 2048,
}
TOWER = {
    "model_type": "clip_vision_model",
    "hidden_size": 128,
    "intermediate_size": 512,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    "image_size": 112,
    "patch_size": 14,
}
JUDGED = {True: "as planned", False: "not as planned", None: "not judged"}

with tempfile.TemporaryDirectory() as folder:
    files = {}
    for name, config in (("small-llm", LLM), ("small-tower", TOWER)):
        files[name] = Path(folder) / name / "config.json"
        files[name].parent.mkdir()
        files[name].write_text(json.dumps(config), encoding="utf-8")

    plan = planner.plan(
        budget=planner.Budget(ttft_s=0.5),
        hardware="cpu",
        precision="fp32",
        llms=str(files["small-llm"]),
        vision=str(files["small-tower"]),
        visual_tokens=(1, 4, 16),
        query_tokens=30,
        generated_tokens=8,
    )
    print(plan)

    model = planner.build(plan.best, dtype="fp32")
    parameters = sum(weight.numel() for weight in model.parameters())
    print(f"\nbuilt: {parameters / 1e6:.1f}M parameters, {model.config.visual_tokens} visual tokens an image")

    said = answer(model, make_processor(model), Image.new("RGB", (112, 112), "teal"), "what is this?", max_new_tokens=8)
    print(f"asked: {said.prompt_tokens} tokens in, {said.generated_tokens} out (random weights say nothing)")

    verdict = planner.verify(model, plan, seconds=0.05, retakes=0)
    print(f"\n{verdict}")
    for check in verdict.checks:
        if check.error is not None:
            print(f"{check.title:24} {check.error:+8.1%}  {JUDGED[check.passed]}")
    for advice in verdict.advice:
        print(advice)

    page = planner.write_report(plan, Path(folder) / "recommendation.html", verdict=verdict)
    print(f"the page for whoever decides: {page.stat().st_size // 1000} kB of HTML, predicted beside measured")
