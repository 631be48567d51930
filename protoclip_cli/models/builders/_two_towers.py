"""Two towers that do not know each other."""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import Tensor, nn

from protoclip_cli.core.errors import RecipeError
from protoclip_cli.core.types import Modality
from protoclip_cli.models.image_encoders.base import ImageEncoder
from protoclip_cli.models.stages import stages
from protoclip_cli.models.text_towers.base import TextTower
from protoclip_cli.models.towers import Description, Towers

_IMAGE, _TEXT = ("image_tower", "image_projection"), ("text_tower", "text_projection")


class TwoTowers(Towers):
    """An image tower and a text tower with a projection each."""

    scale = None

    def __init__(
        self, image: ImageEncoder, text: TextTower, dim: int | None, description: Description
    ) -> None:
        """Put the towers together.

        Args:
            image: with the preprocessing of both.
            text: with the tokenizer.
            dim: D; None: the width of both towers.
            description: of the two.

        Raises:
            RecipeError: without a projection, widths that do not meet.
        """
        super().__init__()
        width = image.measure()
        if dim is None and width != text.width:
            raise RecipeError(
                f"tower widths that do not meet: {width} of the image tower, {text.width} of the text tower",
                hint=f"set model.dim, for example to {min(width, text.width)}, for a projection of each",
            )
        self.width = dim or width
        self.image_tower, self.text_tower = image.module, text.module
        self.image_projection = _projection(width, dim)
        self.text_projection = _projection(text.width, dim)
        self.description, self.preprocess = description, image.preprocess
        self.tokenizer, self.pad, self.short_texts = text.tokenizer, text.pad, text.short_texts

    def image(self, pixels: Tensor) -> Tensor:
        """Embed images."""
        return self.image_projection(self.backbone(pixels))  # type: ignore[no-any-return]

    def text(self, tokens: Tensor) -> Tensor:
        """Embed texts."""
        return self.text_projection(self.text_backbone(tokens))  # type: ignore[no-any-return]

    def backbone(self, pixels: Tensor) -> Tensor:
        """Features of images before the projection."""
        return self.image_tower(pixels)  # type: ignore[no-any-return]

    def text_backbone(self, tokens: Tensor) -> Tensor:
        """Features of texts before the projection."""
        return self.text_tower(tokens)  # type: ignore[no-any-return]

    def image_parts(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Features of images before the projection, and behind it."""
        backbone = self.backbone(pixels)
        return backbone, self.image_projection(backbone)

    def text_parts(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Features of texts before the projection, and behind it."""
        backbone = self.text_backbone(tokens)
        return backbone, self.text_projection(backbone)

    def is_projection(self, name: str) -> bool:
        """Whether a parameter is of what ends a tower."""
        return name.partition(".")[0] in {_IMAGE[1], _TEXT[1]}

    def is_image(self, name: str) -> bool:
        """Whether a name belongs to the image tower."""
        return name.partition(".")[0] in _IMAGE

    def own_name(self, name: str) -> str:
        """A name as the tower's library has it; those of projections stay."""
        return name.removeprefix(f"{_IMAGE[0]}.").removeprefix(f"{_TEXT[0]}.")

    def locked(self, modality: Modality, unlocked_groups: int) -> frozenset[str]:
        """Names of parameters, by the stages of a tower and its projection as the last of them."""
        tower, projection = _IMAGE if modality is Modality.IMAGE else _TEXT
        groups = [[f"{tower}.{name}" for name in group] for group in stages(self.get_submodule(tower))]
        if last := [f"{projection}.{name}" for name, _ in self.get_submodule(projection).named_parameters()]:
            groups.append(last)
        if unlocked_groups > len(groups):
            side = modality.value
            raise RecipeError(
                f"{unlocked_groups} groups of layers are to learn, and the {side} tower has {len(groups)}",
                hint=f"set towers.{side}.unlocked_groups to {len(groups)} at most",
            )
        return frozenset(name for group in groups[: len(groups) - unlocked_groups] for name in group)

    def set_scale(self, log_scale: Tensor) -> None:
        """There is no library whose code would look for it."""

    def checkpoint_gradients(self) -> None:
        """Switch the gradient checkpointing of both libraries on.

        Raises:
            RecipeError: one has none.
        """
        for tower in (self.image_tower, self.text_tower):
            switch = _checkpointing(tower)
            if switch is None:
                raise RecipeError(
                    f"{type(tower).__name__} has no gradient checkpointing",
                    hint="set compute.grad_checkpointing: false, or take a tower of timm or huggingface",
                )
            switch()


def _projection(width: int, dim: int | None) -> nn.Module:
    """A linear map that keeps lengths on average, as CLIP's: (b, width) to (b, D)."""
    if dim is None:
        return nn.Identity()
    projection = nn.Linear(width, dim, bias=False)
    nn.init.normal_(projection.weight, std=width**-0.5)
    return projection


def _checkpointing(tower: nn.Module) -> Any:
    """What switches it on, whatever a library calls it."""
    inner: Any = getattr(tower, "model", tower)
    for verb in ("activation", "gradient"):  # transformers had it by the second name until its version 5
        if switch := getattr(inner, f"{verb}_checkpointing_enable", None):
            return partial(switch, **{f"{verb}_checkpointing_kwargs": {"use_reentrant": False}})
    if hasattr(tower, "checkpoint_gradients"):
        return tower.checkpoint_gradients
    return getattr(tower, "set_grad_checkpointing", None)
