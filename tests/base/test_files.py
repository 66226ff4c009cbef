"""Writing files: whole or not at all, and never over another one without being asked."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from planner.base.errors import InputError, OutputExistsError, SpecError
from planner.base.files import file_text, read_bytes, read_json, refuse_existing, write_json, write_text


@pytest.fixture
def umask() -> Iterator[Any]:
    """Set the process's umask for one test."""
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_writes_utf8_bytes_as_they_are_and_returns_the_path(tmp_path: Path) -> None:
    target = tmp_path / "law.json"
    assert write_text(str(target), "é\r\n\n") == target
    assert target.read_bytes() == "é\r\n\n".encode()
    assert names(tmp_path) == ["law.json"]


def test_an_existing_file_is_refused_and_kept(tmp_path: Path) -> None:
    target = tmp_path / "law.json"
    target.write_text("old")
    with pytest.raises(OutputExistsError) as caught:
        write_text(target, "new")
    assert str(caught.value) == f"{target} already exists; choose another name or overwrite=True"
    assert caught.value.path == target
    assert target.read_text() == "old"
    assert names(tmp_path) == ["law.json"]


def test_overwrite_replaces_the_content(tmp_path: Path) -> None:
    target = tmp_path / "law.json"
    target.write_text("old and longer")
    write_text(target, "new", overwrite=True)
    assert target.read_text() == "new"
    assert names(tmp_path) == ["law.json"]


def test_overwrite_makes_a_file_that_was_not_there(tmp_path: Path) -> None:
    write_text(tmp_path / "law.json", "new", overwrite=True)
    assert (tmp_path / "law.json").read_text() == "new"


@pytest.mark.parametrize("overwrite", [True, False])
@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_in_the_middle_leaves_everything_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overwrite: bool, failure: BaseException
) -> None:
    kept = tmp_path / "law.json"
    kept.write_text("old")
    target = kept if overwrite else tmp_path / "other.json"

    def fail(_: int) -> None:
        raise failure

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises((type(failure), InputError)):
        write_text(target, "new", overwrite=overwrite)
    assert names(tmp_path) == ["law.json"]
    assert kept.read_text() == "old"


def test_a_text_that_is_no_unicode_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "law.json"
    target.write_text("old")
    with pytest.raises(InputError, match="which is no character"):
        write_text(target, "half a pair: \ud800", overwrite=True)
    assert target.read_text() == "old"
    assert names(tmp_path) == ["law.json"]


def test_a_file_that_appears_while_writing_is_not_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "law.json"
    monkeypatch.setattr(os, "fsync", lambda _: target.write_text("of somebody else"))
    with pytest.raises(OutputExistsError):
        write_text(target, "new")
    assert target.read_text() == "of somebody else"
    assert names(tmp_path) == ["law.json"]


def test_a_file_system_without_hard_links_works_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    write_text(tmp_path / "law.json", "new")
    with pytest.raises(OutputExistsError):
        write_text(tmp_path / "law.json", "newer")
    assert (tmp_path / "law.json").read_text() == "new"
    assert names(tmp_path) == ["law.json"]


def test_a_missing_folder_is_bad_input(tmp_path: Path) -> None:
    target = tmp_path / "none" / "law.json"
    with pytest.raises(InputError) as caught:
        write_text(target, "new")
    assert str(caught.value) == (
        f"cannot write {target}: there is no folder {target.parent}; name a folder that can be written"
    )


def test_a_file_in_place_of_the_folder_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    with pytest.raises(InputError, match=r"there is no folder .*file; name a folder that can be written$"):
        write_text(tmp_path / "file" / "law.json", "new")


@pytest.mark.parametrize("overwrite", [True, False])
def test_a_folder_in_place_of_the_file_is_bad_input(tmp_path: Path, overwrite: bool) -> None:
    folder = tmp_path / "law.json"
    folder.mkdir()
    with pytest.raises(InputError):
        write_text(folder, "new", overwrite=overwrite)
    assert names(tmp_path) == ["law.json"]


def test_a_name_that_is_too_long_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        write_text(tmp_path / ("a" * 300), "new")
    assert names(tmp_path) == []


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
@pytest.mark.parametrize("overwrite", [True, False])
def test_the_mode_honours_the_umask_and_leaves_it(
    tmp_path: Path, umask: Any, mask: int, mode: int, overwrite: bool
) -> None:
    umask(mask)
    target = write_text(tmp_path / "law.json", "new", overwrite=overwrite)
    assert stat.S_IMODE(target.stat().st_mode) == mode
    assert umask(mask) == mask


def test_refuse_existing(tmp_path: Path) -> None:
    target = tmp_path / "law.json"
    refuse_existing(target, overwrite=False)
    target.write_text("old")
    refuse_existing(target, overwrite=True)
    with pytest.raises(OutputExistsError):
        refuse_existing(target, overwrite=False)


# ---- JSON ------------------------------------------------------------------------------------------------------------


def test_json_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    content = {"number": 0.1, "text": "\u00b5s", "list": [1, None]}
    target = write_json(tmp_path / "x.json", content)
    assert target.read_text(encoding="utf-8") == file_text(content)
    assert file_text(content).endswith("]\n}\n")
    assert "\u00b5s" in file_text(content)
    assert read_json(target, "x") == content
    target.write_bytes(b"\xef\xbb\xbf" + target.read_bytes())  # as some editors save it
    assert read_json(target, "x") == content
    with pytest.raises(OutputExistsError):
        write_json(target, {})


def test_json_has_no_nan() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        file_text({"x": float("nan")})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is not JSON: Expecting value in line 1"),
        (b"{\n", "is not JSON: Expecting property name enclosed in double quotes in line 2"),
        (b"\xff\xfe", "is not UTF-8 text"),
        (b"[" * 100_000, "is not JSON that can be read: it is nested too deeply"),
        (b"1" * 5000, "is not JSON that can be read: it holds a number of too many digits"),
        (b'{"a": NaN}', "is not JSON that can be read: NaN is no number"),
        (b'{"a": [{"b": 1, "c": 2, "b": 3}]}', "is not JSON that can be read: the key 'b' stands twice"),
    ],
    ids=["empty", "half", "bytes", "deep", "digits", "nan", "twice"],
)
def test_what_is_no_json_is_one_sentence(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "x.json"
    file.write_bytes(content)
    with pytest.raises(SpecError) as caught:
        read_json(file, "what is good", SpecError)
    assert str(caught.value) == f"{file} {said}; expected what is good"


def test_what_other_programs_write_may_hold_infinities(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text('{"time_step_limit": [0.0, Infinity], "a": 1, "a": 2}')
    assert read_json(file, "a config", lenient=True) == {"time_step_limit": [0.0, float("inf")], "a": 2}


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null"])
def test_a_device_is_not_read(device: str) -> None:
    with pytest.raises(InputError) as caught:
        read_json(device, "what is good")
    assert str(caught.value) == f"cannot read {device}: it is no regular file; expected what is good"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="it is no regular file"):
        read_bytes(tmp_path / "pipe", "what is good")


def test_a_file_beyond_the_limit_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "large"
    with file.open("wb") as opened:
        opened.truncate(2**20 + 1)
    with pytest.raises(InputError, match="it is larger than 1 MiB; expected what is good"):
        read_bytes(file, "what is good", bytes_max=2**20)
    assert read_bytes(file, "what is good", bytes_max=2**20 + 1) == bytes(2**20 + 1)


@pytest.mark.parametrize("name", ["a" * 300, "a\0b", "\x1b[31mred"], ids=["long", "null", "terminal"])
def test_a_name_that_cannot_be_is_one_short_printable_sentence(tmp_path: Path, name: str) -> None:
    for act in (lambda: read_json(name, "what is good"), lambda: write_text(f"{tmp_path}/none/{name}", "new")):
        with pytest.raises(InputError) as caught:
            act()
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 300


def test_a_device_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot write /dev/null: it is no regular file"):
        write_text("/dev/null", "new", overwrite=True)
    assert Path("/dev/null").is_char_device()


def test_a_link_is_not_replaced_and_what_it_points_to_is_said(tmp_path: Path) -> None:
    (tmp_path / "real.json").write_text("old")
    (tmp_path / "link.json").symlink_to("real.json")
    with pytest.raises(InputError, match=rf"it is a link to {tmp_path}/real\.json; name that file$"):
        write_text(tmp_path / "link.json", "new", overwrite=True)
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "real.json").read_text() == "old"


def test_what_killed_programs_left_is_removed_and_what_running_ones_write_is_not(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    dead, alive = int(done.stdout), os.getpid()
    left = [f".law.json.{dead}-abcd1234.part", f".other.json.{dead}-abcd1234.part", f".law.json.{alive}-abcd1234.part"]
    for name in left:
        (tmp_path / name).write_text("half")
    write_text(tmp_path / "law.json", "new")
    assert names(tmp_path) == sorted([*left[1:], "law.json"])


def test_a_full_disk_is_one_sentence() -> None:
    with pytest.raises(
        InputError, match=r"^cannot write /proc/law\.json: .*; name a file on a disk that can be written$"
    ):
        write_text("/proc/law.json", "new")


def test_json_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_json(tmp_path, "what is good")
    assert str(caught.value) == f"cannot read {tmp_path}: Is a directory; expected what is good"
