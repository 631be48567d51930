"""What there is to draw: all that a picture may ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from protoclip_cli.drawing.gallery import Answers, Gallery
from protoclip_cli.drawing.lettering import Lettering
from protoclip_cli.drawing.records import Records
from protoclip_cli.drawing.tiles import Tiles
from protoclip_cli.metrics.robustness import Trend


class Material(StrEnum):
    """What a picture is made of."""

    METRICS = "metrics"
    SCORES = "scores"
    GALLERY = "pairs"
    ANSWERS = "benchmark"
    TRENDS = "reference models"


def unheard(_message: str) -> None:
    """A note to nobody."""


@dataclass(slots=True)
class Scene:
    """What there is to draw. What no picture needs, or cannot be had, is empty."""

    records: Sequence[Records] = ()
    """Of runs; the first is the one whose model is shown."""
    gallery: Gallery | None = None
    answers: Sequence[Answers] = ()
    trends: Mapping[str, Trend] = field(default_factory=dict)
    """By shifted benchmark."""
    reference: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)
    """By shifted benchmark: accuracies of other models, without the shift and with it."""
    kept_map: Path | None = None
    """The file of a t-SNE map: drawn in if it is there, and written if not. None: neither."""
    lacking: Mapping[Material, str] = field(default_factory=dict)
    """Why something is not there, in words."""
    note: Callable[[str], None] = unheard
    """Takes one sentence for the user."""
    letters: Lettering = field(default_factory=Lettering)
    _tiles: Tiles | None = None

    @property
    def tiles(self) -> Tiles:
        """The images of the gallery as tiles, counted together."""
        assert self.gallery is not None
        if self._tiles is None:
            self._tiles = Tiles(self.gallery.images)
        return self._tiles

    @property
    def missing_images(self) -> int:
        """How many tiles are grey."""
        return 0 if self._tiles is None else self._tiles.missing

    def choose_fonts(self, more: Sequence[str] = ()) -> None:
        """Find fonts for all captions and names."""
        texts = [*more, *(record.name for record in self.records)]
        texts += [row[key] for record in self.records for row in record.scores for key in ("benchmark",)]
        if self.gallery is not None:
            texts += [*self.gallery.texts, *self.gallery.classes, self.gallery.name]
        texts += [name for answers in self.answers for name in (answers.benchmark, *answers.classes)]
        self.letters = Lettering(texts)

    def lacks(self, material: Material) -> str | None:
        """Why a material is not there, as the end of a sentence. None: it is."""
        if material is Material.METRICS:
            there = any(record.metrics for record in self.records)
            default = "needs a run with a metrics.jsonl that is not empty"
        elif material is Material.SCORES:
            there = any(record.scores for record in self.records)
            default = "needs scores, and the run has none yet: `protoclip evaluate --ckpt RUN` makes some"
        elif material is Material.GALLERY:
            there, default = self.gallery is not None, "needs a model and pairs: give --data PAIRS"
        elif material is Material.ANSWERS:
            there, default = bool(self.answers), "needs a benchmark: give --benchmark NAME"
        else:
            there, default = bool(self.trends), "needs accuracies of other models: give --reference TABLE.csv"
        return None if there else self.lacking.get(material, default)
