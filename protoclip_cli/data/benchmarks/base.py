"""What a benchmark is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

if TYPE_CHECKING:
    from protoclip_cli.data.benchmarks.text_tasks import TextTask

Metric = Literal["top1", "mean_per_class", "roc_auc", "map11", "map"]
"""How a benchmark with classes is judged."""


class Images(Protocol):
    """Images by row. A `PairSource` is one."""

    @property
    def fingerprint(self) -> str:
        """Changes when the images or their order change."""

    @property
    def in_memory(self) -> bool:
        """Whether reading an image costs next to nothing."""

    def __len__(self) -> int: ...

    def image(self, row: int, draft: int | None = None) -> Image:
        """The image of a row, in RGB."""

    def place(self, row: int) -> str:
        """Where the image of a row is, for messages."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """Rows of images with their classes: one split."""

    images: Images
    rows: NDArray[np.int64]
    """(n,), which images."""
    labels: NDArray[np.int64]
    """(n,), the class of each. Of an image with several, the first; -1 if it has none."""
    targets: NDArray[np.int8] | None = None
    """(n, C), where an image may have several classes: 1 has it, 0 has it not, -1 has it, but hard to see."""


@dataclass(frozen=True, slots=True)
class Paired:
    """Rows of images with their captions, for retrieval."""

    images: Images
    rows: NDArray[np.int64]
    """(n,), which images."""
    texts: Sequence[str]
    """(m,), all captions."""
    image_of_text: NDArray[np.int64]
    """(m,), the position in `rows` of each caption's image."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A data set to evaluate on. What it lacks is None, and the probes that need it skip the benchmark."""

    name: str
    split: str
    """Name of the split the scores are for."""
    classes: tuple[str, ...] = ()
    """Class names as they are put into prompts."""
    synonyms: tuple[tuple[str, ...], ...] = ()
    """All names of each class, the one in `classes` first. Empty: there is only that one."""
    templates: tuple[str, ...] = ()
    """Prompts with one `{}` each."""
    prompts: tuple[tuple[str, ...], ...] = ()
    """Whole prompts of each class, instead of names in templates. Empty: there are none."""
    metric: Metric = "top1"
    """How it is judged, if it has classes."""
    test: Labelled | None = None
    train: Labelled | None = None
    """For probes that fit something."""
    val: Labelled | None = None
    """The data set's own validation split, for probes that choose something."""
    pairs: Paired | None = None
    whole: Labelled | None = None
    """All rows, where the split is our own and not the data set's: what fits nothing is scored on these."""
    texts: TextTask | None = None
    """What is more than images by class: sentences, passages, words, questions."""
    notes: tuple[str, ...] = ()
    """What was odd about the data, such as files that were ignored, for the user to see."""

    @property
    def unfitted(self) -> tuple[str, Labelled] | None:
        """The name and the rows of the split that a probe which fits nothing is scored on."""
        if self.whole is not None:
            return "all", self.whole
        return None if self.test is None else (self.split, self.test)
