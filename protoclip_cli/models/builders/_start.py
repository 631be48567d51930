"""Weights from a file or folder that a model starts from, whoever has written it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from protoclip_cli.core.errors import DataError
from protoclip_cli.models.original_names import is_of_protoclip, our_names, split_heads
from protoclip_cli.models.state_file import read_file, tensors_of, without_prefix

_IN_A_FOLDER = (
    "open_clip_model.safetensors",
    "model.safetensors",
    "model.pt",
    "checkpoints/last/model.safetensors",
)
_DESCRIPTIONS = ("open_clip_config.json", "model.json", "architecture.json")


@dataclass(frozen=True, slots=True)
class Start:
    """What was found."""

    towers: Mapping[str, Tensor]
    """Under open_clip's names."""
    heads: Mapping[str, Tensor]
    """Under the names of a dual encoder; empty where the file has none."""
    quick_gelu: bool | None
    """The activation the weights were trained with; None: nobody says."""


def read_start(path: Path) -> Start:
    """Read weights. Nothing in the file is run.

    Args:
        path: a file of open_clip, OpenAI, ProtoCLIP or protoclip; or a run, a checkpoint or an export.

    Raises:
        DataError: there are none, or they are damaged.
    """
    file = _file_in(path) if path.is_dir() else path
    state = without_prefix(tensors_of(read_file(file)))
    if not state:
        raise DataError(f"{file} holds no weights")
    if any(".base_layer." in name for name in state):
        raise DataError(
            f"{file} has adapters beside its weights",
            hint="merge them by `protoclip export`, and start from the export",
        )
    towers, heads = split_heads(our_names(state))
    return Start(towers, heads, True if is_of_protoclip(state) else _told_beside(file))


def _file_in(folder: Path) -> Path:
    for name in _IN_A_FOLDER:
        if (folder / name).is_file():
            return folder / name
    raise DataError(
        f"{folder} has no weights in it", hint="name a run with a checkpoint, an exported folder or a file"
    )


def _told_beside(file: Path) -> bool | None:
    """What the description in a file's folder says of the activation."""
    for name in _DESCRIPTIONS:
        try:
            content = json.loads((file.parent / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(content, dict) and isinstance(config := content.get("model_cfg", content), dict):
            return bool(config.get("quick_gelu")) if "vision_cfg" in config else None
    return None
