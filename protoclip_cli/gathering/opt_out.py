"""Whether the headers of an answer say that its image must not be used."""

from __future__ import annotations

import re
from collections.abc import Iterable

TOKEN = "protoclip"
"""Our name in rules for robots."""

# Directives with a value: what stands before the colon is no robot's name.
_VALUED = {"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"}
_ROBOT = re.compile(r"[\w.*+/-]+")


def opted_out(tags: Iterable[str], directives: frozenset[str]) -> str | None:
    """The word that keeps an image out, or None.

    Args:
        tags: the value of each X-Robots-Tag line: directives with commas between. A robot's name and a colon
            before a directive make it and those after it, up to the next name, a matter of that robot.
        directives: words that keep an image out, in lower case.

    >>> opted_out(["unavailable_after: Wed, 21 Oct 2015 07:28:00 GMT, noai"], frozenset({"noai"}))
    'noai'
    >>> opted_out(["otherbot: noai, noindex"], frozenset({"noai", "noindex"}))
    >>> opted_out(["otherbot: noindex", "ProtoClip: noai"], frozenset({"noai"}))
    'noai'
    """
    for tag in tags:
        ours = True
        for part in tag.lower().split(","):
            name, colon, rest = (piece.strip() for piece in part.partition(":"))
            word = name
            if colon:
                # A piece of a date with a colon is no name either: it has a blank.
                if name in _VALUED or not _ROBOT.fullmatch(name):
                    continue
                ours = name.partition("/")[0] in {TOKEN, "*"}
                word = rest
            if ours and word in directives:
                return word
    return None
