"""The caption as it is."""

from __future__ import annotations

from typing import Literal

from protoclip_cli.data.text_views.base import TextViewSpec


class PlainSpec(TextViewSpec):
    """The caption as it is: tokenised once per run."""

    kind: Literal["plain"]
