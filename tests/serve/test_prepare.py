"""From a chat to the model's inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from serve.asking import chat, uri

from planner.serve.chat import read_chat
from planner.serve.prepare import Preparer
from planner.serve.settings import Settings

CLEAR = Image.new("RGBA", (6, 4), (0, 0, 0, 0))
SIXTEEN_BIT = Image.fromarray(np.arange(24, dtype=np.uint16).reshape(4, 6) * 2700)


@pytest.mark.parametrize("image", [CLEAR, SIXTEEN_BIT], ids=["alpha over white", "16 bits scaled"])
def test_images_reach_the_processor_as_they_are(tiny_parts: tuple[Any, Any], image: Image.Image) -> None:
    model, processor = tiny_parts
    body = chat("what?", 1)
    body["messages"][0]["content"][0]["image_url"]["url"] = uri(image)
    inputs = Preparer(processor, model.config, Settings())(read_chat(body)).inputs
    expected = processor(images=image, text="<image>", return_tensors="pt")["pixel_values"]
    assert torch.equal(inputs["pixel_values"], expected)
    assert processor.max_positions == 512
