"""Writes what the configuration classes of the installed transformers fill in, for `planner.parts.configs`.

A published config.json is a diff against its class's defaults, so these belong to what a config says. One line of JSON
for each type of model: its fields with their defaults, other names of fields ("attribute_map"), the parts that it
nests with their types and first values, and the further keys that its constructor or its attention looks for.

    python benchmarks/class_defaults.py        # needs the extra [vlm]
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import importlib.util
import inspect
import json
import re
import textwrap
import warnings
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parents[1] / "planner" / "parts" / "configs" / "class_defaults.jsonl"
FORMER_NAMES = {"qwen2_5_omni": ("Qwen2_5OmniModel",), "llama": ("LLaMAForCausalLM",)}
"""Model classes that published configs name and that are called otherwise today."""
NOT_LANGUAGE = ("audio", "codec", "vocoder", "speech")


def main() -> None:
    import transformers
    from transformers import CONFIG_MAPPING, PreTrainedConfig
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES,
    )

    warnings.simplefilter("ignore")
    shared = {one.name for one in dataclasses.fields(PreTrainedConfig)}
    classes: dict[str, Any] = {}
    wanted = [*MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, *MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES, "qwen2_5_omni"]
    queue = [(name, CONFIG_MAPPING[name]) for name in wanted]
    while queue:
        name, cls = queue.pop(0)
        if name in classes:
            continue
        classes[name] = cls
        for key, spec in cls.sub_configs_defaults.items():
            if any(word in key for word in NOT_LANGUAGE):
                continue
            nested = spec.config_class
            inner = nested if issubclass(nested, PreTrainedConfig) else CONFIG_MAPPING[spec.model_type]
            queue.append((spec.model_type or inner.model_type, inner))
    lines = [json.dumps({"transformers": transformers.__version__, "shared": sorted(shared)})]
    lines += [json.dumps(entry(name, classes[name], shared), separators=(",", ":")) for name in sorted(classes)]
    TARGET.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{TARGET}: {len(classes)} types of transformers {transformers.__version__}, {TARGET.stat().st_size} bytes")


def entry(name: str, cls: Any, shared: set[str]) -> dict[str, Any]:
    """One type. The name stands first, so that a line can be found without reading the others."""
    from transformers import PreTrainedConfig

    nested = {}
    for key, spec in cls.sub_configs_defaults.items():
        fixed = issubclass(spec.config_class, PreTrainedConfig)
        nested[key] = {"type": spec.model_type, "first": plain(spec.init_kwargs)} | ({"fixed": True} if fixed else {})
    fields = {
        one.name: plain(one.default if one.default is not dataclasses.MISSING else made(one))
        for one in dataclasses.fields(cls)
        if one.name not in shared and one.name not in nested
    }
    found: dict[str, Any] = {"type": name, "fields": fields}
    if cls.attribute_map:
        found["other_names"] = dict(cls.attribute_map)
    if nested:
        found["nested"] = nested
    own_keys = {*keys_looked_for(cls), *keys_of_attention(cls)} - {*fields, *nested, *cls.attribute_map}
    if looked_for := sorted(own_keys - set(keys_looked_for(PreTrainedConfig))):
        found["looked_for"] = looked_for
    if "text_config" in nested:
        if "tie_word_embeddings" in fields and takes_tie_of_text(cls):
            found["ties_like_its_text"] = True
        if takes_flat_text(cls):
            found["flat"] = True
    found |= dict.fromkeys(facts_of_head(cls), True)
    if names := model_classes(cls):
        found["classes"] = sorted({*names, *FORMER_NAMES.get(name, ())})
    return found


def model_classes(cls: Any) -> list[str]:
    """Names that the config may give under "architectures": the model classes of its folder."""
    module = cls.__module__.replace(".configuration_", ".modeling_")
    try:
        return sorted(name for name in importlib.import_module(module).__all__ if "PreTrained" not in name)
    except (ImportError, AttributeError):
        return []


def made(declared: Any) -> Any:
    return None if declared.default_factory is dataclasses.MISSING else declared.default_factory()


def plain(value: Any) -> Any:
    """As JSON; what is no JSON (a class, a dtype) is its name."""
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def keys_looked_for(cls: Any) -> list[str]:
    """Keys of `kwargs` that the constructor asks for: older spellings of fields, for the most part; "*" where a part of
    the key is computed."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(cls.__post_init__)))
    except (OSError, TypeError):
        return []
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("get", "pop"):
            owner = node.func.value
            if isinstance(owner, ast.Name) and owner.id == "kwargs" and node.args:
                key = node.args[0]
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    found.append(key.value)
                elif isinstance(key, ast.JoinedStr):
                    parts = (one.value if isinstance(one, ast.Constant) else "*" for one in key.values)
                    found.append("".join(map(str, parts)))
    return found


def keys_of_attention(cls: Any) -> list[str]:
    """`head_dim`, where the model's code takes one that no field declares."""
    module = importlib.util.find_spec(cls.__module__.replace(".configuration_", ".modeling_"))
    code = Path(module.origin).read_text("utf-8") if module is not None and module.origin else ""
    return ["head_dim"] if re.search(r"self\.head_dim = \(?\s*getattr\(config, \"head_dim\"", code) else []


def takes_tie_of_text(cls: Any) -> bool:
    """Whether a tie that only the nested text config names reaches the whole model."""
    try:
        return bool(cls(tie_word_embeddings=False, text_config={"tie_word_embeddings": True}).tie_word_embeddings)
    except Exception:  # a class that cannot be made of defaults
        return False


def facts_of_head(cls: Any) -> list[str]:
    """What the class that makes text, of images and text where there is one, does with its output head, read in its
    code."""
    import transformers
    from transformers.models.auto import modeling_auto as auto

    images, text = auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES, auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    named = images.get(cls.model_type) or text.get(cls.model_type)
    if not isinstance(named, str):
        return []
    model = getattr(transformers, named)
    code = inspect.getsource(model.__init__)
    flat = "self.lm_head = nn.Linear(config.hidden_size, config.vocab_size" in code
    found = ["head_of_whole"] if flat and "text_config" in cls.sub_configs_defaults else []
    if not getattr(model, "_tied_weights_keys", None):
        within = re.search(r"self\.language_model = (language_model|\w+ForCausalLM)", code)
        found.append("tied_by_its_text" if within else "never_tied")
    return found


def takes_flat_text(cls: Any) -> bool:
    """Whether the values of the language model may stand beside the others, without a `text_config`."""
    try:
        return bool(cls(num_hidden_layers=3).text_config.num_hidden_layers == 3)
    except Exception:  # a class that cannot be made of defaults, or whose text has no such field
        return False


if __name__ == "__main__":
    main()
