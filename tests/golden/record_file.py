"""The record's files: one for each verb, a line for each section of a document, lists of alike entries as columns.

In memory a command's numbers are {"best.flops.total": 1.9e12, "frontier#": 2, "frontier.0.llm": "A", ...}: paths in its
JSON document, and `#` for the length of a list. On disk the paths are a tree again, in which a list is written whole:

    "frontier#": {"llm": ["A", "B"], "visual_tokens": [16, 36]}        entries with the same keys
    "intervals": {"alpha#": [0.1, 0.2]}                                plain values

No number is rounded: reading gives what was written, to the last bit.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "numbers"

Numbers = dict[str, Any]
"""Path in the JSON document -> number, text, or None."""


def write(records: Sequence[Mapping[str, Any]]) -> None:
    """Writes records, each a command, its exit code and its numbers, in their order within each verb."""
    FOLDER.mkdir(exist_ok=True)
    verbs: dict[str, list[str]] = {}
    for record in records:
        head = {"command": shlex.join(record["command"]), "code": record["code"]}
        lines = [_json(head)[1:-1], *(f"{_json(key)}:{_json(part)}" for key, part in fold(record["numbers"]).items())]
        verbs.setdefault(record["command"][0], []).append("{" + ",\n".join(lines) + "}")
    for verb, written in verbs.items():
        (FOLDER / f"{verb}.json").write_text("[\n" + ",\n".join(written) + "\n]\n", encoding="utf-8")


def read() -> list[dict[str, Any]]:
    """All records, verb by verb."""
    found = []
    for file in sorted(FOLDER.glob("*.json")):
        for record in json.loads(file.read_text(encoding="utf-8")):
            command, code = shlex.split(record.pop("command")), record.pop("code")
            found.append({"command": command, "code": code, "numbers": dict(unfold(record))})
    return found


def fold(numbers: Numbers) -> dict[str, Any]:
    """The tree of some paths."""
    tree: dict[str, Any] = {}
    for path, value in numbers.items():
        *places, last = path.split(".")
        node = tree
        for place in places:
            node = node.setdefault(place, {})
        node[last] = value
    return _with_lists(tree)


def _with_lists(tree: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in tree.items():
        entries = tree.get(key[:-1]) if key.endswith("#") else None
        if isinstance(entries, dict) and list(entries) == [str(index) for index in range(value)]:
            whole = _whole_list(list(entries.values()))
            found[key] = value if whole is None else whole
            if whole is not None:
                found.pop(key[:-1], None)
        elif not (isinstance(found.get(f"{key}#"), (dict, list))):
            found[key] = _with_lists(value) if isinstance(value, dict) else value
    return found


def _whole_list(entries: list[Any]) -> list[Any] | dict[str, list[Any]] | None:
    """Plain values, or columns of entries with the same keys and plain values; None where it is neither."""
    if not any(isinstance(entry, dict) for entry in entries):
        return entries
    if not all(isinstance(entry, dict) and list(entry) == list(entries[0]) for entry in entries):
        return None
    if any(isinstance(value, dict) for entry in entries for value in entry.values()):
        return None
    return {key: [entry[key] for entry in entries] for key in entries[0]}


def unfold(tree: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """The paths of a tree."""
    for key, value in tree.items():
        place = f"{path}{key}"
        if isinstance(value, list):
            yield place, len(value)
            yield from ((f"{place[:-1]}.{index}", entry) for index, entry in enumerate(value))
        elif isinstance(value, Mapping) and key.endswith("#"):
            yield place, len(next(iter(value.values())))
            for column, entries in value.items():
                yield from ((f"{place[:-1]}.{index}.{column}", entry) for index, entry in enumerate(entries))
        elif isinstance(value, Mapping):
            yield from unfold(value, f"{place}.")
        else:
            yield place, value


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
