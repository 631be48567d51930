import hashlib
import io

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageDraw, PngImagePlugin

from protoclip_cli.gathering.picture import PictureSettings, encode_picture

LOSSLESS = PictureSettings(format="png")


def encoded(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def picture(width=200, height=100):
    """Red above left, white above right, blue below."""
    image = Image.new("RGB", (width, height), "blue")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, width // 2 - 1, height // 2 - 1), fill="red")
    draw.rectangle((width // 2, 0, width, height // 2 - 1), fill="white")
    return image


def result(body, settings=LOSSLESS):
    got = encode_picture(body, settings)
    assert got.outcome == "ok", got.detail
    image = Image.open(io.BytesIO(got.data))
    assert image.size == (got.width, got.height)
    assert image.mode == "RGB"
    return got, image


def corners(image):
    w, h = image.size
    return [image.getpixel(place) for place in ((5, 5), (w - 6, 5), (5, h - 6), (w - 6, h - 6))]


def near(color, expected, by=12):
    return max(abs(a - b) for a, b in zip(color, expected, strict=True)) <= by


RED, WHITE, BLUE = (255, 0, 0), (255, 255, 255), (0, 0, 255)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
def test_every_accepted_format(kind):
    got, image = result(encoded(picture(), kind))
    assert (got.original_width, got.original_height, *image.size) == (200, 100, 200, 100)
    assert all(near(a, b, 40) for a, b in zip(corners(image), (RED, WHITE, BLUE, BLUE), strict=True))


@pytest.mark.parametrize(("form", "kind"), [("jpeg", "JPEG"), ("webp", "WEBP"), ("png", "PNG")])
def test_every_written_format(form, kind):
    body = encoded(picture())
    got, image = result(body, PictureSettings(format=form))
    assert image.format == kind
    assert got.sha256 == hashlib.sha256(got.data).hexdigest()
    assert got.body_sha256 == hashlib.sha256(body).hexdigest()
    assert result(body, PictureSettings(format=form))[0] == got


def test_quality_tells():
    body = encoded(Image.effect_noise((200, 200), 60).convert("RGB"))
    low, high = (result(body, PictureSettings(quality=quality))[0] for quality in (30, 95))
    assert len(low.data) < len(high.data) / 2


@pytest.mark.parametrize("kind", ["EPS", "PDF", "PPM", "ICO", "TIFF"])
def test_other_formats_are_no_images(kind):
    got = encode_picture(encoded(picture(), kind), LOSSLESS)
    assert (got.outcome, got.data) == ("not_image", None)
    assert len(got.body_sha256) == 64


@pytest.mark.parametrize(
    "body", [b"<html>no</html>", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"\x1f\x8b" + b"x" * 99, b"x"]
)
def test_what_is_no_image(body):
    assert encode_picture(body, LOSSLESS).outcome == "not_image"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
@pytest.mark.parametrize("kept", [0.01, 0.5, 0.9])
def test_damaged_images(kind, kept):
    noise = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    body = encoded(Image.fromarray(noise), kind)
    got = encode_picture(body[: max(12, int(len(body) * kept))], LOSSLESS)
    assert (got.outcome, got.data, got.width, got.sha256) == ("decode_error", None, 0, "")
    assert got.detail


@pytest.mark.parametrize(
    ("size", "outcome"),
    [
        ((100, 31), "too_small"),
        ((31, 31), "too_small"),
        ((32, 32), "ok"),
        ((301, 100), "aspect"),
        ((100, 301), "aspect"),
        ((300, 100), "ok"),
        ((500, 401), "bomb"),
        ((500, 400), "ok"),
    ],
)
def test_sizes_that_are_refused(size, outcome):
    got = encode_picture(encoded(Image.new("RGB", size)), PictureSettings(max_pixels=200_000))
    assert (got.outcome, got.original_width, got.original_height) == (outcome, *size)


@pytest.mark.parametrize(
    ("resize", "size", "expected"),
    [
        ("longest", (200, 100), (50, 25)),
        ("longest", (100, 200), (25, 50)),
        ("longest", (49, 40), (49, 40)),
        ("shortest", (200, 100), (100, 50)),
        ("shortest", (100, 49), (100, 49)),
        ("pad", (200, 100), (50, 50)),
        ("pad", (40, 35), (40, 40)),
        ("crop", (200, 100), (50, 50)),
        ("crop", (60, 40), (40, 40)),
        ("keep", (200, 100), (200, 100)),
    ],
)
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_sizes(resize, size, expected, kind):
    settings = PictureSettings(side=50, resize=resize, format="png")
    got, image = result(encoded(picture(*size), kind), settings)
    assert image.size == expected
    assert (got.original_width, got.original_height) == size


def test_padding_is_white_and_around_and_a_crop_is_of_the_middle():
    body = encoded(Image.new("RGB", (200, 100), "red"))
    padded = result(body, PictureSettings(side=100, resize="pad", format="png"))[1]
    assert [padded.getpixel((50, y)) for y in (2, 50, 97)] == [WHITE, RED, WHITE]
    cropped = result(encoded(picture(300, 100)), PictureSettings(side=100, resize="crop", format="png"))[1]
    assert [near(cropped.getpixel((x, 20)), color) for x, color in ((20, RED), (80, WHITE))] == [True] * 2


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("resize", ["longest", "keep"])
def test_photographs_are_turned_upright(orientation, kind, resize):
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # as Image.Transpose counts
    upright = picture(400, 200)
    lying = upright if orientation == 1 else upright.transpose(Image.Transpose(undo[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    body = encoded(lying, kind, exif=exif, **options)
    got, image = result(body, PictureSettings(side=100, resize=resize, format="png"))
    assert (got.original_width, got.original_height) == (400, 200)
    assert image.size == ((100, 50) if resize == "longest" else (400, 200))
    assert all(near(a, b, 40) for a, b in zip(corners(image), (RED, WHITE, BLUE, BLUE), strict=True))


def test_transparency_is_on_white():
    clear = Image.new("RGBA", (100, 100), (255, 0, 0, 0))
    half = Image.new("RGBA", (100, 100), (255, 0, 0, 128))
    for image, expected in ((clear, WHITE), (half, (255, 127, 127))):
        for side in (100, 50):
            got = result(encoded(image), PictureSettings(side=side, format="png"))[1]
            assert near(got.getpixel((20, 20)), expected, 2)
    palette = Image.new("P", (100, 100), 7)
    palette.putpalette([255, 0, 0] * 256)
    assert result(encoded(palette, transparency=7))[1].getpixel((9, 9)) == WHITE
    assert result(encoded(palette))[1].getpixel((9, 9)) == RED
    assert result(encoded(palette, "GIF", transparency=7))[1].getpixel((9, 9)) == WHITE
    assert result(encoded(Image.new("LA", (100, 100), (0, 0))))[1].getpixel((9, 9)) == WHITE
    assert result(encoded(Image.new("RGB", (99, 99), RED), transparency=RED))[1].getpixel((9, 9)) == WHITE
    assert result(encoded(Image.new("L", (99, 99), 9), transparency=9))[1].getpixel((9, 9)) == WHITE


@pytest.mark.parametrize("side", [256, 100])
def test_grey_of_16_bits_keeps_its_steps(side):
    ramp = np.tile(np.arange(256, dtype=np.uint16) * 257, (256, 1))
    image = result(encoded(Image.fromarray(ramp)), PictureSettings(side=side, format="png"))[1]
    seen = np.asarray(image)[side // 2, :, 0].astype(int)
    assert np.abs(seen - np.linspace(0, 255, side)).max() < 4


def test_other_kinds_of_pixels():
    assert result(encoded(Image.new("1", (99, 99), 1)))[1].getpixel((9, 9)) == WHITE
    assert result(encoded(Image.new("L", (99, 99), 70), "JPEG"))[1].getpixel((9, 9)) == (70, 70, 70)
    ink = Image.new("CMYK", (99, 99), (0, 255, 255, 0))
    assert near(result(encoded(ink, "JPEG", quality=95))[1].getpixel((9, 9)), RED)


def test_the_first_frame_of_many():
    frames = [Image.new("RGB", (99, 99), color) for color in ("red", "blue", "white")]
    for kind in ("GIF", "WEBP", "PNG"):
        body = encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)
        assert near(result(body)[1].getpixel((9, 9)), RED), kind


def swapped_profile():
    """sRGB with red and green exchanged, so that nobody can miss it."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    entries = {bytes(profile[at : at + 4]): at for at in range(132, 132 + 12 * profile[131], 12)}
    red, green = entries[b"rXYZ"], entries[b"gXYZ"]
    profile[red + 4 : red + 12], profile[green + 4 : green + 12] = (
        profile[green + 4 : green + 12],
        profile[red + 4 : red + 12],
    )
    return bytes(profile)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_colours_are_those_of_the_profile(kind, mode):
    if kind == "JPEG":
        mode = "RGB"
    image = Image.new("RGB", (99, 99), (200, 0, 0)).convert(mode)
    body = encoded(image.convert("RGB") if kind == "WEBP" else image, kind, icc_profile=swapped_profile())
    _, seen = result(body)
    assert near(seen.getpixel((9, 9)), (0, 200, 0))
    assert "icc_profile" not in seen.info


@pytest.mark.parametrize("icc", [b"broken", b"", swapped_profile()[:200]])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_profiles_that_do_not_fit_do_no_harm(icc, mode):
    image = Image.new(mode, (99, 99))
    expected = image.convert("RGB").getpixel((9, 9))
    for profile in (icc, swapped_profile() if mode != "RGB" else icc):
        assert near(result(encoded(image, "JPEG", icc_profile=profile))[1].getpixel((9, 9)), expected)


@pytest.mark.parametrize("form", ["jpeg", "webp", "png"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("resize", ["longest", "keep", "crop"])
def test_nothing_but_the_picture_is_written(form, kind, resize):
    exif = Image.Exif()
    exif[0x010E] = "secret garden"
    exif.get_ifd(0x8825)[1] = "secret place"
    words = PngImagePlugin.PngInfo()
    words.add_text("Comment", "secret words")
    options = {
        "JPEG": {"comment": b"secret comment", "dpi": (72, 72)},
        "PNG": {"pnginfo": words, "dpi": (72, 72)},
        "WEBP": {"xmp": b"<x>secret</x>"},
    }[kind]
    body = encoded(picture(), kind, exif=exif, icc_profile=swapped_profile(), **options)
    assert b"secret" in body
    got, image = result(body, PictureSettings(side=100, resize=resize, format=form))
    assert b"secret" not in got.data
    assert image.info.keys() <= {
        "jfif",
        "jfif_version",
        "jfif_unit",
        "jfif_density",
        "loop",
        "background",
        "timestamp",
        "duration",
    }
    assert not image.getexif()


def test_the_same_picture_at_every_jpeg_scale():
    photo = Image.radial_gradient("L").resize((1024, 768)).convert("RGB")
    whole = np.asarray(photo.resize((256, 192), Image.Resampling.LANCZOS)).astype(int)
    seen = result(encoded(photo, "JPEG", quality=95), PictureSettings(side=256, format="png"))[1]
    assert np.abs(np.asarray(seen) - whole).mean() < 1.5


def test_any_exception_of_a_decoder_is_an_outcome(monkeypatch):
    def surprise(*_, **__):
        raise MemoryError

    body = encoded(picture())
    monkeypatch.setattr(Image.Image, "resize", surprise)
    got = encode_picture(body, PictureSettings(side=50))
    assert (got.outcome, got.detail) == ("decode_error", "took more memory than allowed")
