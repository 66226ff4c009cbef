"""Where a query-aware compressor's text feature comes from.

llm         the language model's last hidden state at the last token of the query (the paper)
llm-layers  the same of a language model cut after `query_layers` layers (its final norm stays)
encoder     a small model of its own, `query_config`, over the same token ids
none        nowhere: query-blind
"""

from __future__ import annotations

from typing import Any

from .table import Table


class QueryFeature:
    """A source of the text feature; as it stands, the language model itself."""

    asks = True
    """Whether there is a text feature."""
    runs_llm = True
    """Whether the language model makes it, whose cache and positions its pass then has."""
    in_the_prompt = True
    """Whether a text-first prompt's own pass gives it."""
    has_encoder = False
    """Whether a model of its own makes it, that of `query_config`."""

    def check(self, config: Any) -> None:
        """Raises ValueError where the rest of a configuration does not go with it."""

    def width(self, config: Any) -> int | None:
        """Width of the text feature, None where there is none."""
        width: int = config.text_config.hidden_size
        return width

    def source(self, model: Any) -> Any:
        """What turns token ids into hidden states."""
        return model.get_decoder()


class FirstLayers(QueryFeature):
    """The language model's first layers."""

    in_the_prompt = False

    def check(self, config: Any) -> None:
        depth = config.text_config.num_hidden_layers
        if config.query_layers is None or not 1 <= config.query_layers <= depth:
            raise ValueError(f"query_layers: expected 1 to {depth} layers of the LLM, got {config.query_layers}")
        if config.order.text_ahead:
            raise ValueError(
                'query_features "llm-layers" saves nothing in a text-first prompt, whose prefix runs through all '
                'layers anyway: use "llm"'
            )

    def source(self, model: Any) -> Any:
        return model.first_layers(model.config.query_layers)


class OwnEncoder(QueryFeature):
    """A small model beside the language model."""

    runs_llm = False
    in_the_prompt = False
    has_encoder = True

    def width(self, config: Any) -> int | None:
        width: int = config.query_config.hidden_size
        return width

    def source(self, model: Any) -> Any:
        return model.query_encoder


class NoQuery(QueryFeature):
    """No text feature: the compressor sees the image alone."""

    asks = False
    runs_llm = False
    in_the_prompt = False

    def width(self, config: Any) -> int | None:
        return None

    def source(self, model: Any) -> Any:
        raise ValueError("this model reads no query: it has no text feature")


NO_QUERY = "none"
QUERY_FEATURES: Table[QueryFeature] = Table("query_features")
"""Sources of the text feature by name."""
QUERY_FEATURES.register("llm", QueryFeature())
QUERY_FEATURES.register("llm-layers", FirstLayers())
QUERY_FEATURES.register("encoder", OwnEncoder())
QUERY_FEATURES.register(NO_QUERY, NoQuery())
