"""What can be named: catalog."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from planner.base.errors import InputError
from planner.cli.common import Json, app, json_text, make_console, show_story
from planner.laws.shipped import shipped_laws
from planner.parts.catalog import compressor_catalog, find_llms, vision_catalog
from planner.parts.released import find_checkpoints, variant_ids
from planner.parts.released.select import ALL, family_of_released


@app.command()
def catalog(
    llms: Annotated[str, typer.Option(help="Models, families, 'all' or config.json paths.")] = "all",
    released: Annotated[
        bool, typer.Option("--released", help="List released models instead: parameters, context, knobs, licences.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List what can be named: language models, vision towers, compressors, shipped laws; or released models."""
    if released:
        if llms != "all":
            raise InputError("--llms chooses among language models to build with; leave out --llms or --released")
        _released(as_json)
        return
    models, towers, compressors = find_llms(llms), vision_catalog().values(), compressor_catalog().values()
    laws = shipped_laws()
    if as_json:
        content: dict[str, Any] = {
            "llms": [{**vars(llm), "params": llm.params} for llm in models],
            "vision": [{**vars(tower), "patches": tower.patches} for tower in towers],
            "compressors": [{**vars(compressor)} for compressor in compressors],
            "laws": [{"name": law.name, "form": law.form, "n_runs": law.n_runs, "status": law.status} for law in laws],
        }
        print(json_text(content))
        return
    from planner.tell.catalog import catalog_tables

    show_story(catalog_tables(models, towers, compressors, laws))


def _released(as_json: bool) -> None:
    """Every released model, and apart those of which something is not known, with the reason."""
    found = find_checkpoints((ALL, *variant_ids()))
    if as_json:
        models = [
            {
                "hub_id": one.hub_id,
                "family": family_of_released(one.hub_id),
                "variant_of": one.provenance.get("variant_of"),
                "params": one.params_by_part(),
                "context_tokens": one.context_tokens,
                "dtype": one.dtype,
                "knobs": {
                    knob.name: {"published": one.rule.setting(knob.name), "values": list(knob.values)}
                    for knob in one.rule.knobs()
                },
                "licence": one.licence,
                "licence_source": one.licence_source,
                "converted_from": one.converted_from,
                "pretrained": one.pretrained,
                "revision": one.revision,
                "notes": list(one.notes),
            }
            for one in found.checkpoints
        ]
        print(json_text({"released": models, "refused": dict(found.refused)}))
        return
    from planner.tell.catalog import released_tables
    from planner.tell.render.console import print_block
    from planner.tell.render.fitted import table_width

    console = make_console()
    tables = released_tables(found)
    if not console.is_terminal:  # what reads it looks for whole ids
        console.width = max(console.width, table_width(tables[0]))
    for table in tables:
        print_block(console, table)
