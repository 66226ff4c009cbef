"""Answers as blocks: one sentence each, under the model and request that they are about."""

from __future__ import annotations

from collections.abc import Iterable

from planner.bench.answers import PREDICTED, Answer
from planner.tell.document import Block, Bullets, Line, Paragraph, foreign, line, sentence


def answer_blocks(answers: Iterable[Answer]) -> tuple[Block, ...]:
    """Sentences by subject, in the order in which they come."""
    by_subject: dict[tuple[str, str], list[Line]] = {}
    for answer in answers:
        said = line(sentence(_sentence(answer), "answer"))
        by_subject.setdefault((answer.subject, answer.source), []).append(said)
    found: list[Block] = []
    for (subject, source), sentences in by_subject.items():
        about = line(foreign(subject, "model and request"), " (predicted)" if source == PREDICTED else "")
        found += [Paragraph(about, strong=True), Bullets(tuple(sentences))]
    return tuple(found)


def _sentence(answer: Answer) -> str:
    """With the batch, where the sentence does not say it."""
    batch = getattr(answer, "batch", None)
    said = answer.sentence
    return said if batch is None or "at batch" in said else f"At batch {batch}: {said[0].lower()}{said[1:]}"
