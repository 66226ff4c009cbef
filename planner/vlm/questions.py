"""The question of a prompt: what a compressor reads beside it. Never an answer.

A conversation asks the text of its last user message that has some. A text that a chat template rendered is searched
for that message, so that it asks the same; a text without turns asks all that it says. Where nothing is asked, the word
"image" is, as in the reference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

NOTHING_ASKED = "image"
"""The query of an image without a question."""

Render = Callable[[list[dict[str, str]], bool], str]
"""(conversation, whether the header of an answer follows) -> its text."""


@dataclass(frozen=True)
class Turns:
    """What stands around a user's words in a rendered conversation."""

    before: str
    behind: str
    """Up to the answer."""
    closing: str
    """Behind the last message where no answer is begun."""

    @classmethod
    def of(cls, render: Render) -> Turns | None:
        """Those of a template, found by rendering a conversation; None where it does not show them."""
        first, answer, second = "FIRSTWORDS", "ANSWERWORDS", "SECONDWORDS"
        messages = [("user", first), ("assistant", answer), ("user", second)]
        conversation = [{"role": role, "content": content} for role, content in messages]
        try:
            text, bare = render(conversation, True), render(conversation, False)
        except Exception:  # templates raise as they please
            return None
        places = [text.find(words) for words in (first, answer, second)]
        if -1 in places or places != sorted(places) or second not in bare:
            return None
        head, tail = text[: places[0]], text[places[1] + len(answer) : places[2]]
        before = _shared(head[::-1], tail[::-1])[::-1]
        behind = _shared(text[places[0] + len(first) : places[1]], text[places[2] + len(second) :])
        if not before.strip() or not behind.strip():
            return None
        return cls(before, behind, bare.rpartition(second)[2])

    def questions(self, text: str) -> list[str] | None:
        """What the users of a rendered conversation say; None where there is none."""
        _, *said = text.split(self.before)
        if not said:
            return None
        open_end = said[-1].removesuffix(self.closing) if self.closing else said[-1]
        return [
            one.split(self.behind)[0] for one in [*said[:-1], open_end if self.behind not in said[-1] else said[-1]]
        ]


def _shared(one: str, other: str) -> str:
    """What two texts begin with."""
    same = takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return "".join(letter for letter, _ in same)


def question_of(text: str, turns: Turns | None, image_token: str, control: Sequence[str]) -> str:
    """What a prompt asks, without its images.

    Args:
        text: rendered by a chat template, or a plain prompt.
        turns: of that template.
        image_token: placeholder of an image.
        control: other tokens that are no text.

    Raises:
        ValueError: a text that may hold an answer, in turns of another template.
    """
    said = None if turns is None else turns.questions(text)
    if said is None:
        found = [token for token in control if token != image_token and token in text.removeprefix(token)]
        if found:
            raise ValueError(
                f"cannot find the question in a prompt with {found[0]}, which may hold its answer too: give queries, "
                "or render it with the processor's chat template"
            )
        said = [text]
    asked = [one for one in (part.replace(image_token, "").strip() for part in said) if one]
    return asked[-1] if asked else NOTHING_ASKED


def last_question(messages: Sequence[Mapping[str, Any]]) -> str:
    """The text of the last user message that has some; where there is none, the word of `NOTHING_ASKED`."""
    texts = [_text_of(message.get("content")).strip() for message in messages if message.get("role") == "user"]
    asked = [text for text in texts if text]
    return asked[-1] if asked else NOTHING_ASKED


def _text_of(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in content or () if part.get("type") == "text")
