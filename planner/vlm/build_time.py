"""How long models took to build or load."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

import torch

_P = ParamSpec("_P")
_T = TypeVar("_T")
_TOOK_S: WeakKeyDictionary[Any, float] = WeakKeyDictionary()


def watched(build: Callable[_P, _T]) -> Callable[_P, _T]:
    """The same function, whose models `build_seconds` knows."""

    @functools.wraps(build)
    def built(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        start = time.perf_counter()
        model = build(*args, **kwargs)
        if torch.cuda.is_initialized():  # weights are drawn there while the host goes on
            torch.cuda.synchronize()
        _TOOK_S[model] = time.perf_counter() - start
        return model

    return built


def build_seconds(model: Any) -> float | None:
    """Seconds from the call that built a model, weights drawn or loaded, to its return; None of one made otherwise."""
    return _TOOK_S.get(model)
