"""What bounds an iteration of a serving engine, in the engine's own words, with vLLM's defaults."""

from __future__ import annotations

from planner.base.dataclass import dataclass
from planner.base.errors import InputError, UnknownNameError
from planner.base.quantities import positive_number, shown, whole_number

IN_PROCESS = "in-process"
APART = "apart"
ENCODERS = (IN_PROCESS, APART)

_GIB = 2**30


@dataclass(frozen=True)
class Scheduler:
    """An engine's constants; the defaults are those of `vllm serve` on a GPU with 70 to 160 GiB, such as an H100.

    Raises InputError for what no engine takes: fewer tokens than sequences in an iteration, or an encoder that is
    spread over the GPUs of the model and stands apart from them.
    """

    max_num_seqs: int = 1024
    """Sequences that run at once: seats."""
    max_num_batched_tokens: int = 8192
    """Tokens of an iteration: one of each decode step, the rest of prompts."""
    chunked_prefill: bool = True
    """Whether a prompt is cut where the tokens of an iteration end; else it waits for an iteration that takes it
    whole."""
    encoder: str = IN_PROCESS
    """Where images are encoded: "in-process", in the iteration that computes their first token, which stalls the decode
    steps beside it; or "apart", by a process of its own in front of the engine."""
    encoder_data_parallel: bool = False
    """Whether the images of an iteration are dealt out to the GPUs that share the model; else each encodes them all."""
    block_tokens: int = 16
    """Tokens of one block of the KV cache."""
    async_scheduling: bool = True
    """Whether an iteration is filled while the one before it runs, so that the GPU does not wait for the scheduler: a
    request that comes waits for one more iteration, and one that has ended keeps seat and blocks for one more. vLLM
    does so on GPUs (from 0.14 on) unless `--no-async-scheduling` is given, and never on a CPU."""

    def __post_init__(self) -> None:
        for name in ("max_num_seqs", "max_num_batched_tokens", "block_tokens"):
            object.__setattr__(self, name, whole_number(getattr(self, name), name, 1))
        for name in ("chunked_prefill", "encoder_data_parallel", "async_scheduling"):
            if not isinstance(getattr(self, name), bool):
                raise InputError(f"{name}: expected True or False, got {shown(getattr(self, name))}")
        if self.encoder not in ENCODERS:
            raise UnknownNameError("place of the encoder", self.encoder, ENCODERS)
        if self.max_num_batched_tokens < self.max_num_seqs:
            raise InputError(
                f"max_num_batched_tokens: expected at least max_num_seqs, {self.max_num_seqs}, as each sequence that "
                f"runs takes a token of every iteration; got {self.max_num_batched_tokens}"
            )
        if self.encoder_is_apart and self.encoder_data_parallel:
            raise InputError(
                "encoder_data_parallel: an encoder that stands apart does not run on the model's GPUs; leave it out or "
                f"use encoder='{IN_PROCESS}'"
            )

    @classmethod
    def vllm(
        cls, memory_bytes: float, card: str = "", *, cpu: bool = False, max_model_len: int | None = None
    ) -> Scheduler:
        """The defaults of `vllm serve` (vLLM 0.32: `EngineArgs.get_batch_defaults`, `VllmConfig.__post_init__` and
        `CpuPlatform.check_and_update_config`).

        | memory of the card | max_num_batched_tokens | max_num_seqs | async_scheduling |
        |---|---|---|---|
        | from 160 GiB | 16384 | 1024 | yes |
        | from 70 GiB, but an A100 | 8192 | 1024 | yes |
        | less | 2048 | 256 | yes |
        | a CPU | 2048 | 128 | no |

        Args:
            memory_bytes: of one GPU.
            card: its name; vLLM looks for "a100" in it.
            cpu: whether it runs on a processor without a GPU.
            max_model_len: of the longest sequence; vLLM lowers the tokens of an iteration to those of all seats.
        """
        memory = positive_number(memory_bytes, "memory_bytes") / _GIB
        if cpu:
            seats, tokens = 128, 2048
        elif memory >= 160:
            seats, tokens = 1024, 16384
        elif memory >= 70 and "a100" not in card.lower():
            seats, tokens = 1024, 8192
        else:
            seats, tokens = 256, 2048
        if max_model_len is not None:
            tokens = min(tokens, seats * whole_number(max_model_len, "max_model_len", 1))
        return cls(max_num_seqs=min(seats, tokens), max_num_batched_tokens=tokens, async_scheduling=not cpu)

    @property
    def encoder_is_apart(self) -> bool:
        """Whether images are encoded by a process of their own."""
        return self.encoder == APART
