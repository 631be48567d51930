"""Several sources of pairs as one, such as captioned pairs and sets of classified images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image
from pydantic import Field, SerializeAsAny, WrapValidator, field_validator

from protoclip_cli.core.catalog import one_of
from protoclip_cli.data.captions import Captions
from protoclip_cli.data.fingerprints import fingerprint
from protoclip_cli.data.pairs import PAIRS
from protoclip_cli.data.pairs.base import PairSource, PairSpec


class JoinedPairs(PairSource):
    """The rows of several sources, one source after the other."""

    def __init__(self, sources: Sequence[PairSource]) -> None:
        """Join sources, at least one."""
        counts = [len(source) for source in sources]
        self._sources = tuple(sources)
        self._ends = np.cumsum(counts)
        """(sources,), where each ends."""
        self.captions = Captions.joined([source.captions for source in sources], counts)
        self.fingerprint = fingerprint("together", *(source.fingerprint for source in sources))
        self.notes = {
            f"source {place}: {note}": rows
            for place, source in enumerate(sources, 1)
            for note, rows in source.notes.items()
        }
        self.in_memory = all(source.in_memory for source in sources)
        self.labels = _disjoint(sources)

    def __len__(self) -> int:
        return int(self._ends[-1])

    def image(self, row: int, draft: int | None = None) -> Image:
        source, place = self._find(row)
        return source.image(place, draft)

    def size(self, row: int) -> tuple[int, int]:
        source, place = self._find(row)
        return source.size(place)

    def place(self, row: int) -> str:
        source, place = self._find(row)
        return source.place(place)

    def image_codes(self) -> NDArray[np.int32]:
        parts, before = [], 0
        for source in self._sources:
            codes = source.image_codes()
            parts.append((codes + before).astype(np.int32))
            before += int(codes.max(initial=-1)) + 1
        return np.concatenate(parts)

    def _find(self, row: int) -> tuple[PairSource, int]:
        """The source of a row, and the row there."""
        number = int(np.searchsorted(self._ends, int(row), side="right"))
        return self._sources[number], int(row) - int(self._ends[number - 1] if number else 0)


def _disjoint(sources: Sequence[PairSource]) -> NDArray[np.int32] | None:
    """(N,), the classes of all rows, none shared by two sources; None where no source has any."""
    if all(source.labels is None for source in sources):
        return None
    parts, before = [], 0
    for source in sources:
        labels = np.full(len(source), -1, np.int32) if source.labels is None else source.labels
        parts.append(np.where(labels < 0, -1, labels + before).astype(np.int32))
        before += source.classes
    return np.concatenate(parts)


AnySource: Any = Annotated[
    SerializeAsAny[PairSpec], WrapValidator(PAIRS.parse), one_of(PAIRS, without="together")
]


class TogetherPairs(PairSpec):
    """Several sources, one after the other. Classes of one are never those of another."""

    kind: Literal["together"] = "together"
    """Several sources of pairs as one."""
    sources: tuple[AnySource, ...] = Field(min_length=1)
    """The sources, of any other kind. `max_bad_fraction` is that of the whole."""

    @field_validator("sources")
    @classmethod
    def _flat(cls, sources: tuple[PairSpec, ...]) -> tuple[PairSpec, ...]:
        if any(source.kind == "together" for source in sources):
            raise ValueError("sources cannot be of kind together themselves: list all of them here")
        return sources

    def open(self) -> JoinedPairs:
        return self._joined(lambda spec: spec.open())

    def open_slowly(self, progress: Callable[[int, int], None]) -> JoinedPairs:
        return self._joined(lambda spec: spec.open_slowly(progress))

    def _joined(self, opened: Callable[[PairSpec], PairSource]) -> JoinedPairs:
        """The sources up to the limit."""
        found: list[PairSource] = []
        for spec in self.sources:
            limits = [spec.limit] if spec.limit is not None else []
            if self.limit is not None:
                limits.append(self.limit - sum(map(len, found)))
            limit = min(limits, default=None)
            if limit == 0:
                break
            found.append(opened(spec.model_copy(update={"limit": limit})))
        return JoinedPairs(found)
