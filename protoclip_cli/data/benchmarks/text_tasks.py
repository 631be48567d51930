"""What a benchmark holds that is more than images by class: sentences, passages, words, questions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from protoclip_cli.data.benchmarks.base import Images


class TextTask(Protocol):
    """One of the tasks below."""

    def sizes(self) -> dict[str, int]:
        """How many rows each part has."""


@dataclass(frozen=True, slots=True)
class SentencePairs:
    """Pairs of sentences and how alike people find them."""

    first: Sequence[str]
    second: Sequence[str]
    gold: NDArray[np.float64]
    """(n,), larger is more alike."""
    subset: NDArray[np.int64]
    """(n,), which subset each pair is of."""
    subsets: tuple[str, ...]

    def sizes(self) -> dict[str, int]:
        """See `TextTask`."""
        return {"pairs": len(self.gold)}


@dataclass(frozen=True, slots=True)
class WordPairs:
    """Pairs of words and how alike people find them."""

    first: Sequence[str]
    second: Sequence[str]
    gold: NDArray[np.float64]
    """(n,), larger is more alike."""

    def sizes(self) -> dict[str, int]:
        """See `TextTask`."""
        return {"word_pairs": len(self.gold)}


@dataclass(frozen=True, slots=True)
class Triplets:
    """Sentences with one that belongs to them and one that does not."""

    anchor: Sequence[str]
    positive: Sequence[str]
    negative: Sequence[str]

    def sizes(self) -> dict[str, int]:
        """See `TextTask`."""
        return {"triplets": len(self.anchor)}


class Corpus(Protocol):
    """Passages that are read in order, as often as asked for, and never all at once."""

    def __len__(self) -> int: ...

    def chunks(self, size: int) -> Iterator[list[str]]:
        """All passages, at most so many at a time."""


@dataclass(frozen=True, slots=True)
class Passages:
    """Queries and a corpus that holds what answers them."""

    queries: Sequence[str]
    """Those with a judgement."""
    corpus: Corpus
    relevant: tuple[NDArray[np.int64], ...]
    """The rows in the corpus of each query's relevant passages."""
    judged: NDArray[np.int64]
    """(q,), how many relevant passages each query has, in the corpus or not; at least one."""

    def sizes(self) -> dict[str, int]:
        """See `TextTask`."""
        return {"queries": len(self.queries), "passages": len(self.corpus)}


@dataclass(frozen=True, slots=True)
class Questions:
    """Questions about images, statements that would answer them, and what people answered."""

    images: Images
    rows: NDArray[np.int64]
    """(q,), the image of each question."""
    statements: tuple[tuple[str, ...], ...]
    """For each question the answers to choose from, each as a sentence about the image; at least one."""
    choices: tuple[tuple[str, ...], ...]
    """The answer that each statement stands for."""
    answers: tuple[tuple[str, ...], ...]
    """What people answered, at least two each."""
    kinds: tuple[str, ...]
    """(q,), `yes/no`, `number` or `other`."""

    def sizes(self) -> dict[str, int]:
        """See `TextTask`."""
        return {"questions": len(self.rows)}


ENTAILMENT = ("entailment", "neutral", "contradiction")
"""What a premise can say about a hypothesis; labels are positions here."""


@dataclass(frozen=True, slots=True)
class TextEntailment:
    """Hypotheses about premises that are texts: one split, to fit on."""

    premises: Sequence[str]
    hypotheses: Sequence[str]
    labels: NDArray[np.int64]
    """(n,)."""


@dataclass(frozen=True, slots=True)
class VisualEntailment:
    """Hypotheses about images, and the same about captions to learn from."""

    train: TextEntailment
    validation: TextEntailment
    images: Images
    rows: NDArray[np.int64]
    """(n,), the image that is the premise of each hypothesis of the test split."""
    hypotheses: Sequence[str]
    labels: NDArray[np.int64]
    """(n,)."""

    def sizes(self) -> dict[str, int]:
        """See `TextTask`."""
        return {
            "train_hypotheses": len(self.train.labels),
            "validation_hypotheses": len(self.validation.labels),
            "hypotheses": len(self.labels),
        }
