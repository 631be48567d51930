"""How an image is changed before a tower sees it, one policy a file."""

from protoclip_cli.core.catalog import Catalog
from protoclip_cli.core.types import Preprocess
from protoclip_cli.data.views.base import ImageView, ImageViewSpec

IMAGE_VIEWS: Catalog[ImageViewSpec] = Catalog(__name__, ImageViewSpec)

__all__ = ["IMAGE_VIEWS", "ImageView", "ImageViewSpec", "Preprocess"]
