"""The model that trains: two towers and their heads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from types import MappingProxyType

import torch
from torch import Tensor, nn

from protoclip_cli.core.errors import RecipeError, UsageError
from protoclip_cli.core.types import Features, Modality
from protoclip_cli.models import adapt
from protoclip_cli.models.adapters import AdapterSpec
from protoclip_cli.models.evaluating import evaluating
from protoclip_cli.models.heads.base import HeadSpec
from protoclip_cli.models.towers import Towers

_NONE: Mapping[Modality, AdapterSpec] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Seen:
    """What a tower made of one view, before any head."""

    embedding: Tensor
    """(b, D), any length."""
    backbone: Tensor | None = None
    """(b, any width), what the tower had before its projection, where a head reads it."""


class DualEncoder(nn.Module):
    """Towers with named heads. Takes images as bytes and normalises them where the model is."""

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        towers: Towers,
        heads: Mapping[str, HeadSpec],
        adapters: Mapping[Modality, AdapterSpec] = _NONE,
    ) -> None:
        """Put heads behind towers and adapters into them.

        Args:
            towers: both.
            heads: by name; each tower gets one of its own.
            adapters: by side.

        Raises:
            RecipeError: a head reads a backbone that a tower does not have, or an adapter finds no place.
            MissingExtra: peft is not installed.
        """
        super().__init__()
        self.towers = towers
        self.head_specs = dict(heads)
        # "projection_head" is the name ProtoCLIP's decay rule knows them by.
        widths = _widths(towers, backbones=self.read_the_backbone(heads))
        self.image_projection_heads = self._heads(widths[Modality.IMAGE])
        self.text_projection_heads = self._heads(widths[Modality.TEXT])
        self._backbones_are_alike = len({tuple(each.values()) for each in widths.values()}) == 1
        self._start_equal()
        preprocess = towers.preprocess
        self.register_buffer("mean", torch.tensor(preprocess.mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(preprocess.std).view(3, 1, 1), persistent=False)
        self._channels_last = False
        self.adapter_specs = dict(adapters)
        frozen = [adapt.insert(towers, side, spec) for side, spec in adapters.items()]
        self._locked = frozenset(f"towers.{name}" for names in frozen for name in names)
        self._image, self._text = towers.image, towers.text

    def _heads(self, widths: Mapping[str, int]) -> nn.ModuleDict:
        return nn.ModuleDict({name: spec.build(widths[spec.of]) for name, spec in self.head_specs.items()})

    def _start_equal(self) -> None:
        """Give both heads of a name the same first weights, where their spec says so and they read alike."""
        for name, spec in self.head_specs.items():
            if spec.shared_start and (spec.of == "embedding" or self._backbones_are_alike):
                start = self.image_projection_heads[name].state_dict()
                self.text_projection_heads[name].load_state_dict(start)

    def forward(self, modality: Modality, view: Tensor, heads: Iterable[str] = ()) -> Features:
        """Features of one view.

        Args:
            modality: which tower.
            view: (b, 3, H, W) uint8, or (b, L) long.
            heads: names of the heads to run.
        """
        names = list(heads)
        return self.run_heads(modality, self.run_tower(modality, view, names), names)

    def run_tower(self, modality: Modality, view: Tensor, heads: Iterable[str] = ()) -> Seen:
        """What a tower makes of one view, for heads to read.

        Args:
            modality: which tower.
            view: (b, 3, H, W) uint8, or (b, L) long.
            heads: names of the heads that will read it.
        """
        image = modality is Modality.IMAGE
        given = self._normalise(view) if image else view
        if self.read_the_backbone(heads):
            parts = self.towers.image_parts(given) if image else self.towers.text_parts(given)
            return Seen(parts[1], parts[0])
        return Seen(self._image(given) if image else self._text(given))

    def run_with_next_tokens(self, pixels: Tensor, tokens: Tensor) -> tuple[Seen, Seen, Tensor, Tensor]:
        """What both towers make of a view of each side, and what the model says of each next token.

        Args:
            pixels: (b, 3, H, W) uint8.
            tokens: (b, L) long.

        Returns:
            Of images and of texts; logits (b, L, V); the tokens they speak of (b, L), -100 where of none.
        """
        image, text, logits, targets = self.towers.with_next_tokens(self._normalise(pixels), tokens)
        return Seen(image), Seen(text), logits, targets

    def run_heads(self, modality: Modality, seen: Seen, heads: Iterable[str]) -> Features:
        """The features of a view: what its tower made of it, and the projections of some heads."""
        own = self.image_projection_heads if modality is Modality.IMAGE else self.text_projection_heads

        def read_by(spec: HeadSpec) -> Tensor:
            rows = seen.embedding if spec.of == "embedding" else seen.backbone
            assert rows is not None
            return rows.detach() if modality in spec.detach else rows

        return Features(seen.embedding, {name: own[name](read_by(self.head_specs[name])) for name in heads})

    def read_the_backbone(self, heads: Iterable[str]) -> bool:
        """Whether one of these heads does."""
        return any(self.head_specs[name].of == "backbone" for name in heads)

    def backbone(self, view: Tensor) -> Tensor:
        """Features of images before the projection into the shared space: (b, 3, H, W) uint8 to (b, W).

        Raises:
            DataError: the image tower is not made that way.
        """
        return self.towers.backbone(self._normalise(view))

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

    def merge_adapters(self) -> bool:
        """Let the towers' plain weights take up what adapters have learned. False: there are none.

        Raises:
            UsageError: one is of a kind that plain weights cannot express.
        """
        merged = bool(self.adapter_specs)
        if why := adapt.merge(self.towers, self.adapter_specs):
            raise UsageError(why, hint="lora, ia3, loha and lokr can be; checkpoints hold all adapters")
        self.adapter_specs.clear()
        return merged

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


@torch.no_grad()
def _widths(towers: Towers, *, backbones: bool) -> dict[Modality, dict[str, int]]:
    """What heads of each tower may read, and how wide it is. Backbones are measured."""
    widths = {side: {"embedding": towers.width} for side in Modality}
    if not backbones:
        return widths
    size, some = towers.preprocess.size, next(towers.parameters())
    with evaluating(towers):
        image, _ = towers.image_parts(torch.zeros(2, 3, size, size, dtype=some.dtype, device=some.device))
        text, _ = towers.text_parts(towers.tokenizer(["", ""]).to(some.device))
    widths[Modality.IMAGE]["backbone"], widths[Modality.TEXT]["backbone"] = image.shape[1], text.shape[1]
    return widths


def _some_of(names: list[str]) -> list[str]:
    """The first, the middle and the last."""
    return list(dict.fromkeys([names[0], names[len(names) // 2], names[-1]]))
