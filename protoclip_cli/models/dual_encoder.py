"""The model that trains: two towers and their heads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

import torch
from torch import Tensor, nn

from protoclip_cli.core.errors import RecipeError
from protoclip_cli.core.types import Features, Modality
from protoclip_cli.models.heads.base import HeadSpec
from protoclip_cli.models.towers import Towers


class DualEncoder(nn.Module):
    """Towers with named heads. Takes images as bytes and normalises them where the model is."""

    mean: Tensor
    std: Tensor

    def __init__(self, towers: Towers, heads: Mapping[str, HeadSpec]) -> None:
        super().__init__()
        self.towers = towers
        self.head_specs = dict(heads)
        # "projection_head" is the name ProtoCLIP's decay rule knows them by.
        self.image_projection_heads = self._heads()
        self.text_projection_heads = self._heads()
        self._start_equal()
        preprocess = towers.preprocess
        self.register_buffer("mean", torch.tensor(preprocess.mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(preprocess.std).view(3, 1, 1), persistent=False)
        self._channels_last = False
        self._locked: frozenset[str] = frozenset()
        self._image, self._text = towers.image, towers.text

    def _heads(self) -> nn.ModuleDict:
        return nn.ModuleDict({name: spec.build(self.towers.width) for name, spec in self.head_specs.items()})

    def _start_equal(self) -> None:
        """Give both heads of a name the same first weights, where their spec says so."""
        for name, spec in self.head_specs.items():
            if spec.shared_start:
                start = self.image_projection_heads[name].state_dict()
                self.text_projection_heads[name].load_state_dict(start)

    def forward(self, modality: Modality, view: Tensor, heads: Iterable[str] = ()) -> Features:
        """Features of one view.

        Args:
            modality: which tower.
            view: (b, 3, H, W) uint8, or (b, L) long.
            heads: names of the heads to run.
        """
        if modality is Modality.IMAGE:
            embedding, projections = self._image(self._normalise(view)), self.image_projection_heads
        else:
            embedding, projections = self._text(view), self.text_projection_heads
        return Features(embedding, {name: projections[name](embedding) for name in heads})

    def backbone(self, view: Tensor) -> Tensor:
        """Features of images before the projection into the shared space: (b, 3, H, W) uint8 to (b, W).

        Raises:
            DataError: the image tower is not made that way.
        """
        return self.towers.backbone(self._normalise(view))

    def project(self, modality: Modality, embedding: Tensor, head: str) -> Tensor:
        """The projection of embeddings by a head: (b, D) to (b, P)."""
        heads = self.image_projection_heads if modality is Modality.IMAGE else self.text_projection_heads
        projected: Tensor = heads[head](embedding)
        return projected

    def _normalise(self, pixels: Tensor) -> Tensor:
        normal = (pixels.to(self.mean.dtype) / 255 - self.mean) / self.std
        return normal.contiguous(memory_format=torch.channels_last) if self._channels_last else normal

    def prefer_channels_last(self) -> None:
        """Keep images and weights in the layout that tensor cores read fastest."""
        self._channels_last = True
        self.to(memory_format=torch.channels_last)

    def compile_towers(self) -> None:
        """Compile the towers, and nothing else."""
        self._image, self._text = torch.compile(self.towers.image), torch.compile(self.towers.text)

    def modality_of(self, name: str) -> Modality:
        """Which side a parameter or module belongs to."""
        owner, _, rest = name.partition(".")
        if owner == "towers":
            return Modality.IMAGE if self.towers.is_image(rest) else Modality.TEXT
        return Modality.IMAGE if owner.startswith("image") else Modality.TEXT

    def lock(self, modality: Modality, unlocked_groups: int) -> None:
        """Let a tower never learn, but for its last groups of layers.

        Raises:
            RecipeError: the tower has no such groups.
        """
        locked = self.towers.locked(modality, unlocked_groups)
        self._locked |= frozenset(f"towers.{name}" for name in locked)

    def freeze(self, modality: Modality, patterns: Iterable[str]) -> None:
        """Let parameters of a tower never learn by their names; later patterns win over earlier ones.

        Args:
            modality: whose tower. Heads are not part of it.
            patterns: with `*` and `?`; one that begins with `!` lets learn again, also what `lock` has taken.

        Raises:
            RecipeError: a pattern is no parameter's.
        """
        own = {
            name: self.towers.own_name(name.removeprefix("towers."))
            for name, _ in self.named_parameters()
            if name.startswith("towers.") and self.modality_of(name) is modality
        }
        for pattern in patterns:
            met = {name for name, called in own.items() if fnmatchcase(called, pattern.removeprefix("!"))}
            if not met:
                raise RecipeError(
                    f"towers.{modality.value}.frozen: '{pattern}' is no parameter of the tower",
                    hint=f"names are like {', '.join(_some_of(list(own.values())))}; * stands for anything",
                )
            self._locked = self._locked - met if pattern.startswith("!") else self._locked | met

    def set_learning(self, modality: Modality, learning: bool) -> None:
        """Let a side learn, or freeze it: no gradients, and its norms as in evaluation."""
        for name, parameter in self.named_parameters():
            if self.modality_of(name) is modality:
                learns = learning and name not in self._locked
                parameter.requires_grad_(learns and not name.endswith(("logit_scale", "logit_bias")))
        for name, module in self.named_modules():
            if name and self.modality_of(name) is modality:
                module.training = learning and not self._is_locked(name)

    def _is_locked(self, module: str) -> bool:
        """Whether nothing in a module learns; one without parameters is as the module it belongs to."""
        if not self._locked:
            return False
        while module:
            inside = [name for name, _ in self.get_submodule(module).named_parameters(prefix=module)]
            if inside:
                return self._locked.issuperset(inside)
            module = module.rpartition(".")[0]
        return False


def _some_of(names: list[str]) -> list[str]:
    """The first, the middle and the last."""
    return list(dict.fromkeys([names[0], names[len(names) // 2], names[-1]]))
