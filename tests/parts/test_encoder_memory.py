"""Activations of towers against the peaks of real ones on the CPU."""

from __future__ import annotations

import weakref
from dataclasses import replace
from typing import Any

import pytest
from parts.real_encoders import CASES, TRUE_WIDTH, Case
from parts.test_encoder_flops import built

from planner.parts.encoders import TransformerEncoder, read_encoder


def peak_bytes(run: Any, known: list[Any]) -> int:
    """Most bytes that tensors made by a call keep alive at once, by their storages; `known` ones do not count."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    class Alive(TorchDispatchMode):
        def __init__(self) -> None:
            super().__init__()
            self.now = self.most = 0
            self.places = {tensor.untyped_storage().data_ptr() for tensor in known}

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = func(*args, **(kwargs or {}))
            for tensor in tree_leaves(result):
                storage = tensor.untyped_storage() if isinstance(tensor, torch.Tensor) else None
                if storage is None or not storage.nbytes() or storage.data_ptr() in self.places:
                    continue
                self.places.add(storage.data_ptr())
                self.now += storage.nbytes()
                self.most = max(self.most, self.now)
                weakref.finalize(storage, self.gone, storage.data_ptr(), storage.nbytes())
            return result

        def gone(self, place: int, size: int) -> None:
            self.places.discard(place)
            self.now -= size

    with torch.no_grad(), Alive() as alive:
        run()
    return alive.most


def test_the_peak_of_a_known_sequence() -> None:
    torch = pytest.importorskip("torch")
    given = torch.ones(1000)

    def run() -> None:
        one = given + 1
        two = torch.cat([one, one])
        del one
        two.view(2, 1000).add_(1)
        (two[:500] * 2).sum()

    assert peak_bytes(run, [given]) == 4 * 3000


@pytest.mark.parametrize("case", TRUE_WIDTH.values(), ids=TRUE_WIDTH)
def test_activations_are_near_the_peak_of_a_real_tower(case: Case) -> None:
    """Within what the docstring says: images, rotary tables and copies of features are not counted."""
    torch = pytest.importorskip("torch")
    model, encoder = built(case, attention="sdpa")
    inputs = case.inputs(torch)
    peak = peak_bytes(lambda: case.run(model, inputs), [*model.parameters(), *inputs.values()])
    counted = 4 * sum(encoder.activation_values(seen) for seen in case.seen)
    assert 0.85 < counted / peak < 1.1


def test_layers_whose_features_are_used_too_stay_alive() -> None:
    """Llama 3.2 Vision puts those of some layers beside the last, Molmo 2 those of one, Qwen3-VL mergers of them."""
    for name, kept in (("mllama", 96), ("molmo2", 48), ("qwen3_vl", 2 * 32 // 4), ("qwen3_5", 0), ("pixtral", 0)):
        case = CASES[name]
        encoder = read_encoder(name, case.config(), 32)
        assert isinstance(encoder, TransformerEncoder)
        (seen, *_) = case.seen
        without = replace(encoder, kept=0).activation_values(seen)
        assert encoder.activation_values(seen) - without == kept * encoder.positions(seen)
