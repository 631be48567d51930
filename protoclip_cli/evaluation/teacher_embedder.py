"""A student beside its teacher: images as the student sees them, texts as the teacher does.

ITRA's ProtoRKD classifies so: an image encoder that learned from a frozen sentence encoder is asked with that
encoder's embeddings of the prompts.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.base import Images
from protoclip_cli.data.fingerprints import fingerprint
from protoclip_cli.evaluation.embedder import TunableTower
from protoclip_cli.models.bank_encoder import BankEncoder, open_encoder
from protoclip_cli.store.files import digest_file

if TYPE_CHECKING:
    from protoclip_cli.evaluation.model_embedder import ModelEmbedder

MARK = "<-teacher"
"""Ends the name of features of which images are a model's and texts its teacher's: `proto<-teacher`."""


class TeacherEmbedder:
    """Embeds images with a model, and texts with the encoder of a bank."""

    def __init__(self, student: ModelEmbedder, encoder: Path | None) -> None:
        """Take both.

        Args:
            student: gives features of images that lie in the teacher's space.
            encoder: the folder `encoder` of the bank it has learned from.

        Raises:
            DataError: the model comes from no run with a bank, or from a bank without an encoder.
        """
        if encoder is None or not encoder.is_dir():
            raise DataError(
                "this model has no teacher that could embed prompts",
                hint="evaluate a run that was trained with a `teacher:`; a plain .npy file has no encoder",
            )
        self.model_hash, self.transform = student.model_hash, student.transform
        self.precision, self.features = student.precision, f"{student.features}{MARK}"
        files = sorted(path for path in encoder.rglob("*") if path.is_file())
        self.identity = fingerprint(student.identity, *map(digest_file, files))
        self._student, self._folder = student, encoder

    def images(self, images: Images, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Features of images, see `Embedder`."""
        return self._student.images(images, rows)

    def texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Features of texts, see `Embedder`."""
        return np.asarray(self._encoder.embed(texts), np.float32)

    def using(self, features: str) -> ModelEmbedder | TeacherEmbedder:
        """The same model with other features, see `Embedder`."""
        return self._student.using(features)

    def tunable(self) -> TunableTower:
        """A copy of the image tower, see `Embedder`."""
        return self._student.tunable()

    @cached_property
    def _encoder(self) -> BankEncoder:
        return open_encoder(self._folder, device=torch.device(self._student.device))
