"""Visual tokens and patches of images: recorded numbers of every released family, and the processors themselves."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest
from parts.released import GOLDEN, MODELS, published

from planner.base.errors import InputError, SpecError, UnknownNameError
from planner.parts.images import IMAGE_READERS, ImageMix, ImageRule, ImageSize, read_images

TABLES: dict[str, Any] = GOLDEN["visual_tokens_by_family"]

AYA = {"model_type": "aya_vision", "downsample_factor": 2, "vision_config": {"patch_size": 14}}
"""No config of it is shipped; these are the values that its rule needs (transformers 5.23)."""


def rule_of(hub_id: str) -> ImageRule:
    files = (published(hub_id, name) for name in ("config.json", "preprocessor_config.json", "processor_config.json"))
    config, preprocessor, processor = files
    assert config is not None
    return read_images(hub_id, config, preprocessor, processor)[0]


def sides(size: str) -> tuple[int, int]:
    found = ImageSize.parse(size)
    return found.width, found.height


@pytest.mark.parametrize("hub_id", MODELS)
def test_tokens_of_a_released_model_as_published(hub_id: str) -> None:
    """Seven image sizes, with every setting as it is published."""
    rule, golden = rule_of(hub_id), MODELS[hub_id]["visual_tokens_default"]
    assert {size: rule.visual_tokens(*sides(size)) for size in golden} == golden


def knob_rules() -> dict[tuple[str, str], tuple[ImageRule, int]]:
    """(family, knob as the table writes it) -> the rule with the knob turned, and images of the prompt."""
    found: dict[tuple[str, str], tuple[ImageRule, int]] = {}
    families = {model["tokens_family"]: hub_id for hub_id, model in reversed(MODELS.items())}
    defaults = {(model["tokens_family"], model["default_knob"]): hub_id for hub_id, model in MODELS.items()}
    for family, knobs in TABLES.items():
        base = read_images("Aya", AYA)[0] if family == "aya_vision" else rule_of(families[family])
        for knob in knobs:
            if (family, knob) in defaults:
                found[family, knob] = (rule_of(defaults[family, knob]), 1)
            elif knob.startswith("default"):
                found[family, knob] = (base, 1)
            elif knob.startswith("several images"):
                found[family, knob] = (base, 2)
            elif "class default" in knob:
                found[family, knob] = (base.turned({"max_pixels": "28*28*1280"}), 1)
            else:
                found[family, knob] = (base.turned(typed(knob)), 1)
    return found


def typed(knob: str) -> dict[str, str]:
    """ "min_pixels=max_pixels=256*28*28, do_image_splitting=False (why)" as settings."""
    settings = {}
    for part in re.sub(r"\(.*?\)", "", knob).split(","):
        *names, value = part.strip().split("=")
        settings.update(dict.fromkeys(names, value.strip()))
    return settings


RULES = knob_rules()
TOLD = {
    "visual_tokens": lambda seen: seen.visual_tokens,
    "visual_tokens_in_sequence": lambda seen: seen.prompt_tokens,
    "patches": lambda seen: seen.patches,
    "tiles": lambda seen: seen.tiles,
    "crops": lambda seen: seen.tiles,
    "extra_tokens": lambda seen: seen.extra_tokens,
    "padded_patches": lambda seen: seen.padded_patches,
    "total_with_wrappers": lambda seen: seen.prompt_tokens,
    "total_with_wrappers_col_tokens": lambda seen: seen.prompt_tokens,
    "cross_attention_tokens_real": lambda seen: seen.visual_tokens,
    "cross_attention_tokens_padded": lambda seen: seen.padded_patches,
}
SAID_OTHERWISE = {
    "best_resolution_hw",
    "cols",
    "grid",
    "grid_thw",
    "grid_wh",
    "newline_tokens_included",
    "ratio_hw",
    "resized_hw",
    "rows",
    "thumbnail_tokens",
}
"""What the table adds about how its numbers came about."""


@pytest.mark.parametrize("family", TABLES)
def test_tokens_of_every_knob(family: str) -> None:
    """Every number of the table: tokens, patches, tiles, extra tokens, for each knob's value and image size."""
    for knob, table in TABLES[family].items():
        rule, images = RULES[family, knob]
        for size, golden in table["tokens"].items():
            seen = rule.see(*sides(size), images)
            told = {key: TOLD[key](seen) for key in golden if key not in SAID_OTHERWISE and golden[key] is not None}
            assert told == {key: golden[key] for key in told}, (knob, size)


SIZES = [(1, 1), (3, 400), (28, 28), (100, 2000), (5000, 40), (336, 336), (1024, 768), (1920, 1080), (640, 480)]


def random_sizes(seed: int, count: int = 250) -> list[tuple[int, int]]:
    draw = random.Random(seed)
    return SIZES + [(draw.randint(1, 4000), draw.randint(1, 4000)) for _ in range(count)]


def test_pixel_budgets_are_the_processors() -> None:
    from transformers.models.glm4v.image_processing_pil_glm4v import Glm4vImageProcessorPil
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    qwen, glm = rule_of("Qwen/Qwen3-VL-4B-Instruct"), rule_of("zai-org/GLM-4.5V")
    for pixels in (65_536, 1_000_000):
        size = {"shortest_edge": 65_536, "longest_edge": pixels}
        processors = [
            (qwen.turned({"max_pixels": pixels}), Qwen2VLImageProcessorPil(patch_size=16, size=size)),
            (glm.turned({"max_pixels": pixels, "min_pixels": 65_536}), Glm4vImageProcessorPil(size=size)),
        ]
        for rule, processor in processors:
            compare(rule, lambda w, h, p=processor: p.get_number_of_image_patches(h, w, {}))


def compare(rule: ImageRule, patches: Any, seed: int = 0) -> None:
    """Patches of random sizes; where the processor refuses a size the rule does too."""
    for width, height in random_sizes(seed, 100):
        try:
            expected = patches(width, height)
        except ValueError:
            with pytest.raises(InputError):
                rule.see(width, height)
            continue
        assert rule.see(width, height).patches == expected, (width, height)


def test_tiles_by_shape_are_the_processors() -> None:
    from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil

    rule = rule_of("OpenGVLab/InternVL3-8B-hf")
    for most in (1, 2, 5, 12, 24):
        processor = GotOcr2ImageProcessorPil(size={"height": 448, "width": 448}, crop_to_patches=True, max_patches=most)
        turned = rule.turned({"max_patches": most})
        for width, height in random_sizes(most):
            expected = processor.get_number_of_image_patches(height, width, {})
            assert turned.see(width, height).tiles == expected, (width, height, most)


def test_split_tiles_are_the_processors() -> None:
    """The processor reports 0 tiles where nothing is split."""
    from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil

    rule = rule_of("HuggingFaceTB/SmolVLM-256M-Instruct")
    for longest in (512, 1024, 1500, 2048, 4096):
        processor = Idefics3ImageProcessorPil(size={"longest_edge": longest}, max_image_size={"longest_edge": 512})
        turned = rule.turned({"longest_edge": longest})
        for width, height in random_sizes(longest):
            expected = max(processor.get_number_of_image_patches(height, width, {})[0], 1)
            assert turned.see(width, height).tiles == expected, (width, height, longest)


def test_canvases_are_the_processors() -> None:
    """LLaVA-NeXT's and LLaVA-OneVision's counts of features, with their own methods."""
    from types import SimpleNamespace

    from transformers.models.llava_next.processing_llava_next import LlavaNextProcessor
    from transformers.models.llava_onevision.processing_llava_onevision import LlavaOnevisionProcessor

    pinpoints = published("llava-hf/llava-v1.6-vicuna-7b-hf", "preprocessor_config.json")["image_grid_pinpoints"]  # type: ignore[index]
    plain = SimpleNamespace(
        image_processor=SimpleNamespace(image_grid_pinpoints=pinpoints), patch_size=14, num_additional_image_tokens=1
    )
    plain._get_unpadded_features = lambda *given: LlavaNextProcessor._get_unpadded_features(plain, *given)
    rule = rule_of("llava-hf/llava-v1.6-vicuna-7b-hf")
    for width, height in random_sizes(1):
        expected = LlavaNextProcessor._get_number_of_features(plain, height, width, 336, 336) - 1
        assert rule.visual_tokens(width, height) == expected, (width, height)

    canvases = published("llava-hf/llava-onevision-qwen2-7b-ov-hf", "preprocessor_config.json")["image_grid_pinpoints"]  # type: ignore[index]
    for most in (1, 4, 9):
        one = SimpleNamespace(
            image_processor=SimpleNamespace(image_grid_pinpoints=canvases),
            num_image_tokens=729,
            vision_aspect_ratio=f"anyres_max_{most}",
        )
        one._get_unpadded_features = lambda *given, one=one: LlavaOnevisionProcessor._get_unpadded_features(one, *given)
        turned = rule_of("llava-hf/llava-onevision-qwen2-7b-ov-hf").turned({"vision_aspect_ratio": most})
        for width, height in random_sizes(most):
            expected = LlavaOnevisionProcessor._get_number_of_features(one, height, width, 384, 384)
            assert turned.visual_tokens(width, height) == expected, (width, height, most)


def test_native_resolution_is_the_processors() -> None:
    import numpy as np
    from transformers.models.pixtral.image_processing_pil_pixtral import get_resize_output_image_size

    for hub_id, patch, merge in (
        ("mistral-community/pixtral-12b", 16, 1),
        ("mistralai/Mistral-Small-3.1-24B-Instruct-2503", 14, 2),
    ):
        for longest in (256, 768, 1024):
            turned = rule_of(hub_id).turned({"longest_edge": longest})
            block = patch * merge
            for width, height in random_sizes(longest, 60):
                blank = np.broadcast_to(np.zeros((1, 1, 3)), (height, width, 3))
                if min(width, height) * longest < max(width, height):
                    continue  # the processor would make an image without pixels
                high, wide = get_resize_output_image_size(blank, (longest, longest), (block, block))
                seen = turned.see(width, height)
                expected = (high // block) * (wide // block), high // block
                assert (seen.visual_tokens, seen.extra_tokens) == expected, (width, height, longest)


def test_soft_tokens_are_the_processors() -> None:
    from transformers.models.gemma4.image_processing_pil_gemma4 import get_aspect_ratio_preserving_size

    rule = rule_of("google/gemma-4-31B-it")
    for budget in (70, 140, 280, 560, 1120):

        def patches(width: int, height: int, budget: int = budget) -> int:
            high, wide = get_aspect_ratio_preserving_size(height, width, 16, budget * 9, 3)
            return (high // 16) * (wide // 16)

        compare(rule.turned({"max_soft_tokens": budget}), patches, budget)


def test_canvas_tiles_are_the_processors() -> None:
    from transformers.models.mllama.image_processing_pil_mllama import get_optimal_tiled_canvas

    rule = rule_of("meta-llama/Llama-3.2-11B-Vision-Instruct")
    for most in (1, 2, 3, 4):
        turned = rule.turned({"max_image_tiles": most})
        for width, height in random_sizes(most):
            high, wide = get_optimal_tiled_canvas(height, width, most, 560)
            assert turned.see(width, height).tiles == (high // 560) * (wide // 560), (width, height, most)


def test_pan_and_scan_is_the_processors() -> None:
    import numpy as np
    from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil

    processor = Gemma3ImageProcessorPil()
    rule = rule_of("google/gemma-3-4b-it").turned({"do_pan_and_scan": True})
    for width, height in random_sizes(3):
        blank = np.broadcast_to(np.zeros((1, 1, 1), dtype=np.uint8), (3, height, width))
        assert rule.see(width, height).tiles == 1 + len(processor.pan_and_scan(blank, 256, 4, 1.2)), (width, height)


@pytest.mark.parametrize("hub_id", sorted({model["tokens_family"]: hub for hub, model in MODELS.items()}.values()))
def test_every_model_can_shrink_images_first(hub_id: str) -> None:
    """Shrinking first is the same as an image that comes in at the smaller size."""
    rule = rule_of(hub_id)
    assert rule.turned({"resize_longest_edge": 512}).see(2048, 1536) == rule.see(512, 384)
    assert rule.turned({"resize_longest_edge": 4096}).see(2048, 1536) == rule.see(2048, 1536)


def test_each_knob_says_what_it_takes() -> None:
    rule = rule_of("google/gemma-4-31B-it")
    with pytest.raises(InputError, match="max_soft_tokens: expected one of 70, 140, 280, 560, 1120, got 100"):
        rule.turned({"max_soft_tokens": 100})
    with pytest.raises(UnknownNameError, match="max_soft_tokens"):
        rule.turned({"max_soft_token": 70})
    with pytest.raises(InputError, match="max_pixels: expected a whole number of 1 to 1000000000000, got 'many'"):
        rule_of("Qwen/Qwen3-VL-4B-Instruct").turned({"max_pixels": "many"})
    with pytest.raises(InputError, match="crop_to_patches: expected true or false, got 'perhaps'"):
        rule_of("OpenGVLab/InternVL3-8B-hf").turned({"crop_to_patches": "perhaps"})


@pytest.mark.parametrize("value", [0, -1, 1.5, "1e6", "", True, None, 10**13, "9" * 30, "256*0"])
@pytest.mark.parametrize(
    ("hub_id", "knob"),
    [
        ("Qwen/Qwen3-VL-4B-Instruct", "max_pixels"),
        ("Qwen/Qwen3-VL-4B-Instruct", "min_pixels"),
        ("OpenGVLab/InternVL3-8B-hf", "max_patches"),
        ("LiquidAI/LFM2.5-VL-1.6B", "max_image_tokens"),
        ("HuggingFaceTB/SmolVLM-256M-Instruct", "longest_edge"),
        ("google/gemma-3-4b-it", "pan_and_scan_max_num_crops"),
        ("google/gemma-4-31B-it", "max_soft_tokens"),
        ("allenai/Molmo2-8B", "max_crops"),
        ("meta-llama/Llama-3.2-11B-Vision-Instruct", "max_image_tiles"),
        ("mistral-community/pixtral-12b", "longest_edge"),
    ],
)
def test_absurd_values_are_refused_in_a_sentence(hub_id: str, knob: str, value: object) -> None:
    with pytest.raises(
        InputError, match=rf"^{knob}: expected (a whole number of \d+ to \d+|one of [\d, ]+), got "
    ) as caught:
        rule_of(hub_id).turned({knob: value})
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 200


def test_what_a_processor_cannot_keep_is_said_and_counted_as_it_does() -> None:
    """Against the image processors of transformers themselves."""
    from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    qwen, internvl = rule_of("Qwen/Qwen3-VL-4B-Instruct"), rule_of("OpenGVLab/InternVL3-8B-hf")
    block = (
        "max_pixels=1 is less than the 1024 pixels of one visual token: the image processor keeps at least one token"
    )
    for pixels, said in (
        (1, (f"{block} on each side of an image", BOUNDS.format(1))),
        (32_768, (BOUNDS.format(32_768),)),
        (65_536, ()),
    ):
        rule = qwen.turned({"max_pixels": pixels})
        assert rule.remarks() == said
        processor = Qwen2VLImageProcessorPil(patch_size=16, size={"shortest_edge": 65_536, "longest_edge": pixels})
        compare(rule, lambda w, h, p=processor: p.get_number_of_image_patches(h, w, {}))
    assert min(qwen.turned({"max_pixels": 1}).see(*size).visual_tokens for size in ((1024, 768), (3000, 20))) == 1

    rule = internvl.turned({"min_patches": 6, "max_patches": 4})
    (said,) = rule.remarks()
    assert said.startswith(
        "min_patches=6 is more than max_patches=4: no grid has so many tiles, and the image processor"
    )
    tiles = GotOcr2ImageProcessorPil(
        size={"height": 448, "width": 448}, crop_to_patches=True, max_patches=4, min_patches=6
    )
    for width, height in random_sizes(3):
        assert rule.see(width, height).tiles == tiles.get_number_of_image_patches(height, width, {}) == 1


BOUNDS = (
    "max_pixels={} is less than min_pixels=65536: the image processor keeps max_pixels where an image has more, and "
    "enlarges any other to min_pixels"
)


@pytest.mark.parametrize(
    ("hub_id", "knobs", "said"),
    [
        ("google/gemma-3-4b-it", {"pan_and_scan_max_num_crops": 2}, "while do_pan_and_scan is false"),
        ("OpenGVLab/InternVL3-8B-hf", {"max_patches": 4, "crop_to_patches": False}, "while crop_to_patches is false"),
        ("LiquidAI/LFM2.5-VL-1.6B", {"max_tiles": 4, "do_image_splitting": False}, "while do_image_splitting is false"),
        (
            "HuggingFaceTB/SmolVLM-256M-Instruct",
            {"longest_edge": 512, "do_image_splitting": False},
            "while do_image_splitting is false",
        ),
    ],
)
def test_a_knob_that_changes_nothing_is_said(hub_id: str, knobs: dict[str, object], said: str) -> None:
    rule = rule_of(hub_id)
    (remark,) = rule.turned(knobs).remarks(knobs)
    assert remark == f"{next(iter(knobs))}={next(iter(knobs.values()))} changes nothing {said}"
    without = {name: value for name, value in knobs.items() if value is False}
    assert rule.turned(knobs).see(1600, 700).visual_tokens == rule.turned(without).see(1600, 700).visual_tokens
    assert rule.remarks() == rule.turned(without).remarks(without) == ()


def test_fewer_tiles_than_the_processor_takes_are_refused() -> None:
    rule = rule_of("LiquidAI/LFM2.5-VL-1.6B").turned({"max_tiles": 1})
    with pytest.raises(InputError, match=r"^max_tiles: the image processor refuses less than min_tiles=2, got 1$"):
        rule.see(1600, 700)
    assert rule.turned({"do_image_splitting": False}).see(1600, 700).tiles == 1


@pytest.mark.parametrize("hub_id", sorted({model["tokens_family"]: hub for hub, model in MODELS.items()}.values()))
def test_every_value_worth_trying_is_taken(hub_id: str) -> None:
    rule = rule_of(hub_id)
    for knob in rule.knobs():
        for value in knob.values:
            assert rule.turned({knob.name: value}).setting(knob.name) == value
            assert rule.turned({knob.name: str(value)}).setting(knob.name) == value


@pytest.mark.parametrize("size", [(0, 5), (5, -1), (True, 5), (5.0, 5), (10**7, 5)])
def test_a_size_that_is_none_is_refused(size: tuple[Any, Any]) -> None:
    with pytest.raises(InputError, match="image: expected sides of 1 to 1000000 pixels"):
        rule_of("google/gemma-3-4b-it").see(*size)


def test_a_type_without_a_rule_is_refused() -> None:
    with pytest.raises(SpecError, match="nothing is known of how model type 'kosmos-2' cuts images"):
        read_images("it", {"model_type": "kosmos-2"})


def test_an_unknown_processor_is_refused() -> None:
    with pytest.raises(SpecError, match="nothing is known of the image processor 'ViTImageProcessor' with model type"):
        read_images("it", {"model_type": "qwen2_vl"}, {"image_processor_type": "ViTImageProcessor"})


def test_settings_that_stand_in_for_a_file_are_said() -> None:
    """The class's own default would be 1,280 tokens at most; the family publishes 16,384."""
    rule, notes = read_images("it", {"model_type": "qwen2_5_vl"})
    assert rule.setting("max_pixels") == 12_845_056
    assert "no preprocessor_config.json" in notes[0]
    assert read_images("it", {"model_type": "qwen2_5_vl"}, {})[0].setting("max_pixels") == 1_003_520


@pytest.mark.parametrize("reader", list(IMAGE_READERS), ids=lambda reader: reader.name)
def test_a_file_of_odd_values_is_refused_in_a_sentence(reader: Any) -> None:
    """Whatever stands in the files, there is a rule or one sentence."""
    draw = random.Random(7)
    odd = [None, -1, 0, "4", 2.5, [], {}, [14, 15], {"height": 3}, True, 10**9]
    keys = sorted({*reader.defaults, *reader.published({}), "patch_size", "size", "max_image_size"})
    for _ in range(200):
        file = {key: draw.choice(odd) for key in draw.sample(keys, min(len(keys), 3))}
        config = {
            "model_type": reader.name,
            "vision_config": draw.choice([{}, None, 3, {"patch_size": 14, "image_size": "x"}]),
        }
        try:
            read_images("it", config, file)[0].see(300, 200)
        except InputError as error:
            assert "\n" not in str(error)


class TestSizes:
    def test_width_comes_first(self) -> None:
        assert ImageSize.parse("1024x768") == ImageSize(1024, 768)
        assert ImageSize.parse(" 1024 × 768 ") == ImageSize(1024, 768)

    def test_pairs_of_numbers_are_sizes_too(self) -> None:
        assert ImageMix.of([(640, 480), (1024, 768)]) == ImageMix.of("640x480,1024x768")
        assert ImageMix.of({(640, 480): 3, "100x50": 1}) == ImageMix.of({"640x480": 3, "100x50": 1})  # type: ignore[dict-item]
        with pytest.raises(InputError, match=r"expected width x height in pixels, .*, got \(640, '480'\)"):
            ImageMix.of([(640, "480")])  # type: ignore[list-item]
        with pytest.raises(InputError, match=r"such as 1024x768, got \(640, 480.5\)"):
            ImageMix.of((640, 480.5))  # type: ignore[arg-type]

    @pytest.mark.parametrize("text", ["1024", "1024x", "0x5", "-3x4", "1024x768x3", "axb", None, 5, "9999999x1"])
    def test_anything_else_is_refused(self, text: Any) -> None:
        with pytest.raises(InputError, match="expected width x height in pixels, such as 1024x768"):
            ImageSize.parse(text)

    def test_mean_and_tail(self) -> None:
        mix = ImageMix.of({"100x100": 90, "200x200": 6, "300x300": 4})
        assert mix.shares == (0.9, 0.06, 0.04)
        assert mix.mean([1.0, 2.0, 3.0]) == pytest.approx(0.9 + 0.12 + 0.12)
        assert mix.tail([1.0, 2.0, 3.0]) == 2.0

    @pytest.mark.parametrize(
        "text",
        [
            "image,count\n100x100,3\n200x50,1\n",
            "width,height,count\n100,100,3\n200,50,1\n",
            "Image\n100x100\n100x100\n100x100\n200x50\n",
            "image,width,height,count\na.jpg,100,100,3\nb.jpg,200,50,1\n",
            "image,label,pixels,n\na.jpg,cat,100x100,3\nb.jpg,dog,200x50,1\n",
            "width,height,share\n100,100,0.75\n200,50,0.25\n",
            "file,image_width,image_height,weight\na.jpg,100,100,3\nb.jpg,200,50,1\n",
        ],
    )
    def test_a_file_of_sizes(self, text: str, tmp_path: Any) -> None:
        (tmp_path / "sizes.csv").write_text(text)
        mix = ImageMix.read(tmp_path / "sizes.csv")
        assert dict(zip(map(str, mix.sizes), mix.shares, strict=True)) == {"100x100": 0.75, "200x50": 0.25}

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("image\n100\n", "line 2: image: expected width x height"),
            ("image,count\n100x100,-1\n", "line 2: expected how often an image size comes in"),
            (
                "other\n3\n",
                r"a column with sizes such as 1024x768, or columns 'width' and 'height', got other \('3'\)",
            ),
            ("a,b\n1x2,3x4\n", "the columns a, b all hold sizes: call the one that is meant 'image'"),
            ("image\n", "there is no image size in it"),
            ("1920x1080\n100x50\n", "its first line holds a size, 1920x1080; put a header above it: image"),
            ("", "expected a column with sizes such as 1024x768, or columns 'width' and 'height', got no header"),
        ],
    )
    def test_a_file_without_sizes_is_refused(self, text: str, said: str, tmp_path: Any) -> None:
        (tmp_path / "sizes.csv").write_text(text)
        with pytest.raises(InputError, match=said):
            ImageMix.read(tmp_path / "sizes.csv")

    def test_a_tail_of_tokens(self) -> None:
        rule = rule_of("Qwen/Qwen3-VL-4B-Instruct")
        mix = ImageMix.of({"1024x768": 19, "4000x3000": 1})
        tokens = [seen.visual_tokens for seen in mix.seen(rule)]
        assert tokens == [768, 11_750]
        assert mix.mean(tokens) == pytest.approx(0.95 * 768 + 0.05 * 11_750)
        assert mix.tail(tokens) == 768
