"""clip-rocket's weak text policy: English stop-words dropped, most of the time."""

from __future__ import annotations

from typing import Literal

from protoclip_cli.data.text_views._clip_rocket import ClipRocketText, ClipRocketTextSpec, stop_words


class ClipRocketWeakSpec(ClipRocketTextSpec):
    """clip-rocket's weak text view: English stop-words dropped, most of the time."""

    kind: Literal["clip_rocket_weak"]

    def build(self) -> ClipRocketText:
        stop_words()  # read before loader processes are forked
        return ClipRocketText(self)
