"""Names of benchmarks, as headers of tables print them."""

from __future__ import annotations

import re

_BENCHMARKS = re.compile(
    r"(vqa_?v2|gqa|text_?vqa|vqa_?t|vqatext|doc_?vqa|info_?vqa|infographic_?vqa|chart_?qa|ocr_?bench|ocr_?vqa|pope|mme|mme_?p|mme_?c"
    r"|mme_?perception|mme_?cognition|mme_?sum|mmb(ench)?|mmb(ench)?_?(cn|en|dev|v11|test)|mm_?star|mmmu(_?(val|pro))?|mm_?vet|sqa|sqa_?i(mg)?"
    r"|science_?qa(_?img)?|viz_?wiz(_?vqa)?|seed(_?bench)?(_?i(mg)?)?|ai2d|real_?world_?qa|math_?vista|math_?vision|math_?verse|ok_?vqa"
    r"|hallusion_?bench|blink|llava_?(bench|w|wild)|llava_?bench_?w|nocaps|coco(_?cap)?|flickr30k|textcaps|ref_?coco.*|st_?vqa|mmvp|cv_?bench"
    r"|vstar|v_?star_?bench|a_?okvqa|vsr|nlvr2|tally_?qa|count_?bench\w*|mm_?t_?bench|ccbench|hr_?bench|muir_?bench)"
    r"(_(acc|accuracy|score|val|test|dev|f1|em|anls|minival|testmini|mini))*"
)
_AVERAGES = re.compile(r"(avg|average|mean|overall|rel(ative)?|rel_?avg|ratio|retention|total)(_\w*)?")


def is_benchmark(key: str) -> bool:
    """Whether a header, in small letters with underscores, is the name of a benchmark."""
    return _BENCHMARKS.fullmatch(key) is not None


def is_average(name: str) -> bool:
    """Whether a header is that of an average over other columns."""
    return _AVERAGES.fullmatch(re.sub(r"[\s\-./:()%]+", "_", name.strip().lower()).strip("_")) is not None
