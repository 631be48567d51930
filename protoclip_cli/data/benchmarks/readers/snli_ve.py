"""Visual entailment: whether an image entails a hypothesis, says nothing about it, or contradicts it.

    path/snli_ve_train.jsonl, snli_ve_dev.jsonl, snli_ve_test.jsonl    a line for each hypothesis:
        {"Flickr30K_ID": "36979", "sentence1": its caption, "sentence2": hypothesis, "gold_label": "neutral"}
    path/flickr30k_images/<Flickr30K_ID>.jpg

Xie et al., Visual Entailment: A Novel Task for Fine-Grained Image Understanding, 2019.
https://arxiv.org/abs/1901.06706
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.base import Benchmark
from protoclip_cli.data.benchmarks.image_files import images_by_name
from protoclip_cli.data.benchmarks.readers._named_files import NamedFilesSpec
from protoclip_cli.data.benchmarks.text_files import LeftOut, need, numbered_objects
from protoclip_cli.data.benchmarks.text_tasks import ENTAILMENT, TextEntailment, VisualEntailment

_KEYS = ("Flickr30K_ID", "sentence1", "sentence2", "gold_label")
_Row = tuple[str, str, str, int]
"""Image, caption, hypothesis, label."""


class SnliVeSpec(NamedFilesSpec):
    """Hypotheses about images, with captions to learn from."""

    kind: Literal["snli_ve"] = "snli_ve"
    train: str = "snli_ve_train.jsonl"
    """Name of the file to learn from."""
    validation: str = "snli_ve_dev.jsonl"
    """Name of the file to choose by."""
    test: str = "snli_ve_test.jsonl"
    """Name of the file to score."""
    images: str = "flickr30k_images"
    """Name of the folder of images."""

    named: ClassVar[tuple[str, ...]] = ("train", "validation", "test", "images")
    folders: ClassVar[tuple[str, ...]] = ("images",)

    @property
    def layout(self) -> str:
        """See `ReaderSpec`."""
        return (
            f"put {self.train}, {self.validation}, {self.test} and Flickr30k's images as {self.images}/ "
            f"into {self.path}"
        )

    def open(self) -> Benchmark:
        """See `ReaderSpec`."""
        *files, folder = self.files()
        left_out = LeftOut()
        train, validation, test = (self._rows(need(file, self.layout), left_out) for file in files)
        images, rows = images_by_name(folder, [row[0] for row in test], self.layout)
        return Benchmark(
            name=self.label,
            split="test",
            texts=VisualEntailment(
                train=_split(train),
                validation=_split(validation),
                images=images,
                rows=rows,
                hypotheses=[row[2] for row in test],
                labels=np.array([row[3] for row in test], np.int64),
            ),
            notes=left_out.notes(),
        )

    def _rows(self, path: Path, left_out: LeftOut) -> list[_Row]:
        rows = list(_read(path, left_out))
        if not rows:
            raise DataError(f"{path} has no hypotheses", hint="; ".join((self.layout, *left_out.notes())))
        return rows


def _read(path: Path, left_out: LeftOut) -> Iterator[_Row]:
    for number, value in numbered_objects(path, left_out):
        texts = [value.get(key) for key in _KEYS]
        image, caption, hypothesis, label = (text if isinstance(text, str) else "" for text in texts)
        if not image or not caption.strip() or not hypothesis.strip():
            left_out.add(path, number, f"{', '.join(_KEYS[:3])} must be texts")
        elif label not in ENTAILMENT:
            left_out.add(path, number, "its people did not agree on one of the three labels")
        else:
            name = image if image.lower().endswith(".jpg") else f"{image}.jpg"
            yield name, caption, hypothesis, ENTAILMENT.index(label)


def _split(rows: list[_Row]) -> TextEntailment:
    return TextEntailment(
        premises=[row[1] for row in rows],
        hypotheses=[row[2] for row in rows],
        labels=np.array([row[3] for row in rows], np.int64),
    )
