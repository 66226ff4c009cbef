"""Which part of a conversation the assistant wrote: `{% generation %}` around it in a chat template.

Trainers that learn answers alone ask for `return_assistant_tokens_mask`, and transformers fills it from these marks;
most language models' own templates have none. The usual shape writes every message by one expression,

    {{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}

and is split into what stands before the content, the content with its end, and the rest. The text stays the same.
"""

from __future__ import annotations

import re

_MARK = re.compile(r"\{%-?\s*generation\s*-?%\}")
_CONTENT = r"message(?:\.content|\[(?:'content'|\"content\")\])(?:\s*\|\s*trim)?"
_WRITTEN = re.compile(
    r"\{\{-?\s*(?P<before>[^{}]*?message(?:\.role|\[(?:'role'|\"role\")\])[^{}]*?)\+\s*"
    rf"(?P<content>{_CONTENT})\s*\+\s*(?P<end>'[^'{{}}]*'|\"[^\"{{}}]*\"|eos_token)"
    r"(?=\s*[+\-}])(?P<rest>[^{}]*?)\s*-?\}\}"
)
_OF_ASSISTANT = "message['role'] == 'assistant'"


def has_marks(template: str) -> bool:
    """Whether a template says what the assistant wrote."""
    return _MARK.search(template) is not None


def marked(template: str) -> str:
    """The template with marks, where it has none and is of the usual shape; as it is otherwise."""
    if has_marks(template):
        return template
    return _WRITTEN.sub(_split, template)


def _split(found: re.Match[str]) -> str:
    whole, before, said = found[0], found["before"].rstrip(), f"{found['content']} + {found['end'].strip()}"
    rest = found["rest"].strip().removeprefix("+").strip()
    tail = f"{{{{ {rest} }}}}" if rest else ""
    # white space around the expression is kept or left out as it was: "+" switches off what blocks do by themselves
    first, last = "-" if whole.startswith("{{-") else "+", "-" if whole.endswith("-}}") else "+"
    return (
        f"{{%{first} if {_OF_ASSISTANT} %}}{{{{ {before} }}}}{{% generation %}}{{{{ {said} }}}}"
        f"{{% endgeneration %}}{tail}{{% else %}}{whole}{{% endif {last}%}}"
    )
