"""Images of every kind: the pixels by hand, the same on every path to the model."""

from __future__ import annotations

import base64
import io
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from vlm.tiny import SIDE, config, processor

from planner.vlm import PlannerVlmProcessor
from planner.vlm.answering import asked, read_image
from planner.vlm.pictures import MAX_IMAGE_PIXELS, padded, upright

RED, GREEN, BLUE, WHITE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)


def grey(*values: int) -> list[tuple[int, int, int]]:
    return [(value, value, value) for value in values]


def of(mode: str, *pixels: Any) -> Image.Image:
    """A row of pixels."""
    made = Image.new(mode, (len(pixels), 1))
    made.putdata(pixels)
    return made


def palette(*, transparent: int | bytes | None = None) -> Image.Image:
    made = of("P", 0, 1, 2)
    made.putpalette([*RED, *GREEN, *BLUE])
    if transparent is not None:
        made.info["transparency"] = transparent
    return made


def sixteen(*values: int) -> Image.Image:
    return Image.fromarray(np.array([values], dtype=np.uint16))


def floats(*values: float) -> Image.Image:
    return Image.fromarray(np.array([values], dtype=np.float32))


def keyed() -> Image.Image:
    made = of("RGB", RED, GREEN)
    made.info["transparency"] = GREEN
    return made


# What a file of the format shows, pixel by pixel. Half transparent black over white: 255 * (255 - 128) / 255 = 127.
KINDS: dict[str, tuple[Image.Image, str, list[tuple[int, int, int]]]] = {
    "1 bit": (of("1", 0, 255), "PNG", grey(0, 255)),
    "grey": (of("L", 0, 7, 255), "PNG", grey(0, 7, 255)),
    "16-bit grey": (sixteen(0, 128, 129, 32896, 65535), "PNG", grey(0, 0, 1, 128, 255)),
    "16-bit grey TIFF": (sixteen(0, 257, 65535), "TIFF", grey(0, 1, 255)),
    "float TIFF": (floats(0.0, 0.5, 1.0), "TIFF", grey(0, 128, 255)),
    "palette": (palette(), "PNG", [RED, GREEN, BLUE]),
    "palette, one colour clear": (palette(transparent=1), "PNG", [RED, WHITE, BLUE]),
    "palette with alpha": (palette(transparent=bytes([255, 0, 255])), "PNG", [RED, WHITE, BLUE]),
    "one colour clear": (keyed(), "PNG", [RED, WHITE]),
    "RGBA": (of("RGBA", (*RED, 255), (*BLACK, 128), (*BLUE, 0)), "PNG", [RED, (127, 127, 127), WHITE]),
    "grey with alpha": (of("LA", (10, 255), (0, 128), (0, 0)), "PNG", grey(10, 127, 255)),
    "CMYK": (of("CMYK", (0, 255, 255, 0), (0, 0, 0, 255), (0, 0, 0, 0)), "TIFF", [RED, BLACK, WHITE]),
}


def rows(image: Image.Image) -> list[tuple[int, int, int]]:
    assert image.mode == "RGB"
    return [tuple(pixel) for pixel in np.asarray(image).reshape(-1, 3).tolist()]


def file_of(image: Image.Image, kind: str, **options: Any) -> bytes:
    written = io.BytesIO()
    if "transparency" in image.info:
        options["transparency"] = image.info["transparency"]
    image.save(written, kind, **options)
    return written.getvalue()


@pytest.mark.parametrize("name", KINDS)
def test_pixels_of_each_kind_on_every_path(name: str, tmp_path: Path) -> None:
    image, kind, expected = KINDS[name]
    content = file_of(image, kind)
    path = tmp_path / f"image.{kind.lower()}"
    path.write_bytes(content)
    text = base64.b64encode(content).decode()
    paths = (image, Image.open(path), path, str(path), content, text, f"data:image/{kind.lower()};base64,{text}")
    for source in paths:
        assert rows(upright(source)) == expected
    assert rows(read_image(str(path))) == expected
    made = processor(config())
    question = [{"type": "text", "text": "What?"}]
    told: dict[str, Any] = {"tokenize": True, "return_dict": True, "return_tensors": "pt"}
    ways = [
        made(images=image, text="<image>", return_tensors="pt"),
        made(images=[path], text=["<image>"], return_tensors="pt"),
        asked(made, read_image(str(path)), "What?"),
    ]
    for part in ({"image": image}, {"image": str(path)}, {"path": str(path)}, {"base64": text}):
        content_parts = [{"type": "image", **part}, *question]
        ways.append(made.apply_chat_template([{"role": "user", "content": content_parts}], **told))
    for way in ways[1:]:
        assert torch.equal(way["pixel_values"], ways[0]["pixel_values"])


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.array([[0, 9, 255, 1, 2]], dtype=np.uint8), grey(0, 9, 255, 1, 2)),
        (np.array([[False, True, True, True, True]]), grey(0, 255, 255, 255, 255)),
        (np.array([[0, 65535, 257, 129, 128]], dtype=np.uint16), grey(0, 255, 1, 1, 0)),
        (np.array([[0, 1, 0.5, 0.25, 0.75]], dtype=np.float32), grey(0, 255, 128, 64, 191)),
        (np.array([[[255, 0, 0], [1, 2, 3], *[[0, 0, 0]] * 3]], dtype=np.uint8), [RED, (1, 2, 3), *[BLACK] * 3]),
        (np.array([[[0, 0, 0, 128], *[[255, 0, 0, 0]] * 4]], dtype=np.uint8), [*grey(127), *[WHITE] * 4]),
        (np.array([[[0, 128], [10, 255], *[[0, 0]] * 3]], dtype=np.uint8), grey(127, 10, 255, 255, 255)),
    ],
)
def test_arrays_and_tensors(array: np.ndarray[Any, Any], expected: list[tuple[int, int, int]]) -> None:
    array = np.repeat(array, 5, axis=0)  # 5 x 5, so that channels are where 1 to 4 values stand
    firsts = [array] if array.ndim == 2 else [array, np.moveaxis(array, -1, 0)]
    for values in firsts:
        for image in (values, torch.from_numpy(np.ascontiguousarray(values))):
            assert rows(upright(image))[:5] == expected
    two = upright(np.stack(firsts[:1] * 2)) if array.ndim == 3 else upright([array, array])
    assert [rows(image)[:5] for image in two] == [expected] * 2
    half = torch.tensor([[0.5] * 5] * 5, dtype=torch.bfloat16, requires_grad=True)
    assert rows(upright(half)) == grey(128) * 25


def test_channels_that_could_stand_at_either_end_are_named() -> None:
    array = np.zeros((3, 2, 3), dtype=np.uint8)
    array[0] = 255
    assert rows(upright(array, "channels_first")) == [RED] * 6
    made = processor(config())
    named = made(images=array, text="<image>", return_tensors="pt", input_data_format="channels_first")
    assert torch.equal(named["pixel_values"], made(images=upright(array, "channels_first"), text="<image>",
                                                   return_tensors="pt")["pixel_values"])  # fmt: skip


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied(orientation: int, tmp_path: Path) -> None:
    """A 3 x 2 picture, laid down as each orientation says, comes up the same."""
    shown = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    laid = {
        1: shown,
        2: shown[:, ::-1],
        3: shown[::-1, ::-1],
        4: shown[::-1],
        5: shown.transpose(1, 0, 2),
        6: np.rot90(shown, 1),
        7: shown[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(shown, -1),
    }[orientation]
    for kind in ("PNG", "TIFF"):
        path = tmp_path / f"image.{kind.lower()}"
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.fromarray(np.ascontiguousarray(laid)).save(path, exif=exif)
        for image in (upright(path), upright(Image.open(path)), read_image(str(path))):
            np.testing.assert_array_equal(np.asarray(image), shown)


def test_the_first_frame_is_taken(tmp_path: Path) -> None:
    first, second = Image.new("RGB", (4, 3), RED), Image.new("RGB", (4, 3), BLUE)
    for kind in ("GIF", "PNG", "TIFF"):
        path = tmp_path / f"image.{kind.lower()}"
        first.save(path, save_all=True, append_images=[second])
        assert set(rows(upright(path))) == {RED}


def test_padding_is_that_of_llava() -> None:
    mean = [0.48145466, 0.4578275, 0.40821073]
    colour = (122, 116, 104)  # int(255 mean)
    wide = padded(of("RGB", RED, GREEN, BLUE, WHITE), mean)
    assert rows(wide) == [*[colour] * 4, RED, GREEN, BLUE, WHITE, *[colour] * 8]  # (4 - 1) // 2 = 1 row above
    tall = padded(of("RGB", RED, GREEN, BLUE).rotate(-90, expand=True), mean)
    assert rows(tall) == [colour, RED, colour, colour, GREEN, colour, colour, BLUE, colour]


def _seen(made: PlannerVlmProcessor, image: Image.Image) -> np.ndarray[Any, Any]:
    """The tower's pixels as 0 to 255."""
    values = made(images=image, text="<image>", return_tensors="np")["pixel_values"][0]
    mean, std = (
        np.array(one)[:, None, None] for one in (made.image_processor.image_mean, made.image_processor.image_std)
    )
    return np.rint((values * std + mean) * 255)


@pytest.mark.parametrize("tower", ["clip", "siglip"])
def test_each_fit_shows_its_part(tower: str, tmp_path: Path) -> None:
    """Three stripes, red, green and blue, each as wide as the picture is high."""
    settings, side = config(tower=tower), SIDE
    image = Image.fromarray(
        np.repeat(np.array([[RED, GREEN, BLUE]], dtype=np.uint8), side, axis=1).repeat(side, axis=0)
    )
    seen = {}
    for fit in ("pad", "crop", "resize"):
        made = PlannerVlmProcessor.from_config(settings, processor(settings).tokenizer, image_fit=fit)
        made.save_pretrained(tmp_path / fit)
        read = PlannerVlmProcessor.from_pretrained(tmp_path / fit)
        seen[fit] = _seen(read, image)
        np.testing.assert_array_equal(seen[fit], _seen(made, image))
    middle = side // 2
    columns = {name: [tuple(values[:, middle, at]) for at in (2, middle, -3)] for name, values in seen.items()}
    assert columns == {"pad": [RED, GREEN, BLUE], "crop": [GREEN] * 3, "resize": [RED, GREEN, BLUE]}
    colour = tuple(int(255 * value) for value in made.image_processor.image_mean)
    assert tuple(seen["pad"][:, 1, middle]) == colour and tuple(seen["resize"][:, 1, middle]) == GREEN
    default = _seen(processor(settings), image)
    np.testing.assert_array_equal(default, seen["pad" if tower == "clip" else "resize"])
    older = PlannerVlmProcessor(processor(settings).image_processor, processor(settings).tokenizer)
    np.testing.assert_array_equal(_seen(older, image), seen["crop" if tower == "clip" else "resize"])


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.full((5, 5), 200.0), "floats from 0 (black) to 1 (white) in an image, got 200 to 200"),
        (np.full((5, 5), np.nan), "floats from 0 (black) to 1 (white)"),
        (np.zeros((5, 5), dtype=np.int64), "uint8, uint16, bool or floats from 0 to 1, got int64"),
        (np.zeros((3, 5, 3), dtype=np.uint8), 'give input_data_format="channels_first" or "channels_last"'),
        (np.zeros((5, 5, 7), dtype=np.uint8), "with 1 to 4 channels first or last, got an array of shape (5, 5, 7)"),
        (np.zeros(5, dtype=np.uint8), "two or three dimensions, got an array of shape (5,)"),
        (np.zeros((0, 5), dtype=np.uint8), "1 to 89,478,485 pixels, got 5 x 0"),
        (of("I", 0, 70_000), "got one of 32-bit integers"),
        (b"no image", "bytes is no image that can be read"),
        ("nowhere.png", "a path, an http(s) address, a data URI or base64, got 'nowhere.png'"),
        (7, "a path or bytes, got int: open it first"),
    ],
)
def test_images_that_are_refused(image: Any, message: str) -> None:
    with pytest.raises(ValueError) as raised:
        processor(config())(images=image, text="<image>")
    assert message in str(raised.value) and "\n" not in str(raised.value)


def test_images_that_would_fill_the_memory() -> None:
    assert MAX_IMAGE_PIXELS == 89_478_485
    long = Image.new("RGB", (20_000, 1))
    with pytest.raises(ValueError, match="got 20,000 x 20,000 when padded to a square: scale it down first"):
        processor(config())(images=long, text="<image>")
    crop = PlannerVlmProcessor.from_config(config(), processor(config()).tokenizer, image_fit="crop")
    with pytest.raises(ValueError, match="when resized before it is cropped: scale it down first"):
        crop(images=Image.new("1", (4_000_000, 1)), text="<image>")
    written = io.BytesIO()
    Image.new("1", (10_000, 9_000)).save(written, "PNG")
    with pytest.raises(ValueError, match="got 10,000 x 9,000: scale it down first"):
        upright(written.getvalue())
    cut = file_of(Image.effect_noise((50, 50), 60), "PNG")
    with pytest.raises(ValueError, match="image cannot be read"):
        upright(cut[: len(cut) // 2])


def test_addresses_are_read() -> None:
    content = file_of(KINDS["RGBA"][0], "PNG")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/image.png" else 404)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: Any) -> None:
            """Nothing among the test results."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        try:
            assert rows(upright(f"{address}/image.png")) == KINDS["RGBA"][2]
            with pytest.raises(ValueError, match="nothing is no image that can be read: HTTP Error 404"):
                upright(f"{address}/nothing")
        finally:
            server.shutdown()
