"""Averaged word vectors from a text file, such as GloVe's or word2vec's."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
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

    def __init__(self, words: list[str], vectors: NDArray[np.float32]) -> None:
        """Keep them.

        Args:
            words: whose vectors there are.
            vectors: (words, S).
        """
        self.words, self.vectors = words, vectors
        self.width = vectors.shape[1]
        self._place = {word: place for place, word in enumerate(words)}

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Features, (n, S)."""
        features = np.zeros((len(texts), self.width), np.float32)
        for row, text in enumerate(texts):
            places = [self._place[word] for word in split(text) if word in self._place]
            if places:
                features[row] = self.vectors[places].mean(axis=0)
            else:
                self.unknown += 1
        return features

    def save(self, folder: Path) -> None:
        """Write the words in use and their vectors."""
        write_json(folder / _WORDS, self.words)
        np.save(folder / _VECTORS, self.vectors)


def split(text: str) -> list[str]:
    """The words of a text, in lower case; punctuation marks are words too.

    >>> split("A dog, barking.")
    ['a', 'dog', ',', 'barking', '.']
    """
    return _WORD.findall(text.lower())


class StaticVectorsSpec(TextEncoderSpec):
    """Averaged word vectors of a GloVe or word2vec text file."""

    kind: Literal["static_vectors"]
    path: Path
    """The file: a word and its numbers on each line, with or without a first line of counts."""

    def open(self, captions: Texts, *, seed: int, device: Any) -> StaticVectors:  # noqa: ARG002
        """Read the vectors of the words that the captions use, or of all words where there are no captions.

        Raises:
            DataError: the file is missing or of another form, or has none of the words.
        """
        used: set[str] = set()
        for start in range(0, len(captions), _CHUNK):
            for text in captions.slice(start, min(start + _CHUNK, len(captions))):
                used.update(split(text))
        words, vectors = [], []
        for word, numbers in self._lines():
            if word in used:
                used.remove(word)
                words.append(word)
                vectors.append(np.array(numbers.split(" "), np.float32))
        if not vectors:
            raise DataError(f"{self.path} has no vector for any word of the captions")
        if len(widths := {len(vector) for vector in vectors}) > 1:
            raise DataError(f"{self.path} has vectors of different widths: {sorted(widths)}")
        return StaticVectors(words, np.stack(vectors))

    def _lines(self) -> Iterator[tuple[str, str]]:
        """Each word and its numbers as text."""
        try:
            with self.path.open(encoding="utf-8", errors="replace", newline="\n") as file:
                for number, line in enumerate(file):
                    word, _, numbers = line.rstrip().partition(" ")
                    counts = number == 0 and numbers.isdigit()  # word2vec: how many words, how wide
                    if not counts and numbers:
                        yield word, numbers
        except OSError as error:
            raise DataError(f"the word vectors {self.path} cannot be read: {error.strerror}") from None

    def reopen(self, folder: Path, *, device: Any) -> StaticVectors:  # noqa: ARG002
        """Read what was kept."""
        return StaticVectors(read_json(folder / _WORDS), np.load(folder / _VECTORS, allow_pickle=False))
