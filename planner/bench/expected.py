"""What a plan expects of a configuration: the parts, the request, and every number that can be measured."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from planner.costs.hardware import Hardware, find_hardware
from planner.costs.memory import Memory, compressor_params, request_memory
from planner.costs.request import RequestCost, request_cost
from planner.costs.stages import Workload
from planner.errors import InputError, UnknownNameError
from planner.planning.result import Plan
from planner.quantities import shown
from planner.vlm.build import DTYPES
from planner.vlm.recipe import Recipe, make_recipe


@dataclass(frozen=True)
class Expected:
    """A configuration as it was planned."""

    recipe: Recipe
    workload: Workload
    """The request that times and memory must hold for: of a distribution the 95th percentile."""
    batch: int
    precision: str
    """Of the LLM's weights; one that PyTorch computes in."""
    tensor_parallel: int
    hardware: Hardware | None
    """That predicts the times; None: no times are predicted."""
    plan_sha256: str | None = None

    def cost(self) -> RequestCost:
        """Everything that is predicted, FLOPs as FlopCounterMode counts them."""
        r = self.recipe
        return request_cost(
            r.llm,
            r.visual_tokens,
            self.workload,
            vision=r.vision,
            compressor=r.compressor,
            prompt_order=r.prompt_order,
            convention="torch",
            precision=self.precision,
            batch=self.batch,
            tensor_parallel=self.tensor_parallel,
            hardware=self.hardware,
        )

    def memory(self, generated_tokens: int) -> Memory:
        """Bytes on one device for an answer of so many tokens."""
        r = self.recipe
        return request_memory(
            r.llm,
            r.visual_tokens,
            replace(self.workload, generated_tokens=generated_tokens),
            vision=r.vision,
            compressor=r.compressor,
            prompt_order=r.prompt_order,
            precision=self.precision,
            batch=self.batch,
            tensor_parallel=self.tensor_parallel,
        ).at()

    @property
    def params(self) -> int:
        """Of tower, compressor, projector and LLM."""
        r = self.recipe
        rest = compressor_params(r.compressor, r.vision, r.llm.hidden_size, r.visual_tokens)
        return int(r.llm.params + r.vision.params_run + float(rest))


def expected(
    plan: Plan | Mapping[str, Any] | str | Path,
    *,
    llm: str | None = None,
    vision: str | None = None,
    hardware: str | Path | Hardware | None = None,
    precision: str | None = None,
) -> Expected:
    """What a plan expects.

    Args:
        plan: a plan, what `Plan.to_dict` gave, or the file that vlm-planner plan -o wrote.
        llm: config.json of the language model, where the catalogue does not have the plan's; so with `vision`.
        hardware: a profile to predict times with, in place of the plan's.
        precision: in place of the plan's.

    Raises:
        InputError: a file that is no plan, parts or hardware that only a path can give, a precision that PyTorch's own
            layers do not compute in.
    """
    digest: str | None = None
    content: Mapping[str, Any]
    if isinstance(plan, str | Path):
        content, digest = read_plan(plan)
    else:
        content = plan.to_dict() if isinstance(plan, Plan) else plan
    best = content["best"]
    recipe = make_recipe(content, llm=llm or _source(content, best), vision=vision or _tower(content))
    found_precision = precision or best.get("precision", "bf16")
    if found_precision not in DTYPES:
        raise InputError(
            f"the plan's weights are in {found_precision}; expected {', '.join(DTYPES)} here: verify it with "
            f"--precision bf16, which says what quantisation is measured against"
        )
    card = plan.deployment.hardware if isinstance(plan, Plan) and hardware is None else _hardware(content, hardware)
    return Expected(
        recipe=recipe,
        workload=_workload(content.get("workload_p95") or content.get("workload")),
        batch=int(best.get("batch", 1)),
        precision=found_precision,
        tensor_parallel=int(best.get("tensor_parallel", 1)),
        hardware=card,
        plan_sha256=digest,
    )


def read_plan(path: str | Path) -> tuple[dict[str, Any], str]:
    """A plan's file, and its SHA-256. Raises InputError."""
    try:
        raw = Path(path).read_bytes()
        content = json.loads(raw.decode("utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; expected what vlm-planner plan -o wrote") from None
    except (ValueError, RecursionError):
        raise InputError(f"{path} is not JSON; expected what vlm-planner plan -o wrote") from None
    if not isinstance(content, dict) or not isinstance(content.get("best"), dict):
        raise InputError(f"{path} is no plan; expected what vlm-planner plan -o wrote")
    return content, hashlib.sha256(raw).hexdigest()


def _source(content: Mapping[str, Any], best: Mapping[str, Any]) -> str | None:
    """The config.json of a language model that is not in the catalogue, as the plan names it."""
    listed = (content.get("inputs") or {}).get("llms") or ()
    return next((one.get("source") for one in listed if one.get("name") == best.get("llm")), None)


def _tower(content: Mapping[str, Any]) -> str | None:
    return (content.get("inputs") or {}).get("vision_source")


def _hardware(content: Mapping[str, Any], given: str | Path | Hardware | None) -> Hardware | None:
    if given is not None:
        return find_hardware(given)
    name, profile = content.get("hardware"), content.get("hardware_profile")
    if isinstance(profile, Mapping):
        return Hardware.from_dict(profile, "the plan's hardware")
    if name is None:
        return None
    try:
        return find_hardware(str(name))
    except UnknownNameError:
        raise InputError(
            f"the plan was made for {name}, which is no name of the catalogue: give its profile with "
            "--hardware FILE.json"
        ) from None


def _workload(values: Any) -> Workload:
    if not isinstance(values, Mapping):
        raise InputError(f"the plan's workload: expected token counts, got {shown(values)}")
    known = Workload.__dataclass_fields__
    try:
        return Workload(**{name: values[name] for name in known if name in values})
    except TypeError:
        raise InputError(f"the plan's workload: expected {', '.join(known)}, got {shown(dict(values))}") from None
