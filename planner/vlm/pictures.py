"""Images of any kind to upright RGB, the same pixels on every path, before an image processor resizes them.

What is read: an image of PIL, an array or a tensor (channels first or last), a path, bytes of a file, a data URI, an
http(s) address. Of several frames the one that PIL shows: the first, of what is read from a file.

orientation  as EXIF says
alpha        composed over white: RGBA, LA, palettes and single colours that are transparent
16 bits      scaled, v / 257 rounded, for grey files and arrays of uint16
32 bits      refused, since no file says what is white; a PNG or PGM that PIL shows so has 16
floats       from 0 (black) to 1 (white), others refused
1 bit        black and white; CMYK, YCbCr, LAB, HSV as PIL converts them
"""

from __future__ import annotations

import base64
import io
import os
import warnings
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import numpy as np
from PIL import Image, ImageOps
from transformers.utils import logging

MAX_IMAGE_PIXELS = 89_478_485
"""Of an image, and of the square that it is padded to: Pillow's own limit for pictures that may be attacks."""
_ORIENTATION = 0x0112
_SIXTEEN_BIT_FILES = ("PNG", "PPM")
"""Formats whose grey of more than 8 bits has 16, although PIL may show 32."""
_CHANNELS = (1, 2, 3, 4)

logger = logging.get_logger(__name__)


def upright(images: Any, data_format: Any = None) -> Any:
    """Images, alone or in nested lists, as PIL images in RGB; None stays None.

    Args:
        images: see above; an array of more than three dimensions is a list of images.
        data_format: "channels_first" or "channels_last" of arrays; by default where 1 to 4 channels stand.

    Raises:
        ValueError: what cannot be read, is too large, or leaves open what its pixels mean.
    """
    if images is None:
        return None
    if isinstance(images, (list, tuple)):
        return [upright(image, data_format) for image in images]
    if isinstance(images, Image.Image):
        return _rgb(images)
    if isinstance(images, (str, os.PathLike, bytes, bytearray)):
        return _read(images)
    array = _as_array(images)
    if array.ndim > 3:
        return [upright(image, data_format) for image in array]
    return _rgb_of_array(array, getattr(data_format, "value", data_format))


def padded(image: Image.Image, mean: Any) -> Image.Image:
    """An RGB image in the middle of a square of the mean colour (of 0 to 1), as LLaVA pads. Raises ValueError."""
    side = max(image.size)
    if side == min(image.size):
        return image
    check_pixels(side, side, "padded to a square")
    square = Image.new("RGB", (side, side), tuple(int(value * 255) for value in mean))
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return square


def check_pixels(width: int, height: int, how: str = "") -> None:
    """Raises ValueError where there are none, or more than `MAX_IMAGE_PIXELS`."""
    if not 0 < width * height <= MAX_IMAGE_PIXELS:
        raise ValueError(
            f"expected an image of 1 to {MAX_IMAGE_PIXELS:,} pixels, got {width:,} x {height:,}"
            f"{f' when {how}' if how else ''}: scale it down first"
        )


def _read(source: Any) -> Image.Image:
    name = "bytes" if isinstance(source, (bytes, bytearray)) else str(source)[:80]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limit here is the same, and an error
            opened = Image.open(_file(source))
        with opened:
            return _rgb(opened)
    except Image.DecompressionBombError:
        raise ValueError(
            f"expected an image of 1 to {MAX_IMAGE_PIXELS:,} pixels, {name} has more than twice as many: scale it "
            "down first"
        ) from None
    except (OSError, SyntaxError) as error:
        raise ValueError(f"{name} is no image that can be read: {' '.join(str(error).split())[:120]}") from None


def _file(source: Any) -> Any:
    """What PIL opens: a path or a file in memory."""
    if isinstance(source, (bytes, bytearray)):
        return io.BytesIO(source)
    if isinstance(source, os.PathLike):
        return Path(source)
    if source.startswith(("http://", "https://")):
        with urlopen(Request(source, headers={"User-Agent": "transformers"}), timeout=30) as answer:
            return io.BytesIO(answer.read())
    if source.startswith("data:image/"):
        return io.BytesIO(_decoded(source.partition(",")[2]))
    if len(source) < 4096 and os.path.exists(source):  # noqa: PTH110 - Path.exists raises for long names
        return source
    return io.BytesIO(_decoded(source))


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError:
        raise ValueError(
            f"expected an image: a path, an http(s) address, a data URI or base64, got {text[:60]!r}"
        ) from None


def _rgb(image: Image.Image) -> Image.Image:
    check_pixels(*image.size)
    if getattr(image, "is_animated", False) and image.format != "MPO" and image.tell() == 0:
        logger.warning_once("an image has several frames or pages: the first is taken")
    try:
        image.load()
    except (OSError, SyntaxError) as error:
        raise ValueError(f"an image cannot be read: {' '.join(str(error).split())[:120]}") from None
    if image.getexif().get(_ORIENTATION, 1) != 1:
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):
        return _sixteen_bit(image)
    if image.mode == "I":
        if image.format not in _SIXTEEN_BIT_FILES:
            raise ValueError(
                "expected an image of 8 or 16 bits, or of floats from 0 to 1, got one of 32-bit integers: convert it "
                "to 16 bits"
            )
        return _sixteen_bit(image)
    if image.mode == "F":
        return _rgb_of_array(np.asarray(image), None)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, image).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _sixteen_bit(image: Image.Image) -> Image.Image:
    values = np.asarray(image).astype(np.uint16)
    clear = image.info.get("transparency")
    shown = _eight_bit(values)
    if isinstance(clear, int):
        shown[values == clear] = 255
    return Image.fromarray(shown).convert("RGB")


def _as_array(image: Any) -> np.ndarray[Any, Any]:
    if hasattr(image, "detach"):  # a tensor
        tensor = image.detach().cpu()
        return np.asarray(tensor.float() if tensor.is_floating_point() else tensor)
    if isinstance(image, np.ndarray) or hasattr(image, "__array__"):
        return np.asarray(image)
    raise ValueError(
        f"expected an image of PIL, an array, a tensor, a path or bytes, got {type(image).__name__}: open it first"
    )


def _rgb_of_array(array: np.ndarray[Any, Any], data_format: str | None) -> Image.Image:
    if array.ndim == 2:
        array = array[..., None]
    elif array.ndim != 3:
        raise ValueError(f"expected an image of two or three dimensions, got an array of shape {array.shape}")
    elif _channels_first(array, data_format):
        array = np.moveaxis(array, 0, -1)
    check_pixels(array.shape[1], array.shape[0])
    shown = np.ascontiguousarray(_eight_bit(array))
    return _rgb(Image.fromarray(shown[..., 0] if shown.shape[-1] == 1 else shown))


def _channels_first(array: np.ndarray[Any, Any], data_format: str | None) -> bool:
    first, last = array.shape[0] in _CHANNELS, array.shape[-1] in _CHANNELS
    if data_format is not None:
        chosen = {"channels_first": first, "channels_last": last}.get(data_format)
        if not chosen:
            raise ValueError(f"expected an image with {data_format}, got an array of shape {array.shape}")
        return data_format == "channels_first"
    if first == last:
        raise ValueError(
            f"expected an image with 1 to 4 channels first or last, got an array of shape {array.shape}: give "
            'input_data_format="channels_first" or "channels_last"'
        )
    return first


def _eight_bit(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype == np.uint16:
        return ((array.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if np.issubdtype(array.dtype, np.floating):
        low, high = float(array.min()), float(array.max())
        if not (low >= 0 and high <= 1):
            raise ValueError(
                f"expected floats from 0 (black) to 1 (white) in an image, got {low:.4g} to {high:.4g}: scale them, "
                "or give uint8"
            )
        return np.floor(array.astype(np.float64) * 255 + 0.5).astype(np.uint8)
    raise ValueError(f"expected an image of uint8, uint16, bool or floats from 0 to 1, got {array.dtype}: convert it")
