"""The text views of a batch, each by its own policy, as tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from protoclip_cli.compute.randomness import key, row_keys
from protoclip_cli.data.captions import Captions
from protoclip_cli.data.text_views.base import TextView
from protoclip_cli.data.tokens import Tokens, TokenTable


@dataclass(frozen=True, slots=True)
class OddTexts:
    """What became of texts that were changed."""

    cut: int = 0
    """Were longer than the context."""
    unknown: int = 0
    """Had tokens that do not learn, so their captions were read as they are."""

    def __add__(self, other: OddTexts) -> OddTexts:
        """Both together."""
        return OddTexts(self.cut + other.cut, self.unknown + other.unknown)


NOTHING_ODD = OddTexts()


class TextViews:
    """Makes the text views. Chance comes from (seed, episode, row) and the view's number alone.

    View 0 reads the chosen captions, which a teacher's features belong to. What is not changed is looked up
    in the run's tokens; what is changed is tokenised here, in a loader process where there are any.
    """

    def __init__(
        self,
        captions: Captions,
        table: TokenTable,
        tokens: Tokens,
        views: Sequence[TextView],
        *,
        seed: int,
        learned: NDArray[np.int64] | None = None,
    ) -> None:
        """Put the parts together.

        Args:
            captions: of the source.
            table: their tokens.
            tokens: makes those of other texts.
            views: the policies by number; the last one makes any further views.
            seed: of the run.
            learned: (U,), the tokens that the text tower knows, ascending. None: all.
        """
        self.captions, self.table, self.tokens, self.views = captions, table, tokens, tuple(views)
        self.seed, self.learned = seed, learned

    def __call__(
        self, episode: int, rows: NDArray[np.int64], chosen: NDArray[np.int64], count: int, *, short: bool
    ) -> tuple[list[Tensor], OddTexts]:
        """The first text views of some rows.

        Args:
            episode: for chance.
            rows: (b,), places in the data set.
            chosen: (b,), the captions that view 0 reads.
            count: of the views.
            short: pad to the longest text of a view instead of the context length.

        Returns:
            `count` x (b, L), long, where L may differ; and what was odd.
        """
        texts, odd = [], NOTHING_ODD
        for number in range(count):
            view, which = self.views[min(number, len(self.views) - 1)], chosen
            if number:
                keys = row_keys(key(self.seed, "text views", episode), rows)
                which = view.choose(self.captions, rows, chosen, number, keys)
            if not view.changes:
                texts.append(self.table.rows(which, short=short))
                continue
            keys = row_keys(key(self.seed, f"text view {number}", episode), rows)
            changed = view([self.captions[caption] for caption in which], keys)
            tokens, seen = self._tokenise(changed, which)
            texts.append(tokens.rows(np.arange(len(rows)), short=short))
            odd += seen
        return texts, odd

    def _tokenise(self, texts: Sequence[str], captions: NDArray[np.int64]) -> tuple[TokenTable, OddTexts]:
        """The tokens of changed texts, or of their captions where the tower does not know them."""
        made = self.tokens.table(texts)
        if self.learned is None:
            return made, OddTexts(made.truncated)
        unknown = ~np.isin(made.ids, self.learned)
        if not unknown.any():
            return made, OddTexts(made.truncated)
        rows = np.unique(np.repeat(np.arange(len(texts)), np.diff(made.first))[unknown])
        known = list(texts)
        for row in rows:
            known[row] = self.captions[captions[row]]
        made = self.tokens.table(known)
        return made, OddTexts(made.truncated, len(rows))
