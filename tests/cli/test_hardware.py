"""hardware on the command line: the table, one card, JSON, a profile to start from."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len
from support import Run

from planner.hardware import Hardware, find_hardware, hardware_catalog
from planner.hardware.few_rows import FewRows
from planner.hardware.host_costs import HostCosts


def test_the_table_lists_every_card(run: Run) -> None:
    words = run("hardware").words
    assert "│ h100-sxm │ 989 TFLOP/s │ 1.98 PFLOP/s │ 79.6 GiB │ 3.35 TB/s │ 700 W │" in words
    assert "│ t4 │ - │ - │ 15 GiB │ 320 GB/s │ 70 W │" in words
    assert all(f"│ {name} │" in words for name in hardware_catalog())
    assert "rates: dense matrix products" in words


@pytest.mark.parametrize("name", ["", *hardware_catalog(), "cpu"])
def test_what_is_printed_fits_80_columns(run: Run, name: str) -> None:
    done = run("hardware", *filter(None, [name]))
    assert (done.code, done.err) == (0, "")
    assert [line for line in done.out.splitlines() if cell_len(line) > 80] == []


def test_one_card_shows_numbers_and_sources_and_efficiencies(run: Run) -> None:
    words = run("hardware", "NVIDIA H100 SXM").words
    assert words.startswith("NVIDIA H100 SXM5 80 GB (NVIDIA, SXM5) peaks ")
    assert "│ NVLink 4, one direction │ 450 GB/s │" in words
    assert "rates: the tensor-core rates are printed with sparsity and halved here" in words
    assert "memory: nvidia-smi reports 81559 MiB in all (sold as 80 GB)" in words
    assert f"what kernels reach ({find_hardware('h100-sxm').efficiency.source})" in words
    assert "overlap p: computing C and memory traffic B together take (C^p + B^p)^(1/p)" in words
    assert "│ matmul compute │" in words
    assert "│ fp8 │" not in run("hardware", "a10g").words


def test_the_host_shows_how_it_was_measured(run: Run) -> None:
    words = run("hardware", "cpu").words
    assert "rates: measured here with numpy: a float32 product" in words
    assert "│ power │" not in words


def test_json_is_what_python_says(run: Run) -> None:
    everything = run("hardware", "--json").json
    assert [Hardware.from_dict(card) for card in everything["hardware"]] == list(hardware_catalog().values())
    assert run("hardware", "L40S", "--json").json == find_hardware("l40s").to_dict()


def test_a_profile_is_written_and_read(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    done = run("hardware", "h200", "-o", file)
    assert (done.code, done.err) == (0, f"wrote {file}\n")
    content = json.loads(file.read_text())
    file.write_text(json.dumps(content | {"title": "[bold]Mine[/bold]\x1b[31m", "power_w": 650, "vendor": ""}))
    words = run("hardware", file).words
    assert words.startswith("[bold]Mine[/bold]\\x1b[31m (SXM5)")
    assert "│ power │ 650 W │" in words


def test_a_profile_is_not_overwritten_unasked(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    file.write_text("mine")
    done = run("hardware", "h200", "-o", file)
    assert done.code == 2
    assert "already exists" in done.complaint
    assert file.read_text() == "mine"
    assert run("hardware", "h200", "--output", file, "--force").code == 0
    assert Hardware.load(file) == find_hardware("h200")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["h100"], "'h100' fits several accelerators; did you mean h100-sxm or h100-pcie?"),
        (["h100-smx"], "no accelerator is called 'h100-smx'; did you mean 'h100-sxm'?"),
        (
            ["nowhere.json"],
            "cannot read nowhere.json: No such file or directory; expected the profile of a card; "
            "vlm-planner hardware NAME -o FILE writes one",
        ),
        (["-o", "x.json"], "-o writes one profile: name the accelerator, such as vlm-planner hardware h200 -o FILE"),
    ],
)
def test_wrong_input_gets_one_sentence(run: Run, arguments: list[str], complaint: str) -> None:
    done = run("hardware", *arguments)
    assert (done.code, done.complaint) == (2, complaint)


def test_tables_of_few_rows_and_the_host_are_told(tmp_path: Path, run: Run) -> None:
    card = find_hardware("l4")
    table, host = FewRows((1, 2, 4), (1.0, 2.1, 1.7)), HostCosts(step_s=2e-4, source="fitted to a log of 30 runs")
    mine = replace(card, efficiency=replace(card.efficiency, few_rows={"fp32": table}, host=host))
    words = run("hardware", mine.save(tmp_path / "mine.json")).words
    assert "matrix products of few rows, one row = 1 (fp32)" in words
    assert "│ 1 │ 1 │ │ 2 │ 2.1 │ │ 4 │ 1.7 │" in words
    assert "│ each step │ 200 µs │" in words
    assert "fitted to a log of 30 runs" in words
    assert "few rows" not in run("hardware", "l4").out
