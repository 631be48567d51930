"""An image encoder of timm or torchvision, for probes that need no texts."""

from __future__ import annotations

from pydantic import ValidationError

from protoclip_cli.core.errors import DataError, UsageError
from protoclip_cli.evaluation.subjects.base import Note, Subject
from protoclip_cli.models.dual_encoder import DualEncoder
from protoclip_cli.models.image_encoders import IMAGE_ENCODERS
from protoclip_cli.models.image_only import ImageOnlyTowers


def is_image_encoder(name: str) -> bool:
    """Whether a name is `LIBRARY:NAME`.

    >>> is_image_encoder("timm:resnet50"), is_image_encoder("RN50"), is_image_encoder("hf-hub:a/b")
    (True, False, False)
    """
    return name.partition(":")[0] in IMAGE_ENCODERS.kinds() and ":" in name


def open_image_encoder(name: str, pretrained: str | None, note: Note) -> Subject:
    """Build the encoder.

    Args:
        name: `LIBRARY:NAME`.
        pretrained: a file of weights, or None.
        note: is told when the weights are left to chance.

    Raises:
        RecipeError: the library has no such encoder.
        DataError: the file is missing, damaged or of another encoder.
    """
    kind, _, inner = name.partition(":")
    if not inner:
        raise UsageError(f"--model {name} names no encoder", hint=f"as in --model {kind}:resnet50")
    fields = {"kind": kind, "name": inner, "pretrained": pretrained}
    try:
        spec = IMAGE_ENCODERS.spec(kind).model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(
            f"--model {name}: {'.'.join(map(str, first['loc']))} {first['msg']}",
            hint="train with it in a recipe, and evaluate the run",
        ) from None
    if spec.from_chance:
        note(f"{name} has no --pretrained file: its weights are left to chance")
    try:
        towers = ImageOnlyTowers(spec)
    except RuntimeError as error:
        raise DataError(f"{name} cannot be used as an encoder of images: {error}") from None
    for said in towers.notes:
        note(said)
    return Subject(DualEncoder(towers, {}))
