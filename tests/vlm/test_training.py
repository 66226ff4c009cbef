"""Training: the Hugging Face Trainer, activation checkpointing, frozen parts, LoRA."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import Trainer, TrainingArguments
from vlm.tiny import CHECKPOINTING, IMAGE, asked, batch, image, model, pixels, processor, text

from planner.base.errors import InputError
from planner.vlm.saving import load_model, save_model

ROOT = Path(__file__).parents[2]
KINDS = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
ROWS = [text(1, 2) + image() + text(token, 4, 5) for token in (11, 12, 13, 14)]

PEFT_WARNS = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")


class Samples(torch.utils.data.Dataset[dict[str, Any]]):
    def __len__(self) -> int:
        return 4

    def __getitem__(self, row: int) -> dict[str, Any]:
        return {"ids": ROWS[row], "pixels": pixels(4)[row], "query": ROWS[row][-3:]}


def collate(samples: list[dict[str, Any]]) -> dict[str, Tensor]:
    inputs = batch([sample["ids"] for sample in samples], padding="right")
    images = {"pixel_values": torch.stack([sample["pixels"] for sample in samples])}
    return inputs | images | {"labels": inputs["input_ids"]} | asked([sample["query"] for sample in samples])


@pytest.mark.filterwarnings("ignore:.*pin_memory.*:UserWarning")
@pytest.mark.parametrize("order", ["image-first", "text-first"])
@pytest.mark.parametrize("checkpointed", [False, True])
def test_trainer(order: str, checkpointed: bool, tmp_path: Path) -> None:
    built = model(prompt_order=order)
    arguments = TrainingArguments(
        output_dir=str(tmp_path),
        max_steps=8,
        per_device_train_batch_size=2,
        gradient_accumulation_steps=2,
        learning_rate=3e-3,
        logging_steps=1,
        save_steps=8,
        **{CHECKPOINTING: checkpointed},
        remove_unused_columns=False,
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
        per_device_eval_batch_size=2,
        seed=0,
    )
    trainer = Trainer(model=built, args=arguments, train_dataset=Samples(), data_collator=collate)
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert losses[-1] < 0.7 * losses[0]
    result = trainer.predict(Samples())
    assert result.predictions.shape == (4, 9, 300) and result.metrics["test_loss"] < losses[0]
    read = type(built).from_pretrained(tmp_path / "checkpoint-8")
    for name, weight in built.state_dict().items():
        assert torch.equal(read.state_dict()[name], weight), name


def test_stage_one_trains_compressor_and_projector_only() -> None:
    built = model().train()
    built.vision_tower.requires_grad_(False)
    built.language_model.requires_grad_(False)
    built(**collate([Samples()[0], Samples()[1]])).loss.backward()
    trained = {name.split(".")[0] for name, weight in built.named_parameters() if weight.grad is not None}
    assert trained == {"compressor", "projector"}
    assert all(weight.grad is not None for weight in built.compressor.parameters())


def test_loss_counts_the_items_of_all_accumulated_batches() -> None:
    built = model()
    inputs = collate([Samples()[0], Samples()[1]])
    out = built(**inputs)
    learned = int((inputs["labels"][:, 1:] != IMAGE).sum())
    twice = built(**inputs, num_items_in_batch=2 * learned)
    torch.testing.assert_close(twice.loss * 2, out.loss)


@PEFT_WARNS
@pytest.mark.parametrize("order", ["image-first", "text-first"])
def test_lora_on_the_language_model(order: str, tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    built = model(prompt_order=order)
    inputs = collate([Samples()[0], Samples()[1]])
    before = built(**inputs).logits
    adapted = peft.get_peft_model(
        built,
        peft.LoraConfig(r=2, target_modules=built.lora_targets, modules_to_save=["compressor", "projector"]),
    )
    torch.testing.assert_close(adapted(**inputs).logits, before)
    adapted.train()(**inputs).loss.backward()
    trained = {name for name, weight in adapted.named_parameters() if weight.grad is not None}
    assert any("lora_B" in name for name in trained) and any("compressor" in name for name in trained)
    assert not any("base_layer" in name or "vision_tower" in name for name in trained)
    lora = {name.partition(".lora_")[0].removeprefix("base_model.model.") for name in trained if ".lora_" in name}
    assert {name.rpartition(".")[2] for name in lora} == KINDS and len(lora) == 3 * len(KINDS)
    assert all(name.startswith("language_model.model.layers.") for name in lora)
    adapted.save_pretrained(tmp_path)
    again = peft.PeftModel.from_pretrained(model(prompt_order=order), tmp_path)
    torch.testing.assert_close(again(**inputs).logits, adapted.eval()(**inputs).logits)


@PEFT_WARNS
def test_only_merged_adapters_are_saved_with_the_model(tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    built, inputs = model(), collate([Samples()[0]])
    adapted = peft.get_peft_model(
        built, peft.LoraConfig(r=2, target_modules=built.lora_targets, init_lora_weights=False)
    )
    made = processor(built.config)
    with pytest.raises(InputError, match=r"expects a whole model, got a PeftModel: merge its adapters first"):
        save_model(adapted, made, tmp_path / "model")
    with pytest.raises(InputError, match=r"expects a whole model, got one with adapters in it"):
        save_model(built, made, tmp_path / "model")
    expected = adapted(**inputs).logits
    save_model(adapted.merge_and_unload(), made, tmp_path / "model")
    read, _ = load_model(tmp_path / "model")
    torch.testing.assert_close(read(**inputs).logits, expected, atol=1e-4, rtol=1e-4)


def test_trl_and_peft_train_what_they_should() -> None:
    """As `benchmarks/fine_tuning.py` found: SFTTrainer with the loss on answers alone, whole and with LoRA."""
    content = json.loads((ROOT / "benchmarks" / "results" / "fine_tuning.json").read_text("utf-8"))
    assert {(row["case"], row["lora"]) for row in content["rows"]} == {
        (case, lora) for case in ("quecc", "quecc, text-first", "tokenpacker") for lora in (False, True)
    }
    for row in content["rows"]:
        tower = set() if row["lora"] else {"vision_tower"}
        assert set(row["changed_parts"]) == {"compressor", "language_model", "projector"} | tower, row
        assert row["right_answers"] == row["same_answers_when_loaded"] == row["of"] == 3, row
        assert row["last_loss"] < row["first_loss"], row


@pytest.mark.filterwarnings("ignore:.*pin_memory.*:UserWarning")
def test_a_checkpoint_carries_the_processor(tmp_path: Path) -> None:
    built = model()
    made = processor(built.config)
    options = {"output_dir": str(tmp_path), "max_steps": 1, "save_steps": 1, "report_to": [], "use_cpu": True}
    arguments = TrainingArguments(**options, disable_tqdm=True, remove_unused_columns=False)
    given = {"train_dataset": Samples(), "data_collator": collate, "processing_class": made}
    Trainer(model=built, args=arguments, **given).train()
    read, again = load_model(tmp_path / "checkpoint-1")
    assert torch.equal(read.projector.linear_1.weight, built.projector.linear_1.weight)
    assert again.chat_template == made.chat_template and again.visual_tokens == made.visual_tokens


@PEFT_WARNS
def test_lora_around_the_inner_language_model() -> None:
    peft = pytest.importorskip("peft")
    built = model()
    inputs = collate([Samples()[0]])
    before = built(**inputs).logits
    built.language_model = peft.get_peft_model(built.language_model, peft.LoraConfig(r=2, task_type="CAUSAL_LM"))
    torch.testing.assert_close(built(**inputs).logits, before)
