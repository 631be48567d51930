"""From bytes nobody has checked to the bytes of a clean image. Runs in a process apart: see `reencode`."""

from __future__ import annotations

import hashlib
import io
import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from protoclip_cli.gathering.outcomes import Failed, Outcome, one_line

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
_BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF", b"GIF8", b"BM")
_ORIENTATION = 0x0112
# A JPEG is decoded at one half, quarter or eighth of its size, at this many times what is needed or more.
# With 1, 2.5 to 5 times as fast, photographs differ by 34-46 dB from a full decode; with 1.5 by 48 and more.
_SPARE = 1.5
# Other images are averaged over whole pixels down to this many times what is needed, before the good filter.
_GAP = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureSettings:
    """How images are written, which are refused, and what decoding one may cost."""

    side: int = 512
    """Pixels that `resize` speaks of. Nothing is ever enlarged."""
    resize: Literal["longest", "shortest", "pad", "crop", "keep"] = "longest"
    """The longest or the shortest side gets `side` pixels; `pad`: longest, then a white square around it;
    `crop`: shortest, then the square in the middle; `keep`: the size stays."""
    format: Literal["jpeg", "webp", "png"] = "jpeg"
    quality: int = 90
    """Of jpeg and webp, up to 100."""
    min_side: int = 32
    """Images with fewer pixels on the shorter side are refused."""
    max_aspect: float = 3.0
    """Images whose longer side is more than so many times the shorter one are refused."""
    max_pixels: int = 40_000_000
    """Width times height of the largest image that is decoded."""
    seconds: float = 10.0
    """For one image."""
    memory_bytes: int = 2**30
    """Of addresses, for one process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """What became of a body."""

    outcome: Outcome
    detail: str = ""
    data: bytes | None = None
    """A file. There if, and only if, the outcome is ok."""
    width: int = 0
    height: int = 0
    original_width: int = 0
    """Before resizing, seen upright. 0: not known."""
    original_height: int = 0
    sha256: str = ""
    """Of `data`."""
    body_sha256: str = ""


def encode_picture(body: bytes, settings: PictureSettings) -> Encoded:
    """Decode, clean, resize and encode an image. Raises nothing."""
    hashed = hashlib.sha256(body).hexdigest()
    known: dict[str, Any] = {}
    try:
        data = _encode(body, settings, known)
    except Exception as error:  # a damaged file can end a decoder with any exception there is
        failed = _explain(error, body)
        return Encoded(outcome=failed.outcome, detail=failed.detail, body_sha256=hashed, **known)
    sha256 = hashlib.sha256(data).hexdigest()
    return Encoded(outcome=Outcome.OK, data=data, sha256=sha256, body_sha256=hashed, **known)


def _explain(error: Exception, body: bytes) -> Failed:
    if isinstance(error, Failed):
        return error
    if isinstance(error, MemoryError):
        return Failed(Outcome.DECODE_ERROR, "took more memory than allowed")
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return Failed(Outcome.BOMB, str(error))
    if isinstance(error, UnidentifiedImageError):
        if body.startswith(_BEGINNINGS):
            return Failed(Outcome.DECODE_ERROR, "begins like an image")
        return Failed(Outcome.NOT_IMAGE, f"none of {', '.join(FORMATS)}")
    return Failed(Outcome.DECODE_ERROR, one_line(str(error)) or type(error).__name__)


def _encode(body: bytes, settings: PictureSettings, known: dict[str, Any]) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(io.BytesIO(body), formats=FORMATS) as source:
            known["original_width"], known["original_height"] = source.size
            _refuse(source.width, source.height, settings)
            goal = _goal(source.width, source.height, settings)
            source.draft("", (int(goal[0] * _SPARE), int(goal[1] * _SPARE)))
            source.load()
            image = _resized(_plain(source), goal)
            # Asked after loading: a PNG may carry it behind its pixels.
            orientation = _orientation(source)
            icc = source.info.get("icc_profile")
        image = _in_srgb(_on_white(image), icc)
        if orientation in range(2, 9):
            image = ImageOps.exif_transpose(image)
        if orientation in range(5, 9):
            sides = known["original_height"], known["original_width"]
            known["original_width"], known["original_height"] = sides
        image = _square(image, settings)
        data = _written(image, settings)
        known["width"], known["height"] = image.size
        return data


def _refuse(width: int, height: int, settings: PictureSettings) -> None:
    size = f"{width} x {height}"
    if width * height > settings.max_pixels:
        raise Failed(Outcome.BOMB, size)
    if min(width, height) < settings.min_side:
        raise Failed(Outcome.TOO_SMALL, size)
    if max(width, height) > settings.max_aspect * min(width, height):
        raise Failed(Outcome.ASPECT, size)


def _goal(width: int, height: int, settings: PictureSettings) -> tuple[int, int]:
    """The size to scale to, before any square is made."""
    measured = {
        "longest": max(width, height),
        "pad": max(width, height),
        "shortest": min(width, height),
        "crop": min(width, height),
        "keep": settings.side,
    }[settings.resize]
    scale = min(1.0, settings.side / measured)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _plain(image: Image.Image) -> Image.Image:
    """One of L, RGB, RGBA and CMYK, which can be resized."""
    if image.mode.startswith("I"):
        # 16-bit grey. Pillow's own conversion would cut it at 255 instead of scaling it.
        return image.convert("I").point(lambda value: value * (1 / 257)).convert("L")
    if image.has_transparency_data:
        return image.convert("RGBA")
    if image.mode == "1":
        return image.convert("L")
    return image if image.mode in {"L", "RGB", "CMYK"} else image.convert("RGB")


def _resized(image: Image.Image, goal: tuple[int, int]) -> Image.Image:
    if image.size == goal:
        return image.copy()
    return image.resize(goal, Image.Resampling.LANCZOS, reducing_gap=_GAP)


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode != "RGBA":
        return image
    paper = Image.new("RGBA", image.size, "white")
    paper.info = image.info
    paper.alpha_composite(image)
    return paper.convert("RGB")


def _in_srgb(image: Image.Image, icc: object) -> Image.Image:
    transform = _to_srgb(icc, image.mode) if isinstance(icc, bytes) and icc else None
    if transform is None:
        return image.convert("RGB")
    seen = ImageCms.applyTransform(image, transform)
    if seen is None:  # only where it works in place
        return image.convert("RGB")
    seen.info = image.info
    return seen


@lru_cache(maxsize=32)
def _to_srgb(icc: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The way from a profile to sRGB, or None where the profile is broken or for other kinds of pixels."""
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        return ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), mode, "RGB")
    except Exception:  # broken metadata does not spoil the picture
        return None


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # broken metadata does not spoil the picture
        return 1


def _square(image: Image.Image, settings: PictureSettings) -> Image.Image:
    if settings.resize == "pad":
        paper = Image.new("RGB", (max(image.size), max(image.size)), "white")
        paper.paste(image, ((paper.width - image.width) // 2, (paper.height - image.height) // 2))
        return paper
    if settings.resize == "crop":
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        return image.crop((left, top, left + side, top + side))
    return image


def _written(image: Image.Image, settings: PictureSettings) -> bytes:
    # Some of Pillow's writers copy what they find here: comments, profiles, the place of the photographer.
    image.info.clear()
    buffer = io.BytesIO()
    options = {} if settings.format == "png" else {"quality": settings.quality}
    image.save(buffer, settings.format, **options)
    return buffer.getvalue()
