"""The shipped rows are what their script makes of the published tables, on one scale and under one set of names."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import fields

import numpy as np
import pytest

from fitted_laws import make_evidence
from fitted_laws.make_evidence import EVIDENCE, Row, make_rows, read_rows, without_copies
from fitted_laws.released_tables import printed_scores
from planner.laws.hierarchy.rows import EvidenceRows, shipped_rows, shipped_tables, task_classes


@pytest.fixture(scope="module")
def rows() -> EvidenceRows:
    return shipped_rows()


def errors(rows: EvidenceRows, **cell: str | float) -> list[float]:
    mask = np.ones(len(rows), bool)
    for name, value in cell.items():
        mask &= getattr(rows, name) == value
    return sorted(rows.error[mask].tolist())


def test_the_script_makes_the_shipped_rows_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert make_evidence.ROWS.read_text(encoding="utf-8") == make_rows()
    assert make_evidence.main(check=True) == 0
    assert capsys.readouterr().out == "rows.csv agrees\n"


def test_a_stale_file_fails_the_check(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(make_evidence, "read_rows", lambda: read_rows()[1:])
    assert make_evidence.main(check=True) == 1
    assert capsys.readouterr().err == "stale: rows.csv; run python -m fitted_laws.make_evidence\n"


def test_columns_are_of_one_length_and_complete(rows: EvidenceRows) -> None:
    assert {len(getattr(rows, field.name)) for field in fields(rows)} == {len(rows)}
    assert len(rows) > 1500
    for name in ("study", "table", "task", "task_class", "llm", "family", "checkpoint", "compressor", "source"):
        assert "" not in set(getattr(rows, name).tolist()), name
    assert set(rows.population.tolist()) == {"trained", "pruning", "resize", "released", "none"}
    assert set(rows.task_class.tolist()) == {"text", "general", "knowledge", "localisation"}
    assert np.all((rows.error > 0) & (rows.error < 1))
    studied = rows.population != "released"
    assert np.all(
        (rows.llm_params[studied] >= 0.5e9) & (rows.llm_params[studied] <= 27e9) & (rows.visual_tokens[studied] >= 1)
    )
    assert np.all((rows.llm_params >= 0.1e9) & (rows.llm_params <= 400e9) & (rows.visual_tokens >= 1))


def test_cells_are_those_of_the_prints(rows: EvidenceRows) -> None:
    gemma = {"study": "PaliGemma 2", "llm": "Gemma2-9B", "visual_tokens": 1024.0}
    assert errors(rows, task="DocVQA", **gemma) == pytest.approx([1 - 0.766])
    assert errors(rows, study="Qwen1.5 scaling", llm="Qwen1.5-0.5B", visual_tokens=1.0) == pytest.approx(
        [1 - 0.3855, 1 - 0.09786452795]
    )
    # MME of 2000 (perception) and of 2800 (with cognition) are two tasks
    llava = {"checkpoint": "LLaVA-1.5 / Vicuna-1.5-7B", "compressor": "none", "visual_tokens": 576.0}
    assert errors(rows, task="MME", **llava) == pytest.approx([1 - 1510.7 / 2000])
    assert errors(rows, task="MME (total)", **llava) == pytest.approx([1 - 1862 / 2800])
    assert errors(rows, study="FastVLM", task="OCRBench", recipe="15+23.1M", llm="Qwen2-7B") == pytest.approx(
        [1 - 0.673, 1 - 0.657]
    )


def test_only_paligemma_2_has_replicates(rows: EvidenceRows) -> None:
    with_se = ~np.isnan(rows.error_se)
    assert set(rows.study[with_se].tolist()) == {"PaliGemma 2"}
    assert with_se.sum() == 192
    assert rows.error_se[with_se].max() < 0.01


def test_costs_means_retention_and_raw_scores_are_left_out(rows: EvidenceRows) -> None:
    assert not [task for task in set(rows.task.tolist()) if "cost" in task or "mean of nine" in task]
    assert not set(rows.task.tolist()) & {"COCOcap", "NoCaps", "TextCaps", "MSRVTT-QA"}
    assert not [source for source in set(rows.source.tolist()) if "VTC" in source]


def test_a_number_that_is_quoted_counts_once(rows: EvidenceRows) -> None:
    cells = Counter(
        zip(rows.checkpoint, rows.compressor, rows.visual_tokens, rows.task, rows.error.round(3), strict=True)
    )
    del cells["Qwen2.5-VL / Qwen2.5-3B", "resize", 580.0, "ChartQA", 0.166]  # measured twice: 83.36 and 83.44
    assert cells.most_common(1)[0][1] == 1
    # LLaVA-1.5's GQA at 576 tokens is quoted by four tables as 62.0; one measured it again as 61.9
    llava = {"checkpoint": "LLaVA-1.5 / Vicuna-1.5-7B", "compressor": "none", "visual_tokens": 576.0}
    assert errors(rows, task="GQA", **llava) == pytest.approx([0.38, 0.381])
    printed = [
        row for row in read_rows() if row.task == "GQA" and row.compressor == "none" and "LLaVA-1.5" in row.study
    ]
    assert len([row for row in printed if row.llm == "Vicuna-1.5-7B"]) > 4


def test_a_cell_that_was_measured_again_stays() -> None:
    first = read_rows()[0]
    again, quoted = ({**vars(first), "table": "later", "error": first.error + more} for more in (0.002, 0.0004))
    assert without_copies([first, Row(**again), Row(**quoted)]) == [first, Row(**again)]


def test_every_table_and_task_is_described(rows: EvidenceRows) -> None:
    assert set(rows.table.tolist()) == set(shipped_tables())
    assert set(rows.task.tolist()) == set(task_classes())
    assert all(table.source and table.url.startswith("https://") for table in shipped_tables().values())


def test_every_published_table_is_kept_with_its_source() -> None:
    files = sorted((EVIDENCE / "published").glob("*.csv"))
    assert len(files) == 15
    for path in files:
        with path.open(encoding="utf-8", newline="") as file:
            assert all(row["source"] for row in csv.DictReader(file)), path.name


def test_checked_cells_are_those_that_were_compared(rows: EvidenceRows) -> None:
    unchecked = Counter(rows.table[~rows.checked].tolist())
    second_hand = {"2511.21631 Tables 2 to 4", "SmolVLM cards", "Qwen3.6 card", "2603.13292"}
    assert set(unchecked) == {f"2412.04467 Table {n}" for n in (1, 10, 11, 14)} | second_hand  # no whole copy was found
    assert set(rows.task[~rows.checked & (rows.table == "2412.04467 Table 1")].tolist()) == {"LLaVA-B", "MMVet"}
    assert rows.checked.mean() > 0.9
    with (EVIDENCE / "checks.csv").open(encoding="utf-8", newline="") as file:
        checks = {row["file"]: row for row in csv.DictReader(file)}
    for path in (EVIDENCE / "published").glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            marked = sum(row.get("checked", "") == "1" for row in csv.DictReader(file))
        check = checks[f"published/{path.name}"]
        assert marked == int(check["cells"]) - int(check["different"]), path.name
    for file_name in make_evidence.RELEASED:
        marked = sum(one.checked == "1" for one in printed_scores(file_name))
        check = checks[f"published/released/{file_name}.csv"]
        assert marked == int(check["cells"]) - int(check["different"]), file_name


def test_a_released_model_sees_the_typical_image_of_a_task(rows: EvidenceRows) -> None:
    own = {"checkpoint": "Qwen3-VL / Qwen3-8B", "task": "DocVQA"}
    assert errors(rows, visual_tokens=53 * 69.0, **own) == pytest.approx([1 - 0.961])  # 1700x2200 in 32 pixels
    pan_and_scan = {"checkpoint": "Gemma 3 / Gemma3-12B", "task": "DocVQA"}
    assert errors(rows, visual_tokens=3 * 256.0, **pan_and_scan) == pytest.approx([1 - 0.871])
    assert {path.stem for path in (EVIDENCE / "published" / "released").glob("*.csv")} == set(make_evidence.RELEASED)


def test_typical_errors_of_tasks_are_those_of_the_rows(rows: EvidenceRows) -> None:
    with (EVIDENCE / "tasks.csv").open(encoding="utf-8", newline="") as file:
        known = {row["task"]: float(row["error"]) for row in csv.DictReader(file) if row["error"]}
    assert len(known) > 10
    for task, error in known.items():
        mean = rows.error[(rows.population == "released") & (rows.task == task)].mean()
        assert error == pytest.approx(mean, abs=0.0151), task


def test_a_misquoted_cell_is_left_out(rows: EvidenceRows) -> None:
    zip_64 = {"compressor": "visionzip", "visual_tokens": 64.0, "llm": "Vicuna-1.5-7B", "study": "LLaVA-1.5"}
    assert errors(rows, task="VQAv2", **zip_64) == pytest.approx([1 - 0.724])
    assert errors(rows, task="POPE", compressor="prumerge", visual_tokens=32.0) == pytest.approx([1 - 0.763])


def test_where_keeps_all_columns(rows: EvidenceRows) -> None:
    some = rows.where(rows.task == "DocVQA")
    assert 0 < len(some) < len(rows)
    assert set(some.task.tolist()) == {"DocVQA"}
    assert {len(getattr(some, field.name)) for field in fields(some)} == {len(some)}
    assert len(rows.where(np.array([3, 1]))) == 2
