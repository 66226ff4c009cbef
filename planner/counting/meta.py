"""Counting a model of transformers on the meta device: parameters by part, cache, and FLOPs fitted to several runs.

FLOPs are those of FlopCounterMode with eager attention. Runs of several lengths give linear + quadratic coefficients;
further runs, the longest among them at the end of the range, have to agree to the last FLOP, else the model is refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import field
from typing import Any

import torch
import transformers
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from planner.base.dataclass import dataclass
from planner.base.errors import InputError
from planner.counting.build import build, quiet
from planner.counting.count import Count, Kept, Product, Routed, window_of
from planner.counting.growth import agreeing, around, fitted_prefill, fitted_steps

TOKENS_MAX = 8192
"""Longest sequence that is tried."""
_FIT = (5, 9)
_CHECK = ((64, 0), (4, 7))


def count_model(name: str, config: Mapping[str, Any]) -> Count:
    """A model by its config; no code but that of the installed transformers runs.

    Raises:
        SpecError: transformers has no such class, or the config says what the class does not read.
        InputError: it does not run on the meta device, or its FLOPs follow no rule that could be fitted.
    """
    with quiet():
        model, settings = build(name, config)
        try:
            return _counted(name, model, settings)
        except InputError:
            raise
        except Exception as error:  # whatever a model's code raises where it is given no data
            raise InputError(
                f"{name}: transformers {transformers.__version__} cannot run {type(model).__name__} without weights "
                f"({type(error).__name__}), so its cost cannot be counted"
            ) from None


@dataclass
class _Run:
    """What one pass computed."""

    flops: int
    linears: list[tuple[nn.Linear, int]] = field(default_factory=list)
    """Each call: the matrix and its rows."""
    experts: list[tuple[nn.Module, int]] = field(default_factory=list)
    """Each call: the module that holds stacked matrices, and its FLOPs."""
    cache: Any = None


def _pass(model: Any, new: int, cached: int = 0) -> _Run:
    """One pass of `new` tokens behind `cached` ones; the head is left out, a token of it is known by its shape."""
    head, before = model.get_output_embeddings(), None
    run = _Run(0)
    with torch.no_grad():
        if cached:
            before = _forward(model, cached, None).past_key_values
        with FlopCounterMode(display=False) as counter, _watched(model, run, counter):
            out = _forward(model, new, before)
    rows = out.logits.numel() // out.logits.shape[-1]
    run.flops = counter.get_total_flops() - 2 * rows * head.weight.numel()
    run.linears = [(module, at) for module, at in run.linears if module is not head]
    run.cache = getattr(out, "past_key_values", None)
    return run


def _forward(model: Any, tokens: int, cache: Any) -> Any:
    ids = torch.zeros(1, tokens, dtype=torch.long, device="meta")
    return model(input_ids=ids, past_key_values=cache, use_cache=True)


@contextmanager
def _watched(model: Any, run: _Run, counter: Any) -> Iterator[None]:
    started: dict[nn.Module, int] = {}
    handles = []

    def linear(module: Any, given: Any, result: Any) -> None:
        run.linears.append((module, given[0].numel() // module.in_features))

    def start(module: Any, given: Any) -> None:
        started[module] = counter.get_total_flops()

    def stop(module: Any, given: Any, result: Any) -> None:
        run.experts.append((module, counter.get_total_flops() - started[module]))

    for module in model.modules():
        if type(module) is nn.Linear:
            handles.append(module.register_forward_hook(linear))
        elif _stacked(module):
            handles += [module.register_forward_pre_hook(start), module.register_forward_hook(stop)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _stacked(module: nn.Module) -> list[Any]:
    """Matrices of experts, one behind the other."""
    if isinstance(module, nn.modules.conv._ConvNd) or not hasattr(module, "num_experts"):
        return []
    return [one for one in module.parameters(recurse=False) if one.ndim == 3 and one.shape[0] == module.num_experts]


def _counted(name: str, model: Any, settings: Any) -> Count:
    text = settings.get_text_config(decoder=True)
    first = _pass(model, _FIT[0])
    kept = _kept(name, model, first.cache, _FIT[0])
    context = getattr(text, "max_position_embeddings", None)
    limit = min(TOKENS_MAX, context) if isinstance(context, int) else TOKENS_MAX
    window = window_of(kept)

    def run(new: int, cached: int) -> tuple[int, int, int]:
        return new, cached, _pass(model, new, cached).flops

    lengths = sorted({*_FIT, *around(window, limit), limit - 1})
    step = fitted_steps(name, [run(1, one) for one in lengths], window)
    prefill = fitted_prefill(name, [run(one, 0) for one in (*_FIT, limit)], window, step)
    checks = (*_CHECK, (4, (window or 0) + 5))
    agreeing(name, prefill, [run(*one) for one in checks if sum(one) <= limit], window)
    head, embedding = model.get_output_embeddings(), model.get_input_embeddings()
    parts = _params(name, model)
    return Count(
        transformers=transformers.__version__,
        model_class=type(model).__name__,
        **parts,
        hidden_size=int(embedding.weight.shape[1]),
        num_layers=int(text.num_hidden_layers),
        num_heads=int(getattr(text, "num_attention_heads", 1)),
        vocab_size=int(head.weight.numel() // embedding.weight.shape[1]),
        tokens_max=limit,
        products=_products(first, _FIT[0]),
        routed=_routed(name, first, _FIT[0]),
        kept=kept,
        prefill=prefill,
        step=step,
    )


def _kept(name: str, model: Any, cache: Any, tokens: int) -> tuple[Kept, ...]:
    """Of the real cache; layers that keep alike are put together."""
    layers = getattr(cache, "layers", None)
    if not layers:
        raise InputError(
            f"{name}: {type(model).__name__} gives no key/value cache of layers, so its cost cannot be counted"
        )
    found: Counter[int | None] = Counter()  # window -> numbers of a token
    constant = 0
    for layer in layers:
        keys, values = getattr(layer, "keys", None), getattr(layer, "values", None)
        here = sum(one.numel() for one in (keys, values) if torch.is_tensor(one))
        if here % tokens:
            raise InputError(f"{name}: its cache does not grow token by token, so its cost cannot be counted")
        window = getattr(layer, "sliding_window", None)
        found[int(window) if window else None] += here // tokens
        own = [value for key, value in vars(layer).items() if key not in ("keys", "values")]
        constant += sum(_numbers(value) for value in own)
    if len([window for window in found if window is not None]) > 1:
        raise InputError(f"{name}: its layers have windows of several lengths, so its cost cannot be counted")
    kept = [Kept(values, window, 0) for window, values in found.items() if values]
    return (*kept, *([Kept(0, None, constant)] if constant else []))


def _numbers(value: Any) -> int:
    """In tensors of states, which may stand in lists or dictionaries; whole numbers are counters."""
    if torch.is_tensor(value):
        return value.numel() if value.is_floating_point() else 0
    if isinstance(value, Mapping):
        return sum(_numbers(one) for one in value.values())
    return sum(_numbers(one) for one in value) if isinstance(value, list | tuple) else 0


def _products(run: _Run, tokens: int) -> tuple[Product, ...]:
    calls: Counter[tuple[int, int]] = Counter()
    stored: dict[tuple[int, int], set[int]] = {}
    for module, rows in run.linears:
        if rows == tokens:
            shape = (module.in_features, module.out_features)
            calls[shape] += 1
            stored.setdefault(shape, set()).add(id(module.weight))
    return tuple(Product(k, n, times, len(stored[k, n])) for (k, n), times in sorted(calls.items()))


def _routed(name: str, run: _Run, tokens: int) -> tuple[Routed, ...]:
    groups: Counter[tuple[int, int, int, int]] = Counter()
    for module, flops in run.experts:
        weights = sum(one.numel() for one in _stacked(module))
        params = sum(one.numel() for one in module.parameters())
        groups[int(module.num_experts), params, flops // (2 * tokens), weights] += 1  # type: ignore[arg-type]
    if any(not active or active * experts % weights for experts, _, active, weights in groups):
        raise InputError(f"{name}: its tokens do not meet a fixed number of experts, so its cost cannot be counted")
    return tuple(Routed(e, params, active, layers, weights) for (e, params, active, weights), layers in groups.items())


def _params(name: str, model: Any) -> dict[str, int]:
    """By part; what belongs to neither language model nor tower stands between them. Towers are taken first: some
    decoders hold them."""
    taken: set[int] = set()

    def take(*modules: Any) -> int:
        new = {id(one): one for module in modules if module is not None for one in module.parameters()}
        fresh = {key: one for key, one in new.items() if key not in taken}
        taken.update(fresh)
        return sum(one.numel() for one in fresh.values())

    vision, audio = (take(_encoder(model, modality)) for modality in ("image", "audio"))
    decoder, embedding, head = model.get_decoder(), model.get_input_embeddings(), model.get_output_embeddings()
    if hasattr(model.config, "vision_config") and (not vision or _holds(decoder, taken)):
        raise InputError(
            f"{name}: {type(model).__name__} does not say which of its modules is the vision tower, so its parameters "
            "cannot be counted by part"
        )
    llm = take(decoder, embedding, head)
    return {
        "llm_params": llm,
        "vision_params": vision,
        "audio_params": audio,
        "connector_params": take(model),
    }


def _holds(module: Any, taken: set[int]) -> bool:
    return any(id(one) in taken for one in module.parameters())


def _encoder(model: Any, modality: str) -> Any:
    found = model.get_encoder(modality=modality)
    return None if found is model or found is getattr(model, "model", None) else found
