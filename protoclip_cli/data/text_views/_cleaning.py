"""A text made clean before its words are changed."""

from __future__ import annotations

import html


def clean(text: str) -> str:
    """Broken encodings repaired, HTML unescaped twice, white space collapsed, in lower case.

    What CLIP's tokenizer does to a text before it looks for tokens; done earlier here, so that words are told
    apart by the same letters.

    >>> clean("  A &amp;amp; B:  the cafÃ© ")
    'a & b: the café'
    """
    import ftfy

    fixed = html.unescape(html.unescape(ftfy.fix_text(text)))
    return " ".join(fixed.split()).lower()
