"""Saved models and the versions of transformers: those they run on, and the sentences for all others."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import torch
import transformers
from vlm.tiny import config, model, processor

from planner.base.errors import InputError
from planner.base.version import __version__
from planner.vlm.saving import load_model, save_model
from planner.vlm.versions import NEWEST, OLDEST, check_version, given_cache

ROOT = Path(__file__).parents[2]
RESULT = ROOT / "benchmarks" / "results" / "transformers_versions.json"


def test_the_extra_allows_what_the_model_runs_on() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    behind = f"{NEWEST[0]}.{NEWEST[1] + 1}"
    assert f"transformers>={OLDEST[0]}.{OLDEST[1]},<{behind}" in extras["vlm"]


def test_every_minor_version_reads_what_every_other_wrote() -> None:
    content = json.loads(RESULT.read_text("utf-8"))
    minors = [tuple(int(part) for part in version.split(".")[:2]) for version in content["versions"]]
    assert minors == [(5, minor) for minor in range(OLDEST[1], NEWEST[1] + 1)] and len(minors) >= 4
    pairs = {(cell["case"], cell["written_with"], cell["read_with"]) for cell in content["cells"]}
    assert len(pairs) == len(content["cells"]) == 4 * len(minors) ** 2
    for cell in content["cells"]:
        assert cell["equal_tokens"] == cell["tokens"] > 100 and cell["largest_logit_difference"] <= 1e-4, cell


@pytest.mark.slow
def test_the_oldest_and_the_newest_read_each_other() -> None:
    versions = json.loads(RESULT.read_text("utf-8"))["versions"]
    script = ROOT / "benchmarks" / "transformers_versions.py"
    command = [sys.executable, str(script), "run", versions[0], versions[-1]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "No matching distribution" in done.stderr:
        pytest.skip("no package index to install other versions from")
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout)["wrong"] == 0


def test_an_older_version_is_refused_and_a_newer_one_named() -> None:
    check_version(transformers.__version__)
    check_version("5.19.0.dev0")
    with pytest.raises(ImportError, match=r"runs on transformers 5\.19 to 5\.24, got 4\.57\.6: pip install"):
        check_version("4.57.6")
    with pytest.warns(UserWarning, match=r"tested with transformers 5\.19 to 5\.24, and this is 5\.30\.1: if it fails"):
        check_version("5.30.1")


def test_the_folder_says_what_it_was_written_with(tmp_path: Path) -> None:
    built = model()
    save_model(built, processor(config()), tmp_path / "model")
    said = json.loads((tmp_path / "model" / "config.json").read_text("utf-8"))["written_with"]
    assert said == {
        "vlm-planner": __version__,
        "transformers": transformers.__version__,
        "torch": str(torch.__version__),
    }
    settings = tmp_path / "model" / "config.json"
    other = settings.read_text("utf-8").replace(
        f'"transformers": "{transformers.__version__}"', '"transformers": "9.9.9"'
    )
    settings.write_text(other.replace('"hidden_size": 32', '"hidden_size": "wide"'), "utf-8")
    with pytest.raises(InputError, match=r"cannot load .* written with transformers 9\.9\.9, this is 5\."):
        load_model(tmp_path / "model")


def test_a_cache_has_one_name() -> None:
    cache = transformers.DynamicCache()
    assert given_cache(cache, None) is given_cache(None, cache) is cache and given_cache(None, None) is None
    with pytest.raises(ValueError, match="expected cache or past_key_values, its former name, got both"):
        given_cache(cache, cache)
