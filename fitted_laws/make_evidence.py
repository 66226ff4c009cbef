"""Make the evidence base from the published tables beside it: python -m fitted_laws.make_evidence [--check]

Reads evidence/published/*.csv and runs/*.csv, copies of printed tables with the source in each row, and
evidence/published/released/*.csv, published scores of released models, and writes evidence/rows.csv: one row per
measured cell under one set of names, on one scale. With --check it writes nothing and fails where the file is stale.

Left out: costs, means over tasks, raw CIDEr and video scores, retention (a share of a model's own right answers is no
accuracy), tables whose number of tokens is not known, copies (a number that another table holds for the same cell) and
misquotes (`MISQUOTED`).
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from fitted_laws.evidence_names import (
    COMPRESSORS,
    COST,
    FULL_MARKS,
    LLMS,
    MME_TOTAL,
    PERCENT,
    TASKS,
)
from fitted_laws.released_tables import printed_scores
from planner.base.quantities import parse_params

HERE = Path(__file__).parent
EVIDENCE = HERE / "evidence"
ROWS = EVIDENCE / "rows.csv"

SAME = 5.1e-4
"""Two prints of one number: papers round to a tenth of a point."""


@dataclass(frozen=True)
class Row:
    """A measured cell; the columns of rows.csv."""

    table: str
    study: str
    task: str
    llm: str
    family: str
    recipe: str
    tower: str
    """Of the study's towers, where it has several."""
    compressor: str
    population: str
    llm_params: str
    visual_tokens: str
    error: float
    error_se: str
    where: str
    """Place within the table, where the source names one."""
    checked: str
    """1 where the cell was compared with a published copy."""

    @property
    def cell(self) -> tuple[str, ...]:
        """What is measured, whoever prints it."""
        return self.study, self.tower, self.llm, self.recipe, self.compressor, self.visual_tokens, self.task


@dataclass(frozen=True)
class Setup:
    """What a table's rows share, or what a row adds to it."""

    table: str
    study: str
    recipe: str = ""
    where: str = ""
    tower: str = ""


Printed = dict[str, str]

MISQUOTED: Mapping[tuple[str, str, str, str], str] = {
    ("2412.13303 Table 5", "visionzip", "64", "VQAv2"): "62.9; VisionZip itself prints 72.4",
    ("2407.02392 Table 1", "prumerge", "32", "POPE"): "86.3 and 86.2; three tables quote PruMerge at 7B as 76.3",
}
"""(table, compressor, tokens, task) of cells whose table quotes another paper wrongly, and how."""


def _runs(path: Path, setup: Callable[[Printed], Setup | None], checked: str = "") -> Iterator[Row]:
    """Rows of a table in the columns of measured runs, with scores from 0 to 1.

    `checked` is for the tables of runs/, which have no such column.
    """
    for printed in _printed(path):
        its = setup(printed)
        if its is not None:
            score, params = float(printed["score"]), printed["llm_params"]
            yield _row(its, {"checked": checked} | printed, score, params, printed.get("error_se", ""))


def _long(path: Path, setup: Callable[[Printed], Setup | None], mme_full_mark: float = 2000.0) -> Iterator[Row]:
    """Rows of a table of printed numbers, each with its metric."""
    for printed in _printed(path):
        its = setup(printed)
        if printed["task"] == COST or its is None:
            continue
        task, metric = printed["task"], printed["metric"]
        if metric in PERCENT:
            full_mark = 100.0
        elif metric == "score":
            full_mark = mme_full_mark if task == "MME" else FULL_MARKS[task]
        else:
            raise ValueError(f"{path.name}: no full mark is known for {task} in {metric}")
        row = _row(its, printed, float(printed["value"]) / full_mark, printed["llm_params_b"] + "B", "")
        yield replace(row, task=MME_TOTAL) if task == "MME" and full_mark == 2800 else row


def _printed(path: Path) -> Iterator[Printed]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _row(its: Setup, printed: Printed, score: float, params: str, error_se: str) -> Row:
    if not 0 <= score <= 1:
        raise ValueError(f"{its.table}: {printed['task']} has a score of {score}, above its full mark")
    llm, family = LLMS[printed["llm"]]
    compressor, population = COMPRESSORS[printed["compressor"]]
    return Row(
        table=its.table,
        study=its.study,
        task=TASKS.get(printed["task"], printed["task"]),
        llm=llm,
        family=family,
        recipe=its.recipe,
        tower=its.tower,
        compressor=compressor,
        population=population,
        llm_params=f"{parse_params(params):g}",
        visual_tokens=printed["visual_tokens"],
        error=round(1 - score, 10),
        error_se=error_se,
        where=its.where,
        checked=printed.get("checked", ""),
    )


def _fixed(table: str, study: str) -> Callable[[Printed], Setup]:
    return lambda printed: Setup(table, study)


SHARED_DATA = "0.5+0.6M"
"""Recipe of FastVLM that trains on the data of LLaVA-1.5."""


def _fastvlm_table5(printed: Printed) -> Setup:
    own = printed["compressor"] == "FastViTHD"
    table = "2412.13303 Table 5"
    return Setup(table, "FastVLM", SHARED_DATA) if own else Setup(table, "LLaVA-1.5")


def _fastvlm_table6(printed: Printed) -> Setup:
    recipe = printed["note"].split(" samples;")[0].removeprefix("data PT+IT ")
    return Setup("2412.13303 Table 6", "FastVLM", recipe, printed["source"].split(", ")[-1])


def _fastvlm_more(printed: Printed) -> Setup | None:
    """Tables 4 and 11; 5 and 6 have files of their own, 10 holds costs."""
    table, model = printed["table"], printed["model"]
    if table.startswith("Table 4"):
        tower = "" if model.startswith("FastViTHD") else model.split(" @")[0]
        return Setup("2412.13303 Table 4", "FastVLM", SHARED_DATA, tower=tower)
    if table.startswith("Table 11") and "unverified" not in model:
        return Setup("2412.13303 Table 11", "FastVLM", model.split("data(M) ")[1] + "M", f"row {table.split()[-1]}")
    return None


def _m3_next(printed: Printed) -> Setup:
    return Setup("2405.17430 Table 2", "LLaVA-NeXT", "one more epoch")


def _llava_mini(printed: Printed) -> Setup:
    model = printed["model"]
    recipe = "extra data" if "extra data" in model else "672 px" if "HD" in model or "672px" in model else ""
    name = printed["table"].split("(paper ")[-1].rstrip(")")
    return Setup(f"2501.03895 {name}", "LLaVA-1.5", recipe)


def _tokenpacker(printed: Printed) -> Setup:
    model = printed["model"]
    if printed["table"].startswith("projector"):
        return Setup("2407.02392 projectors", "LLaVA-1.5")
    study, _, recipe = {
        "LLaVA-NeXT": ("LLaVA-NeXT", "", ""),
        "Mini-Gemini-HD": ("Mini-Gemini", "", "HD"),
        "LLaVA-TokenPacker-HD": ("Mini-Gemini", "", "TokenPacker-HD, 1088 px"),
        "LLaVA-TokenPacker-HD 1344px": ("Mini-Gemini", "", "TokenPacker-HD, 1344 px"),
    }[model]
    return Setup("2407.02392 high resolution", study, recipe)


def _visionzip(printed: Printed) -> Setup:
    study = {"LLaVA-1.5": "LLaVA-1.5", "LLaVA-NeXT": "LLaVA-NeXT", "Mini-Gemini": "Mini-Gemini"}[
        printed["model"].rpartition("-")[0]
    ]
    return Setup("2412.04467 " + printed["table"].split(" (")[0], study)


RELEASED: Mapping[str, str] = {
    "qwen2_vl_readme": "Qwen2-VL README",
    "qwen25_vl_readme": "Qwen2.5-VL README",
    "qwen25_vl_3b_card": "Qwen2.5-VL-3B card",
    "qwen25_vl_quoted": "2502.13923",
    "qwen3_vl_quoted": "2511.21631 Tables 2 to 4",
    "qwen3_vl_report": "2511.21631 Tables 2 to 4",
    "youtu_vl_readme": "Youtu-VL README",
    "minicpm_o45_readme": "MiniCPM-o 4.5 README",
    "qwen35_card": "Qwen3.5-4B card",
    "qwen36_card": "Qwen3.6 card",
    "gemma3_report": "2503.19786 Table 16",
    "llama4_card": "Llama 4 card",
    "smolvlm_cards": "SmolVLM cards",
    "internvl3_report": "2504.10479 Tables 2 to 5",
    "internvl35_report": "2508.18265 Tables 3 to 6",
    "minicpm_o26_readme": "MiniCPM-o 2.6 README",
    "minicpm_v4_readme": "MiniCPM-V 4.0 README",
    "llava_ov15_readme": "LLaVA-OneVision-1.5 README",
    "lmms_eval_v04": "lmms-eval 0.4",
    "vlmevalkit_zenjieli": "VLMEvalKit runs of zenjieli",
    "pragma_vl": "2603.13292",
}
"""File of published/released/ -> table, the models' own publishers before those who quote them."""


def _released(file: str) -> Iterator[Row]:
    """Published scores of released models."""
    for one in printed_scores(file):
        known = one.known
        yield Row(
            table=RELEASED[file],
            study=known["study"],
            task=one.task,
            llm=known["llm"],
            family=known["family"],
            recipe=known["recipe"],
            tower="",
            compressor=known["compressor"],
            population=known["population"],
            llm_params=f"{float(known['llm_params']):g}",
            visual_tokens=str(one.visual_tokens),
            error=round(1 - one.score, 10),
            error_se="",
            where=one.where,
            checked=one.checked,
        )


def read_rows() -> list[Row]:
    """Every row of every table, originals before tables that quote them."""
    published, runs = EVIDENCE / "published", HERE / "runs"
    return [
        *_runs(published / "paligemma2_table13.csv", _fixed("2412.03555 Table 13", "PaliGemma 2")),
        *_runs(published / "paligemma1_3b_bigvision_readme.csv", _fixed("big_vision PaliGemma", "PaliGemma")),
        *_runs(runs / "qwen1.5_tokenpacker_reasoning.csv", _fixed("2411.03312 reasoning", "Qwen1.5 scaling"), "1"),
        *_runs(runs / "qwen1.5_tokenpacker_ocr.csv", _fixed("2411.03312 text reading", "Qwen1.5 scaling"), "1"),
        *_runs(published / "qwen2vl_7b_table7.csv", _fixed("2409.12191 Table 7", "Qwen2-VL")),
        *_runs(published / "tokenpacker_table1_7b_13b.csv", _fixed("2407.02392 Table 1", "LLaVA-1.5")),
        *_long(published / "tokenpacker_2024.csv", _tokenpacker),
        *_runs(published / "vicuna7b_m3.csv", _fixed("2405.17430 Table 1", "LLaVA-1.5")),
        *_runs(published / "m3_llava_next_table2.csv", _m3_next),
        *_runs(runs / "vicuna7b_compressors_table1.csv", _fixed("2411.03312 Table 1", "LLaVA-1.5"), "1"),
        *_long(published / "llava_mini_2025.csv", _llava_mini),
        *_long(published / "visionzip_yang2024.csv", _visionzip, mme_full_mark=2800.0),
        *_runs(published / "fastvlm_table6.csv", _fastvlm_table6),
        *_runs(published / "fastvlm_table5_vicuna7b_methods.csv", _fastvlm_table5),
        *_long(published / "fastvlm_2024.csv", _fastvlm_more),
        *(row for file in RELEASED for row in _released(file)),
    ]


def without_copies(rows: list[Row]) -> list[Row]:
    """The rows without misquotes and without those that print a number again which an earlier table holds for the cell.

    Where two tables print different numbers both stay: somebody measured the cell again.
    """
    seen: dict[tuple[str, ...], list[float]] = {}
    kept = []
    for row in rows:
        if (row.table, row.compressor, row.visual_tokens, row.task) in MISQUOTED:
            continue
        before = seen.setdefault(row.cell, [])
        if not any(abs(row.error - error) <= SAME for error in before):
            before.append(row.error)
            kept.append(row)
    return kept


def make_rows() -> str:
    """The text of rows.csv."""
    text = io.StringIO()
    names = [field.name for field in fields(Row)]
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    for row in without_copies(read_rows()):
        values: dict[str, Any] = {name: getattr(row, name) for name in names}
        writer.writerow({**values, "error": f"{row.error:.10g}"})
    return text.getvalue()


def main(check: bool) -> int:
    made = make_rows()
    if ROWS.exists() and ROWS.read_text(encoding="utf-8") == made:
        print("rows.csv agrees")
        return 0
    if check:
        print("stale: rows.csv; run python -m fitted_laws.make_evidence", file=sys.stderr)
        return 1
    ROWS.write_text(made, encoding="utf-8", newline="\n")
    print(f"rows.csv: {made.count(chr(10)) - 1} rows")
    return 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
