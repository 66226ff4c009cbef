"""A tiny model, served in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from vlm import tiny

pytest.importorskip("starlette", reason="needs the extra [app]")

from planner.serve.app import Service
from planner.serve.guard import Guard
from planner.serve.run import make_service
from planner.serve.settings import Settings


@pytest.fixture(scope="session")
def tiny_parts() -> tuple[Any, Any]:
    """Model and processor."""
    model = tiny.model(text_config=tiny.llm_config(max_position_embeddings=512))
    return model, tiny.processor(model.config)


@pytest.fixture(scope="session")
def serving(tiny_parts: tuple[Any, Any]) -> Callable[..., Any]:
    """Starts a server of that model with other settings; what it gives ends it."""

    @contextmanager
    def start(**settings: Any) -> Iterator[tuple[Guard, Service]]:
        service = make_service(*tiny_parts, "tiny", Settings(**settings))
        service.engine.start()
        try:
            yield Guard(service.app(), "127.0.0.1"), service
        finally:
            service.close()

    return start


@pytest.fixture(scope="module")
def app(serving: Callable[..., Any]) -> Iterator[Guard]:
    """A server of that model."""
    with serving() as (guard, _):
        yield guard
