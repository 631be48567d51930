"""Encoders of the sentence-transformers library."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from protoclip_cli.core.errors import MissingExtra, RecipeError
from protoclip_cli.models.text_encoder import TextEncoder, TextEncoderSpec, Texts


class SentenceEncoder(TextEncoder):
    """A frozen sentence encoder. It sorts and batches texts itself."""

    def __init__(self, spec: SentenceTransformersSpec, device: Any) -> None:
        """Load it.

        Raises:
            MissingExtra: sentence-transformers is not installed.
            RecipeError: there is no such model.
        """
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError:
            raise MissingExtra(
                "this teacher needs the package sentence-transformers",
                hint="pip install 'protoclip[teachers]'",
            ) from None
        try:
            self.model = SentenceTransformer(spec.name, device=str(device), revision=spec.revision)
        except (OSError, ValueError) as error:
            first = str(error).strip().splitlines()[0]
            raise RecipeError(
                f"the model '{spec.name}' cannot be loaded: {first}",
                hint="give a folder, or a name on the hub and a connection to it",
            ) from None
        if spec.precision != "fp32":
            self.model = self.model.half() if spec.precision == "fp16" else self.model.bfloat16()
        self.batch = spec.batch
        self.width = int(self.model.get_sentence_embedding_dimension() or 0)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Features, (n, S)."""
        if longest := getattr(self.model, "max_seq_length", None):
            lengths = [len(ids) for ids in self.model.tokenizer(list(texts), verbose=False)["input_ids"]]
            self.truncated += sum(length > longest for length in lengths)
        found = self.model.encode(
            list(texts), batch_size=self.batch, show_progress_bar=False, convert_to_tensor=True
        )
        return np.asarray(found.float().cpu().numpy())


class SentenceTransformersSpec(TextEncoderSpec):
    """A sentence encoder of sentence-transformers, from the hub or a folder."""

    kind: Literal["sentence_transformers"]
    name: str = Field("all-mpnet-base-v2", min_length=1)
    """A name on the hub, or a folder."""
    revision: str | None = None
    """Which version of it: a branch, tag or commit of the hub."""
    precision: Literal["fp32", "fp16", "bf16"] = "fp32"
    """In which type to compute."""
    batch: int = Field(256, gt=0)
    """Texts encoded at a time."""

    def open(self, captions: Texts, *, seed: int, device: Any) -> SentenceEncoder:  # noqa: ARG002
        """Load the model."""
        return SentenceEncoder(self, device)
