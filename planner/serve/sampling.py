"""The next token of each row: the most probable one, or drawn with the row's own generator, whatever else is answered
beside it.

Letters: B rows, W width of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from planner.serve.chat import Sampling


class Chooser:
    """How one request's tokens are chosen."""

    def __init__(
        self, sampling: Sampling, prompt: Tensor, silent: Sequence[int], ends: Sequence[int], min_tokens: int
    ) -> None:
        """Keeps what a request's choice depends on.

        Args:
            sampling: temperature and its like, the repetition penalty resolved.
            prompt: ids (S,) of the prompt, which a repetition penalty counts.
            silent: ids that are never said.
            ends: ids that end an answer; not said before `min_tokens`.
            min_tokens: tokens before an answer may end.
        """
        self.sampling = sampling
        self._penalty = 1.0 if sampling.repetition_penalty is None else sampling.repetition_penalty
        self.penalised = self._penalty != 1
        self._seen = prompt.unique() if self.penalised else prompt[:0]
        self._silent, self._ends, self._min_tokens = list(silent), list(ends), min_tokens
        self._said = 0
        self._generator = torch.Generator()
        if sampling.seed is None:
            self._generator.seed()
        else:
            self._generator.manual_seed(sampling.seed)

    @property
    def greedy(self) -> bool:
        """Whether nothing is drawn."""
        return self.sampling.temperature == 0 or self.sampling.top_k == 1

    def edit(self, logits: Tensor) -> None:
        """Changes logits (W,) of the next token in place: what may not come, and what was said before."""
        if self.penalised:
            seen = self._seen.to(logits.device)
            seen = seen[seen < len(logits)]
            values = logits[seen]
            logits[seen] = torch.where(values > 0, values / self._penalty, values * self._penalty)
        banned = self._silent + (self._ends if self._said < self._min_tokens else [])
        if banned:
            logits[banned] = -torch.inf

    def draw(self, logits: Tensor) -> int:
        """A token from edited logits (W,)."""
        scaled = logits.double().cpu() / self.sampling.temperature
        ordered, ids = scaled.sort(descending=True, stable=True)
        if self.sampling.top_k:
            ordered, ids = ordered[: self.sampling.top_k], ids[: self.sampling.top_k]
        chances = ordered.softmax(-1)
        if self.sampling.top_p < 1:
            within = chances.cumsum(-1) - chances < self.sampling.top_p
            within[0] = True
            chances = chances * within
        return int(ids[torch.multinomial(chances, 1, generator=self._generator)])

    def note(self, token: int) -> None:
        """Remembers a token that was chosen."""
        self._said += 1
        if self.penalised:
            self._seen = torch.cat([self._seen, self._seen.new_tensor([token])]).unique()


@torch.inference_mode()
def choose(logits: Tensor, choosers: Sequence[Chooser]) -> list[int]:
    """The next token of each row of logits (B, W), which it changes."""
    for row, chooser in enumerate(choosers):
        chooser.edit(logits[row])
    best = logits.argmax(-1).tolist()
    tokens: list[int] = []
    for row, chooser in enumerate(choosers):
        tokens.append(best[row] if chooser.greedy else chooser.draw(logits[row]))
        chooser.note(tokens[row])
    return tokens
