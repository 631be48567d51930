"""Averaged word vectors from a text file, such as GloVe's or word2vec's."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from protoclip_cli.core.errors import DataError
from protoclip_cli.models.text_encoder import TextEncoder, TextEncoderSpec, Texts
from protoclip_cli.store.files import read_json, write_json

_WORD = re.compile(r"\w+|[^\w\s]")
_CHUNK = 65_536
_WORDS, _VECTORS = "words.json", "vectors.npy"


class StaticVectors(TextEncoder):
    """The mean of the vectors of a text's words; those without a vector are left out."""

    def __init__(self, path: Path, known: dict[str, NDArray[np.float32]], width: int) -> None:
        """Keep the vectors of some words.

        Args:
            path: of the file, for words that are asked for later.
            known: (S,), by word. Empty: the file has none for the word.
            width: S.
        """
        self.path, self.known, self.width = path, known, width

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Features, (n, S)."""
        words = [split(text) for text in texts]
        self._look_up({word for some in words for word in some} - self.known.keys())
        features = np.zeros((len(texts), self.width), np.float32)
        for row, some in enumerate(words):
            vectors = [vector for word in some if len(vector := self.known[word])]
            if vectors:
                features[row] = np.mean(vectors, axis=0)
            else:
                self.unknown += 1
        return features

    def save(self, folder: Path) -> None:
        """Write the words in use and their vectors, and the words in use that have none."""
        words = sorted(word for word, vector in self.known.items() if len(vector))
        absent = sorted(self.known.keys() - words)
        write_json(folder / _WORDS, {"known": words, "absent": absent})
        vectors = [self.known[word] for word in words]
        np.save(folder / _VECTORS, np.array(vectors, np.float32).reshape(-1, self.width))

    def _look_up(self, words: set[str]) -> None:
        """Find words that no earlier text had. Where the file has gone, they have no vectors."""
        found = read_vectors(self.path, words)[0] if words and self.path.is_file() else {}
        self.known |= dict.fromkeys(words, np.zeros(0, np.float32)) | found


def split(text: str) -> list[str]:
    """The words of a text, in lower case; punctuation marks are words too.

    >>> split("A dog, barking.")
    ['a', 'dog', ',', 'barking', '.']
    """
    return _WORD.findall(text.lower())


def first_vectors(path: Path, count: int) -> tuple[list[str], NDArray[np.float32]]:
    """The first words of a file and their vectors, (words, S). Of a word that comes twice, the first.

    Raises:
        DataError: the file is missing or of another form.
    """
    words = list(dict.fromkeys(word for _, word, _ in islice(_lines(path), count)))
    found, width = read_vectors(path, set(words))
    return words, np.array([found[word] for word in words], np.float32).reshape(-1, width)


def read_vectors(path: Path, words: set[str]) -> tuple[dict[str, NDArray[np.float32]], int]:
    """The vectors of some words, and their width. Of a word that comes twice, the first.

    Raises:
        DataError: the file is missing or of another form.
    """
    found: dict[str, NDArray[np.float32]] = {}
    width = 0
    for number, word, numbers in _lines(path):
        width = width or numbers.count(" ") + 1
        if word not in words or word in found:
            continue
        try:
            vector = np.array(numbers.split(" "), np.float32)
        except ValueError:
            vector = np.zeros(0, np.float32)
        if len(vector) != width or not np.isfinite(vector).all():
            raise DataError(
                f"{path}, line {number}: not a word and {width} numbers",
                hint="give word vectors as text, as GloVe's .txt or word2vec's .vec",
            )
        found[word] = vector
    if not width:
        raise DataError(f"{path} has no word vectors", hint="give GloVe's .txt or word2vec's .vec")
    return found, width


def _lines(path: Path) -> Iterator[tuple[int, str, str]]:
    """The number of each line, its word, and its vector as text."""
    try:
        with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
            for number, line in enumerate(file, 1):
                word, _, numbers = line.rstrip().partition(" ")
                counts = number == 1 and word.isdigit() and numbers.isdigit()  # how many words, how wide
                if numbers and not counts:
                    yield number, word, numbers
    except OSError as error:
        raise DataError(f"the word vectors {path} cannot be read: {error.strerror}") from None


class StaticVectorsSpec(TextEncoderSpec):
    """Averaged word vectors of a GloVe or word2vec text file."""

    kind: Literal["static_vectors"]
    path: Path
    """The file: a word and its numbers on each line, with or without a first line of counts."""

    def open(self, captions: Texts, *, seed: int, device: Any) -> StaticVectors:  # noqa: ARG002
        """Read the vectors of the words that the captions use, in one pass over the file.

        Raises:
            DataError: the file is missing or of another form, or has none of the words.
        """
        used: set[str] = set()
        for start in range(0, len(captions), _CHUNK):
            for text in captions.slice(start, min(start + _CHUNK, len(captions))):
                used.update(split(text))
        found, width = read_vectors(self.path.expanduser(), used)
        if not found:
            raise DataError(
                f"{self.path} has no vector for any word of the captions",
                hint="words are looked up in lower case; is it a file of their language?",
            )
        absent = dict.fromkeys(used, np.zeros(0, np.float32))
        return StaticVectors(self.path.expanduser(), absent | found, width)

    def reopen(self, folder: Path, *, device: Any) -> StaticVectors:  # noqa: ARG002
        """Read what was kept; other words are looked up in the file, if it is still there."""
        vectors = np.load(folder / _VECTORS, allow_pickle=False)
        words = read_json(folder / _WORDS)
        absent = dict.fromkeys(words["absent"], np.zeros(0, np.float32))
        found = dict(zip(words["known"], vectors, strict=True))
        return StaticVectors(self.path.expanduser(), absent | found, vectors.shape[1])
