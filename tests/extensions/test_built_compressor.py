"""A compressor with a torch class of its own, from outside the package: built, counted, saved and loaded."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from costs.loose import compressor_flops
from extensions import resampler
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from vlm.test_build import parts
from vlm.tiny import answers, batch, image, pixels, text

import planner
from planner.base.errors import InputError
from planner.parts.compressors import COMPRESSORS
from planner.vlm import COMPRESSORS as MODULES
from planner.vlm import Compressor, Projector, make_compressor
from planner.vlm.build import build, make_processor, params_table
from planner.vlm.modules import module_name
from planner.vlm.recipe import make_recipe
from planner.vlm.saving import load_model, save_model

HERE = Path(__file__).parents[1]
RESAMPLER = resampler.Resampler(layers=3)
ROWS = [text(1, 2, 3) + image(8) + text(4, 5), text(6, 7, 8) + image(8) + text(9)]
LOAD = """
import sys
import torch
import planner
from planner.vlm.saving import load_model
folder, inputs, outputs, known = sys.argv[1:]
if known == "yes":
    from extensions.resampler import Resampler
    planner.register(Resampler())
model, _ = load_model(folder)
torch.save(model(**torch.load(inputs)).logits, outputs)
"""


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    planner.register(RESAMPLER)
    yield
    COMPRESSORS.remove(RESAMPLER.name)
    if RESAMPLER.name in MODULES:
        MODULES.remove(RESAMPLER.name)


def made(folder: Path, **options: Any) -> Any:
    return build(**parts(folder), **{"compressor": "resampler", "visual_tokens": 8, "dtype": "fp32"} | options)


@pytest.mark.parametrize("order", ["image-first", "text-first"])
def test_it_is_built_as_it_was_counted(order: str, tmp_path: Path) -> None:
    recipe = make_recipe(**parts(tmp_path), compressor="resampler", visual_tokens=8, prompt_order=order)
    model = made(tmp_path, prompt_order=order)
    assert [part for part in params_table(model, recipe) if part.built != part.predicted] == []
    assert len(model.compressor.layers) == 3
    assert model.config.compressor_options == {"layers": 3}
    assert all(bool(weight.isfinite().all()) for weight in model.parameters())
    assert model.compressor.queries.detach().std() == pytest.approx(0.02, rel=0.3)  # of 8 x 32 numbers


def test_its_flops_are_those_of_its_walk() -> None:
    tower = planner.vision_catalog()["CLIP-ViT-L/14-336"]
    width = tower.hidden_size
    for layers in (1, 3):
        with torch.device("meta"):
            module = make_compressor(
                module_name(RESAMPLER), width=width, grid_side=tower.grid_side, visual_tokens=32, layers=layers
            )
            x, projector = torch.empty(1, tower.patches, width), Projector(width, 896)
            with FlopCounterMode(display=False) as counter:
                projector(module(x))
        described = replace(RESAMPLER, layers=layers)
        assert counter.get_total_flops() == float(compressor_flops(described, tower, 896, 32)), layers
        assert sum(weight.numel() for weight in module.parameters()) == described.params(tower, 896, 32), layers


@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.slow
def test_saved_and_loaded_it_answers_the_same(device: str, tmp_path: Path) -> None:
    model = made(tmp_path, device=device)
    folder = save_model(model, make_processor(model), tmp_path / "vlm")
    loaded, _ = load_model(folder)
    given = batch(ROWS) | {"pixel_values": pixels(2)}
    logits = loaded(**given).logits
    if device == "cpu":
        assert torch.equal(logits, model(**given).logits)
        assert torch.equal(answers(loaded, given), answers(model, given))
    torch.save(given, tmp_path / "inputs.pt")

    def elsewhere(known: str) -> subprocess.CompletedProcess[str]:
        files = [str(folder), str(tmp_path / "inputs.pt"), str(tmp_path / "logits.pt"), known]
        path = os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])])
        threads = str(torch.get_num_threads())
        return subprocess.run(
            [sys.executable, "-c", LOAD, *files],
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": path, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": threads},
        )

    done = elsewhere("no")
    assert done.returncode != 0
    expected = f"InputError: cannot load {folder}: no compressor is called 'resampler'; there are: quecc, tokenpacker"
    assert expected in done.stderr
    assert done.stderr.rstrip().endswith("; register the compressor before the model is loaded")
    done = elsewhere("yes")
    assert done.returncode == 0, done.stderr[-2000:]
    torch.testing.assert_close(torch.load(tmp_path / "logits.pt"), logits.detach())


class Bare(Compressor):
    """Weights that nothing makes."""

    def __init__(self, **sizes: Any) -> None:
        super().__init__(**sizes)
        self.scale = nn.Parameter(torch.empty(sizes["width"]))


@dataclass(frozen=True, kw_only=True)
class Scaled(resampler.Resampler):
    """Counted as one number for each channel."""

    def build_options(self) -> dict[str, Any]:
        return {}

    def params(self, tower: Any, llm_width: Any, visual_tokens: Any) -> Any:
        return tower.hidden_size


@pytest.mark.parametrize(
    ("built_as", "message"),
    [
        ("quec", r"is built as 'quec': expected one of quecc, .*, or a class such as \"package\.module:Class\"$"),
        ("nowhere.at_all:X", r"the torch class nowhere\.at_all:X of the compressor .* is missing: No module named"),
        (
            "extensions.resampler_module:X",
            r"the torch class .*:X of .* is missing: .*has no attribute 'X'$",
        ),
        ("a b:X", r"the torch class a b:X of the compressor .* is missing: invalid format"),
        ("torch.nn:Linear", r"the torch class torch\.nn:Linear .* is no subclass of planner\.vlm\.Compressor$"),
        ("extensions.test_built_compressor:Bare", r"has weights in Bare, which has no reset_parameters\(\) that makes"),
        ("planner.vlm:TokenPacker", r"the compressor TokenPacker has [\d,]+ parameters, the plan counted 32 for it$"),
    ],
)
def test_what_cannot_be_built_is_one_sentence(built_as: str, message: str, tmp_path: Path) -> None:
    part = Scaled(name="scaled", built_as=built_as, tokens=(4, 9))
    with pytest.raises(InputError, match=message) as caught:
        made(tmp_path, compressor=part, visual_tokens=4)
    assert "\n" not in str(caught.value)
    if "scaled" in MODULES:
        MODULES.remove("scaled")


def test_a_name_that_another_class_has_is_refused(tmp_path: Path) -> None:
    made(tmp_path)
    part = replace(RESAMPLER, built_as="planner.vlm:TokenPacker")
    with pytest.raises(InputError, match="compressor: there is another 'resampler' already; choose another name"):
        make_recipe(**parts(tmp_path), compressor=part, visual_tokens=8).config()
