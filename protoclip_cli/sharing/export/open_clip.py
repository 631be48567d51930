"""A folder for open_clip: `create_model_and_transforms("local-dir:FOLDER")`, and all that builds on it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from PIL.Image import Image
from torch import Tensor

from protoclip_cli.core.quiet import quiet
from protoclip_cli.models.dual_encoder import DualEncoder
from protoclip_cli.models.saved import weights_of
from protoclip_cli.sharing.export.base import ExportSpec, Reader, model_cfg

CONFIG, WEIGHTS = "open_clip_config.json", "open_clip_model.safetensors"


class OpenClipExport(ExportSpec):
    """A folder of open_clip: architecture with its activation, preprocessing, tokenizer, weights."""

    kind: Literal["open_clip"] = "open_clip"
    library: ClassVar[str] = "open_clip"

    def refusal(self, model: DualEncoder) -> str | None:
        """Models of open_clip only."""
        return None if model_cfg(model) else "the towers are not open_clip's"

    def write(self, model: DualEncoder, folder: Path) -> list[str]:
        """Write configuration, weights, and a tokenizer that is not open_clip's own."""
        description = model.towers.description.config
        content = {key: description[key] for key in ("model_cfg", "preprocess_cfg")}
        (folder / CONFIG).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        save_towers(model, folder / WEIGHTS)
        tokenizer: Any = getattr(model.towers.tokenizer, "tokenizer", None)
        if tokenizer is not None:
            tokenizer.save_pretrained(folder)
        return heads_left_out(model)

    def read(self, model: DualEncoder, folder: Path) -> Reader:  # noqa: ARG002
        """Let open_clip load the folder."""
        import open_clip

        name = f"local-dir:{folder}"
        with quiet():
            theirs, _, preprocess = open_clip.create_model_and_transforms(name)
            tokenizer = open_clip.get_tokenizer(name)
        theirs.eval()

        def images(some: Sequence[Image]) -> Tensor:
            return theirs.encode_image(torch.stack([preprocess(image) for image in some]))  # type: ignore[no-any-return]

        return Reader(images, lambda texts: theirs.encode_text(tokenizer(list(texts))))

    def usage(self, place: str) -> str:
        """Both calls that open_clip needs."""
        return (
            "import open_clip\n\n"
            f'model, _, preprocess = open_clip.create_model_and_transforms("local-dir:{place}")\n'
            f'tokenizer = open_clip.get_tokenizer("local-dir:{place}")\n'
        )


def towers_of(model: DualEncoder) -> dict[str, Tensor]:
    """The weights of the towers, without heads, under open_clip's names."""
    heads = ("image_projection_heads.", "text_projection_heads.")
    return {name: tensor for name, tensor in weights_of(model).items() if not name.startswith(heads)}


def save_towers(model: DualEncoder, path: Path) -> None:
    """Write the weights of the towers."""
    from safetensors.torch import save_file

    save_file({name: tensor.clone() for name, tensor in towers_of(model).items()}, path, {"format": "pt"})


def heads_left_out(model: DualEncoder) -> list[str]:
    """What to say of heads, for which other tools have no place."""
    if not model.head_specs:
        return []
    return [f"heads are left out ({', '.join(model.head_specs)}); --to safetensors keeps them"]
