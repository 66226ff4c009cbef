"""Bad inputs: each ends in one sentence that says what was expected, what came and what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lmfit
import numpy as np
import pandas as pd
import pytest

import planner
from planner.base.errors import (
    FitError,
    InputError,
    LawFileError,
    NothingFitsError,
    NotRegisteredError,
    PlannerError,
    QuantityError,
    RunsError,
    SpecError,
    UnknownArchitectureError,
    UnknownNameError,
)
from planner.base.quantities import parse_flops, parse_params, whole_number
from planner.parts.catalog import find_compressor

Call = Callable[[Path], object]


@dataclass(frozen=True)
class Bad:
    """One bad input: what it is, the error's type and its whole text ({folder} is where the files lie)."""

    name: str
    call: Call
    kind: type[PlannerError]
    message: str


def written(name: str, content: str | bytes, use: Callable[[Path], object]) -> Call:
    """Use a file of that content."""

    def call(folder: Path) -> object:
        path = folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return use(path)

    return call


def csv(content: str | bytes) -> Call:
    """Read runs.csv."""
    return written("runs.csv", content, planner.read_runs)


HEADER = "llm,llm_params,visual_tokens,error\n"


def row(llm: str = "a", llm_params: str = "1e9", visual_tokens: str = "4", error: str = "0.5") -> Call:
    """Read a CSV table whose first row is good and whose second is this."""
    return csv(f"{HEADER}a,1e9,1,0.6\n{llm},{llm_params},{visual_tokens},{error}\n")


def frame(**columns: Any) -> Call:
    """Read a DataFrame of two good runs with some columns replaced, added, or left out (None)."""
    good: dict[str, Any] = {"llm": ["a", "b"], "llm_params": [1e9, 2e9], "visual_tokens": [1, 4], "error": [0.6, 0.5]}
    table = {name: column for name, column in (good | columns).items() if column is not None}
    return lambda _: planner.read_runs(pd.DataFrame(table))


def grid(sizes: int, counts: int) -> pd.DataFrame:
    """Exact runs of a law at some levels of N and T."""
    return pd.DataFrame(
        [
            {
                "llm": f"m{i}",
                "llm_params": 1e9 * 2**i,
                "visual_tokens": 4**j,
                "error": 0.1 + 0.3 * 1.2**-i + 0.3 * 1.1**-j,
            }
            for i in range(sizes)
            for j in range(counts)
        ]
    )


def fit(sizes: int = 3, counts: int = 3, form: str = "additive", **options: Any) -> Call:
    return lambda _: planner.fit(grid(sizes, counts), form, **options)


def fit_diagonal(count: int, form: str) -> Call:
    """Fit enough levels of N and T, but with one run for each."""
    return lambda _: planner.fit(grid(count, count).iloc[:: count + 1], form)


def fit_with_error_0(_: Path) -> object:
    return planner.fit(grid(3, 3).assign(error=[0.6, 0.5, 0.4, 0.5, 0.4, 0.3, 0.4, 0.3, 0.0]), loss="huber")


def fixed(**values: float) -> lmfit.Parameters:
    parameters = lmfit.Parameters()
    for name, value in values.items():
        parameters.add(name, value=value, vary=False)
    return parameters


def plan(law: Any = None, **options: Any) -> Call:
    asked = {"budget": "2 TFLOPs", "query_tokens": 50, "generated_tokens": 32} | options
    return lambda _: planner.plan(law, **{name: value for name, value in asked.items() if value is not None})


def budget(value: Any) -> Call:
    return lambda _: parse_flops(value)


def optimum(**options: Any) -> Call:
    asked = {"budget": "2 TFLOPs", "query_tokens": 50, "generated_tokens": 32} | options
    return lambda _: planner.optimum(**asked)


def law_file(**changes: Any) -> Call:
    """Load law.json: the shipped law with some fields replaced."""
    content = planner.load_law("reasoning").to_dict() | changes
    return written("law.json", json.dumps(content), planner.load_law)


def law_without(field: str) -> Call:
    content = planner.load_law("reasoning").to_dict()
    del content[field]
    return written("law.json", json.dumps(content), planner.load_law)


CONFIG = {
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "vocab_size": 32000,
}
TOWER = {
    "model_type": "clip_vision_model",
    "hidden_size": 8,
    "intermediate_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 1,
    "image_size": 28,
    "patch_size": 14,
}


def config(**changes: Any) -> Call:
    """Load my-7B.json: a good config.json with some values replaced, or left out (None)."""
    content = {name: value for name, value in (CONFIG | changes).items() if value is not None}
    return written("my-7B.json", json.dumps(content), planner.load_llm_config)


def tower(**changes: Any) -> Call:
    return written("eye.json", json.dumps(TOWER | changes), lambda path: planner.find_vision(str(path)))


FLOPS = 'budget: expected a positive number of FLOPs such as "2 TFLOPs" or 2e12, got '
PARAMS = 'llm_params: expected a positive number of parameters such as "7B" or 7e9, got '
COLUMNS = "(columns: llm, llm_params, visual_tokens, error)"
QUECC = "1, 4, 9, 16, 36, 64, 144, 576"
FAMILIES = ", ".join(sorted({llm.family for llm in planner.llm_catalog().values()}))

CSV_TABLES = [
    Bad(
        "csv without llm",
        csv("llm_params,visual_tokens,error\n1e9,1,0.5\n"),
        RunsError,
        "runs.csv: the column 'llm' is missing (columns: llm_params, visual_tokens, error)",
    ),
    Bad(
        "csv without llm_params",
        csv("llm,visual_tokens,error\na,1,0.5\n"),
        RunsError,
        "runs.csv: the column 'llm_params' is missing (columns: llm, visual_tokens, error)",
    ),
    Bad(
        "csv without visual_tokens",
        csv("llm,llm_params,error\na,1e9,0.5\n"),
        RunsError,
        "runs.csv: the column 'visual_tokens' is missing (columns: llm, llm_params, error)",
    ),
    Bad(
        "csv without error and score",
        csv("llm,llm_params,visual_tokens\na,1e9,1\n"),
        RunsError,
        "runs.csv: a column 'error' or 'score' is needed, a fraction from 0 to 1 "
        "(columns: llm, llm_params, visual_tokens)",
    ),
    Bad(
        "csv with error and score",
        csv("llm,llm_params,visual_tokens,error,score\na,1e9,1,0.5,0.5\n"),
        RunsError,
        "runs.csv: has both 'error' and 'score'; keep one (score = 1 - error)",
    ),
    Bad(
        "csv with a near column name",
        csv("llm,lm_params,visual_tokens,error\na,1e9,1,0.5\n"),
        RunsError,
        "runs.csv: the column 'llm_params' is missing; rename 'lm_params' if that is it (columns: llm, "
        "visual_tokens, error, lm_params)",
    ),
    Bad(
        "csv with two columns that may be the size",
        csv("llm,params,size,visual_tokens,error\na,1e9,1e9,1,0.5\n"),
        RunsError,
        "runs.csv: 'params' and 'size' may both be llm_params; name one with map=",
    ),
    Bad(
        "csv with many columns",
        csv(",".join(f"c{i}" for i in range(20)) + "\n"),
        RunsError,
        "runs.csv: the column 'llm' is missing (columns: c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, ...)",
    ),
    Bad(
        "csv with a doubled column",
        csv("llm,llm,llm_params,visual_tokens,error\na,b,1e9,1,0.5\n"),
        RunsError,
        "runs.csv: the column 'llm' stands twice in the header; keep one",
    ),
    Bad(
        "csv with a percentage",
        row(error="43.2"),
        RunsError,
        "runs.csv, line 3, column error: '43.2' is above 1; "
        "an error is a fraction between 0 and 1, so divide percentages by 100",
    ),
    Bad(
        "csv with a percentage score",
        csv(HEADER.replace("error", "score") + "a,1e9,1,43.2\na,1e9,4,0.44\n"),
        RunsError,
        "runs.csv, line 2, column score: '43.2' is above 1; "
        "a score is a fraction between 0 and 1, so divide percentages by 100",
    ),
    Bad(
        "csv with an error above 100",
        row(error="143"),
        RunsError,
        "runs.csv, line 3, column error: '143' is outside 0 to 1; an error is a fraction",
    ),
    Bad(
        "csv with a negative error",
        row(error="-0.1"),
        RunsError,
        "runs.csv, line 3, column error: '-0.1' is outside 0 to 1; an error is a fraction",
    ),
    Bad(
        "csv with a percent sign",
        row(error="43 %"),
        RunsError,
        "runs.csv, line 3, column error: '43 %' is not a number; write a fraction such as 0.43",
    ),
    Bad(
        "csv with size 0",
        row(llm_params="0"),
        RunsError,
        "runs.csv, line 3, column llm_params: '0' is not above 0; expected parameters such as 7e9 or 7B",
    ),
    Bad(
        "csv with a negative size",
        row(llm_params="-7e9"),
        RunsError,
        "runs.csv, line 3, column llm_params: '-7e9' is not above 0; expected parameters such as 7e9 or 7B",
    ),
    Bad(
        "csv with a negative size with a unit",
        row(llm_params="-7B"),
        RunsError,
        "runs.csv, line 3, column llm_params: '-7B' is not above 0; expected parameters such as 7e9 or 7B",
    ),
    Bad(
        "csv with size 0 with a unit",
        row(llm_params="0B"),
        RunsError,
        "runs.csv, line 3, column llm_params: '0B' is not above 0; expected parameters such as 7e9 or 7B",
    ),
    Bad(
        "csv with a size in billions",
        row(llm_params="7"),
        RunsError,
        "runs.csv, line 3, column llm_params: '7' is too small to be a parameter count; write 7 billion as 7B",
    ),
    Bad(
        "csv with an infinite size",
        row(llm_params="inf"),
        RunsError,
        "runs.csv, line 3, column llm_params: 'inf' is not finite; fill in the number or remove the row",
    ),
    Bad(
        "csv with error nan",
        row(error="nan"),
        RunsError,
        "runs.csv, line 3, column error: 'nan' is not finite; fill in the number or remove the row",
    ),
    Bad(
        "csv with an overflowing number",
        row(visual_tokens="1e999"),
        RunsError,
        "runs.csv, line 3, column visual_tokens: '1e999' is not finite; fill in the number or remove the row",
    ),
    Bad(
        "csv with a text for a number",
        row(visual_tokens="many"),
        RunsError,
        "runs.csv, line 3, column visual_tokens: 'many' is not a number",
    ),
    Bad(
        "csv with an empty cell",
        row(error=" "),
        RunsError,
        "runs.csv, line 3, column error: the cell is empty; fill it or remove the row",
    ),
    Bad(
        "csv with a nameless model",
        row(llm=""),
        RunsError,
        "runs.csv, line 3, column llm: the cell is empty; name the language model",
    ),
    Bad(
        "csv with negative visual tokens",
        row(visual_tokens="-4"),
        RunsError,
        "runs.csv, line 3, column visual_tokens: '-4' is negative; expected the visual tokens per image",
    ),
    Bad(
        "csv with samples 0",
        csv("llm,llm_params,visual_tokens,error,samples\na,1e9,1,0.5,0\n"),
        RunsError,
        "runs.csv, line 2, column samples: '0' is not above 0; fill in a positive number or leave out the column",
    ),
    Bad(
        "csv with negative text tokens",
        csv("llm,llm_params,visual_tokens,error,text_tokens\na,1e9,1,0.5,-1\n"),
        RunsError,
        "runs.csv, line 2, column text_tokens: '-1' is negative; expected the text tokens of a prompt",
    ),
    Bad("csv that is empty", csv(""), RunsError, "runs.csv is empty; expected a header line and one line per run"),
    Bad(
        "csv of blank lines",
        csv("\n \n,,\n"),
        RunsError,
        "runs.csv is empty; expected a header line and one line per run",
    ),
    Bad(
        "csv with a header only",
        csv(HEADER),
        RunsError,
        "runs.csv has a header but no runs; expected one line per run",
    ),
    Bad(
        "csv in Latin-1",
        csv(HEADER.encode() + "é,1e9,1,0.5\n".encode("latin-1")),
        RunsError,
        "runs.csv, line 2: not UTF-8 text (byte 0xe9); save the file as CSV in UTF-8",
    ),
    Bad(
        "csv in UTF-16",
        csv(HEADER.encode("utf-16")),
        RunsError,
        "runs.csv, line 1: not UTF-8 text (byte 0xff); save the file as CSV in UTF-8",
    ),
    Bad(
        "csv with NUL bytes",
        csv(HEADER + "a\0,1e9,1,0.5\n"),
        RunsError,
        "runs.csv: holds NUL bytes, so it is no text file; save it as CSV in UTF-8",
    ),
    Bad(
        "csv with a short row",
        csv(HEADER + "a,1e9,1,0.5\na,1e9,4\n"),
        RunsError,
        "runs.csv, line 3: 3 cells where the header has 4 columns; quote texts that hold a comma",
    ),
    Bad(
        "csv with a long row",
        csv(HEADER + "a,1e9,1,0.5\na,1e9,4,0,5\n"),
        RunsError,
        "runs.csv, line 3: 5 cells where the header has 4 columns; quote texts that hold a comma",
    ),
    Bad(
        "csv with unclosed quotes",
        csv(HEADER + 'a,1e9,1,0.5\n"a,1e9,4,0.4\n'),
        RunsError,
        "runs.csv, line 3: not a CSV table (unexpected end of data); check the quotes",
    ),
    Bad(
        "csv with contradicting rows",
        row(visual_tokens="1", error="0.7"),
        RunsError,
        "runs.csv, line 3, column error: contradicts line 2, the same run with another result (0.7 against 0.6 error); "
        "remove one, or tell repetitions apart with a column 'seed'",
    ),
    Bad(
        "csv with contradicting rows of one seed",
        csv("llm,llm_params,visual_tokens,error,seed\na,1e9,1,0.6,1\na,1e9,1,0.6,2\na,1e9,1,0.7,1\n"),
        RunsError,
        "runs.csv, line 4, column error: contradicts line 2, the same run with another result (0.7 against 0.6 error); "
        "remove one, or tell repetitions apart with a column 'seed'",
    ),
    Bad(
        "csv with two sizes of one model",
        row(llm_params="7B"),
        RunsError,
        "runs.csv, line 3, column llm_params: 'a' has 7B parameters here but 1B before; use one size",
    ),
    Bad(
        "csv that is not there",
        lambda folder: planner.read_runs(folder / "runs.csv"),
        RunsError,
        "cannot read {folder}/runs.csv: No such file or directory; expected a CSV file of measured runs",
    ),
    Bad(
        "csv that is a folder",
        lambda folder: planner.read_runs(str(folder)),
        RunsError,
        "cannot read {folder}: Is a directory; expected a CSV file of measured runs",
    ),
]

FRAMES = [
    Bad(
        "frame without llm",
        frame(llm=None),
        RunsError,
        "runs: the column 'llm' is missing (columns: llm_params, visual_tokens, error)",
    ),
    Bad(
        "frame without llm_params",
        frame(llm_params=None),
        RunsError,
        "runs: the column 'llm_params' is missing (columns: llm, visual_tokens, error)",
    ),
    Bad(
        "frame without visual_tokens",
        frame(visual_tokens=None),
        RunsError,
        "runs: the column 'visual_tokens' is missing (columns: llm, llm_params, error)",
    ),
    Bad(
        "frame without error and score",
        frame(error=None),
        RunsError,
        "runs: a column 'error' or 'score' is needed, a fraction from 0 to 1 (columns: llm, llm_params, visual_tokens)",
    ),
    Bad(
        "frame with error and score",
        frame(score=0.5),
        RunsError,
        "runs: has both 'error' and 'score'; keep one (score = 1 - error)",
    ),
    Bad(
        "frame with a near column name",
        frame(visual_tokens=None, vistokens=[1, 4]),
        RunsError,
        "runs: the column 'visual_tokens' is missing; rename 'vistokens' if that is it (columns: llm, "
        "llm_params, error, vistokens)",
    ),
    Bad(
        "frame with a doubled column",
        lambda _: planner.read_runs(
            pd.DataFrame([["a", "b", 1e9, 1, 0.5]], columns=["llm", "llm", "llm_params", "visual_tokens", "error"])
        ),
        RunsError,
        "runs: the column 'llm' stands twice in the header; keep one",
    ),
    Bad(
        "frame with a percentage",
        frame(error=[0.5, 43.2]),
        RunsError,
        "runs, row 1, column error: 43.2 is above 1; an error is a fraction between 0 and 1, "
        "so divide percentages by 100",
    ),
    Bad(
        "frame with a size in billions",
        frame(llm_params=[7, 13]),
        RunsError,
        "runs, row 0, column llm_params: 7 is too small to be a parameter count; write 7 billion as 7B; also: row 1, "
        "column llm_params: 13 is too small to be a parameter count",
    ),
    Bad(
        "frame with a negative size",
        frame(llm_params=[1e9, -1e9]),
        RunsError,
        "runs, row 1, column llm_params: -1000000000.0 is not above 0; expected parameters such as 7e9 or 7B",
    ),
    Bad(
        "frame with an infinite number",
        frame(visual_tokens=[np.inf, 1]),
        RunsError,
        "runs, row 0, column visual_tokens: inf is not finite; fill in the number or remove the row",
    ),
    Bad(
        "frame with a missing number",
        frame(error=[0.5, np.nan]),
        RunsError,
        "runs, row 1, column error: the cell is empty; fill it or remove the row",
    ),
    Bad(
        "frame with a text for a number",
        frame(error=[0.5, "low"]),
        RunsError,
        "runs, row 1, column error: 'low' is not a number",
    ),
    Bad(
        "frame with a truth value for a number",
        frame(error=[0.5, True]),
        RunsError,
        "runs, row 1, column error: True is not a number",
    ),
    Bad(
        "frame with a nameless model",
        frame(llm=["a", None]),
        RunsError,
        "runs, row 1, column llm: the cell is empty; name the language model",
    ),
    Bad(
        "frame with two sizes of one model",
        frame(llm=["a", "a"]),
        RunsError,
        "runs, row 1, column llm_params: 'a' has 2B parameters here but 1B before; use one size",
    ),
    Bad(
        "frame with contradicting rows",
        frame(llm=["a", "a"], llm_params=[1e9, 1e9], visual_tokens=[1, 1]),
        RunsError,
        "runs, row 1, column error: contradicts row 0, the same run with another result (0.5 against 0.6 error); "
        "remove one, or tell repetitions apart with a column 'seed'",
    ),
    Bad(
        "frame without rows",
        lambda _: planner.read_runs(pd.DataFrame(columns=["llm", "llm_params", "visual_tokens", "error"])),
        RunsError,
        "runs has a header but no runs; expected one line per run",
    ),
    Bad(
        "no table at all",
        lambda _: planner.read_runs([("a", 1e9, 1, 0.5)]),
        RunsError,
        "runs: expected the path of a CSV file, a DataFrame, a table of polars or pyarrow, the path of an .xlsx file, "
        "the path of a LaTeX file or the path of a Markdown file, got list",
    ),
]

BORROW = "fit a form of the tokens alone (tokens-power or tokens-log), or borrow the effect of N of another law"
FITS = [
    Bad(
        f"{form} with too few levels of {letter}",
        fit(1 if slope else 2, 4, form) if letter == "N" else fit(4, 1 if slope else 2, form),
        FitError,
        f"too few {what}: the {form} form needs "
        + (
            "2 levels to tell a slope, the runs have 1; measure more, or "
            + ("fit a form with fewer parameters" if letter == "T" else BORROW)
            if slope
            else "3 levels to tell an exponent and an offset, the runs have 2; "
            "measure more, fix D, or fit a form with fewer parameters"
        ),
    )
    for form, slope in (("additive", False), ("multiplicative", False), ("log-linear", True))
    for letter, what in (("N", "LLM sizes (N)"), ("T", "visual token counts (T)"))
]
FITS += [
    Bad(
        f"{form} with too few runs",
        fit_diagonal(count, form),
        FitError,
        f"too few runs: the {form} form has {free} free parameters, the table has {count} runs; measure more",
    )
    for form, free, count in (("additive", 5, 3), ("multiplicative", 4, 3), ("log-linear", 3, 2))
]
FITS += [
    Bad(
        "one level of N with the offset fixed",
        fit(1, 4, params=fixed(D=0.0)),
        FitError,
        "too few LLM sizes (N): the additive form needs 2 levels to tell an exponent, the runs have 1; "
        f"measure more, or {BORROW}",
    ),
    Bad(
        "an unknown form with a near name",
        fit(form="aditive"),
        NotRegisteredError,
        "no form is called 'aditive'; did you mean 'additive'?",
    ),
    Bad(
        "an unknown form",
        fit(form="cubic"),
        NotRegisteredError,
        "no form is called 'cubic'; there are: additive, multiplicative, log-linear, log-power, log-shifted, "
        "interaction, saturating, additive-d0, tokens-power, tokens-log",
    ),
    Bad(
        "an unknown weighting",
        fit(weights="loud"),
        UnknownNameError,
        "no weighting is called 'loud'; there are: auto, equal, error_se, samples",
    ),
    Bad(
        "an unknown loss",
        fit(loss="hubert"),
        UnknownNameError,
        "no loss is called 'hubert'; did you mean 'huber'?",
    ),
    Bad(
        "weights without their column",
        fit(weights="samples"),
        FitError,
        "weights='samples' needs a column 'samples' in the runs; add it, or say weights='equal'",
    ),
    Bad(
        "an unknown parameter to fix",
        fit(params=fixed(aplha=0.1)),
        UnknownNameError,
        "no parameter of the additive form is called 'aplha'; did you mean 'alpha'?",
    ),
    Bad(
        "a parameter fixed at nothing",
        fit(params=fixed(alpha=-np.inf)),
        FitError,
        "parameter alpha: expected a finite value to fix, got -inf",
    ),
    Bad(
        "Huber's loss with error 0",
        fit_with_error_0,
        FitError,
        "the Huber loss is on relative residuals and needs errors above 0; a run has error 0",
    ),
    Bad(
        "a unit of N that is none",
        fit(n_unit_params=-1.0),
        InputError,
        "n_unit_params: expected a positive number of parameters, got -1.0",
    ),
]

QUANTITIES = [
    Bad(f"budget {value!r}", budget(value), QuantityError, FLOPS + repr(value) + hint)
    for value, hint in (
        ("2 TFLOP/s", ": 'TFLOP/s' is a rate, a budget is a count of FLOPs for one request"),
        ("2 tflops/s", ": 'tflops/s' is a rate, a budget is a count of FLOPs for one request"),
        ("2 XFLOPs", ": the unit 'XFLOPs' is not known, did you mean 'FLOPs'?"),
        ("2 TFLOPz", ": the unit 'TFLOPz' is not known, did you mean 'TFLOPs'?"),
        ("2B", ": the unit 'B' is not known"),
        ("-2 TFLOPs", ""),
        ("0", ""),
        ("nan", ""),
        ("1e999", ""),
        ("two", ""),
        ("", ""),
        ("  ", ""),
        (-1, ""),
        (0, ""),
        (float("nan"), ""),
        (float("inf"), ""),
        (True, ""),
        (None, ""),
        (b"2T", ""),
    )
]
QUANTITIES += [
    Bad("a numpy number below 0", lambda _: parse_flops(np.float64(-1)), QuantityError, FLOPS + "-1.0"),
    Bad(
        "a size with an unknown unit",
        lambda _: parse_params("7 billion"),
        QuantityError,
        PARAMS + "'7 billion': the unit 'billion' is not known",
    ),
    Bad(
        "a whole number that is a truth value",
        lambda _: whole_number(True, "images", 1),
        QuantityError,
        "images: expected a whole number of at least 1, got True",
    ),
    Bad(
        "a law asked about size 0",
        lambda _: planner.load_law("reasoning").predict(0, 1),
        InputError,
        "llm_params: expected finite numbers above 0, got 0.0",
    ),
    Bad(
        "a law asked about an infinite size among others",
        lambda _: planner.load_law("reasoning").predict([1e9, np.inf], 1),
        InputError,
        "llm_params: expected finite numbers above 0, got inf",
    ),
]

PLANS = [
    Bad(
        "an unknown model with a near name",
        plan(llms="Qwen2.5-8B"),
        UnknownNameError,
        "no language model or family is called 'Qwen2.5-8B'; did you mean 'Qwen2.5-7B'?",
    ),
    Bad(
        "an unknown model",
        plan(llms="zzz"),
        UnknownNameError,
        f"no language model or family is called 'zzz'; there are the families {FAMILIES}, their models, 'all', "
        "and the path of any config.json",
    ),
    Bad(
        "no model",
        plan(llms=" , "),
        InputError,
        "no language model named; expected a name, a family, 'all', or the path of a config.json",
    ),
    Bad(
        "an unknown law with a near name",
        plan("reasonin"),
        UnknownNameError,
        "no shipped law is called 'reasonin'; did you mean 'reasoning'?",
    ),
    Bad(
        "an unknown law",
        plan("zzz"),
        UnknownNameError,
        "no shipped law is called 'zzz'; there are: ocr, paper, quecc, reasoning, tokenpacker; "
        "a law file is named by its path",
    ),
    Bad(
        "a form that a shipped law does not have",
        plan("paper", form="additive"),
        InputError,
        "the shipped law 'paper' has no additive form; there are: multiplicative",
    ),
    Bad(
        "an unknown compressor",
        plan(compressor="qecc"),
        NotRegisteredError,
        "no compressor is called 'qecc'; did you mean 'quecc'?",
    ),
    Bad(
        "an unknown compressor far from any",
        lambda _: find_compressor("zzz"),
        NotRegisteredError,
        "no compressor is called 'zzz'; there are: quecc, tokenpacker, average-pool, none",
    ),
    Bad(
        "an unknown vision tower",
        plan(vision="CLIP-ViT-L/14-335"),
        UnknownNameError,
        "no vision tower is called 'CLIP-ViT-L/14-335'; did you mean 'CLIP-ViT-L/14-336'?",
    ),
    Bad(
        "an unknown prompt order",
        plan(prompt_order="backwards"),
        UnknownNameError,
        "no prompt order is called 'backwards'; there are: image-first, text-first",
    ),
    Bad(
        "an unknown convention",
        plan(convention="papers"),
        UnknownNameError,
        "no convention is called 'papers'; did you mean 'paper'?",
    ),
    Bad(
        "visual tokens that the compressor cannot make",
        plan(visual_tokens=[4, 5]),
        InputError,
        "QueCC cannot make 5 visual tokens from the 24 x 24 patches of CLIP-ViT-L/14-336; it can make " + QUECC,
    ),
    Bad(
        "no visual tokens to try",
        plan(visual_tokens=[]),
        InputError,
        f"visual_tokens: expected at least one of {QUECC}, got none",
    ),
    Bad(
        "visual tokens that are not whole",
        plan(visual_tokens=[4.5]),
        QuantityError,
        "visual_tokens: expected a whole number of at least 1, got 4.5",
    ),
    Bad(
        "visual tokens 0",
        plan(visual_tokens=[0]),
        QuantityError,
        "visual_tokens: expected a whole number of at least 1, got 0",
    ),
    Bad(
        "a budget that nothing fits",
        plan(budget="1 GFLOPs"),
        NothingFitsError,
        "nothing fits 1 GFLOPs (full count): the cheapest candidate is Qwen1.5-0.5B with 1 visual token at 473 GFLOPs; "
        "raise the budget or name smaller models",
    ),
    Bad(
        "negative query tokens",
        plan(query_tokens=-1),
        QuantityError,
        "query_tokens: expected a whole number of at least 0, got -1",
    ),
    Bad(
        "fractional answer tokens",
        plan(generated_tokens=1.5),
        QuantityError,
        "generated_tokens: expected a whole number of at least 0, got 1.5",
    ),
    Bad(
        "no query tokens given",
        plan(query_tokens=None),
        QuantityError,
        "query_tokens: expected how many tokens a request has, got nothing",
    ),
    Bad(
        "no answer tokens given",
        plan(generated_tokens=None),
        QuantityError,
        "generated_tokens: expected how many tokens a request has, got nothing",
    ),
    Bad(
        "a workload and token counts",
        plan(workload=planner.Workload(1, 1)),
        QuantityError,
        "workload: give a Workload or token counts, not both",
    ),
    Bad(
        "a workload with fewer than no images",
        lambda _: planner.Workload(1, 1, images=-1),
        QuantityError,
        "images: expected a whole number of at least 0, got -1",
    ),
    Bad(
        "a budget that is a rate",
        plan(budget="2 TFLOPs/s"),
        QuantityError,
        FLOPS + "'2 TFLOPs/s': 'TFLOPs/s' is a rate, a budget is a count of FLOPs for one request",
    ),
    Bad(
        "a law of models that no catalogue knows",
        lambda _: planner.plan(planner.fit(grid(3, 3)), budget="2T", query_tokens=1, generated_tokens=1),
        InputError,
        "the law was measured on m0, m1, m2, which the catalogue does not know: name the candidates with llms=, as "
        "models, families, 'all', or config.json paths",
    ),
    Bad(
        "a law in memory of another form",
        lambda _: planner.plan(
            planner.load_law("ocr"), form="log-linear", budget=1e12, query_tokens=1, generated_tokens=1
        ),
        InputError,
        "the law has the additive form, log-linear was asked for; leave out form=",
    ),
    Bad(
        "an optimum in the full count",
        optimum(convention="full"),
        InputError,
        "the continuous optimum is defined for the paper's count only, got convention 'full': say 'paper', "
        "or use plan, which counts real architectures",
    ),
    Bad(
        "an optimum within limits that are no range",
        optimum(visual_tokens_min=64, visual_tokens_max=4),
        InputError,
        "expected 0 < visual_tokens_min <= visual_tokens_max, got 64 and 4",
    ),
    Bad(
        "an optimum without a budget",
        optimum(budget=0),
        QuantityError,
        FLOPS + "0",
    ),
]

LAW_FILES = [
    Bad(
        "law file that is not there",
        lambda folder: planner.load_law(folder / "law.json"),
        LawFileError,
        "cannot read {folder}/law.json: No such file or directory; expected a law that vlm-planner fit -o wrote",
    ),
    Bad(
        "law file that is cut off",
        written("law.json", '{\n "format": "vlm-planner/law",\n "form', planner.load_law),
        LawFileError,
        "{folder}/law.json is not JSON: Unterminated string starting at in line 3; "
        "expected a law that vlm-planner fit -o wrote",
    ),
    Bad(
        "law file that is no text",
        written("law.json", b"\xff\xfe\x00", planner.load_law),
        LawFileError,
        "{folder}/law.json is not UTF-8 text; expected a law that vlm-planner fit -o wrote",
    ),
    Bad(
        "law file of other JSON",
        written("law.json", '{"alpha": 0.1}', planner.load_law),
        LawFileError,
        'law.json is not a law: expected "format": "vlm-planner/law", as vlm-planner fit -o writes it',
    ),
    Bad(
        "law file of a JSON list",
        written("law.json", "[1, 2]", planner.load_law),
        LawFileError,
        'law.json is not a law: expected "format": "vlm-planner/law", as vlm-planner fit -o writes it',
    ),
    Bad(
        "law file without a field",
        law_without("rmse"),
        LawFileError,
        "law.json is damaged: rmse is missing; fit it again",
    ),
    Bad(
        "law file of a future version",
        law_file(format_version=2),
        LawFileError,
        "law.json has format version 2, this vlm-planner reads up to 1: update vlm-planner",
    ),
    Bad(
        "law file of no version",
        law_file(format_version="one"),
        LawFileError,
        "law.json is damaged: format_version: expected a whole number from 1 on, got 'one'; fit it again",
    ),
    Bad(
        "law file with a number for a text",
        law_file(name=7),
        LawFileError,
        "law.json is damaged: name: expected a text, got 7; fit it again",
    ),
    Bad(
        "law file with a text for a number",
        law_file(n_unit_params="1e9"),
        LawFileError,
        "law.json is damaged: n_unit_params: expected a number, got '1e9'; fit it again",
    ),
    Bad(
        "law file with a negative count",
        law_file(n_runs=-1),
        LawFileError,
        "law.json is damaged: n_runs: expected a whole number from 0 on, got -1; fit it again",
    ),
    Bad(
        "law file with a text for a list",
        law_file(llms="Qwen1.5-7B"),
        LawFileError,
        "law.json is damaged: llms: expected a list, got 'Qwen1.5-7B'; fit it again",
    ),
    Bad(
        "law file with a list for parameters",
        law_file(params=[0.1, 0.2]),
        LawFileError,
        "law.json is damaged: params: expected an object, got [0.1, 0.2]; fit it again",
    ),
    Bad(
        "law file with columns of unlike length",
        law_file(data={"n": [1.0, 2.0], "t": [1.0], "y": [0.5, 0.4], "weights": [1.0, 1.0]}),
        LawFileError,
        "law.json is damaged: data: expected four columns of as many numbers; fit it again",
    ),
    Bad(
        "law file of an unknown form",
        law_file(form="cubic"),
        LawFileError,
        "law.json: no form is called 'cubic': register it first (planner.register) or install the package that brings "
        "it",
    ),
    Bad(
        "law file of an unknown status",
        law_file(status="splendid"),
        LawFileError,
        "law.json is damaged: status: expected 'converged' or 'at a bound' or 'not identified' or 'given', "
        "got 'splendid'; fit it again",
    ),
    Bad(
        "law file with the parameters of another form",
        law_file(params={"c0": 0.5, "c1": 0.1, "c2": 0.1}),
        LawFileError,
        "law.json is damaged: the additive form (Y = A/N^alpha + B/T^beta + D) has the parameters A, alpha, B, beta, "
        "D; got c0, c1, c2; fit it again",
    ),
    Bad(
        "law file with no parameters",
        law_file(params={}),
        LawFileError,
        "law.json is damaged: the additive form (Y = A/N^alpha + B/T^beta + D) has the parameters A, alpha, B, beta, "
        "D; got none; fit it again",
    ),
    Bad(
        "law file with a parameter that is not finite; fill in the number or remove the row",
        law_file(params=dict.fromkeys(("A", "alpha", "B", "beta", "D"), float("nan"))),
        LawFileError,
        "{folder}/law.json is not JSON that can be read: NaN is no number; "
        "expected a law that vlm-planner fit -o wrote",
    ),
    Bad(
        "law file with a unit that is not positive",
        law_file(n_unit_params=0),
        LawFileError,
        "law.json is damaged: n_unit_params: expected a positive number of parameters, got 0.0; fit it again",
    ),
    Bad(
        "law file of another form than asked for",
        written(
            "law.json", planner.load_law("reasoning").to_json(), lambda path: planner.load_law(path, "multiplicative")
        ),
        InputError,
        "law.json is a law of the additive form, multiplicative was asked for; leave out --form",
    ),
    Bad(
        "law from parameters of another form",
        lambda _: planner.FittedLaw.given("log-linear", {"alpha": 0.1}),
        InputError,
        "the log-linear form (Y = c0 - c1 ln N - c2 ln T) has the parameters c0, c1, c2; got alpha",
    ),
]

CONFIGS = [
    Bad(
        "config without a type",
        config(model_type=None),
        UnknownArchitectureError,
        "my-7B: the config has no model_type, so its cost cannot be counted",
    ),
    Bad(
        "config with a fractional value",
        config(num_hidden_layers=2.5),
        SpecError,
        "my-7B: expected 'num_hidden_layers' to be a whole number of at least 1, got 2.5",
    ),
    Bad(
        "config with a text for a value",
        config(vocab_size="many"),
        SpecError,
        "my-7B: expected 'vocab_size' to be a whole number of at least 1, got 'many'",
    ),
    Bad(
        "config of a mixture of experts",
        config(num_local_experts=8),
        SpecError,
        "my-7B: nothing is known of 'num_local_experts' (8) in a config of the type llama, so its cost cannot be "
        "counted",
    ),
    Bad(
        "config of latent attention",
        config(kv_lora_rank=512),
        SpecError,
        "my-7B: nothing is known of 'kv_lora_rank' (512) in a config of the type llama, so its cost cannot be counted",
    ),
    Bad(
        "config that is not JSON",
        written("config.json", "hidden_size: 4096", lambda path: planner.find_llms(str(path))),
        SpecError,
        "{folder}/config.json is not JSON: Expecting value in line 1; expected a Hugging Face config.json",
    ),
    Bad(
        "config that is no object",
        written("config.json", "[]", lambda path: planner.find_llms(str(path))),
        SpecError,
        "{folder}/config.json holds no JSON object; expected a Hugging Face config.json",
    ),
    Bad(
        "config that is not there",
        lambda folder: planner.find_llms(str(folder / "config.json")),
        SpecError,
        "cannot read {folder}/config.json: No such file or directory; expected a Hugging Face config.json",
    ),
    Bad(
        "folder without a config",
        lambda folder: planner.find_llms(str(folder)),
        SpecError,
        "cannot read {folder}/config.json: No such file or directory; expected a Hugging Face config.json",
    ),
    Bad(
        "config of a language model for a tower",
        written("eye.json", json.dumps(CONFIG), lambda path: planner.find_vision(str(path))),
        SpecError,
        "eye: model type 'llama' is no vision tower of clip_vision_model or siglip_vision_model",
    ),
    Bad(
        "config of a tower without a patch size",
        tower(patch_size=None),
        SpecError,
        "eye: the config has no 'patch_size'; expected the config.json of a vision tower",
    ),
    Bad(
        "config of a tower with one layer",
        tower(num_hidden_layers=1),
        SpecError,
        "eye: expected a patch that fits the image and at least two layers, "
        "got an image of 28, patches of 14 and 1 layers",
    ),
    Bad(
        "config of a tower with patches larger than the image",
        tower(patch_size=56),
        SpecError,
        "eye: expected a patch that fits the image and at least two layers, "
        "got an image of 28, patches of 56 and 2 layers",
    ),
]

TABLE = [*CSV_TABLES, *FRAMES, *FITS, *QUANTITIES, *PLANS, *LAW_FILES, *CONFIGS]


@pytest.mark.parametrize("bad", TABLE, ids=lambda bad: bad.name)
def test_a_bad_input_ends_in_one_sentence(tmp_path: Path, bad: Bad) -> None:
    with pytest.raises(PlannerError) as caught:
        bad.call(tmp_path)
    assert str(caught.value) == bad.message.replace("{folder}", str(tmp_path))
    assert type(caught.value) is bad.kind
    assert caught.value.exit_code == (1 if bad.kind is NothingFitsError else 2)


def test_the_table_names_every_bad_input_once() -> None:
    assert len({bad.name for bad in TABLE}) == len(TABLE) >= 40


@pytest.mark.parametrize(
    "call",
    [
        lambda _: parse_flops(10**400),
        frame(llm_params=[10**400, 1e9]),
        law_file(n_unit_params=10**400),
        law_file(params={"A": 10**400, "alpha": 0.1, "B": 0.1, "beta": 0.1, "D": 0.0}),
        law_file(constraints={"alpha": 3}),
        law_file(llm_params_levels=[float("inf")]),
        law_file(loss="[/x]"),
        law_file(weighting="loud"),
        written("law.json", "[" * 100_000, planner.load_law),
        written("law.json", "1" * 5_000, planner.load_law),
        written("config.json", "[" * 100_000, planner.load_llm_config),
    ],
    ids=[
        "a whole number beyond floats",
        "a whole number beyond floats in a frame",
        "a law's unit beyond floats",
        "a law's parameter beyond floats",
        "a law's constraint of the wrong kind",
        "a law's level that is not finite; fill in the number or remove the row",
        "a law's loss that is unknown",
        "a law's weighting that is unknown",
        "a law file nested without end",
        "a law file of endless digits",
        "a config nested without end",
    ],
)
def test_what_no_sane_program_writes_is_bad_input_too(tmp_path: Path, call: Call) -> None:
    with pytest.raises(InputError) as caught:
        call(tmp_path)
    assert str(caught.value)
    assert "\n" not in str(caught.value)
