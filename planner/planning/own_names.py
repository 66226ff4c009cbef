"""Names of models in runs of one's own, as the catalogue writes them: `import` writes "qwen2-7b" of Qwen2-7B."""

from __future__ import annotations

import re
from functools import cache

from planner.parts.catalog import llm_catalog
from planner.parts.released.find import released_ids


def catalogued(name: str) -> str:
    """The catalogue's name of a language or released model, whatever its case and separators; another name as it is."""
    return _by_plain_name(tuple(llm_catalog())).get(plain_name(name), name)


def plain_name(name: str) -> str:
    """A name in small letters, with a dash for any separators: "qwen2-5-7b" of "Qwen2.5-7B" and of "qwen2_5_7b"."""
    return re.sub(r"[^a-z0-9+]+", "-", name.lower()).strip("-")


@cache
def _by_plain_name(names: tuple[str, ...]) -> dict[str, str]:
    """By name, and by the address on the Hugging Face Hub."""
    known = llm_catalog()
    released = {plain_name(way): one.rpartition("/")[2] for one in released_ids() for way in (one, one.split("/")[-1])}
    return {
        **released,
        **{plain_name(known[one].hf_id): one for one in names},
        **{plain_name(one): one for one in names},
    }
