"""What a source of pairs is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image
from pydantic import Field

from protoclip_cli.core.spec import Spec
from protoclip_cli.data.captions import Captions
from protoclip_cli.data.fingerprints import fingerprint


class PairSource(ABC):
    """Image-text pairs by row.

    A source is read by forked or spawned workers, so it must pickle, and it must hold millions of rows in
    Arrow or NumPy buffers rather than in Python objects.
    """

    captions: Captions
    """All captions of all rows."""
    fingerprint: str
    """Changes when the pairs or their order change."""
    notes: Mapping[str, int] = MappingProxyType({})
    """What opening found odd but usable, with how many rows it concerns, such as empty captions."""
    labels: NDArray[np.int32] | None = None
    """(N,), the class of each row, -1 for none. None: these pairs know no classes."""
    in_memory: bool = False
    """Whether reading an image costs next to nothing, so that loader workers would not pay."""

    @abstractmethod
    def __len__(self) -> int: ...

    def classify(self, labels: NDArray[np.int32] | None) -> Self:
        """Give the rows classes, which are then part of what the pairs are. None: leave them without."""
        if labels is not None:
            self.labels, self.fingerprint = labels, fingerprint(self.fingerprint, labels)
        return self

    @property
    def classes(self) -> int:
        """How many classes the labels name: one more than the largest."""
        return 0 if self.labels is None else int(self.labels.max(initial=-1)) + 1

    @abstractmethod
    def image(self, row: int, draft: int | None = None) -> Image:
        """The image of a row, in RGB, or in L where the source is grey throughout.

        Args:
            row: 0 to len - 1.
            draft: the shorter side may be decoded at any size not below this, in pixels. None: full size.

        Raises:
            BadImage: it cannot be read or is not acceptable.
        """

    def size(self, row: int) -> tuple[int, int]:
        """Width and height of an image before it is turned upright. Sources of files read the header alone.

        Raises:
            BadImage: it cannot be read or is not acceptable.
        """
        return self.image(row).size

    @abstractmethod
    def place(self, row: int) -> str:
        """Where the image of a row is, for messages."""

    def image_codes(self) -> NDArray[np.int32]:
        """(N,), a number for each row, equal for rows of the same image. Here each row has its own."""
        return np.arange(len(self), dtype=np.int32)


class PairSpec(Spec, ABC):
    """How a recipe names a source of pairs."""

    kind: str
    limit: int | None = Field(None, gt=0)
    """Use only the first rows."""
    max_bad_fraction: float = Field(0.1, ge=0, le=1)
    """Stop when a larger share of the images read could not be used. Until then other rows replace them."""

    @abstractmethod
    def open(self) -> PairSource:
        """Open the source.

        Raises:
            DataError: it is missing, empty or not in the form it should have.
        """

    def open_slowly(self, progress: Callable[[int, int], None]) -> PairSource:  # noqa: ARG002
        """Open the source, and tell how much of it is opened, where that takes long.

        Args:
            progress: is given how many parts are done, and how many there are.
        """
        return self.open()
