"""A file with OpenAI's names, for `clip.load`, `open_clip.load_openai_model` and what builds on them.

OpenAI's loader works the architecture out from shapes and takes the rest for granted: QuickGELU, attention
heads that are 64 wide, OpenAI's mean and deviation of pixels. A model that differs would load and be silently
wrong.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from PIL.Image import Image
from torch import Tensor

from protoclip_cli.core.types import Modality, Preprocess
from protoclip_cli.models.builders import BUILDERS
from protoclip_cli.models.dual_encoder import DualEncoder
from protoclip_cli.models.saved import put_weights
from protoclip_cli.models.state_file import read_state
from protoclip_cli.sharing.export._clip_tokenizer import is_clip_tokenizer
from protoclip_cli.sharing.export._openai_kind import architecture_of, departures, flat_names
from protoclip_cli.sharing.export.base import ExportSpec, Reader, model_cfg
from protoclip_cli.sharing.export.open_clip import heads_left_out, towers_of
from protoclip_cli.sharing.same_features import pixels_of

WEIGHTS, ARCHITECTURE = "model.pt", "architecture.json"
_ASIDE = ("input_resolution", "context_length", "vocab_size")


class OpenaiExport(ExportSpec):
    """A state dict under OpenAI's names."""

    kind: Literal["openai"] = "openai"
    library: ClassVar[str] = "clip"

    def refusal(self, model: DualEncoder) -> str | None:
        """What OpenAI's loader would build as it is, from the shapes alone."""
        config = model_cfg(model)
        if config is None:
            return "the towers are not open_clip's"
        preprocess, usual = model.towers.preprocess, Preprocess(1)
        if (preprocess.mean, preprocess.std) != (usual.mean, usual.std):
            return "OpenAI's loader normalises pixels with OpenAI's mean and deviation only"
        return _unlike_openai(model, config)

    def write(self, model: DualEncoder, folder: Path) -> list[str]:
        """Write the state dict, and the architecture for those who need to be told."""
        state = {name: tensor.clone() for name, tensor in flat_names(towers_of(model)).items()}
        told = architecture_of(state)
        text = told["text_cfg"]
        numbers = (told["vision_cfg"]["image_size"], text["context_length"], text["vocab_size"])
        aside = {name: torch.tensor(number) for name, number in zip(_ASIDE, numbers, strict=True)}
        torch.save(state | aside, folder / WEIGHTS)
        (folder / ARCHITECTURE).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
        rounding = "OpenAI's own loader rounds weights to half precision; protoclip and open_clip do not"
        return [*heads_left_out(model), rounding]

    def read(self, model: DualEncoder, folder: Path) -> Reader:
        """Build the model from the shapes in the file, as OpenAI's loader does."""
        state = read_state(folder / WEIGHTS)
        for name in _ASIDE:
            del state[name]
        towers = BUILDERS.spec("open_clip").rebuild({"model_cfg": architecture_of(state)})
        again = DualEncoder(towers, {}).eval()
        put_weights(again, state)

        def images(some: Sequence[Image]) -> Tensor:
            return again(Modality.IMAGE, pixels_of(some)).embedding  # type: ignore[no-any-return]

        def texts(some: Sequence[str]) -> Tensor:
            return again(Modality.TEXT, model.towers.tokenizer(list(some))).embedding  # type: ignore[no-any-return]

        return Reader(images, texts)

    def usage(self, place: str) -> str:
        """OpenAI's own package."""
        return f'import clip\n\nmodel, preprocess = clip.load("{place}/{WEIGHTS}")\n'


def _unlike_openai(model: DualEncoder, config: dict[str, Any]) -> str | None:
    if "timm_model_name" in config["vision_cfg"]:
        return "OpenAI's CLIP has no image tower of timm"
    if odd := departures(config):
        return f"OpenAI's CLIP has no {odd[0]}"
    if not config.get("quick_gelu"):
        return "OpenAI's loader always uses QuickGELU, and this model was trained with plain GELU"
    if not is_clip_tokenizer(model):
        return "its tokenizer is not CLIP's"
    return _told_wrongly(config, architecture_of(flat_names(towers_of(model))))


def _told_wrongly(config: dict[str, Any], told: dict[str, Any]) -> str | None:
    """What OpenAI's loader would take for something else."""
    from open_clip.model import CLIPTextCfg, CLIPVisionCfg

    sizes = {"vision_cfg": ("head_width", "mlp_ratio", "image_size"), "text_cfg": ("heads", "mlp_ratio")}
    for part, cls in (("vision_cfg", CLIPVisionCfg), ("text_cfg", CLIPTextCfg)):
        true, guess = cls(**config[part]), cls(**told[part])
        for name in sizes[part]:
            if (real := getattr(true, name)) != (taken := getattr(guess, name)):
                return f"OpenAI's loader would take {part}.{name} for {taken}, and it is {real}"
    return None
