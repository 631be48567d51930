"""A trained model as probes see it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy, deepcopy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from protoclip_cli.compute.processes import available_cores, share
from protoclip_cli.core.errors import DataError
from protoclip_cli.core.types import Modality
from protoclip_cli.data.benchmarks.base import Images
from protoclip_cli.data.loader import ImageReader, load
from protoclip_cli.data.views import IMAGE_VIEWS
from protoclip_cli.evaluation.embedder import Embedder, TunableTower
from protoclip_cli.models.dual_encoder import DualEncoder
from protoclip_cli.models.encode import encode
from protoclip_cli.models.saved import weights_of
from protoclip_cli.store.checkpoints import tensors_hash


class ModelEmbedder:
    """Embeds images and texts with a model, each process a share. Every process must ask for the same."""

    precision = "fp32"

    def __init__(
        self, model: DualEncoder, device: torch.device, *, batch: int = 256, workers: int | None = None
    ) -> None:
        """Take a model as it is.

        Args:
            model: on its device.
            device: where that is.
            batch: rows encoded at a time.
            workers: loader processes; None: as many as cores, none for images in memory.
        """
        self.model, self.device, self.batch = model, device, batch
        self._workers = workers
        preprocess = model.towers.preprocess
        self._view = IMAGE_VIEWS.spec("eval")(kind="eval").build(preprocess)
        self.transform = f"{preprocess.resize_mode} {preprocess.size} {preprocess.interpolation}"
        self.model_hash = tensors_hash(weights_of(model))
        self._features = "embedding"

    def images(self, images: Images, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Features of images, see `Embedder`."""
        workers = (0 if images.in_memory else available_cores()) if self._workers is None else self._workers
        chunks = self._chunks(len(rows))
        batches = load(
            ImageReader(images, self._view),
            [rows[chunk.start : chunk.stop] for chunk in chunks],
            workers=workers,
            pin=self.device.type == "cuda",
        )
        return self._encode(Modality.IMAGE, batches)

    def texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Features of texts, see `Embedder`."""
        towers = self.model.towers
        parts = [list(texts[chunk.start : chunk.stop]) for chunk in self._chunks(len(texts))]
        return self._encode(Modality.TEXT, (towers.tokenizer(part) for part in parts))

    def using(self, features: str) -> Embedder:
        """The same model with other features, see `Embedder`."""
        if features not in {"embedding", "backbone", *self.model.head_specs}:
            heads = ", ".join(self.model.head_specs) or "none"
            raise DataError(f"the model has no head '{features}'", hint=f"its heads: {heads}")
        other = copy(self)
        other._features = features
        return other

    def tunable(self) -> TunableTower:
        """A copy of the image tower, see `Embedder`."""
        return TunableTower(_ImageSide(deepcopy(self.model)), self._view, self.device)

    def _of(self, modality: Modality, view: Tensor) -> Tensor:
        if self._features == "embedding":
            return self.model(modality, view).embedding  # type: ignore[no-any-return]
        if self._features == "backbone":
            if modality is Modality.TEXT:
                raise DataError("texts have no backbone features", hint="use `features: embedding`")
            return self.model.backbone(view)
        return self.model(modality, view, [self._features]).heads[self._features]  # type: ignore[no-any-return]

    def _width(self, modality: Modality) -> int:
        """D. A process without a row of its own has to know it."""
        if self._features == "embedding":
            return self.model.towers.width
        towers = self.model.towers
        size = towers.preprocess.size
        blank = (
            torch.zeros(1, 3, size, size, dtype=torch.uint8)
            if modality is Modality.IMAGE
            else towers.tokenizer([""])
        )
        return self._of(modality, blank.to(self.device)).shape[1]

    def _chunks(self, count: int) -> list[range]:
        mine = share(count)
        return [range(at, min(at + self.batch, mine.stop)) for at in range(mine.start, mine.stop, self.batch)]

    def _encode(self, modality: Modality, batches: Iterator[Tensor]) -> NDArray[np.float32]:
        with _evaluating(self.model), torch.no_grad():
            width = self._width(modality)
            features = encode(lambda view: self._of(modality, view), batches, self.device, width)
        return features.numpy()


class _ImageSide(nn.Module):
    """The image tower of a model, as a module that can be trained by itself."""

    def __init__(self, model: DualEncoder) -> None:
        super().__init__()
        self._model = model
        model.requires_grad_(False)
        for name, parameter in model.named_parameters():
            if name.startswith("towers.") and model.modality_of(name) is Modality.IMAGE:
                parameter.requires_grad_(True)

    def forward(self, view: Tensor) -> Tensor:
        embedding: Tensor = self._model(Modality.IMAGE, view).embedding
        return embedding


@contextmanager
def _evaluating(model: torch.nn.Module) -> Iterator[None]:
    """Evaluation mode inside; each module's own mode afterwards."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
