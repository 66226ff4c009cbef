"""A released vision-language model: what its published files say of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from planner.base.dataclass import dataclass
from planner.base.errors import SpecError
from planner.base.quantities import shown
from planner.parts.configs import read_llm
from planner.parts.configs.nested import language_model
from planner.parts.configs.values import Values
from planner.parts.encoders import ENCODER_READERS, Encoder, TextOnly, read_encoder
from planner.parts.images import ImageRule, NoImages, read_images
from planner.parts.llms import Llm
from planner.parts.quantisation import Quantisation, read_quantisation
from planner.parts.sizes import nominal_params

DTYPES = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32"}
"""Names of torch, as our precisions call them."""


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """Weights that exist, or a folder with a model's config."""

    name: str
    """The last part of its hub id, or the folder's name."""
    hub_id: str = ""
    """Repository on the Hugging Face hub; "" for a folder."""
    architecture: str = ""
    """Class that its config.json names; "" where it names none."""
    llm: Llm
    encoder: Encoder
    rule: ImageRule
    """How it cuts images, with every knob as it is published."""
    context_tokens: int | None = None
    """Longest sequence; None where its files do not say."""
    dtype: str = "bf16"
    """Precision of its weights, as its files name it."""
    quantisation: Quantisation | None = None
    """How the matrices of its language model are stored; None: in its dtype."""
    licence: str | None = None
    """None where nobody read it."""
    licence_source: str = ""
    """Where the licence was read; "" where it was not."""
    converted_from: str = ""
    """Repository whose weights these are, in another format; "" where they are no conversion, or nobody read it."""
    pretrained: str = ""
    """The paper that says its weights are to be fine-tuned on a task before use; "" where none was read to say so."""
    revision: str | None = None
    """Commit of the repository that the files are of; None where it is not known."""
    notes: tuple[str, ...] = ()
    """What reading its files had to assume."""
    image_notes: tuple[str, ...] = ()
    """Those of them that matter only to a request with an image."""
    source: str = ""
    """Where its files come from."""
    counted: str = ""
    """By what its numbers were counted, such as "counted with transformers 5.23.0"; "": its architecture is known."""
    provenance: Mapping[str, Any] = field(default_factory=dict, hash=False, compare=False, repr=False)
    """Who published each of its files."""

    @property
    def params(self) -> int:
        """All of its parameters."""
        return self.llm.params + self.encoder.tower_params + self.encoder.connector_params + self.encoder.audio_params

    @property
    def active_params(self) -> int:
        """Those that a token passes: all but the experts that it is not routed to."""
        return self.params - self.llm.params + self.llm.active_params

    def params_by_part(self) -> dict[str, int]:
        """As the JSON of a cost gives them."""
        return {
            "total": self.params,
            "active": self.active_params,
            "llm": self.llm.params,
            "vision": self.encoder.tower_params,
            "connector": self.encoder.connector_params,
            "audio": self.encoder.audio_params,
        }


def read_checkpoint(
    name: str,
    config: Mapping[str, Any],
    preprocessor: Mapping[str, Any] | None = None,
    processor: Mapping[str, Any] | None = None,
    *,
    hub_id: str = "",
    licence: str | None = None,
    revision: str | None = None,
    source: str = "",
    provenance: Mapping[str, Any] | None = None,
) -> Checkpoint:
    """A model by the values of its published files.

    Args:
        name: what to call it.
        config: of its config.json.
        preprocessor: of its preprocessor_config.json; None where there is none.
        processor: of its processor_config.json; None where there is none.
        hub_id: its repository.
        licence, revision: as published, None where not known.
        source: where the files come from.
        provenance: who published each file.

    Raises:
        SpecError: nothing is known of one of its parts, or a value is missing or wrong.
    """
    llm = read_llm(name, config, hf_id=hub_id, source=source)
    nominal = nominal_params(name, llm.params)
    if nominal is not None:
        llm = llm.sized(nominal, ())  # the one note is of a name without a size
    text = language_model(name, config)
    notes: tuple[str, ...] = ()
    encoder: Encoder
    rule: ImageRule
    if _sees(config, text.outer):
        encoder = read_encoder(name, config, llm.hidden_size)
        rule, notes = read_images(name, config, preprocessor, processor)
    elif config.get("audio_config") is not None:
        raise SpecError(f"{name}: nothing is known of a model with an audio tower and no vision tower")
    else:
        encoder, rule = TextOnly(name=name), NoImages(model=name)
    quantisation = read_quantisation(name, config)
    dtype, said = dtype_of(name, config, text.values)
    if quantisation is not None:
        dtype, said = quantisation.precision, ()
    return Checkpoint(
        name=name,
        hub_id=hub_id,
        architecture=_architecture(config),
        llm=llm,
        encoder=encoder,
        rule=rule,
        context_tokens=context_of(name, text.values),
        dtype=dtype,
        quantisation=quantisation,
        licence=licence,
        revision=revision,
        notes=(*llm.notes, *notes, *said),
        image_notes=notes,
        source=source,
        provenance=provenance or {},
    )


def _architecture(config: Mapping[str, Any]) -> str:
    named = config.get("architectures")
    return named[0] if isinstance(named, list) and named and isinstance(named[0], str) else ""


def _sees(config: Mapping[str, Any], outer: tuple[Values, ...]) -> bool:
    """Whether a config has a vision side, of whatever kind."""
    reader = ENCODER_READERS.get(config.get("model_type"))
    if reader is not None:
        return reader.sees(config)
    parts = {key for values in outer if values.known is not None for key in values.known.nested}
    return any("vis" in key for key in {*parts, *config})


def context_of(name: str, text: Mapping[str, Any]) -> int | None:
    """The longest sequence of a config, None where it names none. Raises SpecError for a length that is none."""
    length = text.get("max_position_embeddings")
    if length is None:
        return None
    if isinstance(length, bool) or not isinstance(length, int) or length < 1:
        raise SpecError(f"{name}: expected 'max_position_embeddings' to be a whole number, got {shown(length)}")
    return length


def dtype_of(name: str, config: Mapping[str, Any], text: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """Precision of the weights, and what had to be assumed. Raises SpecError for a dtype that is none of ours."""
    named = [one.get(key) for one in (config, text) for key in ("dtype", "torch_dtype")]
    found = next((one for one in named if one is not None), None)
    if found is None:
        return "bf16", ("its config.json names no dtype: sizes are those of bf16",)
    known = DTYPES.get(str(found).removeprefix("torch."))
    if known is None:
        raise SpecError(f"{name}: expected 'dtype' to be {', '.join(DTYPES)}, got {shown(found)}")
    return known, ()
