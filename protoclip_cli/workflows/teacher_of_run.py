"""Where the teacher of a run can be asked for more texts."""

from __future__ import annotations

from pathlib import Path

from protoclip_cli.recipe.yaml_file import read_yaml
from protoclip_cli.store.bank import ENCODER
from protoclip_cli.store.run import RunFolder


def encoder_of_teacher(run: RunFolder) -> Path | None:
    """The encoder of the bank a run learned from; None: it has no bank, or one without an encoder."""
    if (own := run.path / "bank" / ENCODER).is_dir():
        return own
    if not run.recipe.is_file():
        return None
    recipe = read_yaml(run.recipe.read_text(encoding="utf-8"), str(run.recipe)).tree
    teacher = recipe.get("teacher") or {} if isinstance(recipe, dict) else {}
    folder = Path(str(teacher.get("bank", ""))) / ENCODER
    return folder if "bank" in teacher and folder.is_dir() else None
