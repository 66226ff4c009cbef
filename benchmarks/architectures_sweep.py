"""Counts of every causal and image-text architecture of the installed transformers, ours against its own.

Each architecture is made on the meta device, where tensors have shapes and no memory: at its class's default config, at
a reduced one, at reduced ones in which one switch of the config is turned, and as config.json files with one key
changed: null, or a key that belongs to another family. Compared are the parameters of the language model (with its
output head) and the numbers that a token leaves in the cache. An architecture is accepted or refused; what counts is
that nothing that is accepted differs.

    python benchmarks/architectures_sweep.py [--only TYPE ...] [--quick]       # needs the extra [vlm]
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sweep_configs import architectures, as_file, default_config, reduced_config, strange, switches
from sweep_reference import TOKENS, made, reference_kv, reference_params

from planner.base.errors import SpecError
from planner.parts.configs import read_llm

RESULT = Path(__file__).parent / "results" / "architectures_sweep.json"


@dataclass(frozen=True)
class Row:
    """One architecture at one config."""

    type: str
    config: str
    """"default", "reduced", or what is changed in the reduced one."""
    accepted: bool
    said: str
    """Why it is refused; "" where it is not."""
    params: int | None
    params_reference: int | None
    """Null where transformers makes no such model here."""
    kv_values: int | None
    """Numbers in the cache after `TOKENS` tokens, states of recurrent layers included."""
    kv_values_reference: int | None

    @property
    def wrong(self) -> bool:
        """Whether it is accepted with a difference."""
        pairs = ((self.params, self.params_reference), (self.kv_values, self.kv_values_reference))
        return self.accepted and any(own != other for own, other in pairs if other is not None)

    @property
    def exact(self) -> bool:
        """Whether it is accepted, and equal in everything that transformers can be asked for."""
        return self.accepted and self.params_reference is not None and not self.wrong


def our_kv(llm: Any) -> int:
    """Numbers in the cache after `TOKENS` tokens. Between two steps transformers keeps one token less than a window
    holds: the next one takes its place."""
    found = 0.0
    for cache in llm.caches():
        found += cache.values_per_token * min(TOKENS, cache.window - 1) + cache.constant_values
    return int(found)


def row(model_type: str, auto: Any, name: str, config: Any) -> Row:
    """One architecture at one config, an object of its class or the values of a file. Raises nothing but what our own
    reader raises by mistake."""
    accepted, said, llm = True, "", None
    given = config if isinstance(config, dict) else as_file(config)
    try:
        llm = read_llm(model_type, copy.deepcopy(given), model_type=model_type)
    except SpecError as error:
        accepted, said = False, str(error)
    params = kv = None
    if accepted:  # what is refused needs no reference
        try:
            if isinstance(config, dict):
                import transformers

                config = transformers.CONFIG_MAPPING[model_type].from_dict(config)
            model = made(config, auto)
            params, kv = reference_params(model), reference_kv(model, config)
        except Exception as error:
            said = f"transformers: {type(error).__name__}: {str(error).splitlines()[0][:100]}"
    own = (None, None) if llm is None else (llm.params, our_kv(llm))
    return Row(model_type, name, accepted, said, own[0], params, own[1], kv)


def rows(model_type: str, auto: Any, quick: bool = False) -> Iterator[Row]:
    """An architecture at all its configs."""
    accepted, base = False, None
    for name, make in (("default", default_config), ("reduced", reduced_config)):
        try:
            base = make(model_type)
        except Exception as error:
            said = f"transformers: no {name} config: {type(error).__name__}"
            yield Row(model_type, name, False, said, None, None, None, None)
            continue
        found = row(model_type, auto, name, base)
        accepted = found.accepted
        yield found
    if quick or not accepted:
        return
    for name, change in switches(model_type):
        try:
            config = reduced_config(model_type, change)
        except Exception:  # transformers refuses the value
            continue
        yield row(model_type, auto, name, config)
    for name, file in strange(as_file(base)):
        yield row(model_type, auto, name, file)


def summary(found: Sequence[Row]) -> dict[str, Any]:
    """One architecture in the result: its counts at its default and its reduced config, and how many more were."""
    accepted = [one for one in found if one.accepted]
    default, reduced = found[0], found[1]
    said = next((one.said for one in (default, reduced) if not one.accepted or one.params_reference is None), "")
    return {
        "type": default.type,
        "accepted": default.accepted or reduced.accepted,
        "exact": any(one.exact for one in found[:2]),
        "configs": len(found),
        "configs_accepted": len(accepted),
        "params_compared": sum(one.params_reference is not None for one in accepted),
        "kv_compared": sum(one.kv_values_reference is not None for one in accepted),
        "wrong": sum(one.wrong for one in found),
        **{
            one.config: [one.params, one.params_reference, one.kv_values, one.kv_values_reference]
            for one in (default, reduced)
            if one.accepted
        },
        **({"said": said} if said else {}),
    }


COLUMNS = "params, params of transformers, kv values, kv values of transformers"


def write(report: dict[str, Any], lines: Sequence[dict[str, Any]]) -> None:
    """The result, an architecture on a line."""
    head = json.dumps({**report, "default and reduced": COLUMNS}, indent=1)[:-2]
    body = ",\n".join("  " + json.dumps(one) for one in lines)
    RESULT.write_text(f'{head},\n "rows": [\n{body}\n ]\n}}\n', encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--quick", action="store_true", help="the default and the reduced config alone")
    options = parser.parse_args()
    import transformers

    logging: Any = transformers.logging
    logging.set_verbosity_error()
    warnings.simplefilter("ignore")
    lines: list[dict[str, Any]] = []
    tracebacks = 0
    for model_type, auto in architectures():
        if options.only and model_type not in options.only:
            continue
        try:
            found = list(rows(model_type, auto, options.quick))
        except Exception:
            tracebacks += 1
            print(f"TRACEBACK {model_type}: {traceback.format_exc()}", flush=True)
            continue
        for one in found:
            if one.wrong:
                print("WRONG", json.dumps(asdict(one)), flush=True)
        lines.append(summary(found))
        print(json.dumps(lines[-1]), file=sys.stderr, flush=True)
    report = {
        "transformers": transformers.__version__,
        "architectures": len(lines) + tracebacks,
        "accepted": sum(one["accepted"] for one in lines),
        "exact": sum(one["exact"] for one in lines),
        "refused": sum(not one["accepted"] for one in lines),
        "wrong": sum(one["wrong"] for one in lines),
        "tracebacks": tracebacks,
        **{
            key: sum(one[key] for one in lines)
            for key in ("configs", "configs_accepted", "params_compared", "kv_compared")
        },
    }
    print(json.dumps(report, indent=1))
    if not options.only and not options.quick:
        write(report, lines)
    sys.exit(bool(report["wrong"] or tracebacks))


if __name__ == "__main__":
    main()
