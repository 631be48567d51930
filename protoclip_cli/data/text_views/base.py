"""What a text view is."""

from __future__ import annotations

from protoclip_cli.core.spec import Spec


class TextViewSpec(Spec):
    """How a recipe writes a text view."""

    kind: str
