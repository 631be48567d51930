"""Encoders of the sentence-transformers library."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from protoclip_cli.models.text_encoder import (
    TextEncoder,
    TextEncoderSpec,
    Texts,
    batch_for,
    check_precision,
    missing,
    no_model,
)


class SentenceEncoder(TextEncoder):
    """A frozen sentence encoder. It sorts and batches texts itself."""

    def __init__(self, model: Any, batch: int) -> None:
        """Keep the model, of sentence-transformers."""
        self.model, self.batch = model, batch
        self.width = int(model.encode([""], show_progress_bar=False).shape[1])

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Features, (n, S)."""
        self._count_cut(texts)
        found = self.model.encode(
            list(texts), batch_size=self.batch, show_progress_bar=False, convert_to_tensor=True
        )
        return np.asarray(found.float().cpu().numpy())

    def _count_cut(self, texts: Sequence[str]) -> None:
        longest = getattr(self.model, "max_seq_length", None)
        # No token is shorter than a character, but for the few that mark start and end.
        if longest and (long := [text for text in texts if len(text.encode()) > longest - 4]):
            tokens = self.model.tokenizer(long, truncation=True, max_length=longest + 1)["input_ids"]
            self.truncated += sum(len(ids) > longest for ids in tokens)


class SentenceTransformersSpec(TextEncoderSpec):
    """A sentence encoder of sentence-transformers, from the hub or a folder."""

    kind: Literal["sentence_transformers"]
    name: str = Field("all-mpnet-base-v2", min_length=1)
    """A name on the hub, or a folder."""
    revision: str | None = None
    """Which version of it: a branch, tag or commit of the hub."""
    precision: Literal["fp32", "fp16", "bf16"] = "fp32"
    """In which type to compute."""
    batch: int | None = Field(None, gt=0)
    """Texts encoded at a time. Empty: what suits the device."""

    def open(self, captions: Texts, *, seed: int, device: Any) -> SentenceEncoder:  # noqa: ARG002
        """Load the model. Code that comes with it is never run.

        Raises:
            MissingExtra: sentence-transformers is not installed.
            RecipeError: there is no such model, or the device cannot compute so.
        """
        check_precision(self.precision, device)
        try:
            from sentence_transformers import SentenceTransformer
            from transformers.utils import logging
        except ImportError:
            raise missing("sentence-transformers") from None
        bars = logging.is_progress_bar_enabled()
        logging.disable_progress_bar()
        try:
            model = SentenceTransformer(
                self.name, device=str(device), revision=self.revision, trust_remote_code=False
            )
        except (OSError, ValueError, ImportError) as error:
            raise no_model(self.name, error) from None
        finally:
            if bars:
                logging.enable_progress_bar()
        half = {"fp16": model.half, "bf16": model.bfloat16}.get(self.precision)
        if half is not None:
            half()
        return SentenceEncoder(model, self.batch or 4 * batch_for(device, None))
