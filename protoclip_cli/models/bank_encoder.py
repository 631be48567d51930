"""What made a bank, kept with it: it embeds other texts, such as prompts, into the same space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from protoclip_cli.core.errors import DataError
from protoclip_cli.models.builders import TEXT_ENCODERS
from protoclip_cli.models.pca import Pca
from protoclip_cli.models.text_encoder import TextEncoder, TextEncoderSpec
from protoclip_cli.store.files import read_json, write_json

_SPEC = "spec.json"


@dataclass(frozen=True, slots=True)
class BankEncoder:
    """Texts to rows of a bank."""

    encoder: TextEncoder
    normalize: bool
    """Whether features get unit length before they are reduced."""
    pca: Pca | None = None

    def raw(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Features before they are reduced, (n, S)."""
        features = self.encoder.embed(texts)
        if self.normalize:
            # A text without a known word has no direction and stays zero.
            length = np.linalg.norm(features, axis=1, keepdims=True)
            features = np.asarray(features / np.where(length > 0, length, 1), np.float32)
        return features

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Rows as in the bank, (n, T)."""
        features = self.raw(texts)
        return features if self.pca is None else self.pca(features)


def is_saved(folder: Path) -> bool:
    """Whether an encoder is in a folder, whole."""
    return (folder / _SPEC).is_file()


def save_encoder(folder: Path, spec: TextEncoderSpec, encoder: TextEncoder) -> None:
    """Write what it takes to make an encoder again; the spec comes last and makes it whole."""
    folder.mkdir(exist_ok=True)
    encoder.save(folder)
    write_json(folder / _SPEC, spec.model_dump(mode="json"))


def open_encoder(folder: Path, *, device: Any) -> BankEncoder:
    """Make the encoder of a bank again.

    Args:
        folder: `encoder/` of the bank.
        device: where to encode.

    Raises:
        DataError: there is none.
    """
    if not is_saved(folder):
        raise DataError(f"{folder} has no encoder", hint="give the folder `encoder` of a bank")
    known = read_json(folder / _SPEC)
    spec = TEXT_ENCODERS.spec(known["kind"]).model_validate(known)
    return BankEncoder(spec.reopen(folder, device=device), spec.normalize, Pca.load(folder))
