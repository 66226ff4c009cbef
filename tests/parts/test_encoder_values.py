"""One value of a config changed at a time: parameters are those of the real model, or the config is refused."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from parts.real_encoders import CASES, Case
from parts.test_encoder_flops import counted_params, model_class

from planner.base.errors import SpecError
from planner.parts.encoders import read_encoder

PARTS = ("", "vision_config", "adapter_config")
OF_EVERY_CONFIG = ("output_", "return_", "_", "chunk_size")


def changed(values: dict[str, Any], config: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """What was changed, and the values: every flag turned, every whole number doubled and one more."""
    for part in PARTS:
        inner = getattr(config, part, None) if part else config
        if inner is None:
            continue
        for key, value in inner.to_dict().items():
            if not isinstance(value, int) or key.startswith(OF_EVERY_CONFIG) or key.endswith(("_id", "_index")):
                continue
            for other in (not value,) if isinstance(value, bool) else (2 * value, value + 1):
                found = deepcopy(values)
                (found[part] if part else found)[key] = other
                yield f"{part} {key} = {other}", found


def real_params(values: dict[str, Any]) -> tuple[dict[str, int], int] | None:
    """Of a model on meta, with the width of its language model; None where it cannot be built."""
    import torch
    from transformers import AutoConfig

    try:
        config = AutoConfig.for_model(**deepcopy(values))
        with torch.device("meta"):
            model = model_class(config)(config)
    except Exception:  # what a class says of values that do not fit is its own affair
        return None
    return counted_params(model), config.get_text_config().hidden_size


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_changed_value_is_counted_or_refused(case: Case) -> None:
    transformers = pytest.importorskip("transformers")
    values = case.config()
    counted = refused = 0
    for what, other in changed(values, transformers.AutoConfig.for_model(**deepcopy(values))):
        real = real_params(other)
        if real is None:
            continue
        wanted, width = real
        try:
            encoder = read_encoder(case.hub_id, deepcopy(other), width)
        except SpecError:
            refused += 1
            continue
        counted += 1
        found = {
            "tower": encoder.tower_params,
            "connector": encoder.connector_params,
            "audio": encoder.audio_params,
        }
        assert found == wanted, what
    assert counted > 4
    assert refused < 4 * counted
