"""What can be named: catalog."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from planner.cli.common import Json, app, json_text, show_story
from planner.laws.shipped import shipped_laws
from planner.parts.catalog import compressor_catalog, find_llms, vision_catalog


@app.command()
def catalog(
    llms: Annotated[str, typer.Option(help="Models, families, 'all' or config.json paths.")] = "all",
    as_json: Json = False,
) -> None:
    """List what can be named: language models, vision towers, compressors, shipped laws."""
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
