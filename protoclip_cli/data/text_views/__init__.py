"""How a caption is changed before it is tokenised, one policy a file."""

from protoclip_cli.core.catalog import Catalog
from protoclip_cli.data.text_views.base import TextView, TextViewSpec

TEXT_VIEWS: Catalog[TextViewSpec] = Catalog(__name__, TextViewSpec, default="plain")

__all__ = ["TEXT_VIEWS", "TextView", "TextViewSpec"]
