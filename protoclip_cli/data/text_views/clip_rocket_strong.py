"""clip-rocket's strong text policy: stop-words dropped most of the time, then one operation of EDA."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from protoclip_cli.data.text_views._clip_rocket import (
    ClipRocketText,
    ClipRocketTextSpec,
    Operation,
    stop_words,
)
from protoclip_cli.data.text_views._thesaurus import read_thesaurus
from protoclip_cli.data.text_views._words import (
    Chance,
    random_deletion,
    random_insertion,
    random_swap,
    synonym_replacement,
)

_SYNONYM = 0.4


class ClipRocketStrongSpec(ClipRocketTextSpec):
    """clip-rocket's strong text view. One operation is drawn by their weights, which need not sum to 1."""

    kind: Literal["clip_rocket_strong"]
    none: float = Field(0.0, ge=0)
    """Weight of leaving the words as they are."""
    synonym: float | None = Field(None, ge=0)
    """Weight of replacing a word by a synonym. Empty: 0.4, as published, with a thesaurus, and 0 without."""
    insertion: float = Field(0.0, ge=0)
    """Weight of putting a synonym of a word somewhere."""
    swap: float = Field(0.4, ge=0)
    """Weight of exchanging two words."""
    deletion: float = Field(0.2, ge=0)
    """Weight of dropping words."""
    dropped: float = Field(0.1, ge=0, le=1)
    """How often deletion drops a word."""
    thesaurus: Path | None = None
    """A file of synonyms: a line each of a word and its synonyms with tabs between them, or a .json mapping
    from words to lists."""

    @model_validator(mode="after")
    def _fits(self) -> ClipRocketStrongSpec:
        wanted = [name for name in ("synonym", "insertion") if getattr(self, name)]
        if wanted and self.thesaurus is None:
            raise ValueError(
                f"{wanted[0]} has a weight and no synonyms; set thesaurus: FILE, or {wanted[0]}: 0"
            )
        if not self.weights:
            raise ValueError("no operation has a weight; set none: 1 to leave the words as they are")
        if self.thesaurus is not None and not {"synonym", "insertion"} & self.weights.keys():
            raise ValueError("thesaurus is given, and neither synonym nor insertion has a weight")
        return self

    def files(self) -> tuple[Path, ...]:
        """The synonyms."""
        return () if self.thesaurus is None else (self.thesaurus,)

    @property
    def weights(self) -> dict[str, float]:
        """Of the operations that can be drawn."""
        by_default = _SYNONYM if self.thesaurus is not None else 0.0
        weights = {
            "none": self.none,
            "synonym": by_default if self.synonym is None else self.synonym,
            "insertion": self.insertion,
            "swap": self.swap,
            "deletion": self.deletion,
        }
        return {name: weight for name, weight in weights.items() if weight}

    def build(self) -> ClipRocketText:
        thesaurus = {} if self.thesaurus is None else read_thesaurus(self.thesaurus)
        operations: dict[str, Operation] = {
            "none": _leave,
            "synonym": partial(synonym_replacement, thesaurus=thesaurus, stop_words=stop_words()),
            "insertion": partial(random_insertion, thesaurus=thesaurus, stop_words=stop_words()),
            "swap": random_swap,
            "deletion": partial(random_deletion, probability=self.dropped),
        }
        words = frozenset(synonym for some in thesaurus.values() for synonym in some)
        return ClipRocketText(self, operations, self.weights, words)


def _leave(words: Sequence[str], chance: Chance) -> list[str]:  # noqa: ARG001 (no chance)
    return list(words)
