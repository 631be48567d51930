"""An image from a file nobody has checked, or one line that says why not."""

from __future__ import annotations

import io
import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from protoclip_cli.core.errors import BadImage

MAX_PIXELS = 100_000_000
"""Larger images are refused, before they are decoded."""
MAX_BYTES = 1 << 28
"""Larger files in archives or elsewhere are refused, before they are read."""

# Nothing that starts another program (EPS), has pages (PDF) or is hardly ever tested.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM")

_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_image(
    source: str | os.PathLike[str] | bytes,
    draft: int | None = None,
    max_pixels: int = MAX_PIXELS,
    place: str | None = None,
) -> Image.Image:
    """An image in RGB: upright, on white where it was transparent, the first frame where it moves.

    Args:
        source: a path, or the bytes of a file.
        draft: a JPEG may be decoded at one half, quarter or eighth of its size, as long as its shorter side
            keeps this many pixels. None: full size.
        max_pixels: width times height of the largest image to accept.
        place: what messages call it. None: the path, or the number of bytes.

    Raises:
        BadImage: there is no such file, it is not an image, is damaged, or has too many pixels.
    """
    with _in_words(source, place), _open(source) as file, Image.open(file, formats=_FORMATS) as image:
        return _decode(image, draft, max_pixels)


def read_size(
    source: str | os.PathLike[str] | bytes, max_pixels: int = MAX_PIXELS, place: str | None = None
) -> tuple[int, int]:
    """Width and height as the file's header has them, before it is turned upright; see `read_image`.

    Raises:
        BadImage: there is no such file, it is not an image, or has too many pixels.
    """
    with _in_words(source, place), _open(source) as file, Image.open(file, formats=_FORMATS) as image:
        _refuse_large(image, max_pixels)
        return image.size


@contextmanager
def _in_words(source: str | os.PathLike[str] | bytes, place: str | None) -> Iterator[None]:
    """Name the image in whatever goes wrong with it."""
    if place is None:
        place = f"image of {len(source):,} bytes" if isinstance(source, bytes) else os.fspath(source)
    # Pillow warns about pixels we have counted ourselves and about metadata we do not use. It also *raises*
    # above twice its own limit, so that is a second cap, of 179 million pixels.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except BadImage as error:
            raise BadImage(f"{place}: {error}") from None
        except MemoryError:
            raise
        except Image.DecompressionBombError:
            raise BadImage(f"{place}: too many pixels") from None
        except UnidentifiedImageError:
            known = ", ".join(_FORMATS)
            raise BadImage(f"{place}: not an image, or none of {known}") from None
        except Exception as error:  # A damaged file can end a decoder with any exception there is.
            said = " ".join(str(error).split())[:200] or type(error).__name__
            raise BadImage(f"{place}: cannot be decoded ({said})") from error


def _open(source: str | os.PathLike[str] | bytes) -> BinaryIO | nullcontext[BinaryIO]:
    if isinstance(source, bytes):
        return nullcontext(io.BytesIO(source))
    try:
        # Opening a pipe would wait for ever.
        if not stat.S_ISREG(os.stat(source).st_mode):  # noqa: PTH116 (a path per image: text, not objects)
            raise BadImage("not a file")
        return Path(source).open("rb")
    except FileNotFoundError:
        raise BadImage("no such file") from None
    except OSError as error:
        raise BadImage(f"cannot be opened ({error.strerror})") from error


def _decode(image: Image.Image, draft: int | None, max_pixels: int) -> Image.Image:
    _refuse_large(image, max_pixels)
    if draft is not None:
        image.draft("RGB", (draft, draft))
    image.load()
    # Asked after loading: a TIFF turns itself upright then, and a PNG may carry the tag behind its pixels.
    turn = _UPRIGHT.get(_orientation(image))
    upright = image if turn is None else image.transpose(turn)
    return _to_rgb(upright)


def _refuse_large(image: Image.Image, max_pixels: int) -> None:
    if image.width * image.height > max_pixels:
        raise BadImage(f"{image.width} x {image.height} is more than {max_pixels:,} pixels")


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # Broken metadata does not spoil the picture.
        return 1


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise BadImage("floating-point pixels have no defined white")
    if image.mode.startswith("I"):
        # 16-bit grey. Pillow's own conversion would cut it at 255 instead of scaling it.
        grey = np.clip(np.asarray(image).astype(np.int64) >> 8, 0, 255).astype(np.uint8)
        return Image.fromarray(grey).convert("RGB")
    if image.has_transparency_data:
        paper = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(paper, image.convert("RGBA")).convert("RGB")
    if image.mode == "RGB" and image.format == "JPEG":
        # `convert` would copy, which takes a tenth of the time of a small decoded JPEG.
        return image._new(image.im)
    return image.convert("RGB")
