"""What a server allows: each limit with its unit, its default and its range."""

from __future__ import annotations

from dataclasses import dataclass, fields

from planner.base.errors import InputError
from planner.base.quantities import shown

PIXELS_MAX = 89_478_485
"""Above this, Pillow takes an image for an attack on the memory, and does not open it."""
BODY_BYTES_MAX = 2**30
SECONDS_MAX = 86_400.0


@dataclass(frozen=True)
class Settings:
    """Limits of a server. Raises InputError for one that is out of range."""

    max_batch: int = 8
    """Requests that are answered at the same time."""
    max_queue: int = 64
    """Requests that may wait for a place; one more is refused with status 429."""
    max_tokens: int = 4096
    """Tokens of an answer, at most; also where a request names no number."""
    max_prompt_tokens: int | None = None
    """Tokens of a prompt, at most; None: what the model's context leaves."""
    max_images: int = 16
    """Images of a request, at most."""
    max_pixels: int = 2**24
    """Pixels of an image, at most; read from the file's header before the image is decoded."""
    max_body_bytes: int = 64 * 2**20
    """Bytes of a request, at most, its images in base64 included."""
    timeout_s: float = 600.0
    """Seconds of a request, waiting included; then it is ended."""
    read_timeout_s: float = 20.0
    """Seconds for a client to send the head of a request, and again to send its body."""
    send_timeout_s: float = 20.0
    """Seconds for a client to take a piece of a stream."""
    grace_s: float = 30.0
    """Seconds that requests under way may take after the server was asked to stop."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value, name = getattr(self, field.name), field.name
            if value is None and name == "max_prompt_tokens":
                continue
            if name.endswith("_s"):
                if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= SECONDS_MAX:
                    raise InputError(f"{name}: expected seconds above 0 and up to {SECONDS_MAX:g}, got {shown(value)}")
                continue
            least, most = (0, 2**20) if name in ("max_queue", "max_images") else (1, _MOST.get(name, 2**31 - 1))
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
                raise InputError(f"{name}: expected a whole number from {least} to {most}, got {shown(value)}")


_MOST = {"max_batch": 1024, "max_pixels": PIXELS_MAX, "max_body_bytes": BODY_BYTES_MAX}
