"""What clip-rocket's two text policies have in common: stop-words dropped, then perhaps one operation.

https://github.com/facebookresearch/clip-rocket. The original takes NLTK's list of stop-words, which must be
downloaded. Here it is scikit-learn's, of 318 words.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from protoclip_cli.compute.randomness import uniform
from protoclip_cli.data.captions import Captions
from protoclip_cli.data.text_views._cleaning import clean
from protoclip_cli.data.text_views._words import Chance, without_stop_words
from protoclip_cli.data.text_views.base import TextView, TextViewSpec

Operation = Callable[[Sequence[str], Chance], list[str]]
_DROPS, _WHICH, _OWN = 0, 1, 2
"""Of a text's chance: the number that says whether stop-words are dropped, the one that says which operation
it is, and the first of the operation's own."""
_FEWEST = 3
"""The most numbers that an operation reads of a text of one word."""


class ClipRocketTextSpec(TextViewSpec):
    """What both policies can set."""

    stop_words: float = Field(0.8, ge=0, le=1)
    """How often English stop-words are dropped."""
    clean: bool = False
    """First repair broken encodings, unescape HTML, collapse white space and write in lower case."""
    caption: Literal["same", "any"] = "same"
    """Of rows with several captions, views after view 0 read the same one as it, or any."""


@dataclass(frozen=True)
class ClipRocketText(TextView):
    """Texts with few of their words left."""

    spec: ClipRocketTextSpec
    operations: Mapping[str, Operation] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    """Of the operations, each more than zero."""
    words: frozenset[str] = frozenset()
    """Words that operations may write."""

    def choose(
        self,
        captions: Captions,
        rows: NDArray[np.int64],
        chosen: NDArray[np.int64],
        number: int,
        keys: NDArray[np.uint64],
    ) -> NDArray[np.int64]:
        """The captions of view 0, or any."""
        if self.spec.caption == "same":
            return chosen
        return captions.choose(rows, uniform(keys, number + 1)[:, number])

    def __call__(self, texts: Sequence[str], keys: NDArray[np.uint64]) -> list[str]:
        if self.spec.clean:
            texts = list(map(clean, texts))
        split = [text.split() for text in texts]
        numbers = max(_FEWEST, 1 + max(map(len, split), default=0))
        chance = uniform(keys, _OWN + numbers).tolist()
        changed = map(self._change, split, chance)
        return [" ".join(words) or text for words, text in zip(changed, texts, strict=True)]

    def _change(self, words: list[str], chance: list[float]) -> list[str]:
        if chance[_DROPS] < self.spec.stop_words:
            words = without_stop_words(words, stop_words())
        if not self.weights:
            return words
        names, ends = list(self.weights), list(accumulate(self.weights.values()))
        which = min(bisect_right(ends, chance[_WHICH] * ends[-1]), len(ends) - 1)
        return self.operations[names[which]](words, chance[_OWN:])

    def new_words(self) -> frozenset[str]:
        """The synonyms."""
        return self.words


@cache
def stop_words() -> frozenset[str]:
    """English words that say little."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return frozenset(ENGLISH_STOP_WORDS)
