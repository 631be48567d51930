import io
import os

import numpy as np
import pytest
from PIL import Image

from protoclip_cli.core.errors import BadImage
from protoclip_cli.data.images import read_image

FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM"]


def noise(width=64, height=48, bands=3):
    shape = (height, width, bands) if bands > 1 else (height, width)
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))


def encoded(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", FORMATS)
def test_every_accepted_format(kind, tmp_path):
    path = tmp_path / "no_suffix"
    path.write_bytes(encoded(noise(), kind))
    for source in (path, str(path), path.read_bytes()):
        image = read_image(source)
        assert (image.mode, image.size) == ("RGB", (64, 48))


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("kept", [0.02, 0.5, 0.9])
def test_truncated_files_are_refused(kind, kept, tmp_path):
    data = encoded(noise(), kind)
    path = tmp_path / "cut"
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(BadImage, match="cut: "):
        read_image(path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gone.png", "no such file"),
        ("text.png", "not an image"),
        ("empty.png", "not an image"),
        (".", "not a file"),
    ],
)
def test_what_is_no_image(name, message, tmp_path):
    (tmp_path / "text.png").write_text("hello" * 100)
    (tmp_path / "empty.png").touch()
    with pytest.raises(BadImage, match=message) as caught:
        read_image(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadImage, match="not a file"):
        read_image(tmp_path / "pipe")


def test_a_path_with_a_nul_is_one_bad_image():
    with pytest.raises(BadImage):
        read_image("a\0b.png")


@pytest.mark.parametrize("kind", ["EPS", "PDF", "TGA", "ICO"])
def test_other_formats_are_refused(kind):
    with pytest.raises(BadImage, match="none of JPEG, PNG"):
        read_image(encoded(noise(), kind))


def test_pixels_are_counted_before_decoding():
    data = encoded(Image.new("1", (10_001, 10_000)))[:1000]
    with pytest.raises(BadImage, match="10001 x 10000 is more than 100,000,000 pixels"):
        read_image(data)
    with pytest.raises(BadImage, match="64 x 48 is more than 3,071 pixels"):
        read_image(encoded(noise()), max_pixels=3_071)
    assert read_image(encoded(noise()), max_pixels=3_072).size == (64, 48)


def test_the_limit_of_pillow_is_no_warning(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 3_000)
    assert read_image(encoded(noise())).size == (64, 48)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1_000)
    with pytest.raises(BadImage, match="too many pixels"):
        read_image(encoded(noise()))


@pytest.mark.parametrize(("size", "draft", "expected"), [
    ((800, 400), 100, (200, 100)), ((800, 400), 101, (400, 200)), ((400, 800), 50, (50, 100)),
    ((800, 400), 401, (800, 400)), ((800, 400), None, (800, 400)),
])  # fmt: skip
def test_draft_keeps_the_shorter_side(size, draft, expected):
    image = read_image(encoded(noise(*size), "JPEG"), draft)
    assert image.size == expected
    assert draft is None or min(image.size) >= min(draft, *size)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied(kind, orientation):
    picture = np.zeros((16, 32, 3), np.uint8)
    picture[:8, :8] = 255  # One white corner, top left, in an upright 32 x 16 picture.
    upright = Image.fromarray(picture)
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # How a camera held that way stores it.
    stored = upright if orientation == 1 else upright.transpose(Image.Transpose(undo[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = read_image(encoded(stored, kind, exif=exif))
    assert image.size == (32, 16)
    assert np.abs(np.asarray(image).astype(int) - picture).mean() < 4


def test_broken_metadata_does_not_spoil_the_picture():
    data = encoded(noise(), "JPEG", exif=b"Exif\0\0MM\0\x2a\xff\xff\xff\xff")
    assert read_image(data).size == (64, 48)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_becomes_white(mode):
    image = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    image.paste((255, 0, 0, 255), (0, 0, 2, 2))
    pixels = np.asarray(read_image(encoded(image.convert(mode))))
    assert pixels[3, 3].tolist() == [255, 255, 255]
    assert pixels[0, 0, 1] < 100


def test_a_transparent_colour_becomes_white():
    image = Image.new("RGB", (4, 4), (1, 2, 3))
    image.putpixel((0, 0), (9, 9, 9))
    pixels = np.asarray(read_image(encoded(image, transparency=(1, 2, 3))))
    assert pixels[3, 3].tolist() == [255, 255, 255]
    assert pixels[0, 0].tolist() == [9, 9, 9]


def test_sixteen_bits_are_scaled_not_cut():
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)[None].repeat(2, 0)
    for kind in ("PNG", "TIFF"):
        image = read_image(encoded(Image.fromarray(ramp), kind))
        assert np.asarray(image)[0, :, 0].tolist() == list(range(256))


def test_floating_point_is_refused():
    with pytest.raises(BadImage, match="no defined white"):
        read_image(encoded(Image.fromarray(np.ones((4, 4), np.float32)), "TIFF"))


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr"])
def test_every_other_mode_becomes_rgb(mode):
    data = encoded(Image.new("RGB", (4, 4), "white").convert(mode), "TIFF")
    assert np.asarray(read_image(data)).min() > 250


def test_first_frame_only():
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    for kind in ("GIF", "WEBP", "TIFF", "PNG"):
        data = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
        red, _, blue = np.asarray(read_image(data))[4, 4]
        assert red > 200
        assert blue < 50


def test_the_result_is_free_of_its_file(tmp_path):
    path = tmp_path / "a.png"
    noise().save(path)
    image = read_image(path)
    path.unlink()
    assert type(image) is Image.Image
    assert image.resize((2, 2)).size == (2, 2)
