"""The story of what is here and what is missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from planner.tell import values as v
from planner.tell.document import Block, Document, Line, Paragraph, Table, foreign, joined, line, remarks, sentence


def doctor_story(content: Mapping[str, Any]) -> Document:
    """Versions by what they are for, the device, and what to install."""
    version, python = foreign(content["vlm_planner"], "version"), foreign(content["python"], "version of Python")
    system = foreign(content["system"], "operating system")
    return Document(
        kind="doctor",
        title="Installation",
        heading=line("vlm-planner ", version, ", Python ", python, ", ", system),
        opening=(_packages(content["packages"]), *_device(content), *_remarks(content)),
        sections=(),
        opening_title="What is installed",
        sources={"doctor": dict(content)},
    )


def _remarks(content: Mapping[str, Any]) -> Iterator[Block]:
    yield from remarks("missing", content["advice"])
    yield from remarks("for steady times", content["steady"])


def _packages(packages: Mapping[str, Mapping[str, str | None]]) -> Table:
    rows = []
    for use, found in packages.items():
        texts = [f"{name} {version}" if version else f"{name} MISSING" for name, version in found.items()]
        rows.append((line(use), joined([foreign(text, "package and version") for text in texts], ", ")))
    return Table((), ("for", "packages"), tuple(rows), words=frozenset({"packages"}))


def _device(content: Mapping[str, Any]) -> Iterator[Block]:
    device = content["device"]
    if device is None:
        processor, cores = foreign(content["processor"], "processor"), v.count(content["cores"], "cores")
        yield Paragraph(line(processor, ", ", cores, " cores; no PyTorch: nothing can be measured"))
        return
    parts: list[Line] = [line(foreign(device["device"], "device"))]
    parts += [line(v.count(device["devices"], "devices"), " of them")] if device["devices"] > 1 else []
    parts += [line(v.size(device["device_memory_bytes"], "memory"), " of memory")]
    parts += [] if device["free_bytes"] is None else [line(v.size(device["free_bytes"], "free memory"), " free")]
    card = device["catalogue"]
    known = (
        line(sentence(card, "accelerator"), " in the catalogue") if card else line("not in the catalogue: calibrate it")
    )
    yield Paragraph(line("would be measured: ", joined(parts, ", "), "; ", known))
    if not device["counters"]:
        yield Paragraph(line("energy not known: ", foreign(device["counters_advice"], "why no energy is known")))
