"""Accelerators: hardware."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from planner.base.errors import InputError
from planner.cli.common import Force, Json, app, check_output, json_text, show_story
from planner.hardware import find_hardware, hardware_catalog


@app.command()
def hardware(
    name: Annotated[str | None, typer.Argument(help="Accelerator, profile (.json), or cpu: this host.")] = None,
    output: Annotated[str | None, typer.Option("-o", "--output", help="Write its profile to this JSON file.")] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """List accelerators, or show one: its peaks, where they come from, how much of them is reached."""
    if name is None:
        if output is not None:
            raise InputError("-o writes one profile: name the accelerator, such as vlm-planner hardware h200 -o FILE")
        cards = hardware_catalog().values()
        if as_json:
            print(json_text({"hardware": [card.to_dict() for card in cards]}))
            return
        from planner.tell.hardware import hardware_table

        show_story(hardware_table(cards))
        return
    if output is not None:
        check_output("a hardware profile", output, force)
    card = find_hardware(name)
    if output is not None:
        card.save(output, overwrite=force)
        print(f"wrote {output}", file=sys.stderr)
    if as_json:
        print(json_text(card.to_dict()))
        return
    from planner.tell.hardware import hardware_story

    show_story(hardware_story(card))
