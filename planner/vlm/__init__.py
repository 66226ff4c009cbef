"""The model that a plan picks: a Hugging Face vision-language model with a query-aware compressor.

Importing this package registers the model with the Auto classes, so that a saved folder loads by itself. The folder
carries the modules too: they import nothing of this package but each other, and load with `trust_remote_code=True`
where it is not installed.
"""

from __future__ import annotations

from transformers import AutoConfig, AutoModel, AutoModelForImageTextToText, AutoProcessor

from planner.vlm.base_model import PlannerVlmModel, PlannerVlmModelOutput
from planner.vlm.baselines import COMPRESSORS, Matryoshka, TokenPacker, make_compressor
from planner.vlm.configuration import PlannerVlmConfig
from planner.vlm.modeling import PlannerVlmForConditionalGeneration, PlannerVlmOutput
from planner.vlm.orders import PROMPT_ORDERS, PromptOrder
from planner.vlm.processing import PlannerVlmProcessor
from planner.vlm.quecc import Compressor, Projector, QueCC, admissible_tokens, convert_reference_state_dict
from planner.vlm.queries import QUERY_FEATURES, QueryFeature
from planner.vlm.templates import chat_template
from planner.vlm.towers import TOWERS, TowerFamily

__all__ = [
    "COMPRESSORS",
    "PROMPT_ORDERS",
    "QUERY_FEATURES",
    "TOWERS",
    "Compressor",
    "Matryoshka",
    "PlannerVlmConfig",
    "PlannerVlmForConditionalGeneration",
    "PlannerVlmModel",
    "PlannerVlmModelOutput",
    "PlannerVlmOutput",
    "PlannerVlmProcessor",
    "Projector",
    "PromptOrder",
    "QueCC",
    "QueryFeature",
    "TokenPacker",
    "TowerFamily",
    "admissible_tokens",
    "chat_template",
    "convert_reference_state_dict",
    "make_compressor",
]

AutoConfig.register(PlannerVlmConfig.model_type, PlannerVlmConfig, exist_ok=True)
AutoModel.register(PlannerVlmConfig, PlannerVlmModel, exist_ok=True)
AutoModelForImageTextToText.register(PlannerVlmConfig, PlannerVlmForConditionalGeneration, exist_ok=True)
AutoProcessor.register(PlannerVlmConfig, PlannerVlmProcessor, exist_ok=True)

PlannerVlmConfig.register_for_auto_class()
PlannerVlmModel.register_for_auto_class("AutoModel")
PlannerVlmForConditionalGeneration.register_for_auto_class("AutoModelForImageTextToText")
PlannerVlmProcessor.register_for_auto_class()
