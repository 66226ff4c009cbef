"""What a client is told when its request is not answered: OpenAI's error object and status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

INVALID, SERVER = "invalid_request_error", "server_error"


class Refused(Exception):
    """A request that is not answered, with one sentence for its sender.

    Args:
        message: the sentence.
        status: of HTTP.
        param: the field to blame, as OpenAI names it: "messages[0].content".
        code: a word for programs, as "context_length_exceeded".
        kind: OpenAI's type of the error.
        headers: beside the answer.
    """

    def __init__(
        self,
        message: str,
        status: int = 400,
        *,
        param: str | None = None,
        code: str | None = None,
        kind: str = INVALID,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.param, self.code, self.kind = status, param, code, kind
        self.headers = dict(headers or {})

    def to_dict(self) -> dict[str, Any]:
        """As OpenAI writes it."""
        return {"error": {"message": str(self), "type": self.kind, "param": self.param, "code": self.code}}


NO_RETRY = {"x-should-retry": "false"}
"""OpenAI's clients ask again after most statuses above 400; after this header, not."""


def timed_out(seconds: float) -> Refused:
    """Of a request that took too long."""
    text = f"the request took longer than {seconds:g} seconds: ask for fewer tokens, or again when less is asked"
    return Refused(text, 408, code="timeout", kind=SERVER, headers=NO_RETRY)


def failed(error: BaseException) -> Refused:
    """Of a fault that is not the client's."""
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return Refused(f"the model could not answer: {reason}", 500, kind=SERVER, headers=NO_RETRY)
