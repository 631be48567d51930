"""A trained model as probes see it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from copy import copy, deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from protoclip_cli.compute.device import full_precision
from protoclip_cli.compute.processes import available_cores, fail_together, share, world
from protoclip_cli.core.errors import DataError, ProtoclipError
from protoclip_cli.core.types import Modality
from protoclip_cli.data.benchmarks.base import Images
from protoclip_cli.data.fingerprints import fingerprint
from protoclip_cli.data.loader import ImageReader, load
from protoclip_cli.data.views import IMAGE_VIEWS
from protoclip_cli.evaluation.embedder import TunableTower
from protoclip_cli.evaluation.teacher_embedder import MARK, TeacherEmbedder
from protoclip_cli.models.dual_encoder import DualEncoder
from protoclip_cli.models.encode import encode
from protoclip_cli.models.evaluating import evaluating
from protoclip_cli.models.saved import weights_of
from protoclip_cli.store.checkpoints import tensors_hash

EvaluationPrecision = Literal["fp32", "bf16"]
Progress = Callable[[str, int, int], None]
"""Is told what is encoded, how much is done, and of how much."""


def unseen(_what: str, _done: int, _total: int) -> None:
    """Progress that nobody looks at."""


class ModelEmbedder:
    """Embeds images and texts with a model, each process a share. Every process must ask for the same."""

    def __init__(
        self,
        model: DualEncoder,
        device: torch.device,
        *,
        batch: int = 256,
        workers: int | None = None,
        precision: EvaluationPrecision = "fp32",
        progress: Progress = unseen,
        teacher: Path | None = None,
    ) -> None:
        """Take a model as it is.

        Args:
            model: on its device, and not wrapped in anything that waits for other processes.
            device: where that is.
            batch: rows encoded at a time.
            workers: loader processes; None: as many as cores, none for images in memory.
            precision: `fp32` in full, whatever training does; `bf16` where autocast thinks it harmless.
            progress: is told how far it is.
            teacher: the folder `encoder` of the bank it has learned from.
        """
        self.model, self.device, self.batch, self.progress = model, device, batch, progress
        self.precision: EvaluationPrecision = precision
        self.features = "embedding"
        self._workers, self._teacher = workers, teacher
        model.prefer_channels_last()  # as in training; small residual networks are twice as fast on a CPU
        preprocess = model.towers.preprocess
        self._view = IMAGE_VIEWS.spec("eval")(kind="eval").build(preprocess)
        self.transform = f"{preprocess.resize_mode} {preprocess.size} {preprocess.interpolation}"
        self.model_hash = tensors_hash(weights_of(model))
        # The same tensors embed otherwise with another activation, tokenizer or mean of pixels.
        made_of = (str(model.towers.description), str(sorted(asdict(preprocess).items())))
        self.identity = fingerprint(self.model_hash, *made_of, precision)

    def using(self, features: str) -> ModelEmbedder | TeacherEmbedder:
        """The same model with other features, see `Embedder`."""
        head, mark, _ = features.partition(MARK)
        return TeacherEmbedder(self._with(head), self._teacher) if mark else self._with(head)

    def _with(self, features: str) -> ModelEmbedder:
        if features not in {"embedding", "backbone", *self.model.head_specs}:
            heads = ", ".join(self.model.head_specs) or "none"
            raise DataError(f"the model has no head '{features}'", hint=f"its heads: {heads}")
        other = copy(self)
        other.features = features
        return other

    def tunable(self) -> TunableTower:
        """A copy of the image tower, see `Embedder`."""
        return TunableTower(_ImageSide(deepcopy(self.model)), self._view, self.device)

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
        return self._encode(Modality.IMAGE, self._watched("images", batches, chunks, len(rows)))

    def texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Features of texts, see `Embedder`."""
        chunks = self._chunks(len(texts))
        tokenizer = self.model.towers.tokenizer
        tokens = (tokenizer(list(texts[chunk.start : chunk.stop])) for chunk in chunks)
        return self._encode(Modality.TEXT, self._watched("texts", tokens, chunks, len(texts)))

    def _of(self, modality: Modality, view: Tensor) -> Tensor:
        """Features of one view."""
        if self.features == "embedding":
            return self.model(modality, view).embedding  # type: ignore[no-any-return]
        if self.features == "backbone":
            if modality is Modality.TEXT:
                raise DataError("texts have no backbone features", hint="use `features: embedding`")
            return self.model.backbone(view)
        return self.model(modality, view, [self.features]).heads[self.features]  # type: ignore[no-any-return]

    def _width(self, modality: Modality) -> int:
        """D. A process without a row of its own has to know it."""
        towers = self.model.towers
        if self.features == "embedding":
            return towers.width
        size = towers.preprocess.size
        image = modality is Modality.IMAGE
        blank = torch.zeros(1, 3, size, size, dtype=torch.uint8) if image else towers.tokenizer([""])
        return self._of(modality, blank.to(self.device)).shape[1]

    def _chunks(self, count: int) -> list[range]:
        """This process's share of the rows, a batch at a time: no row twice, none filled up."""
        mine = share(count)
        return [range(at, min(at + self.batch, mine.stop)) for at in range(mine.start, mine.stop, self.batch)]

    def _watched(
        self, what: str, batches: Iterable[Tensor], chunks: Sequence[range], total: int
    ) -> Iterator[Tensor]:
        done = 0
        for batch, chunk in zip(batches, chunks, strict=True):
            yield batch
            done += len(chunk)
            self.progress(what, min(done * world(), total), total)

    def _encode(self, modality: Modality, batches: Iterator[Tensor]) -> NDArray[np.float32]:
        with evaluating(self.model), self._precisely(), torch.no_grad():
            features = encode(
                lambda view: self._of(modality, view),
                _all_or_none(batches),
                self.device,
                self._width(modality),
            )
        return features.numpy()

    def _precisely(self) -> AbstractContextManager[None]:
        if self.precision == "fp32":
            return full_precision()
        return torch.autocast(self.device.type, torch.bfloat16)


def _all_or_none(batches: Iterator[Tensor]) -> Iterator[Tensor]:
    """Batches, until there are no more on all processes; what one could not read, nobody goes on without."""
    error = None
    try:
        yield from batches
    except ProtoclipError as met:
        error = met
    fail_together(error)


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
