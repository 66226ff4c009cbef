"""Answers on the terminal: one sentence each, under the model and request that they are about."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding

from planner.bench.answers import PREDICTED, Answer
from planner.tell.console import plain


def print_answers(console: Console, answers: Sequence[Answer]) -> None:
    """Sentences by subject, in the order in which they come."""
    subject = None
    for answer in answers:
        if (answer.subject, answer.source) != subject:
            subject = (answer.subject, answer.source)
            words = f"{answer.subject} (predicted)" if answer.source == PREDICTED else answer.subject
            console.print(plain(words), style="bold")
        console.print(Padding(plain(_sentence(answer)), (0, 0, 0, 2)))


def _sentence(answer: Answer) -> str:
    """With the batch, where the sentence does not say it."""
    batch = getattr(answer, "batch", None)
    said = answer.sentence
    return said if batch is None or "at batch" in said else f"At batch {batch}: {said[0].lower()}{said[1:]}"
