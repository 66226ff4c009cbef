"""Images of a request: data URIs alone, their size read from the file's header before anything is decoded."""

from __future__ import annotations

import base64
import binascii
import io
import re
import warnings

from PIL import Image

from planner.base.quantities import shown
from planner.serve.chat import ImagePart
from planner.serve.refusal import Refused
from planner.serve.settings import Settings

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
"""Read by Pillow; others, some of which run programs, are not tried."""
_URI = re.compile(r"data:image/[\w.+-]+(?:;[\w.+-]+=[\w.+-]+)*;base64,", re.ASCII | re.IGNORECASE)


def decoded(part: ImagePart, settings: Settings) -> Image.Image:
    """The picture of a data URI, decoded. Raises Refused."""
    return opened(_content(part), part.where, settings)


def _content(part: ImagePart) -> bytes:
    if re.match(r"\s*(https?|ftp|file):", part.url, re.IGNORECASE):
        raise Refused(
            f"{part.where}.image_url.url: this server fetches nothing; send the image itself as "
            "data:image/png;base64,...",
            param=part.where,
            code="invalid_image_url",
        )
    head = _URI.match(part.url)
    if head is None:
        raise Refused(
            f"{part.where}.image_url.url: expected data:image/png;base64,..., got {shown(part.url[:60])}",
            param=part.where,
            code="invalid_image_url",
        )
    try:
        return base64.b64decode(part.url[head.end() :], validate=True)
    except (binascii.Error, ValueError):
        raise Refused(f"{part.where}: what follows base64, is no base64", param=part.where) from None


def opened(content: bytes, where: str, settings: Settings) -> Image.Image:
    """The picture in a file's bytes. Raises Refused."""
    broken = Refused(
        f"{where}: no image that can be read; expected {', '.join(FORMATS)}", param=where, code="invalid_image"
    )
    too_large = f"{where}: an image of more than {settings.max_pixels} pixels; send a smaller one"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of files with odd metadata
        try:
            image = Image.open(io.BytesIO(content), formats=FORMATS)
            if image.width * image.height > settings.max_pixels:
                raise Refused(too_large, param=where, code="image_too_large")
            image.load()
        except Image.DecompressionBombError:
            raise Refused(too_large, param=where, code="image_too_large") from None
        except Refused:
            raise
        except Exception:  # Pillow's readers fail in many ways on damaged files
            raise broken from None
    return image
