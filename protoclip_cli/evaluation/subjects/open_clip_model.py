"""An architecture of open_clip, with published weights, a file of weights, or weights left to chance."""

from __future__ import annotations

from pathlib import Path

from protoclip_cli.evaluation.subjects.base import Note, Subject
from protoclip_cli.evaluation.subjects.weights_file import open_weights_file
from protoclip_cli.models.builders import BUILDERS
from protoclip_cli.models.dual_encoder import DualEncoder

_OF_JAX = {".npz", ".npy"}


def open_open_clip_model(name: str, pretrained: str | None, note: Note) -> Subject:
    """Build the model.

    Args:
        name: of the architecture.
        pretrained: a tag, a file, or None.
        note: is told when the weights are left to chance.

    Raises:
        RecipeError: there is no such architecture or tag.
        DataError: the file is damaged or of another architecture.
    """
    if pretrained is not None and Path(pretrained).is_file() and Path(pretrained).suffix not in _OF_JAX:
        return open_weights_file(Path(pretrained), name, note)
    if pretrained is None:
        note(f"{name} has no --pretrained: its weights are left to chance, and its scores are of chance")
    fields = {"kind": "open_clip", "name": name, "pretrained": pretrained}
    return Subject(DualEncoder(BUILDERS.spec("open_clip").model_validate(fields).build(), {}))
