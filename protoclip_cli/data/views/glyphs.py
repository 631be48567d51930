"""Glyphs as other fonts, other pens and worse scanners would have made them, a batch at a time.

Every step is element by element or picture by picture, never a matrix product or a convolution: those may
round differently for another batch, and a view must depend on its own row only. Steps write into buffers they
have, because fresh memory costs more here than arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from protoclip_cli.compute.randomness import generator, uniform
from protoclip_cli.core.types import Preprocess
from protoclip_cli.data.views.base import ImageView, ImageViewSpec

_NOISE = 1 << 16
_COARSE = (0.25, 0.34, 0.5)
"""Sides of the coarse pictures, as shares of the full side; at 32 pixels 8, 11 and 16."""


class GlyphView(ImageViewSpec):
    """Shape, stroke and sharpness of a glyph changed at random. Dark on light, always grey."""

    kind: Literal["glyphs"] = "glyphs"
    """Shape, stroke and sharpness of a glyph changed at random."""
    rotation: float = Field(5.0, ge=0, le=180)
    """Largest turn to either side, in degrees."""
    shear: float = Field(0.15, ge=0, le=1)
    """Largest slant to either side: how far the top moves for its height."""
    scale: float = Field(1.15, ge=1, le=4)
    """Largest factor a glyph grows or shrinks by."""
    stretch: float = Field(1.15, ge=1, le=4)
    """Largest factor between the changes of width and height."""
    shift: float = Field(0.05, ge=0, le=1)
    """Largest move along each axis, as a share of the side."""
    bend: float = Field(0.04, ge=0, le=1)
    """Largest bow that a straight line across the picture gets, as a share of the side."""
    thicker: float = Field(1.0, ge=0, le=4)
    """Largest growth of a stroke on each edge, in pixels of a picture of 32."""
    thinner: float = Field(0.4, ge=0, le=4)
    """Largest loss of a stroke on each edge, in pixels of a picture of 32."""
    blur: float = Field(0.6, ge=0, le=4)
    """Largest standard deviation of the blur, in pixels of a picture of 32."""
    coarse: float = Field(0.15, ge=0, le=1)
    """How often a glyph is seen through a picture of a quarter to half the side."""
    contrast: float = Field(0.15, ge=0, le=1)
    """Largest loss of the distance between ink and paper."""
    noise: float = Field(0.02, ge=0, le=1)
    """Largest standard deviation of the noise of the pixels, where 1 is the distance from ink to paper."""

    def build(self, preprocess: Preprocess) -> Glyphs:
        return Glyphs(self, preprocess.size)


class Glyphs(ImageView):
    """Pictures of ink: 0 is paper and 1 is ink inside, so that what moves in from outside is paper."""

    def __init__(self, spec: GlyphView, size: int) -> None:
        """Prepare what all batches share.

        Args:
            spec: the strengths.
            size: side in pixels.
        """
        self.draft = size
        self._spec = spec
        self._size = size
        self._axis = (torch.arange(size) * 2 + 1) / size - 1
        # Noise is read from one long strip at a place of the row's own: a draw per pixel would take most of
        # the time of a view.
        strip = generator(0, "noise of glyphs").standard_normal(_NOISE + size * size, np.float32)
        self._noise = torch.from_numpy(strip)

    def __call__(self, images: Sequence[Image.Image], keys: NDArray[np.uint64]) -> Tensor:
        draws = _Draws(uniform(keys, 24))
        ink = self._read(images)
        ink = self._warp(ink, draws)
        ink = self._thicken(ink, draws)
        ink = self._blur(ink, draws)
        ink = self._coarsen(ink, draws)
        grey = self._print(ink, draws)
        return grey[:, None].expand(-1, 3, -1, -1).contiguous()

    def _read(self, images: Sequence[Image.Image]) -> Tensor:
        """(b, S, S), from 0 to 1."""
        side = (self._size, self._size)
        pixels = np.empty((len(images), *side), np.uint8)
        for place, image in enumerate(images):
            grey = image if image.mode == "L" else image.convert("L")
            pixels[place] = np.asarray(
                grey if grey.size == side else grey.resize(side, Image.Resampling.BICUBIC)
            )
        return torch.from_numpy(~pixels).to(torch.float32).div_(255)

    def _warp(self, ink: Tensor, draws: _Draws) -> Tensor:
        """Where each pixel comes from: an affine map, and a parabola along each axis."""
        spec = self._spec
        turn = draws.around(math.radians(spec.rotation))
        slant = draws.around(spec.shear)
        grow = np.exp(draws.around(math.log(spec.scale)))
        stretch = np.exp(draws.around(math.log(spec.stretch) / 2))
        right, down = draws.around(2 * spec.shift), draws.around(2 * spec.shift)
        bows = [_column(draws.around(2 * spec.bend)) for _ in range(4)]
        # What is read must shrink for what is seen to grow.
        wide, high = 1 / (grow * stretch), stretch / grow
        cos, sin = np.cos(turn), np.sin(turn)
        # Of x (b, 1, S) and y (b, S, 1) alone, so that only their product is made pixel by pixel.
        x, y = self._axis[None, None, :], self._axis[None, :, None]
        grid = torch.empty(*ink.shape, 2)
        across, along = grid.unbind(-1)
        of_x, of_y = _column(wide * cos) * x + _column(right), _column(wide * (slant * cos - sin)) * y
        torch.add(of_x, of_y + bows[0] * (y * y - 0.5), out=across).addcmul_(bows[1] * x, y)
        of_x, of_y = _column(high * sin) * x + _column(down), _column(high * (slant * sin + cos)) * y
        torch.add(of_x + bows[2] * (x * x - 0.5), of_y, out=along).addcmul_(bows[3] * x, y)
        return F.grid_sample(ink[:, None], grid, padding_mode="zeros", align_corners=False)[:, 0]

    def _thicken(self, ink: Tensor, draws: _Draws) -> Tensor:
        """Grow or shrink strokes, a pixel at a time and the last one in part."""
        unit = self._size / 32
        low, high = -self._spec.thinner * unit, self._spec.thicker * unit
        amount = low + (high - low) * draws.next()
        # Shrinking ink is growing paper, so with its sign turned each picture only ever grows.
        sign = _column(np.where(amount < 0, -1.0, 1.0))
        signed = ink.mul_(sign)
        for done in range(math.ceil(max(-low, high))):
            part = _column(np.clip(np.abs(amount) - done, 0, 1))
            signed = signed.lerp_(_grown(signed), part)
        return signed.mul_(sign)

    def _blur(self, ink: Tensor, draws: _Draws) -> Tensor:
        sigma = np.maximum(self._spec.blur * self._size / 32 * draws.next(), 1e-3)
        reach = math.ceil(2 * self._spec.blur * self._size / 32)
        weights = np.exp(-0.5 * (np.arange(reach + 1)[:, None] / sigma) ** 2)
        weights = weights / (2 * weights.sum(0) - weights[0])
        for dim in (1, 2):
            padded = F.pad(ink, (0, 0, reach, reach) if dim == 1 else (reach, reach))
            blurred = ink * _column(weights[0])
            for step in range(1, reach + 1):
                pair = padded.narrow(dim, reach - step, self._size) + padded.narrow(
                    dim, reach + step, self._size
                )
                blurred += pair * _column(weights[step])
            ink = blurred
        return ink

    def _coarsen(self, ink: Tensor, draws: _Draws) -> Tensor:
        """Some pictures through fewer pixels and back."""
        chosen, which = draws.next() < self._spec.coarse, draws.next() * len(_COARSE)
        for place, share in enumerate(_COARSE):
            rows = torch.from_numpy(np.flatnonzero(chosen & (which.astype(int) == place)))
            if len(rows):
                side = max(1, round(share * self._size))
                small = F.interpolate(ink[rows, None], (side, side), mode="area")
                ink[rows] = F.interpolate(small, (self._size, self._size), mode="bilinear")[:, 0]
        return ink

    def _print(self, ink: Tensor, draws: _Draws) -> Tensor:
        """Ink on paper: (b, S, S), uint8."""
        paper = 1 - self._spec.contrast / 2 * draws.next()
        black = self._spec.contrast / 2 * draws.next()
        grey = ink.mul_(_column(black - paper)).add_(_column(paper))
        start = torch.from_numpy((draws.next() * _NOISE).astype(np.int64))
        strips = self._noise.unfold(0, self._size**2, 1)[start].view_as(ink)
        grey.addcmul_(strips, _column(self._spec.noise * draws.next()))
        return grey.mul_(255).round_().clamp_(0, 255).to(torch.uint8)


class _Draws:
    """Numbers in [0, 1), one column after the other."""

    def __init__(self, numbers: NDArray[np.float64]) -> None:
        self._columns = iter(numbers.T)

    def next(self) -> NDArray[np.float64]:
        """(b,), in [0, 1)."""
        return next(self._columns)

    def around(self, largest: float) -> NDArray[np.float64]:
        """(b,), between -largest and largest."""
        return (2 * self.next() - 1) * largest


def _column(numbers: NDArray[np.float64]) -> Tensor:
    """(b, 1, 1), to go with pictures."""
    return torch.from_numpy(numbers.astype(np.float32))[:, None, None]


def _grown(ink: Tensor) -> Tensor:
    """Each pixel as dark as the darkest of itself and its four neighbours."""
    grown = ink.clone()
    for dim in (1, 2):
        last = ink.shape[dim] - 1
        ahead, behind = ink.narrow(dim, 1, last), ink.narrow(dim, 0, last)
        for target, source in ((grown.narrow(dim, 0, last), ahead), (grown.narrow(dim, 1, last), behind)):
            torch.maximum(target, source, out=target)
    return grown
