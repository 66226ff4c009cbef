"""The verb on measurements before and after a change: compare-measurements."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from planner.base.files import check_target, write_text
from planner.cli.common import Force, Json, app, json_text, parse_names, parse_share, show_story

WORSE, NOT_MEASURED = 1, 3


@app.command("compare-measurements")
def compare_measurements(
    before: Annotated[str, typer.Argument(metavar="BEFORE", help="Measurement, or folder of them, by measure -o.")],
    after: Annotated[str, typer.Argument(metavar="AFTER", help="The same with a change: other code, versions.")],
    fail_above: Annotated[
        str | None,
        typer.Option(help="Exit code 1 where anything takes more than so much more beyond doubt, as .05 or 5%."),
    ] = None,
    only: Annotated[str, typer.Option(help="Compare these alone, as ttft_s,tpot_s,peak_memory_bytes.")] = "",
    junit: Annotated[str | None, typer.Option(help="Write what passed and failed to this JUnit XML file.")] = None,
    seed: Annotated[int, typer.Option(help="Of the bootstrap.")] = 0,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Set measurements before and after a change beside each other: the ratio of each time with its 95 % interval."""
    from planner.bench.comparing import compare_measurements as compared
    from planner.tell.changes import changes_story
    from planner.tell.files import load_measurements
    from planner.tell.junit import junit as junit_text
    from planner.tell.junit import suites_of

    share = None if fail_above is None else parse_share(fail_above, "--fail-above")
    if junit is not None:
        check_target(Path(junit), force)
    found = compared(load_measurements(before), load_measurements(after), seed=seed, only=parse_names(only))
    if junit is not None:
        write_text(junit, junit_text(suites_of(found, share)), overwrite=force)
        print(f"wrote {junit}", file=sys.stderr)
    above, proved = ((), ()) if share is None else (found.above(share), found.proved(share))
    if as_json:
        print(json_text(found.to_dict() | {"fail_above": share, "failed": bool(above)}))
    else:
        show_story(changes_story(found, share))
    if above:
        raise typer.Exit(WORSE if proved else NOT_MEASURED)
