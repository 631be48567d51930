"""Encoders of Hugging Face transformers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from protoclip_cli.core.errors import MissingExtra, RecipeError
from protoclip_cli.models.text_encoder import TextEncoder, TextEncoderSpec, Texts, by_length

_EXTRA = "pip install 'protoclip[teachers]'"
_DTYPES = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}


class HuggingFaceEncoder(TextEncoder):
    """A frozen transformer whose token features are pooled."""

    def __init__(self, spec: HuggingFaceSpec, device: Any) -> None:
        """Load it.

        Raises:
            MissingExtra: transformers is not installed.
            RecipeError: there is no such model.
        """
        import torch

        try:
            from transformers import AutoModel, AutoTokenizer
        except ImportError:
            raise MissingExtra("this teacher needs the package transformers", hint=_EXTRA) from None
        try:
            # Code of strangers is never run: trust_remote_code stays False.
            self.tokenizer = AutoTokenizer.from_pretrained(spec.name, revision=spec.revision)
            model = AutoModel.from_pretrained(spec.name, revision=spec.revision)
        except (OSError, ValueError) as error:
            first = str(error).strip().splitlines()[0]
            raise RecipeError(
                f"the model '{spec.name}' cannot be loaded: {first}",
                hint="give a folder, or a name on the hub and a connection to it",
            ) from None
        self.spec, self.device = spec, device
        self.model = model.to(device, getattr(torch, _DTYPES[spec.precision])).eval()
        self.width = int(model.config.hidden_size)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Features, (n, S)."""
        import torch

        features = np.zeros((len(texts), self.width), np.float32)
        batches = by_length(texts, self.spec.batch)
        if self.spec.average_padding:
            batches = (
                list(range(i, min(i + self.spec.batch, len(texts))))
                for i in range(0, len(texts), self.spec.batch)
            )
        with torch.inference_mode():
            for places in batches:
                features[places] = self._pooled([texts[place] for place in places])
        return features

    def _pooled(self, texts: list[str]) -> NDArray[np.float32]:
        padding = "max_length" if self.spec.average_padding else "longest"
        tokens = self.tokenizer(
            texts, padding=padding, truncation=True, max_length=self.spec.length, return_tensors="pt"
        )
        full = [len(ids) for ids in self.tokenizer(texts, truncation=False, verbose=False)["input_ids"]]
        self.truncated += sum(length > self.spec.length for length in full)
        mask = tokens["attention_mask"].to(self.device)
        states = self.model(**{name: ids.to(self.device) for name, ids in tokens.items()}).last_hidden_state
        states = states.float()
        if self.spec.average_padding:
            return np.asarray(states.mean(dim=1).cpu().numpy())
        if self.spec.pooling == "cls":
            return np.asarray(states[:, 0].cpu().numpy())
        if self.spec.pooling == "last":
            last = mask.shape[1] - 1 - mask.flip(1).argmax(dim=1)
            return np.asarray(states[range(len(states)), last].cpu().numpy())
        inside = mask[:, :, None]
        if self.spec.pooling == "max":
            return np.asarray(states.masked_fill(inside == 0, -1e9).amax(dim=1).cpu().numpy())
        return np.asarray(((states * inside).sum(dim=1) / inside.sum(dim=1)).cpu().numpy())


class HuggingFaceSpec(TextEncoderSpec):
    """A transformer of Hugging Face, from the hub or a folder. ProtoCLIP's teacher is roberta-large."""

    kind: Literal["huggingface"]
    name: str = Field("roberta-large", min_length=1)
    """A name on the hub, or a folder."""
    revision: str | None = None
    """Which version of it: a branch, tag or commit of the hub."""
    pooling: Literal["mean", "cls", "max", "last"] = "mean"
    """From token features to one: of the text's own tokens, padding left out."""
    average_padding: bool = False
    """Average over all positions up to `length`, padding included, as the original did."""
    length: int = Field(77, gt=1)
    """Longer texts are cut to so many tokens."""
    precision: Literal["fp32", "fp16", "bf16"] = "fp32"
    """In which type to compute."""
    batch: int = Field(256, gt=0)
    """Texts encoded at a time."""

    def open(self, captions: Texts, *, seed: int, device: Any) -> HuggingFaceEncoder:  # noqa: ARG002
        """Load the model."""
        return HuggingFaceEncoder(self, device)
