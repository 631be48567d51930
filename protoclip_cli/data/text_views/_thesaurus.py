"""A user's synonyms, from a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.text_views._words import bare

_HINT = (
    "a line each of a word and its synonyms with tabs between them, or a .json file of "
    '{"word": ["synonym", ...]}'
)


def read_thesaurus(path: Path) -> dict[str, tuple[str, ...]]:
    """The synonyms of words, in lower case; a word that comes twice has those of both.

    Args:
        path: JSON by its suffix, else a table of a word and its synonyms a line.

    Raises:
        DataError: it is missing or not in this form, or holds no synonyms.
    """
    try:
        text = path.expanduser().read_text(encoding="utf-8-sig")
        entries = _of_json(text) if path.suffix == ".json" else _of_lines(text)
    except OSError as error:
        raise DataError(f"the thesaurus {path} cannot be read: {error.strerror}", hint=_HINT) from None
    except ValueError as error:
        raise DataError(f"the thesaurus {path}: {error}", hint=_HINT) from None
    found: dict[str, dict[str, None]] = {}
    for word, synonyms in entries:
        clean = (" ".join(synonym.split()) for synonym in synonyms)
        found.setdefault(bare(word.strip()), {}).update(dict.fromkeys(s for s in clean if s and s != word))
    thesaurus = {word: tuple(synonyms) for word, synonyms in found.items() if word and synonyms}
    if not thesaurus:
        raise DataError(f"the thesaurus {path} holds no synonyms", hint=_HINT)
    return thesaurus


def _of_lines(text: str) -> list[tuple[str, list[str]]]:
    entries = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        word, *synonyms = line.split("\t")
        if not synonyms:
            raise ValueError(f"line {number} has no tab")
        entries.append((_one_word(word), synonyms))
    return entries


def _of_json(text: str) -> list[tuple[str, list[str]]]:
    entries: Any = json.loads(text)
    if not isinstance(entries, dict):
        raise ValueError("is no mapping from words to lists")  # noqa: TRY004 (told as the others)
    for word, synonyms in entries.items():
        if not isinstance(synonyms, list) or not all(isinstance(synonym, str) for synonym in synonyms):
            raise ValueError(f"'{word}' has no list of texts")
    return [(_one_word(word), synonyms) for word, synonyms in entries.items()]


def _one_word(word: str) -> str:
    if len(word.split()) != 1:
        raise ValueError(f"'{word}' is not one word")
    return word
