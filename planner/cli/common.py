"""What every verb shares: the app, options of the same meaning, and how answers are printed."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import planner
from planner.base.errors import InputError
from planner.base.file_format import check_json_name
from planner.base.files import check_target, file_text
from planner.base.quantities import shown
from planner.cli.plain_values import PlainGroup
from planner.planning.limits import LIMITS

if TYPE_CHECKING:
    from rich.console import Console

    from planner.tell.document import Block, Document, Section

app = typer.Typer(
    name="vlm-planner",
    cls=PlainGroup,
    help="Choose the best (LLM, visual tokens) pair of a vision-language model under an inference budget.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite the output file.")]
Law = Annotated[str, typer.Option(help="Shipped law, as the catalog lists them, or the path of a law file.")]
FormName = Annotated[str | None, typer.Option(help="One form of the law alone; by default all forms together (auto).")]
_FLOPS = LIMITS.find("flops")


def _checked_budget(text: str) -> str:
    """The text of a budget, as it came. Raises QuantityError for one whose unit was forgotten."""
    _FLOPS.read_typed(text, _FLOPS.option)
    return text


BudgetText = Annotated[str, typer.Option(_FLOPS.option, callback=_checked_budget, help=_FLOPS.help)]
QueryTokens = Annotated[int, typer.Option(help="New text tokens of a request.")]
CachedTokens = Annotated[int, typer.Option(help="Text tokens already in the KV cache; no prefill.")]
SystemTokens = Annotated[int, typer.Option(help="Further text tokens that every request prefills.")]
Connector = Annotated[str, typer.Option(help="What leads the visual tokens into the LLM: mlp, or a plug-in's.")]
Scheduler = Annotated[
    str | None,
    typer.Option(help="continuous, the default where there is a load, or static: batches one after the other."),
]
Concurrency = Annotated[
    int | None, typer.Option(help="Load as requests under way at once, on average; else --requests-per-second.")
]
Percentile = Annotated[
    float | None, typer.Option(help="Of requests that keep the limits of time under a load, 50 to 99; default: 95.")
]
_DEFAULT = "default: of a profile that was calibrated to an engine, else vLLM's for the card."
Seats = Annotated[int | None, typer.Option(help=f"Sequences that an engine runs at once; {_DEFAULT}")]
IterationTokens = Annotated[int | None, typer.Option(help=f"Tokens of an iteration; {_DEFAULT}")]
GeneratedTokens = Annotated[int, typer.Option(help="Answer tokens of a request.")]


@app.callback(invoke_without_command=True)
def _top(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        print(planner.__version__)
        raise typer.Exit


def make_console() -> Console:
    """The terminal for tables. Characters that its encoding lacks are shown as escapes, such as \\xb5s for µs."""
    from rich.console import Console

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    return Console(highlight=False)


def show_story(told: Document | Section | Sequence[Block]) -> None:
    """A story on the terminal."""
    from planner.tell.render.console import print_told

    print_told(make_console(), told)


def json_text(content: dict[str, Any]) -> str:
    """A document as it is printed: a file's text without the line break at the end."""
    return file_text(content).removesuffix("\n")


def parse_names(text: str) -> list[str]:
    """Names separated by commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def parse_counts(text: str, option: str = "--visual-tokens") -> list[int]:
    """Whole numbers separated by commas. Raises InputError."""
    try:
        found = [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        found = []
    if not found:
        raise InputError(f"{option}: expected whole numbers such as 1,4,16, got {shown(text)}")
    return found


def parse_share(text: str, option: str, most: float = 100.0) -> float:
    """A share: ".05" or "5%". Raises InputError for one below 0 or above `most`."""
    digits = text.strip().removesuffix("%")
    try:
        found = float(digits) / (100 if text.strip().endswith("%") else 1)
    except ValueError:
        found = -1.0
    if not 0 <= found <= most:
        raise InputError(f"{option}: expected a share up to {most:g}, as .15 or 15%, got {shown(text)}")
    return found


def parse_times(text: str, option: str = "--scale") -> float:
    """A factor: "2x" or "2". Raises InputError."""
    try:
        return float(text.strip().lower().removesuffix("x"))
    except ValueError:
        raise InputError(f"{option}: expected a factor such as 2x, got {shown(text)}") from None


def check_output(what: str, output: str, force: bool) -> None:
    """Refuse, before any work, a JSON file that could not be written in the end. Raises InputError."""
    check_json_name(what, output)
    check_target(Path(output), force)


def parse_seed(seed: int) -> int:
    """What a random generator takes. Raises InputError."""
    if not 0 <= seed < 2**63:
        raise InputError(f"--seed: expected a whole number from 0 up to 2**63 - 1, got {shown(seed)}")
    return seed


def request_of(
    log: str | None,
    file: str | None,
    query_tokens: int | None,
    generated_tokens: int | None,
    cached: int,
    system: int,
    images: int,
) -> planner.Workload | Path | None:
    """The request, or the file of requests; None where a log says what comes. Raises InputError where several or none
    are given."""
    if log is not None and file is not None:
        raise InputError(f"--traffic {log} and --workload {file}: give one of them; a log says both")
    if (given := log or file) is not None:
        if query_tokens is not None or generated_tokens is not None or cached or system or images != 1:
            option = "--workload" if log is None else "--traffic"
            raise InputError(f"{option} {given}: the file says how long requests are; leave out the token options")
        return Path(given) if log is None else None
    if query_tokens is None or generated_tokens is None:
        missing = "--query-tokens" if query_tokens is None else "--generated-tokens"
        raise InputError(f"{missing} is missing: say how many tokens a request has, or give --workload REQUESTS.csv")
    return planner.Workload(query_tokens, generated_tokens, cached, system, images)
