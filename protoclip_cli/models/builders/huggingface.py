"""Encoders of Hugging Face transformers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import Tensor, nn

from protoclip_cli.models.from_transformers import quiet_transformers
from protoclip_cli.models.text_encoder import (
    TextEncoder,
    TextEncoderSpec,
    Texts,
    batch_for,
    by_length,
    check_precision,
    missing,
    no_model,
)

Pooling = Literal["mean", "cls", "max", "last"]
_DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
_START = 0  # RoBERTa's start token, with which the original filled up short texts


class PooledTransformer(nn.Module):
    """A transformer whose token features become one of the text."""

    def __init__(self, model: Any, pooling: Pooling) -> None:
        """Keep the model.

        Args:
            model: of transformers; the text side of one that has two.
            pooling: from token features to one.
        """
        super().__init__()
        self.model = model
        self.pooling = pooling
        self.width = int(model.config.get_text_config().hidden_size)

    def forward(self, tokens: Tensor, inside: Tensor) -> Tensor:
        """Embed texts.

        Args:
            tokens: (b, L), long, padded on the right.
            inside: (b, L), bool, which of them are the text's.

        Returns:
            (b, S), float32.
        """
        states = self.model(input_ids=tokens, attention_mask=inside.long()).last_hidden_state
        return pool(states.float(), inside, self.pooling)


def pool(states: Tensor, inside: Tensor, pooling: Pooling) -> Tensor:
    """One feature of each text.

    Args:
        states: (b, L, S).
        inside: (b, L), bool; a text's own positions come first.
        pooling: how.

    Returns:
        (b, S).
    """
    counts = inside.sum(dim=1).clamp(min=1)
    if pooling == "cls":
        return states[:, 0]
    if pooling == "last":
        return states[torch.arange(len(states), device=states.device), counts - 1]
    if pooling == "max":
        return states.masked_fill(~inside[:, :, None], -torch.inf).amax(dim=1).nan_to_num(neginf=0)
    return (states * inside[:, :, None]).sum(dim=1) / counts[:, None]


class HuggingFaceEncoder(TextEncoder):
    """A frozen transformer."""

    def __init__(self, spec: HuggingFaceSpec, tokenizer: Any, tower: PooledTransformer, device: Any) -> None:
        """Keep the model, see `HuggingFaceSpec`."""
        self.spec, self.tokenizer, self.tower, self.device = spec, tokenizer, tower, device
        self.width = tower.width
        self.length = min(spec.length, int(tokenizer.model_max_length))
        self.room = batch_for(device, spec.batch) * self.length

    @torch.inference_mode()
    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Features, (n, S)."""
        tokens = self._tokens(list(texts))
        features = torch.zeros(len(texts), self.width, device=self.device)
        lengths = [self.length if self.spec.average_padding else len(ids) for ids in tokens]
        for places in by_length(lengths, self.room):
            rows, inside = self._padded([tokens[place] for place in places])
            features[places] = self.tower(rows.to(self.device), inside.to(self.device))
        return np.asarray(features.cpu().numpy())

    def _tokens(self, texts: list[str]) -> list[list[int]]:
        """Tokens of each text, cut to the length; counts those that were cut."""

        def cut(some: list[str], length: int) -> list[list[int]]:
            return list(self.tokenizer(some, truncation=True, max_length=length)["input_ids"]) if some else []

        with quiet_transformers():
            tokens = cut(texts, self.length)
            # One token more room tells a text that fits exactly from one that was cut.
            full = [text for text, ids in zip(texts, tokens, strict=True) if len(ids) == self.length]
            self.truncated += sum(len(ids) > self.length for ids in cut(full, self.length + 1))
        return tokens

    def _padded(self, tokens: list[list[int]]) -> tuple[Tensor, Tensor]:
        """(b, L) tokens, and which positions count."""
        if self.spec.average_padding:
            rows = torch.full((len(tokens), self.length), _START)
        else:
            longest = max(1, *map(len, tokens))
            rows = torch.full((len(tokens), longest), int(self.tokenizer.pad_token_id or 0))
        lengths = torch.tensor([len(ids) for ids in tokens])
        inside = torch.arange(rows.shape[1]) < lengths[:, None]
        rows[inside] = torch.tensor([token for ids in tokens for token in ids], dtype=torch.long)
        return rows, inside | self.spec.average_padding


class HuggingFaceSpec(TextEncoderSpec):
    """A transformer of Hugging Face, from the hub or a folder. ProtoCLIP's teacher is roberta-large."""

    kind: Literal["huggingface"]
    name: str = Field("roberta-large", min_length=1)
    """A name on the hub, or a folder."""
    revision: str | None = None
    """Which version of it: a branch, tag or commit of the hub."""
    pooling: Pooling = "mean"
    """From token features to one: of the text's own tokens, padding left out."""
    average_padding: bool = False
    """Fill texts up to `length`, attend to the filling and average it in, as the original did."""
    length: int = Field(77, gt=1)
    """Longer texts are cut to so many tokens."""
    precision: Literal["fp32", "fp16", "bf16"] = "fp32"
    """In which type to compute."""
    batch: int | None = Field(None, gt=0)
    """Texts of full length encoded at a time; of shorter ones more, as many as take the same room. Empty:
    what suits the device."""

    @model_validator(mode="after")
    def _padding_is_averaged(self) -> HuggingFaceSpec:
        if self.average_padding and self.pooling != "mean":
            raise ValueError(f"average_padding does not go with pooling: {self.pooling}")
        return self

    def open(self, captions: Texts, *, seed: int, device: Any) -> HuggingFaceEncoder:  # noqa: ARG002
        """Load the model. Code that comes with it is never run.

        Raises:
            MissingExtra: transformers is not installed.
            RecipeError: there is no such model, or the device cannot compute so.
        """
        check_precision(self.precision, device)
        try:
            import transformers
        except ImportError:
            raise missing("transformers") from None
        source = {"revision": self.revision, "trust_remote_code": False}
        try:
            with quiet_transformers():
                tokenizer = transformers.AutoTokenizer.from_pretrained(self.name, **source)
                model = transformers.AutoModel.from_pretrained(self.name, **source)
        except (OSError, ValueError, ImportError) as error:
            raise no_model(self.name, error) from None
        tower = PooledTransformer(text_side(model), self.pooling)
        return HuggingFaceEncoder(
            self, tokenizer, tower.to(device, _DTYPES[self.precision]).eval().requires_grad_(False), device
        )


def text_side(model: Any) -> nn.Module:
    """What reads texts, of a model that also writes or sees."""
    if getattr(model.config, "is_encoder_decoder", False):
        return model.get_encoder()  # type: ignore[no-any-return]
    return getattr(model, "text_model", model)  # type: ignore[no-any-return]
