"""How published tables name tasks, compressors, language models and scales, and what the evidence base calls them."""

from __future__ import annotations

from typing import Final

TRAINED, PRUNING, RESIZE, NONE = "trained", "pruning", "resize", "none"
"""Populations of ways to few tokens: a compressor that was trained with the model; pruning of a model that was trained
with all tokens; a smaller image for one model that takes many sizes; the tokens that the tower gives."""

TASKS: Final = {
    "AOKVQA-DA (val)": "A-OKVQA",
    "A-OKVQA DA (test)": "A-OKVQA",
    "AOKVQA-MC (val)": "A-OKVQA (MC)",
    "A-OKVQA MC (test)": "A-OKVQA (MC)",
    "AI2D (test)": "AI2D",
    "ChartQA (mean human, aug)": "ChartQA",
    "DocVQA (val)": "DocVQA",
    "DocVQA (test)": "DocVQA",
    "GQA (testdev)": "GQA",
    "InfoVQA (val)": "InfoVQA",
    "InfographicVQA (test)": "InfoVQA",
    "LLaVABenchW": "LLaVA-B",
    "LLaVA-W": "LLaVA-B",
    "MARVL (avg5)": "MARVL",
    "MaRVL (mean)": "MARVL",
    "MMBench": "MMB",
    "MM-Vet": "MMVet",
    "MME-P": "MME",
    "MME-C": "MME (cognition)",
    "NLVR2 (test)": "NLVR2",
    "OCR-VQA (test)": "OCR-VQA",
    "OKVQA (val)": "OKVQA",
    "RefCOCO (val)": "RefCOCO",
    "RefCOCO val": "RefCOCO",
    "RefCOCO+ (val)": "RefCOCO+",
    "RefCOCO+ val": "RefCOCO+",
    "RefCOCOg (val)": "RefCOCOg",
    "RefCOCOg val": "RefCOCOg",
    "ST-VQA (val)": "ST-VQA",
    "SceneText VQA (test)": "ST-VQA",
    "ScienceQA": "SQA",
    "ScienceQA (test)": "SQA",
    "SEEDBench": "SEED",
    "SeedBench": "SEED",
    "SEED-I": "SEED (images)",
    "SeedBench-I": "SEED (images)",
    "TallyQA simple": "TallyQA (simple)",
    "TallyQA complex": "TallyQA (complex)",
    "TextVQA (val)": "TextVQA",
    "TextVQA (test-std)": "TextVQA",
    "VQAv2 (minival)": "VQAv2",
    "VQAv2 (test-std)": "VQAv2",
    "VizWizVQA (val)": "VizWiz",
    "VizWiz (test-std)": "VizWiz",
    "xGQA (avg7)": "xGQA",
    "xGQA (mean)": "xGQA",
    "visual-reasoning (mean of the paper's benchmarks)": "visual reasoning (mean)",
    "ocr-like (mean)": "text reading (mean)",
}
"""Printed name -> task; a name that is not here is the task's own. Splits of one benchmark are one task: studies have
effects on tasks of their own. Halves of other difficulty (RefCOCO testA and testB) are tasks of their own."""

COMPRESSORS: Final = {
    "none": ("none", NONE),
    "MLP": ("none", NONE),
    "none (MLP)": ("none", NONE),
    "none (vanilla)": ("none", NONE),
    "none (LLaVA-v1.5)": ("none", NONE),
    "FastViTHD": ("none", NONE),
    "FastViTHD (no compressor, resolution sets tokens)": ("none", NONE),
    "FastViTHD resolution scaling": ("none", NONE),
    "FastViTHD (AnyRes 2x2 at 2048)": ("none", NONE),
    "ConvNeXt-L resolution scaling": ("none", NONE),
    "ConvNeXt-XXL resolution scaling": ("none", NONE),
    "Mini-Gemini": ("none", NONE),
    "none (pixel-shuffle 2x2 MLP of Qwen2-VL)": ("resize", RESIZE),
    "tokenpacker": ("tokenpacker", TRAINED),
    "TokenPacker": ("tokenpacker", TRAINED),
    "TokenPacker-HD (dagger)": ("tokenpacker-hd", TRAINED),
    "TokenPacker-HD (sharp)": ("tokenpacker-hd", TRAINED),
    "TokenPacker-HD (section)": ("tokenpacker-hd", TRAINED),
    "quecc": ("quecc", TRAINED),
    "matryoshka-query": ("matryoshka-query", TRAINED),
    "MQT": ("matryoshka-query", TRAINED),
    "matryoshka-multimodal": ("matryoshka-multimodal", TRAINED),
    "M3": ("matryoshka-multimodal", TRAINED),
    "Average-Pooling": ("average-pooling", TRAINED),
    "Resampler": ("resampler", TRAINED),
    "C-Abstractor": ("c-abstractor", TRAINED),
    "Pixel-Shuffle": ("pixel-shuffle", TRAINED),
    "LDP-v2": ("ldp-v2", TRAINED),
    "LLaMA-VID": ("llama-vid", TRAINED),
    "VoCo-LLaMA": ("voco-llama", TRAINED),
    "LLaVA-Mini (pre-fusion)": ("llava-mini", TRAINED),
    "LLaVA-Mini (pre-fusion, query compression)": ("llava-mini", TRAINED),
    "LLaVA-Mini w/o pre-fusion": ("llava-mini, no pre-fusion", TRAINED),
    "LLaVA-Mini 1 pre-fusion layer": ("llava-mini, 1 layer", TRAINED),
    "LLaVA-Mini 2 pre-fusion layers": ("llava-mini, 2 layers", TRAINED),
    "LLaVA-Mini 3 pre-fusion layers": ("llava-mini, 3 layers", TRAINED),
    "LLaVA-Mini 4 pre-fusion layers": ("llava-mini", TRAINED),
    "LLaVA-Mini pre-fusion + average pooling": ("llava-mini, average pooling", TRAINED),
    "DynamicLLaVA (I)": ("dynamic-llava (image)", TRAINED),
    "Dynamic-LLaVA (vision only)": ("dynamic-llava (image)", TRAINED),
    "DynamicLLaVA (I|T)": ("dynamic-llava (image, text)", TRAINED),
    "Dynamic-LLaVA (vision+language)": ("dynamic-llava (image, text)", TRAINED),
    "VisionZip (trained)": ("visionzip (trained)", TRAINED),
    "VisionZip": ("visionzip", PRUNING),
    "VisionZip fine-tuned": ("visionzip (tuned)", PRUNING),
    "VisionZip‡ (projector tuned)": ("visionzip (tuned)", PRUNING),
    "FastV": ("fastv", PRUNING),
    "SparseVLM": ("sparsevlm", PRUNING),
    "prumerge": ("prumerge", PRUNING),
    "PruMerge": ("prumerge", PRUNING),
    "PruMerge+": ("prumerge+", PRUNING),
    "PruMerge++": ("prumerge+", PRUNING),
}
"""Printed name -> (compressor, population)."""

LLMS: Final = {
    "Vicuna-7B": ("Vicuna-1.5-7B", "Vicuna"),
    "Vicuna-1.5-7B": ("Vicuna-1.5-7B", "Vicuna"),
    "Vicuna-13B": ("Vicuna-1.5-13B", "Vicuna"),
    "Vicuna-1.5-13B": ("Vicuna-1.5-13B", "Vicuna"),
    "LLaMA-3.1-8B-Instruct": ("Llama-3.1-8B", "Llama 3"),
    "Qwen1.5-0.5B": ("Qwen1.5-0.5B", "Qwen1.5"),
    "Qwen1.5-1.8B": ("Qwen1.5-1.8B", "Qwen1.5"),
    "Qwen1.5-4B": ("Qwen1.5-4B", "Qwen1.5"),
    "Qwen1.5-7B": ("Qwen1.5-7B", "Qwen1.5"),
    "Qwen2-0.5B": ("Qwen2-0.5B", "Qwen2"),
    "Qwen2-1.5B": ("Qwen2-1.5B", "Qwen2"),
    "Qwen2-7B": ("Qwen2-7B", "Qwen2"),
    "Gemma-2B": ("Gemma-2B", "Gemma"),
    "Gemma2-2B": ("Gemma2-2B", "Gemma 2"),
    "Gemma2-9B": ("Gemma2-9B", "Gemma 2"),
    "Gemma2-27B": ("Gemma2-27B", "Gemma 2"),
}
"""Printed name -> (language model, family)."""

PERCENT: Final = ("accuracy %", "judge score", "F1/acc as printed", "score/10 as printed")
"""Metrics of which 100 is the full mark."""
FULL_MARKS: Final = {"MME-P": 2000.0, "MME-C": 800.0, "OCRBench": 1000.0}
"""Full marks of the metric "score" by printed task. MME alone is of 2000 (perception) or 2800 (with cognition): the
table says which."""
MME_TOTAL: Final = "MME (total)"
COST: Final = "cost (not quality)"
