"""The values that flow through one training step.

Dimensions, used in every docstring of this package:

    b  rows of this process in the step          D  width of an embedding
    B  rows of all processes in the step         P  width of a head's projection
    E  rows in the episode                       T  width of a teacher feature
    N  rows in the data set                      S  width of the features that were clustered
    K  prototypes that have members              L  tokens of a text
    H, W  height and width of an image in pixels
    F  width of a frozen model's embedding       V  tokens of a vocabulary
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from torch import Tensor


class Modality(StrEnum):
    """The two sides of a pair."""

    IMAGE = "image"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Preprocess:
    """What a model expects of its images; the fields of open_clip's `preprocess_cfg`."""

    size: int
    """Side of the square input in pixels."""
    mean: tuple[float, float, float] = (0.48145466, 0.4578275, 0.40821073)
    std: tuple[float, float, float] = (0.26862954, 0.26130258, 0.27577711)
    interpolation: str = "bicubic"
    resize_mode: str = "shortest"
    """`shortest` crops the centre, `longest` pads, `squash` changes the aspect."""
    fill_color: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """What the loader hands to a step: one process's share of the rows."""

    position: Tensor
    """(b,), long. Place in the episode."""
    row: Tensor
    """(b,), long. Place in the data set of the pair that was read, after a bad image was replaced."""
    caption: Tensor
    """(b,), long. Which caption of the data set was read."""
    image: tuple[Tensor, ...]
    """One tensor per view, each (b, 3, H, W), uint8."""
    text: tuple[Tensor, ...]
    """One tensor per view, each (b, L), long, padded to the longest text of the batch."""
    labels: Tensor | None = None
    """(b,), long."""
    clean: Tensor | None = None
    """(b, 3, H, W), uint8. The images as evaluation sees them, where a look at them was asked for."""


@dataclass(frozen=True, slots=True)
class Features:
    """What one tower made of one view."""

    embedding: Tensor
    """(B, D), any length."""
    heads: Mapping[str, Tensor] = field(default_factory=dict)
    """Projections by head name, each (B, P), any length."""


@dataclass(frozen=True, slots=True)
class Prototypes:
    """What the rows of a step are drawn to: one of the boards of an episode, as the step sees it.

    Only clusters with members are here, so all of them may stand in a softmax.
    """

    centroids: Tensor
    """(K, P), in the space of the student."""
    labels: Tensor
    """(B,), long. The cluster of each row."""
    source: Tensor
    """(K, S), the same clusters in the space they were found in."""


@dataclass(frozen=True, slots=True)
class Frozen:
    """What the recipe's frozen model says of the first views. Without gradients."""

    image: Tensor
    """(B, F), any length."""
    text: Tensor
    """(B, F), any length."""
    scale: Tensor
    """Scalar, the inverse temperature it was trained with."""


@dataclass(frozen=True, slots=True)
class NextTokens:
    """What the model says of each next token of the first text view. Of this process's rows only."""

    logits: Tensor
    """(b, L, V)."""
    targets: Tensor
    """(b, L), long; -100 where there is nothing to say."""
    count: Tensor
    """Scalar, how many targets a process has, averaged over processes."""


@dataclass(frozen=True, slots=True)
class StepInputs:
    """Everything an objective may read. What it asked for in `needs` is there; the rest is empty.

    The rows are those of all processes, in rank order, with gradients. `own` are the rows of this process: a
    row-wise loss computes these only, and the mean over processes is the loss of one process.
    """

    image: tuple[Features, ...]
    text: tuple[Features, ...]
    own: slice
    teacher: Tensor | None = None
    """(B, T)."""
    prototypes: Mapping[str, Prototypes] = field(default_factory=dict)
    """By name: `text`, or `image<-text` for those of texts moved into the space of images."""
    labels: Tensor | None = None
    """(B,), long; -1 for a pair that belongs to no class."""
    momentum_image: tuple[Features, ...] = ()
    """As `image`, from the momentum copy. Without gradients."""
    momentum_text: tuple[Features, ...] = ()
    """As `text`, from the momentum copy. Without gradients."""
    frozen: Frozen | None = None
    next_tokens: NextTokens | None = None
    kept: dict[object, Tensor] = field(default_factory=dict)
    """What an objective computed in `forward` and wants again in `after_step`, by objective; detached."""

    def of(self, modality: Modality) -> tuple[Features, ...]:
        """The views of one modality."""
        return self.image if modality is Modality.IMAGE else self.text


@dataclass(frozen=True, slots=True)
class Outcome:
    """The value of an objective, and what to log about it."""

    loss: Tensor
    """Scalar, float32 or float64."""
    metrics: Mapping[str, Tensor] = field(default_factory=dict)
    """Scalars, detached."""
