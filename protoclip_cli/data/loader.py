"""From rows to batches: read, view, tokenise, in workers where that pays."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL.Image import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler, get_worker_info

from protoclip_cli.compute.randomness import key, row_keys, uniform
from protoclip_cli.core.errors import BadImage, DataError, ProtoclipError
from protoclip_cli.core.types import Batch
from protoclip_cli.data.benchmarks.base import Images
from protoclip_cli.data.captions import Captions
from protoclip_cli.data.dead_workers import hand_over, in_words
from protoclip_cli.data.pairs.base import PairSource
from protoclip_cli.data.reading_texts import NOTHING_ODD, OddTexts, TextViews
from protoclip_cli.data.tokens import TokenTable
from protoclip_cli.data.views.base import ImageView, smallest_draft

_REPLACEMENTS = 20


@dataclass(frozen=True, slots=True)
class Request:
    """The rows of one process in one batch, and what chance depends on."""

    episode: int
    anchor: int
    """The episode that drew the rows. Captions and replacements depend on it, views on the other."""
    positions: NDArray[np.int64]
    """(b,), places in the episode."""
    rows: NDArray[np.int64]
    """(b,), places in the data set."""
    image_views: int
    text_views: int
    clean: bool = False
    """Whether the images are wanted also as evaluation sees them."""
    labels: bool = False
    """Whether the classes of the rows are wanted."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A batch, and the images that could not be read on the way."""

    batch: Batch
    bad: tuple[tuple[int, str], ...] = ()
    """Row and reason of each."""
    odd_texts: OddTexts = NOTHING_ODD
    """Of the texts that were made for this batch."""

    def pin_memory(self) -> Fetched:
        """Page-lock the tensors, so that copies to the accelerator can overlap with its work."""
        return replace(self, batch=_map(self.batch, lambda tensor: tensor.pin_memory()))

    def own_memory(self) -> Fetched:
        """A copy outside the little memory that loader processes share with this one."""
        return replace(self, batch=_map(self.batch, lambda x: x.clone() if x.is_shared() else x))

    def to(self, device: torch.device) -> Batch:
        """The batch on a device, copied without waiting."""
        return _map(self.batch, lambda tensor: tensor.to(device, non_blocking=True))


def _map(batch: Batch, change: object) -> Batch:
    def each(value: object) -> object:
        if isinstance(value, tuple):
            return tuple(change(tensor) for tensor in value)  # type: ignore[operator]
        return None if value is None else change(value)  # type: ignore[operator]

    return Batch(**{f.name: each(getattr(batch, f.name)) for f in fields(batch)})  # type: ignore[arg-type]


def choose_captions(
    captions: Captions, seed: int, episode: int, rows: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Which caption of each row is read in an episode, (b,)."""
    if captions.single:
        return rows.copy()
    return captions.choose(rows, uniform(row_keys(key(seed, "caption", episode), rows), 1)[:, 0])


class PairReader(Dataset[Fetched]):
    """Reads the pairs of a request. Chance comes from (seed, episode, row) alone."""

    def __init__(
        self,
        source: PairSource,
        tokens: TokenTable | None,
        views: Sequence[ImageView],
        clean_view: ImageView,
        *,
        seed: int,
        short_texts: bool,
        text_views: TextViews | None = None,
    ) -> None:
        """Put the parts together.

        Args:
            source: what is read.
            tokens: of its captions.
            views: make the image views, by number; the last one makes any further ones.
            clean_view: what evaluation sees.
            seed: of the run.
            short_texts: pad texts to the longest of a batch instead of the context length.
            text_views: make the text views. None: all are the captions as they are.
        """
        self.source, self.tokens, self.clean_view = source, tokens, clean_view
        self.views, self.text_views = tuple(views), text_views
        self.draft = smallest_draft(self.views)
        self.seed, self.short_texts = seed, short_texts

    def __getitem__(self, request: Request) -> Fetched:
        """Read the pairs of a request, replacing those whose image cannot be read."""
        images: list[Image] = []
        bad: list[tuple[int, str]] = []
        rows = request.rows.copy()
        for place in range(len(rows) if request.image_views or request.clean else 0):
            image, rows[place], failed = self._read(request, place)
            images.append(image)
            bad += failed
        views = [
            self.views[min(number, len(self.views) - 1)](
                images, self._keys(request.episode, rows, f"image view {number}")
            )
            for number in range(request.image_views)
        ]
        clean = self.clean_view(images, self._keys(request.anchor, rows, "clean")) if request.clean else None
        captions = self.choose_captions(request.anchor, rows)
        texts, odd = self._texts(request, rows, captions)
        position, row, caption = (torch.from_numpy(x) for x in (request.positions, rows, captions))
        labels = self._labels(rows) if request.labels else None
        batch = Batch(position, row, caption, tuple(views), tuple(texts), labels, clean)
        return Fetched(batch, tuple(bad), odd)

    def _texts(
        self, request: Request, rows: NDArray[np.int64], captions: NDArray[np.int64]
    ) -> tuple[list[Tensor], OddTexts]:
        """The text views, and what was odd about them."""
        if not request.text_views:
            return [], NOTHING_ODD
        assert self.tokens is not None
        if self.text_views is None:
            return [self.tokens.rows(captions, short=self.short_texts)] * request.text_views, NOTHING_ODD
        return self.text_views(request.episode, rows, captions, request.text_views, short=self.short_texts)

    def _labels(self, rows: NDArray[np.int64]) -> Tensor:
        """(b,), long, the classes of the rows that were read."""
        assert self.source.labels is not None
        return torch.from_numpy(self.source.labels[rows].astype(np.int64))

    def _keys(self, episode: int, rows: NDArray[np.int64], purpose: str) -> NDArray[np.uint64]:
        return row_keys(key(self.seed, purpose, episode), rows)

    def choose_captions(self, episode: int, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Which caption of each row is read in an episode, (b,)."""
        return choose_captions(self.source.captions, self.seed, episode, rows)

    def _read(self, request: Request, place: int) -> tuple[Image, int, list[tuple[int, str]]]:
        """The image of a row, or of the first row of its line of replacements that can be read."""
        row = int(request.rows[place])
        bad: list[tuple[int, str]] = []
        line = row_keys(key(self.seed, "replacement", request.anchor), [row])
        replacements = (uniform(line, _REPLACEMENTS)[0] * len(self.source)).astype(int)
        for candidate in [row, *map(int, replacements)]:
            try:
                return self.source.image(candidate, self.draft), candidate, bad
            except BadImage as error:
                bad.append((candidate, str(error)))
        raise DataError(
            f"row {row} and {_REPLACEMENTS} replacements cannot be read; the first: {bad[0][1]}",
            hint="check the image paths of the table (relative ones start at the table's folder)",
        )


class ImageReader(Dataset[Tensor]):
    """Reads rows of images for evaluation, where a bad image is an error and not replaced."""

    def __init__(self, images: Images, view: ImageView) -> None:
        self.images, self.view = images, view

    def __getitem__(self, rows: NDArray[np.int64]) -> Tensor:
        """(b, 3, H, W), uint8."""
        found = [self.images.image(int(row), self.view.draft) for row in rows]
        return self.view(found, row_keys(key(0, "evaluation"), rows))


R = TypeVar("R")
T = TypeVar("T")


class _Given(Sampler[R]):
    def __init__(self, requests: Iterable[R]) -> None:
        self.requests = requests

    def __iter__(self) -> Iterator[R]:
        return iter(self.requests)


def load(reader: Dataset[T], requests: Iterable[R], *, workers: int, pin: bool) -> Iterator[T]:
    """Read requests in order, ahead of their use when there are workers.

    Args:
        reader: what reads a request.
        requests: which rows, batch by batch; may be endless.
        workers: processes that read ahead; 0 reads when asked.
        pin: page-lock the batches.
    """
    if workers:
        # Threads of Rust's tokenizers do not survive a fork; unasked, they warn of it once per worker.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    loader = DataLoader(
        _InWords(reader),
        batch_size=None,
        sampler=_Given(requests),
        num_workers=workers,
        pin_memory=pin,
        prefetch_factor=4 if workers else None,
        worker_init_fn=_leave_signals_to_the_parent,
    )
    batches = map(_value_or_error, loader)  # this starts the workers
    return in_words(batches) if workers else batches


@dataclass(frozen=True, slots=True)
class _Failed:
    error: ProtoclipError


class _InWords(Dataset[T | _Failed]):
    """Hands errors for the user over as values: raised in a worker, they would arrive as its traceback."""

    def __init__(self, reader: Dataset[T]) -> None:
        self.reader = reader

    def __getitem__(self, request: object) -> T | _Failed:
        try:
            read = self.reader[request]
            return read if get_worker_info() is None else _handed_over(read)
        except ProtoclipError as error:
            return _Failed(error)


def _handed_over(read: T) -> T:
    if isinstance(read, Fetched):
        _map(read.batch, hand_over)
    elif isinstance(read, Tensor):
        hand_over(read)
    return read


def _value_or_error(read: T | _Failed) -> T:
    if isinstance(read, _Failed):
        raise read.error
    return read


def _leave_signals_to_the_parent(worker: int) -> None:  # noqa: ARG001
    """A signal to the whole process group must not take the workers from a run that is about to save."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)


@atexit.register
def _end_workers() -> None:
    """End workers that an error left behind; multiprocessing would ask with SIGTERM and wait for ever."""
    if hasattr(signal, "SIGCHLD"):
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # torch's handler would call a killed worker an error
    for child in multiprocessing.active_children():
        if child.daemon:
            child.kill()
