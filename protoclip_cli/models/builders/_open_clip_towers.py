"""open_clip's dual encoders as towers."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

from torch import Tensor, nn
from torch.func import functional_call

from protoclip_cli.core.errors import DataError, RecipeError
from protoclip_cli.core.types import Modality, Preprocess
from protoclip_cli.models.builders._open_clip_projection import (
    without_projection,
    without_text_projection,
)
from protoclip_cli.models.builders._open_clip_recompute import checkpoint_gradients
from protoclip_cli.models.by_length import by_length
from protoclip_cli.models.towers import READ_THE_EMBEDDING, Description, Tokenizer, Towers

# Of a vision transformer, a residual network and timm; of open_clip's text towers and those of transformers.
_PROJECTIONS = (
    *("clip.visual.proj", "clip.visual.attnpool.c_proj.", "clip.visual.head."),
    *("clip.text_projection", "clip.text.text_projection", "clip.text.proj.", "clip.logit_"),
)


class OpenClipTowers(Towers):
    """An open_clip model. Its parameters keep open_clip's names below `clip`."""

    def __init__(
        self, clip: nn.Module, model_cfg: dict[str, Any], tokenizer: Tokenizer, *, weights: bool
    ) -> None:
        super().__init__()
        self.clip = clip
        preprocess = dict(clip.visual.preprocess_cfg)  # type: ignore[union-attr, arg-type]
        self.preprocess = _preprocess(preprocess)
        config = {"model_cfg": model_cfg, "preprocess_cfg": preprocess}
        self.description = Description("open_clip", json.loads(json.dumps(config)))
        self.width = int(model_cfg["embed_dim"])
        self.tokenizer = tokenizer
        self._weights = weights
        self.pad = int(tokenizer([""])[0, -1])
        self.short_texts = _is_causal(model_cfg["text_cfg"])

    def image(self, pixels: Tensor) -> Tensor:
        """Embed images."""
        return self.clip.encode_image(pixels, normalize=False)  # type: ignore[operator, no-any-return]

    def backbone(self, pixels: Tensor) -> Tensor:
        """Features of images before the projection."""
        with without_projection(self.clip.visual):
            return self.image(pixels)

    def image_parts(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Features of images before the projection, and the embeddings."""
        try:
            with without_projection(self.clip.visual) as project:
                features = self.image(pixels)
        except DataError as error:
            raise RecipeError(str(error), hint=READ_THE_EMBEDDING) from None
        return features, project(features)

    def text_parts(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Features of texts before the projection, and the embeddings."""
        try:
            with without_text_projection(self.clip) as project:
                features = self.text(tokens)
        except DataError as error:
            raise RecipeError(str(error), hint=READ_THE_EMBEDDING) from None
        return features, project(features)

    def text(self, tokens: Tensor) -> Tensor:
        """Embed texts."""
        return by_length(self._text, tokens, self.pad) if self.short_texts else self._text(tokens)

    def _text(self, tokens: Tensor) -> Tensor:
        if tokens.shape[1] == self.tokenizer.context_length or not self.short_texts:
            return self.clip.encode_text(tokens, normalize=False)  # type: ignore[operator, no-any-return]
        # open_clip adds all positions and masks the whole context; lend it the first ones only.
        length = tokens.shape[1]
        side: Any = getattr(self.clip, "text", self.clip)
        prefix = "clip." if side is self.clip else "clip.text."
        lent = {
            f"{prefix}positional_embedding": side.positional_embedding[:length],
            f"{prefix}attn_mask": side.attn_mask[:length, :length],
        }
        return functional_call(_EncodeText(self.clip), lent, (tokens,))  # type: ignore[no-any-return]

    def is_image(self, name: str) -> bool:
        """Whether a name belongs to the image tower."""
        return name.startswith("clip.visual")

    def is_projection(self, name: str) -> bool:
        """Whether a parameter is of what ends a tower, or of neither tower: the model's own scale."""
        return name.startswith(_PROJECTIONS)

    def own_name(self, name: str) -> str:
        """A name as open_clip has it."""
        return name.removeprefix("clip.")

    def locked(self, modality: Modality, unlocked_groups: int) -> frozenset[str]:
        """Names of parameters, by open_clip's own groups; by stages for its residual networks."""
        if modality is Modality.IMAGE and hasattr(self.clip.visual, "attnpool"):
            stages = ("layer1", "layer2", "layer3", "layer4", "attnpool")
            learn = tuple(f"clip.visual.{s}." for s in stages[max(len(stages) - unlocked_groups, 0) :])
            if unlocked_groups > len(stages):
                learn = ("clip.visual.",)
            own = (name for name, _ in self.named_parameters() if self.is_image(name))
            return frozenset(name for name in own if not name.startswith(learn or ("-",)))
        clip: Any = deepcopy(self.clip)
        clip.requires_grad_(True)
        try:
            lock = clip.lock_image_tower if modality is Modality.IMAGE else clip.lock_text_tower
            lock(unlocked_groups)
        except (AssertionError, NotImplementedError, AttributeError):
            raise RecipeError(
                f"open_clip cannot lock this {modality.value} tower but for {unlocked_groups} groups",
                hint=f"set towers.{modality.value}.unlocked_groups: 0",
            ) from None
        return frozenset(f"clip.{name}" for name, p in clip.named_parameters() if not p.requires_grad)

    @property
    def scale(self) -> Tensor | None:
        """The model's own log-scale, if it came with weights."""
        return self.clip.logit_scale.detach() if self._weights else None  # type: ignore[operator]

    def set_scale(self, log_scale: Tensor) -> None:
        """Write `logit_scale`."""
        target: Tensor = self.clip.logit_scale.data  # type: ignore[assignment]
        target.copy_(log_scale.detach().reshape(target.shape))

    def checkpoint_gradients(self) -> None:
        """Compute activations again in the backward pass."""
        checkpoint_gradients(self.clip)


class _EncodeText(nn.Module):
    """`encode_text` as a forward, which is what `functional_call` can call."""

    def __init__(self, clip: nn.Module) -> None:
        super().__init__()
        self.clip = clip

    def forward(self, tokens: Tensor) -> Tensor:
        return self.clip.encode_text(tokens, normalize=False)  # type: ignore[operator, no-any-return]


def _preprocess(fields: dict[str, Any]) -> Preprocess:
    size = fields["size"]
    side, *others = [size] if isinstance(size, int) else size
    if any(other != side for other in others):
        raise RecipeError(
            f"the model wants images of {size} pixels", hint="protoclip reads square images only"
        )
    return Preprocess(
        size=int(side),
        mean=tuple(fields["mean"]),
        std=tuple(fields["std"]),
        interpolation=fields.get("interpolation", "bicubic"),
        resize_mode=fields.get("resize_mode", "shortest"),
        fill_color=int(fields.get("fill_color", 0)),
    )


def _is_causal(text: dict[str, Any]) -> bool:
    """Whether tokens after a text's end cannot reach its feature, so that padding may be left out."""
    plain = not text.get("hf_model_name") and not text.get("no_causal_mask") and not text.get("embed_cls")
    return plain and text.get("pool_type", "argmax") in {"argmax", "eos"}
