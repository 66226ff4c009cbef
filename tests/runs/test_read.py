"""Reading, checking and writing measured runs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import planner
from planner.base.errors import InputError, OutputExistsError, RunsError
from planner.runs import COLUMNS, Runs, read_runs, validate, write_runs

TABLE = """llm,llm_params,visual_tokens,error,task
Qwen1.5-0.5B,0.5B,1,0.6145,reasoning
Qwen1.5-0.5B,0.5B,576,0.568,reasoning
Qwen1.5-7B,7e9,1,0.52,ocr
Qwen1.5-7B,7e9,576,0.45,ocr
"""

ReadText = Callable[..., Runs]


@pytest.fixture
def read(tmp_path: Path) -> ReadText:
    """Read runs from the text (or the bytes) of a CSV file."""

    def read_text(text: str | bytes) -> Runs:
        path = tmp_path / "runs.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return read_runs(path)

    return read_text


def frame(**columns: Any) -> pd.DataFrame:
    """Four good runs, with some columns replaced, added, or left out (None)."""
    good: dict[str, Any] = {
        "llm": ["Qwen1.5-0.5B", "Qwen1.5-0.5B", "Qwen1.5-7B", "Qwen1.5-7B"],
        "llm_params": [5e8, 5e8, 7e9, 7e9],
        "visual_tokens": [1, 576, 1, 576],
        "error": [0.6145, 0.568, 0.52, 0.45],
        "task": ["reasoning", "reasoning", "ocr", "ocr"],
    }
    return pd.DataFrame({name: column for name, column in (good | columns).items() if column is not None})


def assert_same(one: Runs, other: Runs) -> None:
    """Equal in every column, to the last bit."""
    for name in COLUMNS:
        mine, its = getattr(one, name, None), getattr(other, name, None)
        if isinstance(mine, np.ndarray):
            assert its.dtype == mine.dtype == np.float64, name
            assert mine.tobytes() == its.tobytes(), name
        else:
            assert mine == its, name


def test_a_csv_file_is_read_as_it_stands(read: ReadText) -> None:
    runs = read(TABLE)
    assert len(runs) == 4
    assert runs.llm == ("Qwen1.5-0.5B", "Qwen1.5-0.5B", "Qwen1.5-7B", "Qwen1.5-7B")
    assert runs.llm_params.tolist() == [5e8, 5e8, 7e9, 7e9]
    assert runs.visual_tokens.tolist() == [1.0, 576.0, 1.0, 576.0]
    assert runs.error.tolist() == [0.6145, 0.568, 0.52, 0.45]
    assert runs.task == ("reasoning", "reasoning", "ocr", "ocr")
    assert runs.error_se is runs.samples is runs.text_tokens is None
    assert runs.compressor is runs.source is runs.note is runs.seed is None
    assert runs.remarks == ()


def test_a_csv_file_and_a_frame_agree(read: ReadText) -> None:
    assert_same(read(TABLE), read_runs(frame()))


def test_runs_that_are_read_already_are_returned_as_they_are() -> None:
    runs = read_runs(frame())
    assert read_runs(runs) is runs


@pytest.mark.parametrize("kind", ["float32", "Int64", "object", "category"])
def test_a_frame_may_hold_any_kind_of_number(kind: str) -> None:
    runs = read_runs(frame(visual_tokens=pd.Series([1, 576, 1, 576], dtype=kind)))
    assert_same(runs, read_runs(frame()))


def test_the_columns_and_rows_of_a_frame_may_stand_in_any_order() -> None:
    shuffled = frame().sample(frac=1, random_state=1)[["error", "task", "visual_tokens", "llm_params", "llm"]]
    assert_same(read_runs(shuffled.sort_index()), read_runs(frame()))


@pytest.mark.parametrize(("text", "params"), [("7B", 7e9), ("0.5b", 5e8), (" 135 M ", 1.35e8), ("4.1B", 4.1e9)])
def test_a_size_in_words_is_the_same_as_the_number(read: ReadText, text: str, params: float) -> None:
    rows = f"llm,llm_params,visual_tokens,error\na,{text},1,0.5\na,{params:.0f},4,0.4\na,{params!r},9,0.3\n"
    assert read(rows).llm_params.tolist() == [params] * 3
    assert read_runs(frame(llm="a", llm_params=[text, params, int(params), repr(params)])).llm_params[0] == params


def test_the_smallest_size_that_is_believed(read: ReadText) -> None:
    assert read(TABLE.replace("0.5B", "1e5")).llm_params[0] == 1e5
    with pytest.raises(RunsError, match="'99999' is too small to be a parameter count"):
        read(TABLE.replace("0.5B", "99999"))


def test_a_score_is_one_minus_the_error(read: ReadText) -> None:
    runs = read(TABLE.replace("error", "score"))
    assert runs.error.tolist() == [1 - 0.6145, 1 - 0.568, 1 - 0.52, 1 - 0.45]
    assert_same(runs, read_runs(frame(error=None, score=[0.6145, 0.568, 0.52, 0.45])))


@pytest.mark.parametrize("value", [0, 1, 0.0, 1.0])
@pytest.mark.parametrize("metric", ["error", "score"])
def test_the_ends_of_the_range_are_fractions_too(metric: str, value: float) -> None:
    runs = read_runs(frame(**{"error": None, metric: [value] * 4}))
    assert runs.error.tolist() == [value if metric == "error" else 1 - value] * 4


@pytest.mark.parametrize(
    "change",
    [
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.rstrip("\n").encode(),
        lambda text: text.replace("\n", "\n\n \n,,,,\n").encode(),
        lambda text: ("\n\n" + text).encode(),
        lambda text: text.replace(",", " , ").encode(),
        lambda text: text.replace("reasoning", '"reasoning"').encode(),
    ],
    ids=["byte order mark", "CRLF", "no last newline", "blank lines", "blank first lines", "spaces", "quotes"],
)
def test_how_the_file_was_saved_makes_no_difference(read: ReadText, change: Callable[[str], bytes]) -> None:
    runs = read(change(TABLE))
    assert_same(runs, read(TABLE))
    assert runs.remarks == ()


def test_an_error_names_the_line_of_the_file_with_its_blank_lines(read: ReadText) -> None:
    with pytest.raises(RunsError) as caught:
        read('llm,llm_params,visual_tokens,error,note\n\na,1B,1,0.5,"two\nlines"\n\na,1B,4,x,\n')
    assert str(caught.value) == "runs.csv, line 6, column error: 'x' is not a number"
    assert (caught.value.row, caught.value.column) == ("line 6", "error")


def test_an_error_names_the_label_of_a_frames_row() -> None:
    with pytest.raises(RunsError) as caught:
        read_runs(frame(error=[0.5, 0.5, "x", 0.5]).set_index(pd.Index(["p", "q", "r", "s"])))
    assert str(caught.value) == "runs, row r, column error: 'x' is not a number"
    assert (caught.value.row, caught.value.column) == ("row r", "error")


def test_optional_columns_are_kept() -> None:
    runs = read_runs(
        frame(
            error_se=[0.01, 0.02, 0.03, 0.04], samples=[100, 200, 300, 400], text_tokens=[0, 1, 2, 3], note=list("abcd")
        )
    )
    assert runs.error_se is not None and runs.error_se.tolist() == [0.01, 0.02, 0.03, 0.04]
    assert runs.samples is not None and runs.samples.tolist() == [100.0, 200.0, 300.0, 400.0]
    assert runs.text_tokens is not None and runs.text_tokens.tolist() == [0.0, 1.0, 2.0, 3.0]
    assert runs.note == ("a", "b", "c", "d")


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_an_empty_text_is_an_empty_text(read: ReadText, missing: Any) -> None:
    runs = read_runs(frame(task=["reasoning", missing, "ocr", "ocr"]))
    assert runs.task == ("reasoning", "", "ocr", "ocr")
    assert_same(runs, read(TABLE.replace("0.568,reasoning", "0.568,")))


def test_columns_that_are_not_used_are_remarked(read: ReadText) -> None:
    runs = read("llm,llm_params,visual_tokens,error,gpu,cost\na,1B,1,0.5,H100,3\n")
    assert runs.remarks == ("columns not used: gpu, cost",)
    assert validate(runs) == runs.remarks


def test_validate_returns_no_remarks_for_a_table_that_is_taken_whole() -> None:
    assert validate(frame()) == ()


# --- repetitions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("copies", [2, 3])
def test_rows_that_repeat_another_exactly_count_once_with_a_remark(copies: int) -> None:
    runs = read_runs(pd.concat([frame()] * copies, ignore_index=True))
    assert_same(runs, read_runs(frame()))
    assert runs.remarks == (f"{4 * (copies - 1)} rows repeat another one exactly and count once",)


def test_one_row_that_repeats_another_is_remarked_in_the_singular(read: ReadText) -> None:
    runs = read(TABLE + TABLE.splitlines()[-1] + "\n")
    assert len(runs) == 4
    assert runs.remarks == ("1 row repeats another one exactly and counts once",)


def test_a_seed_tells_repetitions_apart() -> None:
    runs = read_runs(pd.concat([frame(seed=0), frame(seed=1, error=[0.61, 0.57, 0.52, 0.45])], ignore_index=True))
    assert len(runs) == 8
    assert runs.seed == ("0",) * 4 + ("1",) * 4
    assert runs.remarks == ()


@pytest.mark.parametrize("column", ["compressor", "task", "text_tokens"])
def test_runs_that_differ_in_what_was_measured_do_not_contradict_each_other(column: str) -> None:
    other = frame(**{column: [7] * 4, "error": [0.1, 0.2, 0.3, 0.4]})
    assert len(read_runs(pd.concat([frame(**{column: [6] * 4}), other], ignore_index=True))) == 8


@pytest.mark.parametrize("column", ["error_se", "samples"])
def test_rows_of_one_run_with_other_weights_contradict_each_other(column: str) -> None:
    first, second = frame(**{column: [0.25] * 4}), frame(**{column: [0.5] * 4})
    with pytest.raises(RunsError, match="contradicts row 0"):
        read_runs(pd.concat([first, second], ignore_index=True))


# --- the fingerprint --------------------------------------------------------------------------------------------------


def measured(**columns: Any) -> Runs:
    return read_runs(frame(error_se=[0.01, 0.02, 0.03, 0.04], samples=[10, 20, 30, 40], **columns))


def test_the_fingerprint_does_not_depend_on_the_order_of_the_rows() -> None:
    runs = measured()
    assert {runs.take(order).sha256() for order in ([0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1])} == {runs.sha256()}


@pytest.mark.parametrize("column", ["note", "source", "task", "compressor", "seed"])
def test_the_fingerprint_does_not_depend_on_what_no_fit_reads(column: str) -> None:
    assert measured(**{column: list("wxyz")}).sha256() == measured(**{column: None}).sha256() == measured().sha256()


@pytest.mark.parametrize("column", ["llm_params", "visual_tokens", "error", "error_se", "samples"])
def test_the_fingerprint_changes_with_the_last_bit_of_any_number(column: str) -> None:
    runs = measured()
    for row in range(len(runs)):
        changed = getattr(runs, column).copy()
        changed[row] = np.nextafter(changed[row], np.inf)
        assert replace(runs, **{column: changed}).sha256() != runs.sha256()


def test_the_fingerprint_changes_with_a_name_and_with_a_row() -> None:
    runs = measured()
    assert replace(runs, llm=("x", *runs.llm[1:])).sha256() != runs.sha256()
    assert runs.take([0, 1, 2]).sha256() != runs.sha256()


def test_the_fingerprint_tells_standard_errors_from_samples() -> None:
    numbers = [10.0, 20.0, 30.0, 40.0]
    assert read_runs(frame(error_se=numbers)).sha256() != read_runs(frame(samples=numbers)).sha256()


def test_the_shipped_law_has_the_fingerprint_of_the_shipped_runs() -> None:
    with resources.as_file(resources.files("fitted_laws") / "runs" / "qwen1.5_tokenpacker_reasoning.csv") as path:
        assert read_runs(path).sha256() == planner.load_law("reasoning").runs_sha256


# --- parts of a table -------------------------------------------------------------------------------------------------


def test_select_ignores_case_and_keeps_all_columns() -> None:
    runs = measured(task=["Reasoning", "Reasoning", "ocr", "ocr"]).select(task="rEASONING")
    assert_same(runs, measured(task=["Reasoning", "Reasoning", "ocr", "ocr"]).take([0, 1]))
    assert runs.samples is not None and runs.samples.tolist() == [10.0, 20.0]


def test_select_takes_several_conditions_at_once() -> None:
    runs = measured(compressor=["quecc", "none", "quecc", "none"])
    chosen = runs.select(task="ocr", compressor="quecc", llm="Qwen1.5-7B")
    assert (chosen.llm, chosen.visual_tokens.tolist()) == (("Qwen1.5-7B",), [1.0])
    assert_same(runs.select(), runs)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"task": "vqa"}, "no run has task 'vqa'; there are: reasoning, ocr"),
        ({"llm": "Qwen"}, "no run has llm 'Qwen'; there are: Qwen1.5-0.5B, Qwen1.5-7B"),
        ({"task": "ocr", "llm": "Qwen1.5-0.5B"}, "no run has llm 'Qwen1.5-0.5B'; there are: Qwen1.5-7B"),
        ({"compressor": "quecc"}, "no run has compressor 'quecc'; the table has no such column"),
    ],
)
def test_select_says_what_there_is(wanted: dict[str, str], message: str) -> None:
    with pytest.raises(RunsError) as caught:
        read_runs(frame()).select(**wanted)
    assert str(caught.value) == message


@pytest.mark.parametrize("keep", [[1, 3], np.array([1, 3]), [False, True, False, True], np.array([0, 1, 0, 1], bool)])
def test_take_reads_positions_and_masks(keep: Any) -> None:
    runs = measured().take(keep)
    assert runs.llm == ("Qwen1.5-0.5B", "Qwen1.5-7B")
    assert runs.error.tolist() == [0.568, 0.45]
    assert runs.samples is not None and runs.samples.tolist() == [20.0, 40.0]
    assert runs.compressor is None


def test_take_keeps_the_order_asked_for_and_the_remarks() -> None:
    runs = read_runs(frame(gpu="H100")).take([3, 0, 3])
    assert runs.error.tolist() == [0.45, 0.6145, 0.45]
    assert runs.remarks == ("columns not used: gpu",)


def test_take_of_nothing_is_empty() -> None:
    assert len(read_runs(frame()).take([])) == 0


# --- round trips ------------------------------------------------------------------------------------------------------


def test_to_frame_round_trip() -> None:
    runs = measured(note=['a "quoted", text', "", "é", "d"], seed=[1, 1, 2, 2])
    assert_same(read_runs(runs.to_frame()), runs)
    assert list(runs.to_frame().columns) == [
        "llm", "llm_params", "visual_tokens", "error", "error_se", "samples", "task", "note", "seed",
    ]  # fmt: skip


def test_writing_refuses_an_existing_file_unless_told(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    assert write_runs(read_runs(frame()), path) == path
    with pytest.raises(OutputExistsError):
        write_runs(read_runs(frame()), path)
    write_runs(read_runs(frame()).take([0]), path, overwrite=True)
    assert len(read_runs(path)) == 1
    with pytest.raises(InputError) as caught:
        write_runs(read_runs(path), "x.cvs")
    assert str(caught.value) == "a run table's file name ends in .csv, got 'x.cvs'; did you mean .csv?"


def test_the_written_file_is_plain_csv(tmp_path: Path) -> None:
    write_runs(read_runs(frame(llm=["a,b", "a,b", 'c"d', 'c"d'])), tmp_path / "runs.csv")
    assert (tmp_path / "runs.csv").read_bytes() == (
        b"llm,llm_params,visual_tokens,error,task\n"
        b'"a,b",500000000,1,0.6145,reasoning\n'
        b'"a,b",500000000,576,0.568,reasoning\n'
        b'"c""d",7000000000,1,0.52,ocr\n'
        b'"c""d",7000000000,576,0.45,ocr\n'
    )


fractions = st.floats(0, 1)
positive = st.floats(min_value=5e-324, max_value=1.7e308, allow_infinity=False)
words = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=12).map(str.strip)
names = words.filter(bool) | st.sampled_from(["a,b", 'say "x"', "'", "naïve 模型", "[bold]x[/bold]", "=1+1", "#"])


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    """Good tables of any numbers and names."""
    sizes = draw(st.dictionaries(names, st.floats(1e5, 1.7e308), min_size=1, max_size=4))
    count = draw(st.integers(1, 6))

    def column(values: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(values, min_size=count, max_size=count))

    llm = column(st.sampled_from(sorted(sizes)))
    table = {
        "llm": llm,
        "llm_params": [sizes[name] for name in llm],
        "visual_tokens": column(positive),
        "error": column(fractions),
        "seed": [str(i) for i in range(count)],
    }
    for name, values in (("error_se", positive), ("samples", positive), ("text_tokens", st.floats(0, 1e300))):
        if draw(st.booleans()):
            table[name] = column(values)
    for name in ("task", "note"):
        if draw(st.booleans()):
            table[name] = column(words)
    return pd.DataFrame(table)


@settings(max_examples=25, deadline=None)
@given(tables())
def test_what_is_written_reads_back_to_the_last_bit(table: pd.DataFrame) -> None:
    runs = read_runs(table)
    with tempfile.TemporaryDirectory() as folder:
        again = read_runs(write_runs(runs, Path(folder) / "runs.csv"))
    assert_same(again, runs)
    assert again.sha256() == runs.sha256()


@settings(max_examples=25, deadline=None)
@given(tables(), st.randoms(use_true_random=False))
def test_no_order_of_the_rows_changes_what_is_read(table: pd.DataFrame, random: Any) -> None:
    order = list(range(len(table)))
    random.shuffle(order)
    assert_same(read_runs(table.iloc[order]), read_runs(table).take(order))
    assert read_runs(table.iloc[order]).sha256() == read_runs(table).sha256()
