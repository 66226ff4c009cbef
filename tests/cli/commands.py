"""Commands that several tests of the command line start from."""

from __future__ import annotations

from typing import Any

import typer

from planner import cli

REQUEST = ["--query-tokens", "50", "--generated-tokens", "32"]
PLAN = ["plan", "--budget", "2 TFLOPs", *REQUEST]
OPTIMUM = ["optimum", "--budget", "2 TFLOPs", *REQUEST]
LLAMA = {
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "vocab_size": 32000,
}
"""A config.json from outside the catalogue."""

cli.load()
VERBS: dict[str, Any] = typer.main.get_command(cli.app).commands  # type: ignore[attr-defined]
"""The commands of all verbs."""
