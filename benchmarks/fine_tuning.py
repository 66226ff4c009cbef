"""TRL's SFTTrainer and PEFT on the model: does it train, on what, and is what was trained what is saved?

    python benchmarks/fine_tuning.py setup FOLDER      # an environment with trl beside the interpreter's packages
    python benchmarks/fine_tuning.py run FOLDER        # into results/fine_tuning.json

Small random models learn to name the colour of a picture (conversations with pictures, loss on answers alone), whole
and with LoRA on the language model. Afterwards the parts that were not to be trained must be as before to the bit, and
the saved folder must answer as the trained model does.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from environment import environment, say, write_result

TRL, DATASETS = "1.16.0", "5.2.0"
_LLM = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 320,
}
_TOWER = {
    "model_type": "clip_vision_model",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "image_size": 24,
    "patch_size": 4,
}
CASES: Mapping[str, Mapping[str, Any]] = {
    "quecc": {"compressor": "quecc"},
    "quecc, text-first": {"compressor": "quecc", "prompt_order": "text-first"},
    "tokenpacker": {"compressor": "tokenpacker"},
}
COLOURS = {"red": (200, 20, 20), "green": (20, 200, 20), "blue": (20, 20, 200)}
QUESTION = "Which colour?"
STEPS, BATCH = 100, 6
LEARNING_RATES = {False: 3e-3, True: 1e-2}
"""Whole, and with LoRA."""
TRAINED = ("compressor", "projector")
"""Modules that LoRA trains whole, beside the language model's adapters."""


def setup(folder: Path) -> None:
    """The environment; everything but trl and datasets is that of the interpreter."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    packages = next((folder / "lib").glob("python*")) / "site-packages"
    ours = Path(subprocess.__file__).parent / "site-packages" if sys.prefix == sys.base_prefix else _packages()
    (packages / "interpreter.pth").write_text(f"{ours}\n", encoding="utf-8")
    pip = [str(folder / "bin" / "pip"), "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", f"trl=={TRL}"], check=True)
    subprocess.run([*pip, f"datasets=={DATASETS}"], check=True)


def _packages() -> Path:
    return next((Path(sys.prefix) / "lib").glob("python*")) / "site-packages"


def train(name: str, lora: bool, folder: Path) -> dict[str, Any]:
    """One model, trained and saved."""
    import torch
    from trl import SFTConfig, SFTTrainer  # type: ignore[import-not-found]  # in the environment of `setup`

    from planner.vlm import PlannerVlmConfig, PlannerVlmForConditionalGeneration
    from planner.vlm.build import make_processor
    from planner.vlm.saving import load_model, save_model

    torch.manual_seed(0)
    config = PlannerVlmConfig(
        text_config=_LLM, vision_config=_TOWER, visual_tokens=4, compressor_heads=4, **CASES[name]
    )
    model: Any = PlannerVlmForConditionalGeneration(config)
    processor = make_processor(model)
    before = {key: weight.detach().clone() for key, weight in model.named_parameters()}
    sizes: dict[str, Any] = {"max_steps": STEPS, "per_device_train_batch_size": BATCH}
    arguments = SFTConfig(
        output_dir=str(folder / "checkpoints"),
        **sizes,
        learning_rate=LEARNING_RATES[lora],
        assistant_only_loss=True,
        max_length=None,
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
        bf16=False,
        dataset_kwargs={"skip_prepare_dataset": True},
    )
    adapters = None
    if lora:
        from peft import LoraConfig

        adapters = LoraConfig(
            r=8, target_modules=model.lora_targets, modules_to_save=list(TRAINED), task_type="CAUSAL_LM"
        )
    trainer = SFTTrainer(
        model=model, args=arguments, train_dataset=_dataset(), processing_class=processor, peft_config=adapters
    )
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    whole = trainer.model.merge_and_unload() if lora else trainer.model
    changed = {
        key.partition(".")[0]
        for key, weight in whole.named_parameters()
        if not torch.equal(weight.detach(), before[key])
    }
    save_model(whole.eval(), processor, folder / "saved")
    read, again = load_model(folder / "saved")
    return {
        "case": name,
        "lora": lora,
        "first_loss": losses[0],
        "last_loss": losses[-1],
        "changed_parts": sorted(changed),
        "right_answers": sum(_answer(whole, processor, rgb) == colour for colour, rgb in COLOURS.items()),
        "same_answers_when_loaded": sum(
            _answer(read, again, rgb) == _answer(whole, processor, rgb) for rgb in COLOURS.values()
        ),
        "of": len(COLOURS),
    }


def _dataset() -> Any:
    from datasets import Dataset  # type: ignore[import-not-found]  # in the environment of `setup`

    rows = [
        {
            "images": [_picture(rgb)],
            "messages": [
                {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": QUESTION}]},
                {"role": "assistant", "content": [{"type": "text", "text": colour}]},
            ],
        }
        for colour, rgb in COLOURS.items()
    ]
    return Dataset.from_list(rows * (STEPS * BATCH // len(rows)))


def _picture(rgb: tuple[int, int, int]) -> Any:
    from PIL import Image

    return Image.new("RGB", (30, 30), rgb)


def _answer(model: Any, processor: Any, rgb: tuple[int, int, int]) -> str:
    content = [{"type": "image", "image": _picture(rgb)}, {"type": "text", "text": QUESTION}]
    inputs = processor.apply_chat_template(
        [{"role": "user", "content": content}],
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
        add_generation_prompt=True,
    )
    given = inputs["input_ids"].shape[1]
    said = model.generate(**inputs, max_new_tokens=8, do_sample=False)[0, given:]
    return str(processor.decode(said, skip_special_tokens=True)).strip()


def _run() -> None:
    """Inside the environment."""
    rows = []
    for name in CASES:
        for lora in (False, True):
            with TemporaryDirectory() as folder:
                rows.append(train(name, lora, Path(folder)))
            say(f"{name}, {'LoRA' if lora else 'whole'}: loss {rows[-1]['first_loss']} to {rows[-1]['last_loss']}")
    packages = ("torch", "transformers", "trl", "peft", "accelerate", "datasets", "vlm-planner")
    write_result("fine_tuning", {**environment(packages), "steps": STEPS, "batch": BATCH, "rows": rows})


def main() -> None:
    asked = argparse.ArgumentParser(description="TRL and PEFT on the model.")
    asked.add_argument("verb", choices=("setup", "run", "inside"))
    asked.add_argument("folder", type=Path, nargs="?")
    given = asked.parse_args()
    if given.verb == "inside":
        _run()
        return
    if given.folder is None:
        asked.error("expected the folder of the environment")
    folder = given.folder.resolve()
    if given.verb == "setup":
        setup(folder)
        return
    root = Path(__file__).resolve().parents[1]
    settings = {"PYTHONPATH": str(root), "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    command = [str(folder / "bin" / "python"), str(Path(__file__).resolve()), "inside"]
    subprocess.run(command, env=os.environ | settings, check=True)


if __name__ == "__main__":
    main()
