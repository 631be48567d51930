"""A folder that open_clip can load, such as an exported model."""

from __future__ import annotations

from pathlib import Path

from protoclip_cli.evaluation.subjects.base import Subject
from protoclip_cli.models.builders import BUILDERS
from protoclip_cli.models.dual_encoder import DualEncoder


def is_open_clip_folder(path: Path) -> bool:
    """Whether open_clip could load a folder as `local-dir:`."""
    return (path / "open_clip_config.json").is_file()


def open_open_clip_folder(path: Path) -> Subject:
    """Load the folder.

    Raises:
        RecipeError: it is damaged.
    """
    spec = BUILDERS.spec("open_clip").model_validate({"kind": "open_clip", "name": f"local-dir:{path}"})
    return Subject(DualEncoder(spec.build(), {}))
