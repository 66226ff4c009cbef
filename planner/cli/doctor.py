"""What is here and what is missing: doctor."""

from __future__ import annotations

import planner
from planner.cli.common import Json, app, json_text, show_story


@app.command()
def doctor(as_json: Json = False) -> None:
    """Say what is installed, what each verb needs, and which device would be measured."""
    content = {"vlm_planner": planner.__version__, **planner.doctor()}
    if as_json:
        print(json_text(content))
        return
    from planner.tell.doctor import doctor_story

    show_story(doctor_story(content))
