"""The recipe's frozen model, which some objectives learn from."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from protoclip_cli.core.types import Batch, Modality
from protoclip_cli.models.dual_encoder import DualEncoder, Seen
from protoclip_cli.training.encoded import Encoded


class FrozenModel:
    """Looks at the first views with weights, pixel means and an image size of its own."""

    def __init__(self, model: DualEncoder, tensors_hash: str, note: Callable[[str], None]) -> None:
        """Freeze a model.

        Args:
            model: on the device, without heads.
            tensors_hash: of its weights, which a run that goes on must find again.
            note: is told once if images are resized for it.
        """
        self.model = model.eval().requires_grad_(False)
        self.width = model.towers.width
        self.tensors_hash, self._note, self._told = tensors_hash, note, False
        log_scale = model.towers.scale
        known = torch.zeros(()) if log_scale is None else log_scale.detach().reshape(())
        self.scale = known.to(model.mean).exp()

    @torch.no_grad()
    def encode(self, batch: Batch) -> Encoded:
        """Features of the first views, (b, F); of a side that has no views, none."""
        images = [Seen(self.model(Modality.IMAGE, self._fitted(view)).embedding) for view in batch.image[:1]]
        texts = [Seen(self.model(Modality.TEXT, self._padded(view)).embedding) for view in batch.text[:1]]
        return Encoded(tuple(images), tuple(texts))

    def _fitted(self, pixels: Tensor) -> Tensor:
        """(b, 3, H, W) bytes in its own size."""
        size = self.model.towers.preprocess.size
        if pixels.shape[-2:] == (size, size):
            return pixels
        if not self._told:
            self._told = True
            self._note(
                f"frozen_model: images of {pixels.shape[-2]} x {pixels.shape[-1]} pixels are resized to "
                f"{size} x {size} for it"
            )
        return F.interpolate(pixels.float(), (size, size), mode="bilinear", antialias=True).clamp(0, 255)

    def _padded(self, tokens: Tensor) -> Tensor:
        """(b, L) tokens as long as its text tower wants them."""
        towers = self.model.towers
        if towers.short_texts:
            return tokens
        return F.pad(tokens, (0, towers.tokenizer.context_length - tokens.shape[1]), value=towers.pad)
