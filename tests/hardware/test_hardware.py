"""Accelerators: the published numbers, finding one by what a user may write, profiles, the host's CPU."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import planner
from planner.base.errors import InputError, OutputExistsError, UnknownNameError
from planner.base.file_format import content_hash
from planner.hardware import CPU, PRECISIONS, Hardware, find_hardware, hardware_aliases, hardware_catalog, host_cpu
from planner.hardware.efficiency import Efficiency, efficiency_of

# name: dense bf16, fp16, fp8, int8 in TFLOP/s (None: it does not compute in it), GB as sold, GB/s, W
PUBLISHED: dict[str, tuple[float | None, float, float | None, float, int, float, float]] = {
    "h100-sxm": (989.4, 989.4, 1978.9, 1978.9, 80, 3350, 700),
    "h100-pcie": (756, 756, 1513, 1513, 80, 2039, 350),
    "h200": (989.4, 989.4, 1978.9, 1978.9, 141, 4800, 700),
    "b200": (2250, 2250, 4500, 4500, 180, 7700, 1000),
    "a100-40gb": (312, 312, None, 624, 40, 1555, 400),
    "a100-80gb": (312, 312, None, 624, 80, 2039, 400),
    "l40s": (362.05, 362.05, 733, 733, 48, 864, 350),
    "l4": (121, 121, 242, 242, 24, 300, 72),
    "a10g": (70, 70, None, 140, 24, 600, 300),
    "t4": (None, 65, None, 130, 16, 320, 70),
    "rtx-4090": (165.2, 165.2, 330.3, 660.6, 24, 1008, 450),
    "rtx-5090": (209.5, 209.5, 419, 838, 32, 1792, 575),
    "mi300x": (1307.4, 1307.4, 2614.9, 2614.9, 192, 5300, 750),
}
LINKS = {
    "h100-sxm": ("NVLink 4", 450e9),
    "h100-pcie": ("PCIe gen5 x16", 64e9),
    "h200": ("NVLink 4", 450e9),
    "b200": ("NVLink 5", 900e9),
    "a100-40gb": ("NVLink 3", 300e9),
    "a100-80gb": ("NVLink 3", 300e9),
    "t4": ("PCIe gen3 x16", 16e9),
    "l4": ("PCIe gen4 x16", 32e9),
    "mi300x": ("Infinity Fabric", 448e9),
}
CARDS = sorted(PUBLISHED)
# name: dense 16-bit TFLOP/s, GB as sold, GB/s
EDGE: dict[str, tuple[float, float, float]] = {
    "agx-orin-64": (42.6, 64, 204.8),
    "agx-orin-32": (26.7, 32, 204.8),
    "orin-nx-16": (15.0, 16, 102.4),
    "orin-nano-8": (10.2, 8, 68),
    "orin-super-8": (16.7, 8, 102),
    "apple-m1-max": (10.4, 64, 400),
    "apple-m2-ultra": (27.2, 192, 800),
    "apple-m3-max": (14.2, 128, 400),
    "apple-m4-pro": (9.2, 64, 273),
    "apple-m4-max": (18.4, 128, 546),
    "radeon-8060s": (59.4, 128, 256),
    "apple-a17-pro": (2.15, 8, 51.2),
    "apple-a18-pro": (2.23, 8, 60),
    "adreno-750": (5.55, 12, 76.8),
    "dimensity-9400": (9.90, 16, 85.336),
    "adreno-x1-85": (9.22, 64, 135.168),
    "arc-140v": (31.9, 32, 136.528),
    "radeon-890m": (23.8, 32, 120),
}
# name: fp32 TFLOP/s, GB, GB/s
PROCESSORS: dict[str, tuple[float, float, float]] = {
    "ryzen-hx-370": (1.50, 32, 120),
    "ultra-7-258v": (1.09, 32, 136.528),
    "x1e-84-100": (1.46, 64, 135.168),
}

PROFILE = {
    "name": "mine",
    "title": "My card",
    "flops_per_s": {"bf16": 1e14, "fp32": 1e13},
    "memory_bytes": 24e9,
    "bandwidth_bytes_per_s": 1e12,
}


def written(folder: Path, content: Any) -> Path:
    file = folder / "card.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return file


# --- the table --------------------------------------------------------------------------------------------------------


def test_the_table_holds_the_known_cards() -> None:
    assert sorted(hardware_catalog()) == sorted([*CARDS, *EDGE, *PROCESSORS])
    assert all(card.name == name for name, card in hardware_catalog().items())


@pytest.mark.parametrize("name", CARDS)
def test_published_numbers(name: str) -> None:
    card = find_hardware(name)
    *rates, gigabytes, bandwidth, power = PUBLISHED[name]
    for precision, rate in zip(("bf16", "fp16", "fp8", "int8"), rates, strict=True):
        assert card.flops_per_s.get(precision) == (None if rate is None else pytest.approx(rate * 1e12, rel=1e-12))
    assert card.bandwidth_bytes_per_s == bandwidth * 1e9
    assert card.power_w == power
    assert f"{gigabytes} GB" in card.title
    # what is sold as GB is GiB; error correction takes up to a sixteenth of GDDR memory
    assert gigabytes * 2**30 * 15 / 16 * 0.999 <= card.memory_bytes <= gigabytes * 2**30


@pytest.mark.parametrize(("name", "link"), LINKS.items())
def test_interconnects_count_one_direction(name: str, link: tuple[str, float]) -> None:
    card = find_hardware(name)
    assert (card.interconnect, card.interconnect_bytes_per_s) == link


@pytest.mark.parametrize("name", CARDS)
def test_every_number_has_a_source(name: str) -> None:
    card = find_hardware(name)
    numbers = ["flops_per_s", "memory_bytes", "bandwidth_bytes_per_s", "interconnect", "power_w"]
    assert list(card.source) == numbers
    assert all(len(text) > 20 for text in card.source.values())
    assert card.vendor in ("NVIDIA", "AMD")
    assert card.form_factor


@pytest.mark.parametrize("name", CARDS)
def test_rates_are_dense(name: str) -> None:
    """Eight bits are computed at twice the rate of sixteen, on GeForce cards integers at four times it."""
    card = find_hardware(name)
    once = card.rate("fp16")
    assert card.rate("int8") / once == pytest.approx(4 if name.startswith("rtx") else 2, rel=0.02)
    if "fp8" in card.flops_per_s:
        assert card.rate("fp8") / once == pytest.approx(2, rel=0.02)  # the L40S sheet rounds 724 to 733
    assert card.rate("fp32") < once


@pytest.mark.parametrize("name", EDGE)
def test_devices_at_the_edge(name: str) -> None:
    card = find_hardware(name)
    rate, gigabytes, bandwidth = EDGE[name]
    assert card.flops_per_s["fp16"] == pytest.approx(rate * 1e12, rel=0.01)
    assert card.bandwidth_bytes_per_s == round(bandwidth * 1e9)
    assert card.memory_bytes == gigabytes * 2**30
    assert "shared with the processor" in card.source["memory_bytes"]
    assert set(card.source) == {"flops_per_s", "memory_bytes", "bandwidth_bytes_per_s"} | (
        {"power_w"} if card.power_w else set()
    )
    assert all(len(text) > 20 for text in card.source.values())
    assert (card.interconnect, card.interconnect_bytes_per_s) == ("none", 0.0)
    assert card.efficiency.source == "default"


@pytest.mark.parametrize("name", PROCESSORS)
def test_laptop_processors(name: str) -> None:
    """They multiply 16-bit weights in fp32, and know no eight bits."""
    card = find_hardware(name)
    rate, gigabytes, bandwidth = PROCESSORS[name]
    assert card.rate("fp32") == pytest.approx(rate * 1e12, rel=0.01)
    assert card.rate("bf16") == card.rate("fp32")
    assert set(card.flops_per_s) == {"bf16", "fp32"}
    assert card.bandwidth_bytes_per_s == round(bandwidth * 1e9)
    assert card.memory_bytes == gigabytes * 2**30
    assert card.form_factor == "laptop processor"
    assert card.efficiency == Efficiency()
    assert card.source["flops_per_s"].endswith("widened and multiplied in fp32, so bf16 has its rate")
    assert all("https://" in card.source[number] for number in ("flops_per_s", "bandwidth_bytes_per_s"))


@pytest.mark.parametrize(
    ("name", "units", "flops_per_clock", "gigahertz", "precision"),
    [
        ("apple-a17-pro", 768, 2, 1.398, "fp32"),
        ("apple-a18-pro", 768, 2, 1.45, "fp16"),
        ("adreno-750", 1536, 2, 0.903, "fp32"),
        ("dimensity-9400", 12, 512, 1.612, "fp16"),
        ("adreno-x1-85", 1536, 2, 1.5, "fp32"),
        ("arc-140v", 8, 4096, 1.95, "int8"),
        ("radeon-890m", 16, 512, 2.9, "bf16"),
        ("radeon-8060s", 40, 512, 2.9, "bf16"),
    ],
)
def test_derived_peaks_are_units_times_clock(
    name: str, units: int, flops_per_clock: int, gigahertz: float, precision: str
) -> None:
    assert find_hardware(name).rate(precision) == pytest.approx(units * flops_per_clock * gigahertz * 1e9, rel=1e-12)


def test_what_nobody_published_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        planner.cost("Qwen3-0.6B", 64, query_tokens=50, generated_tokens=32, hardware="dimensity-9400", precision="fp8")
    assert str(caught.value) == (
        "MediaTek Dimensity 9400 (Immortalis-G925) 16 GB does not compute in fp8; it does in: fp32, bf16, fp16, int4"
    )
    told = planner.cost("Qwen3-0.6B", 64, query_tokens=50, generated_tokens=32, hardware="iphone 16 pro")
    assert told.latency is not None


@pytest.mark.parametrize(("alias", "name"), hardware_aliases().items())
def test_another_name_leads_to_its_card(alias: str, name: str) -> None:
    assert find_hardware(alias) is find_hardware(alias.replace("-", " ").upper()) is hardware_catalog()[name]
    assert alias not in hardware_catalog()


def test_other_names_are_listed_where_one_fits_several() -> None:
    with pytest.raises(InputError) as caught:
        find_hardware("snapdragon")
    assert str(caught.value) == (
        "'snapdragon' fits several accelerators; did you mean adreno-750, adreno-x1-85 or x1e-84-100?"
    )


def test_a_mistyped_other_name_gets_a_suggestion() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'iphone-16-pro'"):
        find_hardware("iphone-16-por")


@pytest.mark.parametrize(("name", "sparse"), [("agx-orin-64", 170), ("agx-orin-32", 108)])
def test_a_jetson_is_half_of_half_of_its_sparse_tops(name: str, sparse: int) -> None:
    assert find_hardware(name).rate("int8") == pytest.approx(sparse / 2 * 1e12, rel=0.02)
    assert find_hardware(name).rate("fp16") == find_hardware(name).rate("int8") / 2


def test_a_maker_may_be_named_or_not() -> None:
    assert find_hardware("M4 Max").name == find_hardware("Apple M4 Max").name == "apple-m4-max"
    assert find_hardware("NVIDIA Jetson AGX Orin 64").name == "agx-orin-64"
    assert find_hardware("Qualcomm Snapdragon 8 Gen 3").name == "adreno-750"
    assert find_hardware("Intel Arc 140V").name == "arc-140v"
    assert find_hardware("MediaTek Dimensity 9400").name == "dimensity-9400"


def test_without_an_interconnect_gpus_do_not_share_a_model() -> None:
    with pytest.raises(InputError, match=r"Apple M4 Max 128 GB has no interconnect in the catalogue; expected tensor"):
        planner.cost("Qwen3-8B", 576, query_tokens=50, generated_tokens=32, hardware="apple-m4-max", tensor_parallel=2)


def test_halved_sheets_say_so() -> None:
    for name in ("h100-sxm", "h100-pcie", "h200", "b200", "l4"):
        assert "halved" in find_hardware(name).source["flops_per_s"]
    for name in ("rtx-4090", "rtx-5090"):
        assert "FP32 accumulation" in find_hardware(name).source["flops_per_s"]


@pytest.mark.parametrize("name", CARDS)
def test_a_card_has_its_shipped_efficiency(name: str) -> None:
    assert find_hardware(name).efficiency == efficiency_of(name)


def test_the_table_is_read_only_when_it_is_needed() -> None:
    program = "import planner.hardware as h; print(h.catalog.shipped_cards.cache_info(), h.host_cpu.cache_info())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.count("misses=0") == 2


# --- rates ------------------------------------------------------------------------------------------------------------


def test_a_rate() -> None:
    assert find_hardware("h100-sxm").rate("bf16") == 989.4e12


@pytest.mark.parametrize(
    ("name", "precision", "complaint"),
    [
        ("t4", "bf16", "NVIDIA T4 16 GB has no bf16; it has fp16, int8, fp32"),
        ("a100-80gb", "fp8", "NVIDIA A100 SXM4 80 GB has no fp8; it has bf16, fp16, int8, fp32"),
        ("h200", "bf61", "no precision is called 'bf61'; did you mean 'bf16'?"),
        ("h200", "double", "no precision is called 'double'; there are: bf16, fp16, fp8, int8, fp32"),
    ],
)
def test_a_precision_that_is_not_there(name: str, precision: str, complaint: str) -> None:
    with pytest.raises(InputError) as caught:
        find_hardware(name).rate(precision)
    assert str(caught.value) == complaint


# --- finding one ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written_as", "name"),
    [
        ("h100-sxm", "h100-sxm"),
        ("H100-SXM", "h100-sxm"),
        ("  h100 sxm ", "h100-sxm"),
        ("h100_pcie", "h100-pcie"),
        ("NVIDIA H200", "h200"),
        ("nvidia-b200", "b200"),
        ("Tesla T4", "t4"),
        ("A100 80GB", "a100-80gb"),
        ("rtx4090", "rtx-4090"),
        ("NVIDIA GeForce RTX 5090", "rtx-5090"),
        ("AMD Instinct MI300X", "mi300x"),
        ("l4", "l4"),
    ],
)
def test_a_name_may_be_written_in_several_ways(written_as: str, name: str) -> None:
    assert find_hardware(written_as) is hardware_catalog()[name]


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("h100", "'h100' fits several accelerators; did you mean h100-sxm or h100-pcie?"),
        ("A100", "'A100' fits several accelerators; did you mean a100-40gb or a100-80gb?"),
        ("rtx", "'rtx' fits several accelerators; did you mean rtx-4090 or rtx-5090?"),
        ("AGX Orin", "'AGX Orin' fits several accelerators; did you mean agx-orin-64 or agx-orin-32?"),
        (
            "jetson",
            "'jetson' fits several accelerators; did you mean agx-orin-64, agx-orin-32, orin-nx-16, orin-nano-8 or "
            "orin-super-8?",
        ),
    ],
)
def test_a_name_that_fits_several_is_refused(name: str, complaint: str) -> None:
    with pytest.raises(InputError) as caught:
        find_hardware(name)
    assert str(caught.value) == complaint


@pytest.mark.parametrize(
    ("name", "meant"), [("h100-smx", "h100-sxm"), ("H201", "h200"), ("mi300", "mi300x"), ("m1", "apple-m1-max")]
)
def test_a_mistyped_name_gets_a_suggestion(name: str, meant: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        find_hardware(name)
    assert str(caught.value) == f"no accelerator is called {name!r}; did you mean {meant!r}?"


@pytest.mark.parametrize("name", ["", "zzz", "\0"])
def test_an_unknown_name_gets_the_list(name: str) -> None:
    with pytest.raises(UnknownNameError, match=r"there are h100-sxm, .*, cpu, and the path of any profile$"):
        find_hardware(name)


def test_an_accelerator_is_found_as_it_is() -> None:
    card = Hardware(**PROFILE)  # type: ignore[arg-type]
    assert find_hardware(card) is card


# --- profiles ---------------------------------------------------------------------------------------------------------

numbers = st.floats(min_value=1e-3, max_value=1e18, allow_nan=False)
texts = st.text(st.characters(codec="utf-8"), max_size=20)
names = texts.filter(str.strip)
shares = st.floats(min_value=1e-6, max_value=1.0)
cards = st.builds(
    Hardware,
    name=names,
    title=names,
    flops_per_s=st.dictionaries(st.sampled_from(PRECISIONS), numbers, min_size=1),
    memory_bytes=numbers,
    bandwidth_bytes_per_s=numbers,
    interconnect_bytes_per_s=numbers | st.just(0.0),
    interconnect=texts,
    power_w=numbers | st.none(),
    source=st.dictionaries(st.sampled_from(["flops_per_s", "memory_bytes", "interconnect", "power_w"]), texts),
    efficiency=st.builds(Efficiency, matmul_compute=shares, matmul_overhead_s=shares),
    vendor=texts,
    form_factor=texts,
)


@settings(max_examples=100, deadline=None)
@given(cards)
def test_the_round_trip_is_exact(card: Hardware) -> None:
    assert Hardware.from_dict(json.loads(json.dumps(card.to_dict(), allow_nan=False))) == card
    assert pickle.loads(pickle.dumps(card)) == card
    assert hash(card) == hash(Hardware.from_dict(card.to_dict()))


@pytest.mark.parametrize("name", CARDS)
def test_a_saved_card_comes_back_from_its_file(name: str, tmp_path: Path) -> None:
    card = find_hardware(name)
    file = card.save(tmp_path / "card.json")
    assert Hardware.load(file) == card
    assert find_hardware(file) == card
    assert find_hardware(str(file)) == card
    with pytest.raises(OutputExistsError):
        card.save(file)
    card.save(file, overwrite=True)


def test_a_profile_by_hand_needs_five_fields(tmp_path: Path) -> None:
    card = find_hardware(written(tmp_path, PROFILE))
    assert card.efficiency == Efficiency()
    assert (card.interconnect, card.interconnect_bytes_per_s, card.power_w, card.source) == ("none", 0.0, None, {})


def test_a_profile_may_give_memory_a_unit_and_one_source() -> None:
    card = Hardware.from_dict(PROFILE | {"memory_bytes": "80 GiB", "source": "measured"})
    assert card.memory_bytes == 80 * 2**30
    assert set(card.source.values()) == {"measured"}


def test_a_profile_of_a_known_card_has_its_efficiency_unless_it_has_its_own() -> None:
    known = PROFILE | {"name": "h200"}
    assert Hardware.from_dict(known).efficiency == efficiency_of("h200")
    own = Hardware.from_dict(known | {"efficiency": {"matmul_compute": 0.123}})
    assert own.efficiency.matmul_compute == 0.123
    assert Hardware.from_dict(known | {"efficiency": None}).efficiency == efficiency_of("h200")
    assert Hardware.from_dict(known | {"efficiency": {}}).efficiency == Efficiency()


def test_a_part_of_a_plan_is_read_as_strictly(tmp_path: Path) -> None:
    content = planner.plan(budget="2 TFLOPs", hardware="l4", query_tokens=50, generated_tokens=32).to_dict()
    content["hardware_profile"]["power_w"] = "72 W"
    content["sha256"] = content_hash(content, "sha256")
    with pytest.raises(InputError) as caught:
        planner.Plan.from_dict(content, "plan.json")
    assert str(caught.value) == (
        "plan.json is damaged: hardware_profile.power_w: expected a number or null, got '72 W'; make it again with "
        "vlm-planner plan -o"
    )


NO_NUMBER = "expected a number above 0, got"


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"memory_bytes": None}, "memory_bytes: expected a positive number of bytes such as "),
        ({"memory_bytes": "80 GiBi"}, "the unit 'GiBi' is not known, did you mean 'GiB'?"),
        ({"bandwidth_bytes_per_s": 0}, f"bandwidth_bytes_per_s: {NO_NUMBER} 0"),
        ({"bandwidth_bytes_per_s": True}, f"bandwidth_bytes_per_s: {NO_NUMBER} True"),
        ({"bandwidth_bytes_per_s": "3 TB/s"}, f"bandwidth_bytes_per_s: {NO_NUMBER} '3 TB/s'"),
        ({"bandwidth_bytes_per_s": 10**400}, f"bandwidth_bytes_per_s: {NO_NUMBER} 1000"),
        ({"interconnect_bytes_per_s": -1}, "interconnect_bytes_per_s: expected a number from 0 on, got -1"),
        ({"power_w": -5}, f"power_w: {NO_NUMBER} -5"),
        ({"flops_per_s": {}}, 'flops_per_s: expected rates by precision such as {"bf16": 1e14}, got {}'),
        ({"flops_per_s": 1e14}, 'flops_per_s: expected rates by precision such as {"bf16": 1e14}, got 1000'),
        ({"flops_per_s": {"bf61": 1e14}}, "flops_per_s: no precision is called 'bf61'; did you mean 'bf16'?"),
        ({"flops_per_s": {"bf16": "fast"}}, f"flops_per_s: bf16: {NO_NUMBER} 'fast'"),
        ({"flops_per_s": {"bf16": 10**400}}, f"flops_per_s: bf16: {NO_NUMBER} 1000"),
        ({"name": ""}, "name: expected a text, got ''"),
        ({"name": 7}, "name: expected a text, got 7"),
        ({"title": None}, "title: expected a text, got None"),
        ({"interconnect": 4}, "interconnect: expected a text, got 4"),
        ({"source": 4}, "source: expected a text, or texts by field, got 4"),
        ({"source": {"power": "x"}}, "source: no number with a source is called 'power'; did you mean 'power_w'?"),
        ({"efficiency": 0.5}, "efficiency: expected an object, got 0.5"),
        ({"efficiency": {"matmul_compute": 2}}, "efficiency: matmul_compute: expected a share"),
        ({"memry_bytes": 1}, "no field of an accelerator is called 'memry_bytes'; did you mean 'memory_bytes'?"),
        (
            {"format": "vlm-planner law"},
            "card.json is not the profile of a card: its format is 'vlm-planner law'",
        ),
        ({"format_version": 2}, "has format version 2, this vlm-planner reads up to 1: update vlm-planner"),
    ],
)
def test_a_wrong_field_of_a_profile_is_named(tmp_path: Path, changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError) as caught:
        find_hardware(written(tmp_path, PROFILE | changes))
    assert str(caught.value).startswith("card.json")
    assert complaint in str(caught.value)


def test_a_rate_that_is_no_number_is_refused(tmp_path: Path) -> None:
    changed = PROFILE | {"flops_per_s": {"bf16": float("nan")}}
    with pytest.raises(InputError, match=rf"flops_per_s: bf16: {NO_NUMBER} nan"):
        Hardware.from_dict(changed)
    with pytest.raises(InputError, match="NaN is no number"):
        find_hardware(written(tmp_path, changed))


@pytest.mark.parametrize("missing", sorted(PROFILE))
def test_a_missing_field_of_a_profile_is_named(tmp_path: Path, missing: str) -> None:
    with pytest.raises(InputError) as caught:
        find_hardware(written(tmp_path, {key: value for key, value in PROFILE.items() if key != missing}))
    assert str(caught.value) == f"card.json: {missing} is missing"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (
            "{",
            "card.json is not JSON: Expecting property name enclosed in double quotes in line 1; expected the profile "
            "of a card; vlm-planner hardware NAME -o FILE writes one",
        ),
        (
            "[" * 100_000,
            "card.json is not JSON that can be read: it is nested too deeply; expected the profile of a card; "
            "vlm-planner hardware NAME -o FILE writes one",
        ),
        ("[1]", "card.json is not the profile of a card: expected an object, got [1]"),
    ],
)
def test_a_file_that_is_no_profile(tmp_path: Path, content: str, complaint: str) -> None:
    with pytest.raises(InputError) as caught:
        find_hardware(written(tmp_path, content))
    assert str(caught.value).replace(f"{tmp_path}{os.sep}", "") == complaint


def test_a_profile_that_is_not_there() -> None:
    with pytest.raises(InputError, match=r"^cannot read nowhere\.json: .*; expected the profile of a card; .* one$"):
        find_hardware("nowhere.json")


# --- the host's CPU ---------------------------------------------------------------------------------------------------


def test_the_host_is_measured_once_and_says_so() -> None:
    start = time.perf_counter()
    cpu = find_hardware("CPU")
    assert time.perf_counter() - start < 5  # it takes under a second on a host that has nothing else to do
    assert cpu is host_cpu()
    assert cpu.name == CPU
    assert "cores" in cpu.title
    assert cpu.rate("bf16") == cpu.rate("fp32")
    assert 1e8 < cpu.rate("fp32") < 1e14  # a slow core, a large server
    assert 1e8 < cpu.bandwidth_bytes_per_s < 1e13
    assert 2**28 < cpu.memory_bytes < 2**45
    assert (cpu.interconnect_bytes_per_s, cpu.power_w) == (0.0, None)
    assert "measured here with numpy" in cpu.source["flops_per_s"]
    assert "bf16" in cpu.source["flops_per_s"]
    with pytest.raises(InputError, match=r"has no fp8; it has bf16, fp32$"):
        cpu.rate("fp8")


def test_the_host_goes_through_a_file(tmp_path: Path) -> None:
    assert Hardware.load(host_cpu().save(tmp_path / "cpu.json")) == host_cpu()
