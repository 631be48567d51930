"""Layer-wise learning-rate decay: the further a layer is from the output, the slower it learns.

Clark et al., ELECTRA, 2020. https://arxiv.org/abs/2003.10555
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from protoclip_cli.core.spec import Spec
from protoclip_cli.core.types import Modality

_BLOCK = re.compile(r"(?:^|\.)(?:resblocks|blocks|layers?)\.(\d+)\.")


class LayerDecaySpec(Spec):
    """How much slower each layer of a tower learns than the one above it.

    A parameter with n layers above it learns at decay^n times the rate of its side. The projection that ends
    a tower has none above it, the last block and the norm behind it have one, and the embeddings of a tower
    of L blocks have L + 1.
    """

    image: float | None = Field(None, gt=0, le=1)
    """Decay of the image tower. Empty: none."""
    text: float | None = Field(None, gt=0, le=1)
    """Decay of the text tower. Empty: none."""
    backbone: float = Field(1.0, gt=0)
    """Multiplies the rates of both towers but for their projections, as ITRA's `backbone_decay`."""
    depth_rule: Literal["structure", "itra_names"] = "structure"
    """`itra_names`: as ITRA, where only numbered blocks are slower, and embeddings learn at the full rate."""

    def decay(self, modality: Modality) -> float:
        """The decay of a tower; 1 without."""
        return getattr(self, modality.value) or 1.0

    def scale(self, modality: Modality, above: int) -> float:
        """What the rate of a parameter is multiplied by.

        Args:
            modality: which tower it is of.
            above: how many layers are above it; 0: it ends the tower.

        >>> [LayerDecaySpec(text=0.5, backbone=0.5).scale(Modality.TEXT, above) for above in (0, 1, 2)]
        [1.0, 0.25, 0.125]
        """
        return 1.0 if above == 0 else self.backbone * self.decay(modality) ** above


def itra_layers_above(names: Iterable[str]) -> dict[str, int]:
    """How many layers ITRA sees above each parameter of a tower: it knows blocks by their names alone.

    >>> list(itra_layers_above(["conv1.weight", "blocks.0.bias", "blocks.1.bias", "norm.bias"]).values())
    [0, 2, 1, 0]
    """
    found = {name: _BLOCK.search(name) for name in names}
    blocks = {name: int(match[1]) for name, match in found.items() if match}
    count = max(blocks.values(), default=-1) + 1
    return {name: count - blocks[name] if name in blocks else 0 for name in found}
