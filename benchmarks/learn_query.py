"""Can one visual token carry what a question asks for? A small model learns a task where that depends on the question.

    python benchmarks/learn_query.py           about twenty minutes on two idle cores; written down run by run
    python benchmarks/learn_query.py --resume  only the runs that the recorded results lack
    python benchmarks/learn_query.py --plot    only draw docs/pictures/learn_query.png from the recorded results

An image shows four real 8 x 8 digits (scikit-learn's `digits`, package `scikit-learn`), one in each quadrant. The
question names a quadrant ("digit top left ?", in two wordings for each side) and
the answer is that quadrant's digit; chance is .10. A ViT, a compressor and a language model are trained together, from
scratch, through the Hugging Face Trainer. Digits that held-out images show are in no training image. All variants see
the same images in the same order for the same number of steps:

    quecc, gradient        one visual token of QueCC, gradient through the query's pass (`query_gradient=True`)
    quecc, no gradient     the same with `query_gradient=False`, as the reference trains
    quecc, no query        the same compressor without a text feature (`query_features="none"`)
    tokenpacker, 4 tokens  query-blind local cross-attention with four tokens, one a quadrant

One token is wide enough to hold four digits, so that a query-blind one could learn them in the end: what is compared is
what each has learned after the same number of steps.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import json
import multiprocessing
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from environment import RESULTS, environment, say, write_result
from torch import Tensor
from torch.utils.data import Dataset
from transformers import CLIPVisionConfig, Qwen2Config, Trainer, TrainerCallback, TrainingArguments

from planner.vlm import PlannerVlmConfig, PlannerVlmForConditionalGeneration

PICTURE = Path(__file__).parents[1] / "docs" / "pictures" / "learn_query.png"

STEPS, BATCH, EVERY = 2000, 64, 100
SEEDS = {"quecc, gradient": 4, "quecc, no gradient": 4, "quecc, no query": 3, "tokenpacker, 4 tokens": 2}
WORKERS = 2
TRAIN_IMAGES, TEST_IMAGES = 32_000, 1000
HELD_OUT_SHARE = 0.2  # of the digits
LEARNING_RATE = 2e-3

QUADRANT_SIDE, PATCH = 8, 4  # pixels; a grid of 4 x 4 patches
SIDE = 2 * QUADRANT_SIDE
WORDS = ("<pad>", "digit", "?", "top", "upper", "bottom", "lower", "left", "west", "right", "east")  # fmt: skip
ROWS_SAID, COLUMNS_SAID = (("top", "upper"), ("bottom", "lower")), (("left", "west"), ("right", "east"))
DIGIT_0 = len(WORDS)  # ids of the answers
IMAGE = DIGIT_0 + 10
VOCABULARY = IMAGE + 1


@dataclass(frozen=True)
class Variant:
    name: str
    compressor: str
    visual_tokens: int
    query_features: str = "none"
    query_gradient: bool = True


VARIANTS = (
    Variant("quecc, gradient", "quecc", 1, "llm"),
    Variant("quecc, no gradient", "quecc", 1, "llm", query_gradient=False),
    Variant("quecc, no query", "quecc", 1),
    Variant("tokenpacker, 4 tokens", "tokenpacker", 4),
)


# ---- data ------------------------------------------------------------------------------------------------------------


def real_digits() -> tuple[Tensor, Tensor]:
    """1,797 scanned digits: (N, 8, 8) from 0 to 1, and which they are."""
    found = importlib.import_module("sklearn.datasets").load_digits()
    return torch.tensor(found.images, dtype=torch.float32) / 16, torch.tensor(found.target)


class FourDigits(Dataset[int]):
    """Images with a question each, rendered beforehand; an item is a row, which `collate` looks up."""

    def __init__(self, glyphs: Tensor, values: Tensor, images: int, seed: int) -> None:
        random = torch.Generator().manual_seed(seed)

        def draw(end: int, *shape: int) -> Tensor:
            return torch.randint(end, shape, generator=random)

        chosen = draw(len(glyphs), images, 2, 2)  # row and column of the quadrant
        grey = glyphs[chosen].permute(0, 1, 3, 2, 4).reshape(images, 1, SIDE, SIDE)
        grey = grey + 0.1 * torch.randn(grey.shape, generator=random)
        self.pixels = ((grey - 0.2) / 0.35).expand(-1, 3, -1, -1)

        self.quadrant = draw(2, images, 2)
        said = draw(2, images, 2)
        ids = {word: number for number, word in enumerate(WORDS)}
        rows, columns = (
            torch.tensor([[ids[word] for word in pair] for pair in names]) for names in (ROWS_SAID, COLUMNS_SAID)
        )
        digit, mark = (torch.full((images, 1), ids[word]) for word in ("digit", "?"))
        vertical = rows[self.quadrant[:, 0], said[:, 0]][:, None]
        horizontal = columns[self.quadrant[:, 1], said[:, 1]][:, None]
        self.questions = torch.cat([digit, vertical, horizontal, mark], dim=1)
        every = torch.arange(images)
        self.answers = values[chosen[every, self.quadrant[:, 0], self.quadrant[:, 1]]]

    def __len__(self) -> int:
        return len(self.answers)

    def __getitem__(self, row: int) -> int:
        return row

    def prompts(self, rows: Tensor, visual_tokens: int) -> dict[str, Tensor]:
        """Inputs of these rows without the answer: image first, then the question."""
        image = torch.full((len(rows), visual_tokens), IMAGE)
        questions = self.questions[rows]
        return {"input_ids": torch.cat([image, questions], 1), "pixel_values": self.pixels[rows]}


@dataclass
class Collate:
    """A batch of rows -> inputs and labels."""

    data: FourDigits
    variant: Variant

    def __call__(self, rows: list[int]) -> dict[str, Tensor]:
        chosen = torch.tensor(rows)
        inputs = asked(self.data, chosen, self.variant)
        answers = DIGIT_0 + self.data.answers[chosen][:, None]
        before = torch.full_like(inputs["input_ids"], -100)
        labels = torch.cat([before, answers], 1)
        return inputs | {"input_ids": torch.cat([inputs["input_ids"], answers], 1), "labels": labels}


def asked(data: FourDigits, rows: Tensor, variant: Variant) -> dict[str, Tensor]:
    inputs = data.prompts(rows, variant.visual_tokens)
    if variant.query_features != "none":
        inputs["query_input_ids"] = data.questions[rows]
    return inputs


def split(glyphs: Tensor, values: Tensor, images: int = TRAIN_IMAGES) -> tuple[FourDigits, FourDigits]:
    """Training and held-out images, of different digits."""
    order = torch.randperm(len(glyphs), generator=torch.Generator().manual_seed(0))
    held_out, rest = order[: round(HELD_OUT_SHARE * len(glyphs))], order[round(HELD_OUT_SHARE * len(glyphs)) :]
    return (
        FourDigits(glyphs[rest], values[rest], images, seed=1),
        FourDigits(glyphs[held_out], values[held_out], TEST_IMAGES, seed=2),
    )


# ---- training --------------------------------------------------------------------------------------------------------


def make_model(variant: Variant) -> PlannerVlmForConditionalGeneration:
    return PlannerVlmForConditionalGeneration(
        PlannerVlmConfig(
            vision_config=CLIPVisionConfig(
                hidden_size=64,
                intermediate_size=256,
                num_hidden_layers=2,
                num_attention_heads=4,
                image_size=SIDE,
                patch_size=PATCH,
                hidden_act="gelu",
            ),
            vision_feature_layers=[1, 2],
            vision_query_layer=2,
            text_config=Qwen2Config(
                vocab_size=VOCABULARY,
                hidden_size=96,
                intermediate_size=192,
                num_hidden_layers=2,
                num_attention_heads=4,
                num_key_value_heads=4,
                initializer_range=0.06,
                bos_token_id=None,
                eos_token_id=None,
                pad_token_id=0,
            ),
            compressor=variant.compressor,
            visual_tokens=variant.visual_tokens,
            compressor_heads=4,
            query_features=variant.query_features,
            query_gradient=variant.query_gradient,
            image_token_id=IMAGE,
        )
    )


@torch.no_grad()
def accuracy(model: PlannerVlmForConditionalGeneration, data: FourDigits, variant: Variant) -> float:
    """Share of questions whose most likely next token, out of the whole vocabulary, is the right digit."""
    was_training = model.training
    model.train(False)
    right = 0
    for rows in torch.split(torch.arange(len(data)), 250):
        logits = model(**asked(data, rows, variant), logits_to_keep=1).logits[:, -1]
        right += int((logits.argmax(-1) == DIGIT_0 + data.answers[rows]).sum())
    model.train(was_training)
    return right / len(data)


class Watch(TrainerCallback):
    """Accuracy on held-out images every so many steps."""

    def __init__(self, data: FourDigits, variant: Variant, every: int) -> None:
        self.data, self.variant, self.every = data, variant, every
        self.curve: list[tuple[int, float]] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step % self.every == 0:
            self.curve.append((state.global_step, accuracy(kwargs["model"], self.data, self.variant)))


def learn(
    variant: Variant, seed: int, train: FourDigits, test: FourDigits, steps: int = STEPS, every: int = EVERY
) -> dict[str, Any]:
    """Trains one model; its accuracy on the held-out images over the steps."""
    torch.manual_seed(seed)
    model = make_model(variant)
    watch = Watch(test, variant, every)
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            max_steps=steps,
            per_device_train_batch_size=BATCH,
            learning_rate=LEARNING_RATE,
            lr_scheduler_type="cosine",
            warmup_steps=round(0.05 * steps),
            weight_decay=0.01,
            save_strategy="no",
            logging_strategy="no",
            remove_unused_columns=False,
            report_to=[],
            use_cpu=True,
            dataloader_pin_memory=False,
            disable_tqdm=True,
            seed=seed,
        )
        trainer = Trainer(
            model=model, args=arguments, train_dataset=train, data_collator=Collate(train, variant), callbacks=[watch]
        )
        start = time.perf_counter()
        trainer.train()
        seconds = time.perf_counter() - start
    return {
        "variant": variant.name,
        "seed": seed,
        "accuracy": watch.curve[-1][1],
        "steps": steps,
        "seconds": round(seconds, 1),
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "curve": watch.curve,
    }


def learn_job(job: tuple[str, int]) -> dict[str, Any]:
    """One run, in a process of its own."""
    torch.set_num_threads(1)  # tensors this small lose by a second one
    warnings.simplefilter("ignore")
    name, seed = job
    variant = next(variant for variant in VARIANTS if variant.name == name)
    with contextlib.redirect_stdout(io.StringIO()):  # the Trainer prints
        return learn(variant, seed, *split(*real_digits()))


def measure(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """All runs but those given, each written down when it ends."""
    jobs = [(variant.name, seed) for seed in range(max(SEEDS.values())) for variant in VARIANTS]
    done = {(run["variant"], run["seed"]) for run in runs}
    jobs = [(name, seed) for name, seed in jobs if seed < SEEDS[name] and (name, seed) not in done]
    result = describe(runs)
    with multiprocessing.get_context("spawn").Pool(WORKERS, maxtasksperchild=1) as pool:
        for run in pool.imap_unordered(learn_job, jobs):
            runs = [*runs, run]
            say(f"{run['variant']}, seed {run['seed']}: {run['accuracy']:.3f} in {run['seconds']:.0f} s")
            result = describe(runs)
            with contextlib.redirect_stdout(io.StringIO()):
                write_result("learn_query", result)
    return result


def describe(runs: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "environment": environment(("torch", "transformers", "accelerate", "scikit-learn", "numpy")),
        "steps": STEPS,
        "batch": BATCH,
        "learning_rate": LEARNING_RATE,
        "train_images": TRAIN_IMAGES,
        "held_out_images": TEST_IMAGES,
        "chance": 0.1,
        "missing_runs": sum(SEEDS.values()) - len(runs),
        "summary": [
            summary(variant, runs) for variant in VARIANTS if any(run["variant"] == variant.name for run in runs)
        ],
        "runs": runs,
    }


def summary(variant: Variant, runs: list[dict[str, Any]]) -> dict[str, Any]:
    found = sorted((run for run in runs if run["variant"] == variant.name), key=lambda run: int(run["seed"]))
    scores = [run["accuracy"] for run in found]
    return {
        "variant": variant.name,
        "visual_tokens": variant.visual_tokens,
        "accuracy": round(float(np.mean(scores)), 4),
        "by_seed": {str(run["seed"]): run["accuracy"] for run in found},
        "seconds": round(float(np.mean([run["seconds"] for run in found])), 1),
    }


# ---- picture ---------------------------------------------------------------------------------------------------------

LOOKS = {
    "quecc, gradient": ("#0072b2", "-", "o", "QueCC, 1 token, gradient through the query"),
    "quecc, no gradient": ("#d55e00", "--", "s", "QueCC, 1 token, no gradient through the query"),
    "quecc, no query": ("#cc79a7", ":", "D", "QueCC without the query (query-blind), 1 token"),
    "tokenpacker, 4 tokens": ("#009e73", "-", "v", "TokenPacker (query-blind), 4 tokens"),
}


def draw(result: dict[str, Any]) -> None:
    """Mean over seeds, and the range as a band."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.6), layout="constrained")
    axes = figure.subplots()
    for name, (colour, style, marker, label) in LOOKS.items():
        if not any(run["variant"] == name for run in result["runs"]):
            continue  # cut short before its first run
        curves = np.array([run["curve"] for run in result["runs"] if run["variant"] == name])  # (seeds, points, 2)
        steps, scores = curves[0, :, 0], curves[..., 1]
        axes.plot(steps, scores.mean(0), style, color=colour, marker=marker, markersize=3.5, label=label)
        axes.fill_between(steps, scores.min(0), scores.max(0), color=colour, alpha=0.15, linewidth=0)
    axes.axhline(result["chance"], color="0.5", linewidth=0.8)
    axes.text(result["steps"], result["chance"] + 0.01, "chance", ha="right", fontsize=8, color="0.4")
    axes.set(xlabel=f"training steps of {result['batch']} images", ylabel="accuracy on held-out images", ylim=(0, 1))
    axes.set_title("Four digits in the image, the question names one: mean and range of the seeds", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(frameon=False, fontsize=8, loc="outside lower center", ncols=2)
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(PICTURE, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--resume", action="store_true", help="only the runs that the recorded results lack")
    parser.add_argument("--plot", action="store_true", help="only draw the picture from the recorded results")
    options = parser.parse_args()
    recorded = RESULTS / "learn_query.json"
    if options.plot:
        draw(json.loads(recorded.read_text(encoding="utf-8")))
        return
    known = json.loads(recorded.read_text(encoding="utf-8"))["runs"] if options.resume and recorded.exists() else []
    result = measure(known)
    print(json.dumps(result["summary"], indent=1))
    draw(result)


if __name__ == "__main__":
    main()
