"""The parts of a recipe that the loop reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from protoclip_cli.core.spec import Spec


class EpisodesSpec(Spec):
    """How the data set is cut into episodes."""

    rows: int | Literal["all"] = "all"
    """Rows of an episode; `all`: as many as the data set has."""
    count: int = Field(1, gt=0)
    """Episodes to train."""
    sampling: Literal["shuffle", "replacement"] = "shuffle"
    """`shuffle`: every row once before any comes again. `replacement`: each drawn anew, as in ProtoCLIP."""


Clusters = Annotated[int, Field(gt=1)]
Source = Literal["image", "text", "teacher"]


class PrototypesSpec(Spec):
    """How an episode is looked at and clustered."""

    k: Clusters | dict[Source, Clusters]
    """Clusters of each clustering: one number, or one for each of `image`, `text` and `teacher`."""
    iterations: int = Field(20, gt=0)
    """Rounds of k-means."""
    restarts: int = Field(1, gt=0)
    """How often k-means starts anew; the best result is kept."""
    start: Literal["k-means++", "random"] = "k-means++"
    """The first centroids: rows far from one another, or any, which costs less where clusters are many."""
    every: int = Field(1, gt=0)
    """Episodes that share a clustering, and with it their rows."""
    look: Literal["train_view", "clean"] = "train_view"
    """`train_view`: cluster features of augmented images, as the original. `clean`: of images as they are."""
    backend: Literal["auto", "faiss", "torch"] = "auto"
    """Who runs k-means."""
    spherical: bool = False
    """Keep centroids at unit length between rounds. The originals did not."""
    samples_per_centroid: int | None = Field(256, gt=0)
    """Rows that k-means is fitted on, for each cluster. Empty: all. Every row is assigned in any case."""
    normalize: bool = True
    """Give prototypes unit length. False: the original's plain means."""
    keep_images_gb: float = Field(4.0, ge=0)
    """Memory of each process for images of the look that training need not read again."""

    def k_of(self, source: str) -> int:
        """Clusters of a source.

        Raises:
            KeyError: the recipe names numbers, and none for this source.
        """
        return self.k if isinstance(self.k, int) else dict(self.k)[source]  # type: ignore[index]

    @property
    def largest_k(self) -> int:
        """The largest number of clusters."""
        return self.k if isinstance(self.k, int) else max(self.k.values())


class BatchSpec(Spec):
    """Rows of a step."""

    size: int = Field(256, gt=1)
    """Rows of a step, over all processes."""
    distinct: Literal["none", "image", "caption", "both"] = "none"
    """What must not come twice in a batch. Rows of one image (the same path) or one caption (the same text)
    are put into different batches of the episode, as far as there are enough of them."""
    accumulate: int = Field(1, gt=0)
    """Parts a step is encoded in, to save memory."""
    accumulation: Literal["grad_cache", "plain"] = "grad_cache"
    """`grad_cache`: gradients and metrics are those of the whole batch, for one more pass forward. `plain`:
    each part is a batch of its own, contrasted within itself alone, and gradients are averaged, as
    clip-rocket's --update-freq does."""
    workers: int | Literal["auto"] = "auto"
    """Loader processes of each training process."""

    @property
    def contrasted(self) -> int:
        """Rows that are contrasted with one another."""
        return self.size // self.accumulate if self.accumulation == "plain" else self.size


class MomentumSpec(Spec):
    """A copy of the model that follows it slowly, for objectives that learn from it."""

    decay: float = Field(0.99, ge=0, lt=1)
    """How much of itself the copy keeps in a step."""


class AverageSpec(Spec):
    """An average of the weights of all steps, kept beside them for evaluation."""

    decay: float = Field(0.9999, ge=0, lt=1)
    """How much of itself the average keeps in a step."""
    start: int = Field(0, ge=0)
    """So many steps the average is the model itself."""


class ImageCacheSpec(Spec):
    """Where images are kept decoded and small, for runs that read them many times."""

    folder: Path | None = None
    """Where, on a disk that is fast and large: three bytes a pixel. Null: below ~/.cache/protoclip."""
    size: int | None = Field(None, ge=8)
    """The shorter side of an image there, in pixels. Null: the least that `views.image` need not enlarge."""


class TowerSpec(Spec):
    """When a tower learns."""

    first_episode: int = Field(0, ge=0)
    """The episode in which it starts."""
    last_episode: int | None = Field(None, ge=0)
    """The last one in which it learns. Empty: the end of training."""
    at_rest: Literal["frozen", "zero_rate"] = "frozen"
    """`zero_rate`: a tower that does not learn has gradients and moving norm statistics all the same, and a
    rate of zero, as in the original."""
    lock: bool = False
    """Let nothing of the tower learn but its last groups of layers."""
    unlocked_groups: int = Field(0, ge=0)
    """How many groups of layers of a locked tower learn, counted from its output."""
    frozen: list[str] = Field(default_factory=list)
    """Names of parameters that never learn, as patterns with `*` and `?`, such as `visual.layer1.*`.
    `!PATTERN` lets learn again, also what `lock` has taken; later ones win, and each must fit something."""

    def learns(self, episode: int) -> bool:
        """Whether the tower learns in an episode."""
        return self.first_episode <= episode and (self.last_episode is None or episode <= self.last_episode)


class CheckpointsSpec(Spec):
    """When to save, and what to keep."""

    every_steps: int | None = Field(None, gt=0)
    """Save every so many steps, besides the ends of episodes. Empty: only there."""
    every_episodes: int = Field(1, gt=0)
    """Save at the end of every so many episodes, and of the last one."""
    keep_last: int = Field(3, gt=0)
    """How many of the newest to keep."""
    keep_every: int | None = Field(None, gt=0)
    """Keep also the ends of every so many episodes. Empty: none."""
