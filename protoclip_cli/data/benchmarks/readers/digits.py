"""Handwritten digits that scikit-learn carries, made to look like drawn characters.

1,797 images of 8 x 8 pixels, by 13 people. The data set has no split, and ours is that of scikit-learn's own
example: the first half (898) to fit on, the second half (899) to test. The rows come writer by writer, so the
halves have nearly no writer in common. What fits nothing is scored on all rows.

Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, 1998. https://doi.org/10.24432/C50P49
"""

from __future__ import annotations

from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field

from protoclip_cli.data.benchmarks.base import Benchmark, Labelled
from protoclip_cli.data.benchmarks.prompts import ClassNames, Templates
from protoclip_cli.data.benchmarks.readers.base import ReaderSpec
from protoclip_cli.data.fingerprints import fingerprint


class DigitsSpec(ReaderSpec):
    """The handwritten digits of scikit-learn, as dark ink on white paper."""

    kind: Literal["digits"] = "digits"
    side: int = Field(32, ge=8)
    """Width and height of an image, in pixels."""
    margin: int = Field(4, ge=0, lt=12)
    """White pixels on every side, as drawn characters have them."""
    classes: ClassNames = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    """Names of the digits from 0 to 9."""
    templates: Templates = ("digit {}",)
    """Prompts with one `{}` each."""

    @property
    def label(self) -> str:
        """See `ReaderSpec`."""
        return self.name or "digits"

    def open(self) -> Benchmark:
        """See `ReaderSpec`."""
        from sklearn.datasets import load_digits

        ink, labels = load_digits(return_X_y=True)
        labels = np.asarray(labels, np.int64)
        images = DigitImages(ink.reshape(-1, 8, 8), self.side, self.margin)
        rows, half = np.arange(len(labels)), len(labels) // 2
        return Benchmark(
            name=self.label,
            split="second_half",
            classes=self.classes,
            templates=self.templates,
            train=Labelled(images, rows[:half], labels[:half]),
            test=Labelled(images, rows[half:], labels[half:]),
            whole=Labelled(images, rows, labels),
        )


class DigitImages:
    """Digits by row."""

    in_memory = True

    def __init__(self, ink: NDArray[np.float64], side: int, margin: int) -> None:
        """Keep the ink.

        Args:
            ink: (n, 8, 8), from 0 for none to 16.
            side: width and height of an image, in pixels.
            margin: white pixels on every side.
        """
        self._grey = np.round(255 - ink * (255 / 16)).astype(np.uint8)
        self._side = side
        self._margin = margin

    @cached_property
    def fingerprint(self) -> str:
        """Changes with the pixels."""
        return fingerprint(self._grey, f"{self._side}/{self._margin}")

    def __len__(self) -> int:
        """How many there are."""
        return len(self._grey)

    def image(self, row: int, draft: int | None = None) -> Image.Image:  # noqa: ARG002 (there is one size)
        """The image of a row, in RGB."""
        inner = self._side - 2 * self._margin
        small = Image.fromarray(self._grey[row])
        page = Image.new("L", (self._side, self._side), 255)
        page.paste(small.resize((inner, inner), Image.Resampling.BICUBIC), (self._margin, self._margin))
        return page.convert("RGB")

    def place(self, row: int) -> str:
        """Where the image of a row is, for messages."""
        return f"handwritten digit {row}"
