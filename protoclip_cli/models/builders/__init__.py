"""Who builds the towers and the encoders of texts, one library a file.

A file may have a `ModelSpec` (both towers, for `model:`), a `TextEncoderSpec` (for `teacher:`), or both.
"""

from protoclip_cli.core.catalog import Catalog
from protoclip_cli.models.builders.base import ModelSpec
from protoclip_cli.models.text_encoder import TextEncoderSpec

BUILDERS: Catalog[ModelSpec] = Catalog(
    __name__,
    ModelSpec,
    default="open_clip",
    default_with={"image": "two_towers", "text": "two_towers"},
    shared=True,
)
TEXT_ENCODERS: Catalog[TextEncoderSpec] = Catalog(__name__, TextEncoderSpec, shared=True)

__all__ = ["BUILDERS", "TEXT_ENCODERS", "ModelSpec", "TextEncoderSpec"]
