"""Latent semantic analysis of the captions themselves: a teacher that needs no download.

Words that occur in the same captions come near one another. Deerwester et al., Indexing by Latent Semantic
Analysis, 1990.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from protoclip_cli.compute.randomness import generator
from protoclip_cli.core.errors import RecipeError
from protoclip_cli.models.text_encoder import TextEncoder, TextEncoderSpec, Texts
from protoclip_cli.store.files import read_json, write_json

_WORDS, _IDF, _COMPONENTS = "words.json", "idf.npy", "components.npy"
_CHUNK = 65_536
_SAMPLE = 200_000  # captions that the directions are found on; all count for the weights of words


class Lsa(TextEncoder):
    """Word counts, weighted by how rare a word is, on their strongest directions."""

    def __init__(self, words: list[str], idf: NDArray[np.float64], components: NDArray[np.float32]) -> None:
        """Keep what was fitted.

        Args:
            words: the vocabulary.
            idf: (words,), the weight of each.
            components: (S, words), orthonormal rows.
        """
        self.words, self.idf, self.components = words, idf, components
        self.width = len(components)
        self._counter = _counter(words)
        self._counter.idf_ = idf

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Features, (n, S)."""
        counts = self._counter.transform(texts)
        self.unknown += int((counts.getnnz(axis=1) == 0).sum())
        return np.asarray(counts @ self.components.T, np.float32)

    def save(self, folder: Path) -> None:
        """Write the vocabulary and the directions."""
        write_json(folder / _WORDS, self.words)
        np.save(folder / _IDF, self.idf)
        np.save(folder / _COMPONENTS, self.components)


def _counter(words: list[str] | None, most: int | None = None) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(token_pattern=r"\w+", sublinear_tf=True, vocabulary=words, max_features=most)


def _all(captions: Texts) -> Iterator[str]:
    for start in range(0, len(captions), _CHUNK):
        yield from captions.slice(start, min(start + _CHUNK, len(captions)))


class LsaSpec(TextEncoderSpec):
    """Latent semantic analysis of the captions (TF-IDF and truncated SVD, scikit-learn)."""

    kind: Literal["lsa"]
    dim: int = Field(64, gt=1)
    """Width of the features."""
    words: int = Field(50_000, gt=1)
    """The most frequent words to keep."""
    normalize: bool = False
    """Give features unit length. As they are, a caption is the shorter the less its words tell."""

    def open(self, captions: Texts, *, seed: int, device: Any) -> Lsa:  # noqa: ARG002
        """Fit it on the captions.

        Raises:
            RecipeError: they are too few, or have too few words.
        """
        from sklearn.decomposition import TruncatedSVD
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

        counter = _counter(None, self.words)
        try:
            counts = counter.fit_transform(_all(captions))
        except ValueError:
            raise RecipeError("the captions have no words to analyse", hint="use another teacher") from None
        if self.dim >= min(counts.shape):
            raise RecipeError(
                f"{counts.shape[0]:,} captions with {counts.shape[1]:,} different words are too few for "
                f"an lsa teacher of dim {self.dim}",
                hint=f"lower the teacher's dim to less than {min(counts.shape)}",
            )
        if counts.shape[0] > _SAMPLE:
            rows = generator(seed, "lsa").permutation(counts.shape[0])[:_SAMPLE]
            counts = counts[np.sort(rows)]
        with threadpool_limits(1):  # sums in one order, however many cores there are
            svd = TruncatedSVD(self.dim, random_state=seed % 2**32).fit(counts)
        words = counter.get_feature_names_out().tolist()
        return Lsa(words, counter.idf_, svd.components_.astype(np.float32))

    def reopen(self, folder: Path, *, device: Any) -> Lsa:  # noqa: ARG002
        """Read what was fitted."""
        idf, components = (np.load(folder / name, allow_pickle=False) for name in (_IDF, _COMPONENTS))
        return Lsa(read_json(folder / _WORDS), idf, components)
