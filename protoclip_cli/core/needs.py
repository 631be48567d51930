"""What an objective asks of the rest of the run, as plain data.

The needs of the objectives active in an episode are merged. The merged needs decide how many views the loader
makes, which towers run and which heads exist.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce


@dataclass(frozen=True, slots=True)
class Needs:
    """What must be there for a step. Empty needs nothing."""

    image_views: int = 0
    text_views: int = 0
    heads: frozenset[str] = frozenset()
    teacher: bool = False
    prototypes: frozenset[str] = frozenset()
    momentum: bool = False
    """A copy of the model that follows it slowly, on the same views."""
    frozen: bool = False
    """The recipe's frozen model, on the first views."""
    labels: bool = False
    token_logits: bool = False
    """What the model says of each next token of the first text view, seeing the first image view."""
    dropout: frozenset[str] = frozenset()
    """Towers that must drop something while they learn."""

    def __or__(self, other: Needs) -> Needs:
        """The smallest needs that satisfy both.

        >>> a = Needs(image_views=2, heads=frozenset({"proto"}))
        >>> b = Needs(image_views=1, text_views=1, teacher=True)
        >>> merged = a | b
        >>> merged.image_views, merged.text_views, sorted(merged.heads), merged.teacher
        (2, 1, ['proto'], True)
        """
        return Needs(
            image_views=max(self.image_views, other.image_views),
            text_views=max(self.text_views, other.text_views),
            heads=self.heads | other.heads,
            teacher=self.teacher or other.teacher,
            prototypes=self.prototypes | other.prototypes,
            momentum=self.momentum or other.momentum,
            frozen=self.frozen or other.frozen,
            labels=self.labels or other.labels,
            token_logits=self.token_logits or other.token_logits,
            dropout=self.dropout | other.dropout,
        )

    @property
    def towers(self) -> frozenset[str]:
        """Which towers must run."""
        views = {"image": self.image_views, "text": self.text_views}
        return frozenset(name for name, count in views.items() if count)

    @property
    def clustered(self) -> frozenset[str]:
        """Which features are clustered.

        >>> sorted(Needs(prototypes=frozenset({"image<-text", "teacher"})).clustered)
        ['teacher', 'text']
        """
        return frozenset(name.rpartition("<-")[2] for name in self.prototypes)

    @property
    def looked_at(self) -> frozenset[str]:
        """Which features an episode must be looked at for: those clustered or averaged over clusters.

        >>> sorted(Needs(prototypes=frozenset({"image<-text", "teacher"})).looked_at)
        ['image', 'teacher', 'text']
        """
        return frozenset(part for name in self.prototypes for part in name.split("<-"))


def merge(needs: Iterable[Needs]) -> Needs:
    """Merge the needs of several objectives."""
    return reduce(Needs.__or__, needs, Needs())
