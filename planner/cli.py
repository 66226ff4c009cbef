"""The command line: one function a verb. Every verb has --json: one JSON document on stdout, all else on stderr.

Exit codes: 0 done, 1 nothing fits the budget, 2 bad input.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import planner
from planner.errors import InputError, PlannerError, UnknownNameError
from planner.files import refuse_existing, write_text
from planner.laws.forms import DEFAULT_FORM, get_form
from planner.models.catalog import DEFAULT_COMPRESSOR, DEFAULT_VISION, find_llms, vision_catalog
from planner.models.specs import COMPRESSORS
from planner.quantities import shown

if TYPE_CHECKING:
    import lmfit
    from rich.console import Console

app = typer.Typer(
    name="vlm-planner",
    help="Choose the best (LLM, visual tokens) pair of a vision-language model under an inference budget.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite the output file.")]
Law = Annotated[str, typer.Option(help="Shipped law (reasoning, ocr, paper) or the path of a law file.")]
FormName = Annotated[str | None, typer.Option(help="Form of a shipped law: additive, multiplicative or log-linear.")]
BudgetText = Annotated[str, typer.Option("--budget", help="FLOPs of one request, such as 2TFLOPs or 5e11.")]
QueryTokens = Annotated[int, typer.Option(help="New text tokens of a request.")]
GeneratedTokens = Annotated[int, typer.Option(help="Answer tokens of a request.")]


@app.command()
def fit(
    runs: Annotated[str, typer.Argument(help="CSV of measured runs: llm, llm_params, visual_tokens, error or score.")],
    form: Annotated[str, typer.Option(help="additive, multiplicative or log-linear.")] = DEFAULT_FORM,
    output: Annotated[str | None, typer.Option("-o", "--output", help="Write the law to this JSON file.")] = None,
    task: Annotated[str | None, typer.Option(help="Use only the runs of this task.")] = None,
    compressor: Annotated[str | None, typer.Option(help="Use only the runs of this compressor.")] = None,
    weights: Annotated[str, typer.Option(help="auto, equal, error_se or samples.")] = "auto",
    loss: Annotated[str, typer.Option(help="least-squares or huber (on relative residuals).")] = "least-squares",
    fix: Annotated[list[str] | None, typer.Option(help="Fix a parameter, as alpha=0.077; repeatable.")] = None,
    tie: Annotated[list[str] | None, typer.Option(help="Tie a parameter, as alpha=2*beta; repeatable.")] = None,
    name: Annotated[str, typer.Option(help="What the law is to be called.")] = "",
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Fit the law to measured runs: the exact least-squares optimum under its bounds."""
    if output is not None:
        refuse_existing(Path(output), force)
    get_form(form)
    table = planner.read_runs(runs).select(task=task, compressor=compressor)
    law = planner.fit(
        table,
        form,
        params=_parameters(form, fix or [], tie or []),
        weights=weights,
        loss=loss,
        name=name or Path(runs).stem,
    )
    if output is not None:
        law.save(output, overwrite=force)
        print(f"wrote {output}", file=sys.stderr)
    _show_law(law, as_json)


@app.command()
def show(
    law: Annotated[str, typer.Argument(help="Shipped law (reasoning, ocr, paper) or the path of a law file.")],
    form: FormName = None,
    as_json: Json = False,
) -> None:
    """Show a law: whether to trust it, then its numbers."""
    _show_law(planner.load_law(law, form), as_json)


@app.command()
def plan(
    budget: BudgetText,
    query_tokens: QueryTokens,
    generated_tokens: GeneratedTokens,
    cached_tokens: Annotated[int, typer.Option(help="Text tokens already in the KV cache; no prefill.")] = 0,
    system_tokens: Annotated[int, typer.Option(help="Further text tokens that every request prefills.")] = 0,
    images: Annotated[int, typer.Option(help="Images per request.")] = 1,
    law: Law = "reasoning",
    form: FormName = None,
    llms: Annotated[
        list[str] | None,
        typer.Option(help="Models, families, 'all' or config.json paths; default: the family of the law."),
    ] = None,
    visual_tokens: Annotated[str | None, typer.Option(help="Visual tokens to try, as 1,4,16; default: all.")] = None,
    vision: Annotated[str, typer.Option(help="Vision tower.")] = DEFAULT_VISION,
    compressor: Annotated[str, typer.Option(help="quecc, tokenpacker, average-pool or none.")] = DEFAULT_COMPRESSOR,
    convention: Annotated[str, typer.Option(help="full (every stage) or paper (2N(Q+V+G), LLM only).")] = "full",
    prompt_order: Annotated[str, typer.Option(help="image-first, or text-first (query pass free).")] = "image-first",
    output: Annotated[str | None, typer.Option("-o", "--output", help="Write the plan to this JSON file.")] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Pick the best (LLM, visual tokens) pair that fits a budget, with the cost of everything that runs."""
    if output is not None:
        refuse_existing(Path(output), force)
    result = planner.plan(
        law,
        form=form,
        budget=budget,
        convention=convention,
        workload=planner.Workload(query_tokens, generated_tokens, cached_tokens, system_tokens, images),
        llms=llms,
        visual_tokens=None if visual_tokens is None else _counts(visual_tokens),
        vision=vision,
        compressor=compressor,
        prompt_order=prompt_order,
    )
    if output is not None:
        write_text(output, _json_text(result.to_dict()) + "\n", overwrite=force)
        print(f"wrote {output}", file=sys.stderr)
    if as_json:
        print(_json_text(result.to_dict()))
        return
    from planner.report.console import print_plan

    print_plan(_console(), result)


@app.command()
def optimum(
    budget: BudgetText,
    query_tokens: QueryTokens,
    generated_tokens: GeneratedTokens,
    law: Law = "reasoning",
    form: FormName = None,
    convention: Annotated[str, typer.Option(help="Only paper: 2N(Q+V+G).")] = "paper",
    as_json: Json = False,
) -> None:
    """The continuous optimum, as if every LLM size and every number of visual tokens could be had."""
    result = planner.optimum(
        law,
        form=form,
        budget=budget,
        query_tokens=query_tokens,
        generated_tokens=generated_tokens,
        convention=convention,
    )
    if as_json:
        print(_json_text(result.to_dict()))
        return
    from planner.report.console import print_optimum

    print_optimum(_console(), result)


@app.command()
def catalog(
    llms: Annotated[str, typer.Option(help="Models, families, 'all' or config.json paths.")] = "all",
    as_json: Json = False,
) -> None:
    """List what can be named: language models, vision towers, compressors, shipped laws."""
    models, towers, compressors = find_llms(llms), vision_catalog().values(), COMPRESSORS.values()
    laws = [planner.load_law(name, form) for name, form in planner.shipped_names()]
    if as_json:
        content: dict[str, Any] = {
            "llms": [{**vars(llm), "params": llm.params} for llm in models],
            "vision": [{**vars(tower), "patches": tower.patches} for tower in towers],
            "compressors": [{**vars(compressor)} for compressor in compressors],
            "laws": [{"name": law.name, "form": law.form, "n_runs": law.n_runs, "status": law.status} for law in laws],
        }
        print(_json_text(content))
        return
    from planner.report.console import print_catalog

    print_catalog(_console(), models, towers, compressors, laws)


@app.callback(invoke_without_command=True)
def _top(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        print(planner.__version__)
        raise typer.Exit


def main() -> None:
    """Run the command line; a foreseen error is one sentence on stderr and an exit code."""
    try:
        app()
    except PlannerError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


def _show_law(law: planner.FittedLaw, as_json: bool) -> None:
    if as_json:
        print(_json_text(law.to_dict()))
        return
    from planner.report.console import print_law

    print_law(_console(), law)


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False)


def _json_text(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)


def _counts(text: str) -> list[int]:
    """Whole numbers separated by commas. Raises InputError."""
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise InputError(f"--visual-tokens: expected whole numbers such as 1,4,16, got {shown(text)}") from None


def _parameters(form: str, fix: list[str], tie: list[str]) -> lmfit.Parameters | None:
    """Constraints from NAME=VALUE and NAME=EXPRESSION texts, None if there are none.

    Raises:
        InputError: a text of another shape, or an expression that cannot be read.
        UnknownNameError: a name that is no parameter of the form.
    """
    if not fix and not tie:
        return None
    import lmfit

    params = lmfit.Parameters()
    for name in get_form(form).param_names:
        params.add(name, value=0.1)
    for option, example, texts in (("--fix", "alpha=0.077", fix), ("--tie", "alpha=2*beta", tie)):
        for text in texts:
            name, equals, right = (part.strip() for part in text.partition("="))
            if not (name and equals and right):
                raise InputError(f"{option}: expected {example} or the like, got {shown(text)}")
            if name not in params:
                raise UnknownNameError(f"parameter of the {form} form", name, list(params))
            try:
                if option == "--fix":
                    params[name].set(value=float(right), vary=False)
                else:
                    params[name].expr = right
                    params.valuesdict()
            except (ValueError, NameError, SyntaxError, TypeError):
                raise InputError(f"{option}: expected {example} or the like, got {shown(text)}") from None
    return params


if __name__ == "__main__":
    main()
