"""Text encoders of the sentence-transformers library that are a transformer and a pooling."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import Field

from protoclip_cli.core.errors import MissingExtra, RecipeError
from protoclip_cli.models.from_transformers import quiet_transformers
from protoclip_cli.models.text_encoder import no_model
from protoclip_cli.models.text_towers._tokens import tokenizer_of
from protoclip_cli.models.text_towers.base import TextTower, TextTowerSpec
from protoclip_cli.models.text_towers.huggingface import HuggingFaceTextSpec, tower_of

_POOLINGS = {"mean": "mean", "cls": "cls", "max": "max", "lasttoken": "last"}


class SentenceTransformersTowerSpec(TextTowerSpec):
    """A sentence encoder of sentence-transformers, from the hub or a folder, with weights and pooling.

    Its last step to unit length is left out: objectives give features unit length where they need it.
    """

    kind: Literal["sentence_transformers"]
    name: str = Field("all-mpnet-base-v2", min_length=1)
    """A name on the hub, or a folder."""
    revision: str | None = None
    """Which version of it: a branch, tag or commit of the hub."""
    length: int = Field(77, gt=2)
    """Longer texts are cut to so many tokens, or to as many as the encoder takes."""

    def build(self) -> TextTower:
        """See `TextTowerSpec`. Code that comes with a model is never run."""
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError:
            raise MissingExtra(
                "this tower needs the package sentence-transformers", hint="pip install 'protoclip[teachers]'"
            ) from None
        try:
            with quiet_transformers():
                encoder = SentenceTransformer(
                    self.name, device="cpu", revision=self.revision, trust_remote_code=False
                )
        except (OSError, ValueError, ImportError) as error:
            raise no_model(self.name, error) from None
        model = encoder[0].auto_model.float()
        length = min(self.length, int(encoder.max_seq_length or self.length))
        tokenizer = tokenizer_of(encoder.tokenizer, length, self.name)
        described = {
            "kind": "huggingface",
            "config": json.loads(model.config.to_json_string(use_diff=False)),
            "pooling": self._pooling(encoder),
            "fill": int(encoder.tokenizer.pad_token_id or 0),
            "length": length,
            "tokenizer": tokenizer.content,
        }
        return tower_of(model, described, tokenizer)

    def _pooling(self, encoder: Any) -> str:
        parts = [type(part).__name__ for part in encoder]
        if parts[:2] == ["Transformer", "Pooling"] and set(parts[2:]) <= {"Normalize"}:
            mode = encoder[1].pooling_mode
            if mode in _POOLINGS:
                return _POOLINGS[mode]
            parts[1] = f"Pooling by {mode}"
        raise RecipeError(
            f"{self.name} is made of {', '.join(parts)}, and only a transformer with a pooling can train",
            hint=f"poolings: {', '.join(_POOLINGS)}; any encoder can be a `teacher`",
        )

    @staticmethod
    def rebuild(described: dict[str, Any]) -> TextTower:
        """See `TextTowerSpec`; what was built is described as a tower of transformers."""
        return HuggingFaceTextSpec.rebuild(described)
