"""The verb on pages: report."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from planner.base.errors import InputError, OutputExistsError
from planner.base.files import refuse_existing, write_text
from planner.cli.common import Force, Json, app, json_text, show_story


@app.command()
def report(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help="A plan, verdict, measurement, calibration, law or hardware profile; or several measurements.",
        ),
    ],
    output: Annotated[
        str | None, typer.Option("-o", "--output", help="Page to write: .html, .md or .json, by the suffix.")
    ] = None,
    verdict: Annotated[str | None, typer.Option(help="Of a plan: what verify -o measured of the pick.")] = None,
    artefacts: Annotated[
        str | None,
        typer.Option(help="Of a plan: folder to make to build, serve and load the pick; must not exist, or be empty."),
    ] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Write a file's content as a page: of a plan the pick, why, what it costs, what was measured, how to serve it."""
    from planner.planning.load_plan import load_plan
    from planner.tell.document import Paragraph, line
    from planner.tell.files import load_all
    from planner.tell.recommendation import check_folder, write_artefacts
    from planner.tell.render import renderer_of
    from planner.tell.render.json import as_json as content_of
    from planner.tell.stories import told

    if output is None and artefacts is None and not as_json:
        raise InputError("-o is missing: name the page to write, as recommendation.html, or say --json")
    renderer = None
    if output is not None:
        renderer = renderer_of(output, "a report")
        try:
            refuse_existing(Path(output), force)
        except OutputExistsError as error:
            if artefacts is None:
                raise
            raise InputError(f"{error}, or leave out -o: --artefacts {artefacts} needs no page") from None
    if artefacts is not None:
        check_folder(artefacts)
    document = told(files[0] if len(files) == 1 else load_all(files), verdict)
    plan = None if artefacts is None else load_plan(files[0])
    if output is not None and renderer is not None:
        write_text(output, renderer.render(document), overwrite=force)
        print(f"wrote {output}", file=sys.stderr)
    if artefacts is not None and plan is not None:
        written = write_artefacts(plan, artefacts)
        print(f"wrote {artefacts}: {', '.join(written)}", file=sys.stderr)
    if as_json:
        print(json_text(content_of(document)))
        return
    show_story((Paragraph(line(document.heading, ".")),))
