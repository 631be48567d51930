"""Encoders of images that have no text tower, one library a file: towers, and subjects of evaluation."""

from protoclip_cli.core.catalog import Catalog
from protoclip_cli.models.image_encoders.base import ImageEncoderSpec

IMAGE_ENCODERS: Catalog[ImageEncoderSpec] = Catalog(__name__, ImageEncoderSpec)

__all__ = ["IMAGE_ENCODERS", "ImageEncoderSpec"]
