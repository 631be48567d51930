"""Whether an exported model still is the model: both embed the same images and texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from protoclip_cli.core.errors import ProtoclipError
from protoclip_cli.core.types import Modality
from protoclip_cli.models.dual_encoder import DualEncoder
from protoclip_cli.sharing.export.base import Reader

TOLERANCE = 1e-5
"""How far features of unit length may be apart, in any coordinate, float32."""
TEXTS = ("a photo of a dog", "two cats, on a red sofa: 3 o'clock!", "", "naïve 猫 ÉCLAIR", "long words " * 60)
_IMAGES = 3


@dataclass(frozen=True, slots=True)
class Difference:
    """The largest differences of features of unit length, in any coordinate."""

    image: float
    text: float | None
    """None: the format has no text tower."""


@torch.no_grad()
def compare(model: DualEncoder, reader: Reader) -> Difference:
    """Embed made-up images of the model's size and a few texts with both.

    Raises:
        ProtoclipError: they differ.
    """
    side = model.towers.preprocess.size
    chance = np.random.default_rng(0)
    images = [
        Image.fromarray(chance.integers(0, 256, (side, side, 3), dtype=np.uint8)) for _ in range(_IMAGES)
    ]
    image = _apart(model(Modality.IMAGE, pixels_of(images)).embedding, reader.images(images))
    text = None
    if reader.texts is not None:
        tokens = model.towers.tokenizer(list(TEXTS))
        text = _apart(model(Modality.TEXT, tokens).embedding, reader.texts(TEXTS))
    found = Difference(image, text)
    if not max(image, text or 0.0) <= TOLERANCE:  # also catches what is not a number
        raise ProtoclipError(
            f"the exported model has other features: images differ by {image:.1e}"
            + ("" if text is None else f", texts by {text:.1e}")
            + f", more than {TOLERANCE:.0e}",
            hint="nothing was written; please report this with the model's architecture",
        )
    return found


def _apart(ours: Tensor, theirs: Tensor) -> float:
    gap = F.normalize(ours.float(), dim=-1) - F.normalize(theirs.float(), dim=-1)
    return float(gap.abs().max())


def pixels_of(images: Sequence[Image.Image]) -> Tensor:
    """Images of one size as bytes: (n, 3, H, W), uint8."""
    return torch.from_numpy(np.stack([np.asarray(image) for image in images])).permute(0, 3, 1, 2)
