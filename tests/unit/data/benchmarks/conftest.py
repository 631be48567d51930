"""Tiny data sets: images of 8 x 8 pixels, each of a shade of its own, so that rows can be told apart."""

import pytest
from PIL import Image


@pytest.fixture
def draw():
    """`draw(root, "a/1.jpg", ...)` writes an image to every path; shades count up from 1 over all calls."""
    shade = 0

    def drawn(root, *files):
        nonlocal shade
        for file in files:
            shade += 1
            path = root / file
            path.parent.mkdir(parents=True, exist_ok=True)
            kind = "PPM" if path.suffix == ".ppm" else "PNG"
            Image.new("RGB", (8, 8), (shade, 0, 0)).save(path, kind)

    return drawn


@pytest.fixture
def contents():
    """`contents(part)` gives the label and the shade of every row."""

    def read(part):
        return [
            (int(label), part.images.image(int(row)).getpixel((0, 0))[0])
            for label, row in zip(part.labels, part.rows, strict=True)
        ]

    return read
