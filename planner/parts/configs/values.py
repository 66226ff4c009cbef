"""The values of a config.json together with the defaults of its class, each read as what it must be."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

from planner.base.errors import SpecError
from planner.base.quantities import shown
from planner.parts.configs.defaults import ClassDefaults, class_defaults, shared_fields

_SAYS_NOTHING_OF_SIZES = re.compile(
    r"_.*|.*_token_ids?|.*_token_index|.*token_id|.*dropout.*|.*_version|.*_coef|.*loss.*|.*initializer.*|.*eps|.*epsilon"
    r"|rope_.*|rotary.*|partial_rotary_factor|.*temperature|top_p|top_k|max_length|min_length|.*length_penalty"
    r"|num_beams.*|repetition_penalty|do_sample|.*generation.*|use_cache|cache_implementation|.*flash_attn.*"
    r"|torch_dtype|dtype|quantization_config|compression_config|auto_map|id2label|label2id|num_labels|task_specific_params"
    r"|finetuning_task|tokenizer_.*|pretraining_tp|seq_length|model_max_length|model_type|architectures|pruned_heads"
    r"|tie_word_embeddings|is_composition|unsloth.*|transformers.js_config|chat_template|mrope.*|use_mrope"
    r"|max_window_layers|summary_.*|scale_attn_weights|gradient_checkpointing|prefix|bad_words_ids|.*logits_warper"
    r"|num_image_tokens|aux_.*|seq_aux|ep_size|training.*|attn_implementation|experts_implementation|name_or_path"
    r"|torchscript|use_bfloat16|tf_legacy_loss|cross_attention_hidden_size|add_cross_attention|tie_encoder_decoder"
    r"|sep_token.*|typical_p|remove_invalid_values|return_dict.*|output_.*|num_return_sequences|diversity_penalty"
    r"|no_repeat_ngram_size|encoder_no_repeat_ngram_size|early_stopping|exponential_decay.*|begin_suppress.*|suppress.*"
    r"|forced_.*|is_decoder|is_encoder_decoder|decoder_start.*|onnx.*|attention_probs.*|hidden_act.*"
    r"|max_position_embeddings"
    r"|norm_topk_prob|routed_scaling_factor|mtp_.*|num_nextn_predict_layers|use_grouped_topk"
    r"|time_step_(min|max|floor|limit|scale|rank|init_scheme)"
    r"|attention_bias|mlp_bias|sliding_window|use_sliding_window|head_dim"
)
"""Keys of configs that, where the class has no such field, say nothing of what it is made of: names, tokens, training,
generation, layers that predict tokens ahead and that no class here loads; at the end, what old files of one family
carry over from another."""


class Values(Mapping[str, Any]):
    """The values of one type of model: those that a config gives, and for the others the defaults of its class.

    A value that is given as null is none, whatever the default. Of two names for one field, the one that is not the
    field's own goes first, as in the constructors of transformers.
    """

    def __init__(self, name: str, given: Mapping[str, Any], model_type: str = "") -> None:
        """The values of a config.

        Args:
            name: what the model is called, for messages.
            given: its config.json, or the part of it that describes the language model.
            model_type: overrides the config's own.
        """
        self.name = name
        self.type = model_type or str(given.get("model_type") or "")
        self.known: ClassDefaults | None = class_defaults(self.type)
        self._fields = _to_fields(self.known) if self.known else {}
        self.given_twice = {
            field for key, field in self._fields.items() if {key, field} <= set(given) and given[key] != given[field]
        }
        """Fields that are given under two names with two values."""
        others = {self._fields[key]: value for key, value in given.items() if key in self._fields}
        self.given = {key: value for key, value in given.items() if key not in self._fields} | others
        self._all = {**(self.known.fields if self.known else {}), **self.given}

    def __getitem__(self, key: str) -> Any:
        return self._all[self._fields.get(key, key)]

    def get(self, key: str, default: Any = None) -> Any:
        return self._all.get(self._fields.get(key, key), default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def with_given(self, more: Mapping[str, Any]) -> Values:
        """The same with further values given."""
        return Values(self.name, {**self.given, **more}, self.type)

    def tied(self, key: str = "tie_word_embeddings") -> bool:
        """Whether embedding and output head are one, by the config and what its class makes of it."""
        return not (self.known is not None and self.known.never_tied) and self.flag(key)

    def reads(self, key: str) -> bool:
        """Whether the class has such a field or looks for one; true where the class is not known."""
        known = self.known
        return known is None or key in self._fields or key in known.fields or key in known.looked_for

    def check_keys(self, read: Sequence[str] = ()) -> None:
        """Raises SpecError for a key that the class does not have and that may say something of sizes.

        Args:
            read: further keys that the reader knows.
        """
        if self.known is None:
            return
        fields = {*self.known.fields, *self.known.nested, *shared_fields(), *read}
        for key, value in self.given.items():
            if key in fields or _SAYS_NOTHING_OF_SIZES.fullmatch(key) or not _tells(value):
                continue
            raise SpecError(
                f"{self.name}: nothing is known of {key!r} ({shown(value)}) in a config of the type {self.type}, so "
                "its cost cannot be counted"
            )
        self._check_window(fields)
        if self.get("per_layer_config") and "per_layer_config" not in read:
            raise SpecError(f"{self.name}: layers that differ by per_layer_config cannot be counted")

    def _check_window(self, fields: Container[str]) -> None:
        """Raises SpecError for a window that the class does not have, and that its context may exceed."""
        window, context = self.get("sliding_window"), self.get("max_position_embeddings")
        if window is None or "sliding_window" in fields:
            return
        if not isinstance(window, int) or not isinstance(context, int) or window < context:
            raise SpecError(
                f"{self.name}: the type {self.type} has no windows, but the config gives a 'sliding_window' of "
                f"{shown(window)}, so its cost cannot be counted"
            )

    def check_class(self) -> None:
        """Raises SpecError where the config names model classes, none of which is one of its type."""
        named = self.get("architectures")
        if self.known is None or not self.known.classes or not isinstance(named, list) or not named:
            return
        classes = {name.lower() for name in self.known.classes}
        if not any(str(name).lower() in classes for name in named):
            raise SpecError(
                f"{self.name}: its architecture {shown(named[0])} is none of the type {self.type}, so its cost cannot "
                "be counted"
            )

    def wrong(self, key: str, expected: str) -> SpecError:
        """The error of a value that is not what it must be."""
        return SpecError(f"{self.name}: expected {key!r} to be {expected}, got {shown(self.get(key))}")

    def count(self, key: str, default: int | None = None, *, minimum: int = 1) -> int:
        """A whole number of at least `minimum`; `default` where there is none. A text or float that is whole is taken.

        Raises:
            SpecError: no such value, or another.
        """
        value = self.get(key)
        if value is None:
            value = default
        if value is None:
            raise SpecError(f"{self.name}: the config has no {key!r}, and its type has no default for it")
        if isinstance(value, str) and value.strip().isdecimal():
            value = int(value)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
            raise self.wrong(key, f"a whole number of at least {minimum}")
        return value

    def count_or_none(self, key: str, *, minimum: int = 1) -> int | None:
        """The same, None where there is none."""
        return None if self.get(key) is None else self.count(key, minimum=minimum)

    def flag(self, key: str, default: bool = False) -> bool:
        """True or false; `default` where there is none. Raises SpecError for another value."""
        value = self.get(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.wrong(key, "true or false")
        return value

    def number(self, key: str, default: float | None = None) -> float:
        """A number. Raises SpecError for another value, or where there is none and no default."""
        value = self.get(key, default)
        value = default if value is None else value
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(key, "a number")
        return float(value)

    def whole_numbers(self, key: str, length: int | None = None) -> list[int] | None:
        """A list of whole numbers, such as places of layers; None where there is none. Raises SpecError."""
        value = self.get(key)
        if value is None:
            return None
        whole = isinstance(value, list | tuple) and all(isinstance(one, int) for one in value)
        if not whole or (length is not None and len(value) != length):
            each = "" if length is None else f", one for each of {length} layers"
            raise self.wrong(key, f"a list of whole numbers{each}")
        return list(value)

    def by_layer(self, key: str, layers: int, allowed: Sequence[str]) -> list[str] | None:
        """A list with one of the `allowed` texts for each layer; None where there is none. Raises SpecError."""
        value = self.get(key)
        if value is None:
            return None
        if not isinstance(value, list | tuple) or len(value) != layers or not set(map(str, value)) <= set(allowed):
            raise self.wrong(key, f"{' or '.join(map(repr, allowed))} for each of {layers} layers")
        return [str(one) for one in value]


def _to_fields(known: ClassDefaults) -> dict[str, str]:
    """Other name of a field -> the field. Of two names for one thing it is either that the class declares."""
    found = {}
    for one, other in known.other_names.items():
        if other in known.fields:
            found[one] = other
        elif one in known.fields:
            found[other] = one
    return found


def _tells(value: Any) -> bool:
    """Whether a value may change what a model is made of: no text, no null, no false, no 0, 1 or empty list."""
    return (not isinstance(value, str) and value not in (None, False, 0, 1, [], {})) or value is True
