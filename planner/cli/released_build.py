"""`build --model`, and `build --from` a plan that picked one: the true architecture of a released model."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from planner.base.errors import InputError
from planner.base.quantities import format_bytes
from planner.cli.common import json_text, parse_seed, show_story
from planner.cli.running import needs_torch, progress_bar
from planner.configuration import ReleasedModel


def build_released_model(
    model: str | ReleasedModel,
    output: str | None,
    *,
    weights: str,
    dtype: str | None,
    device: str,
    seed: int,
    force: bool,
    as_json: bool,
    planned: str | None = None,
    count_with: str | None = None,
    others: Mapping[str, object],
) -> None:
    """Builds it, writes its folder, and prints its parameters beside those that are predicted.

    Args:
        model: hub id, folder or config.json; or the pick of a plan, with its knob turned.
        planned: precision of the plan's pick; None without a plan.
        count_with: what counts a model that is not known.
        others: options that choose parts to build from, by name, as they were given.

    Raises:
        InputError: one of the others was given; a model that cannot be built here.
    """
    for option, value in others.items():
        if value is not None:
            given = "a plan's released model" if isinstance(model, ReleasedModel) else "--model"
            raise InputError(f"{given} and {option} exclude each other: a released model brings its own parts")
    parse_seed(seed)
    with needs_torch("build"):
        from planner.make.released import build_released, params_by_part
        from planner.make.saving import save_released
        from planner.vlm.build import DTYPES, weights_bytes
        from planner.vlm.saving import check_output
    from planner.counting import found_or_counted

    checkpoint = model.checkpoint if isinstance(model, ReleasedModel) else found_or_counted(model, count_with)
    if output is not None:
        check_output(Path(output), force)
        if device == "meta":
            raise InputError("--device meta makes no weights: leave out -o, or name another device")
    if dtype is None and planned is not None:
        dtype = planned if planned in DTYPES else "bf16"
    with progress_bar() as progress:
        made = build_released(
            model if isinstance(model, ReleasedModel) else checkpoint, weights=weights, dtype=dtype,
            device="meta" if output is None else device, seed=seed, progress=progress,
        )  # fmt: skip
        if output is not None:
            progress(f"writing {output}, {format_bytes(weights_bytes(made))}", 0, 1)
            save_released(made, checkpoint, output, weights=weights, seed=seed, overwrite=force)
    notes = list(checkpoint.notes)
    if planned not in (None, dtype):
        notes.append(f"the plan's weights are in {planned}, these are in {dtype}")
    if output is not None and not Path(weights).is_dir():
        notes.append("no tokenizer is written: take that of the model's repository")
    content = {
        "output": output,
        "model": checkpoint.name,
        "hub_id": checkpoint.hub_id or None,
        "counted": checkpoint.counted or None,
        "dtype": dtype or checkpoint.dtype,
        "weights": weights,
        "weights_bytes": weights_bytes(made),
        "params": {
            part: {"built": built, "predicted": predicted}
            for part, (built, predicted) in params_by_part(made, checkpoint).items()
        },
        "notes": notes,
    }
    if output is not None:
        print(f"wrote {output}", file=sys.stderr)
    if as_json:
        print(json_text(content))
        return
    from planner.tell.build import released_story

    show_story(released_story(content))
