"""Text towers of open_clip's dual encoders, with their projections."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from protoclip_cli.models.builders._open_clip_towers import OpenClipTowers
from protoclip_cli.models.builders.open_clip import OpenClipSpec
from protoclip_cli.models.text_towers.base import TextTower, TextTowerSpec


class OpenClipText(nn.Module):
    """The text tower of an open_clip model."""

    def __init__(self, towers: OpenClipTowers) -> None:
        """Take the text tower; the image tower and the scale are given up."""
        super().__init__()
        self.towers = towers
        for name in ("visual", "logit_scale", "logit_bias", "text_decoder"):
            if hasattr(towers.clip, name):
                delattr(towers.clip, name)

    def forward(self, tokens: Tensor) -> Tensor:
        """Embed texts: (b, L) to (b, D)."""
        return self.towers.text(tokens)

    def checkpoint_gradients(self) -> None:
        """Switch open_clip's gradient checkpointing on."""
        side: Any = getattr(self.towers.clip, "text", self.towers.clip)
        getattr(side, "transformer", side).grad_checkpointing = True


class OpenClipTextTowerSpec(TextTowerSpec):
    """The text tower of an open_clip model."""

    kind: Literal["open_clip"]
    name: str = Field(min_length=1)
    """As in `model.name`: an architecture, a JSON file, or `local-dir:PATH`."""
    pretrained: str | None = None
    """As in `model.pretrained`: a tag, a file or a folder. Left out: weights are left to chance."""
    can_use_vocabulary: ClassVar[bool] = True

    def build(self) -> TextTower:
        """See `TextTowerSpec`."""
        towers = OpenClipSpec(kind="open_clip", name=self.name, pretrained=self.pretrained).build()
        return _tower(towers, towers.notes)

    @staticmethod
    def rebuild(described: dict[str, Any]) -> TextTower:
        """See `TextTowerSpec`."""
        return _tower(OpenClipSpec.rebuild(described["config"]))


def _tower(towers: Any, notes: tuple[str, ...] = ()) -> TextTower:
    assert isinstance(towers, OpenClipTowers)
    described = {"kind": "open_clip", "config": towers.description.config}
    about = (towers.width, towers.tokenizer, towers.pad, towers.short_texts)
    return TextTower(OpenClipText(towers), *about, described, notes)
