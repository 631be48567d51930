"""What pictures show of data and a model: a sample of pairs with features, and what a classifier answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from protoclip_cli.compute.processes import fail_together
from protoclip_cli.compute.randomness import generator
from protoclip_cli.core.errors import BadImage, DataError, ProtoclipError
from protoclip_cli.core.reporter import Reporter
from protoclip_cli.data.benchmarks.base import Benchmark, Images
from protoclip_cli.data.benchmarks.prompts import fill
from protoclip_cli.data.pairs.base import PairSpec
from protoclip_cli.drawing.gallery import Answers, Gallery, unit_rows
from protoclip_cli.evaluation.embedder import Embedder
from protoclip_cli.evaluation.probes import PROBES
from protoclip_cli.workflows.building import open_pairs

_LOOK = 32  # pixels that tell whether an image can be read


def gallery_of_pairs(
    pairs: PairSpec, embedder: Embedder, rows: int, seed: int, reporter: Reporter
) -> Gallery:
    """Some rows of a source of pairs, with the first caption of each. Collective.

    Raises:
        ProtoclipError: the source cannot be opened or embedded.
    """
    source, error = None, None
    try:
        source = open_pairs(pairs, reporter, "pairs")
    except ProtoclipError as met:
        error = met
    fail_together(error)
    assert source is not None
    chosen = _sample(len(source), rows, seed)
    texts = [source.captions[source.captions.of(int(row))[0]] for row in chosen]
    return _gallery(pairs.kind, source, chosen, texts, None, (), embedder, seed, reporter)


def gallery_of_benchmark(
    benchmark: Benchmark, embedder: Embedder, rows: int, seed: int, reporter: Reporter
) -> Gallery:
    """Some rows of a benchmark: with classes, captioned by its first prompt; or its own captions. Collective.

    Raises:
        DataError: it has neither.
        ProtoclipError: it cannot be embedded.
    """
    if benchmark.unfitted is not None and benchmark.classes:
        split = benchmark.unfitted[1]
        labelled = np.flatnonzero(split.labels >= 0)
        chosen = labelled[_sample(len(labelled), rows, seed)]
        labels, template = split.labels[chosen], next(iter(benchmark.templates), "{}")
        texts = [fill(template, benchmark.classes[label]) for label in labels]
        where = split.rows[chosen]
        return _gallery(
            benchmark.name, split.images, where, texts, labels, benchmark.classes, embedder, seed, reporter
        )
    if benchmark.pairs is None:
        raise DataError(f"the benchmark {benchmark.name} has neither classes nor captions")
    chosen = _sample(len(benchmark.pairs.texts), rows, seed)
    where = benchmark.pairs.rows[benchmark.pairs.image_of_text[chosen]]
    texts = [benchmark.pairs.texts[place] for place in chosen.tolist()]
    return _gallery(benchmark.name, benchmark.pairs.images, where, texts, None, (), embedder, seed, reporter)


def answers_of(benchmark: Benchmark, embedder: Embedder) -> Answers:
    """What zero-shot classification says about a benchmark. Collective.

    Raises:
        DataError: it cannot be classified so.
    """
    probe: Any = PROBES.spec("zero_shot").model_validate({"kind": "zero_shot"})
    reason = probe.refuses(benchmark)
    if reason is None and benchmark.unfitted is not None and benchmark.unfitted[1].targets is not None:
        reason = "has images of several classes at once"
    if reason:
        raise DataError(f"the benchmark {benchmark.name} {reason}")
    assert benchmark.unfitted is not None
    predictions = probe.logits(benchmark, embedder).argmax(axis=1)
    labels = benchmark.unfitted[1].labels
    return Answers(benchmark.name, benchmark.classes, labels, predictions)


def _sample(count: int, rows: int, seed: int) -> NDArray[np.int64]:
    """Some of so many, in their order; the same for the same seed."""
    return np.sort(generator(seed, "gallery").permutation(count)[:rows]).astype(np.int64)


def _gallery(  # noqa: PLR0913, PLR0917 - all that a gallery is made of
    name: str,
    images: Images,
    rows: NDArray[np.int64],
    texts: Sequence[str],
    labels: NDArray[np.int64] | None,
    classes: tuple[str, ...],
    embedder: Embedder,
    seed: int,
    reporter: Reporter,
) -> Gallery:
    try:
        features = embedder.images(images, rows)
    except DataError:
        good = np.flatnonzero([_readable(images, int(row)) for row in rows])
        if not len(good) or len(good) == len(rows):
            raise
        reporter.warn(f"{len(rows) - len(good)} of {len(rows)} images cannot be read and are left out")
        rows, texts = rows[good], [texts[place] for place in good.tolist()]
        labels = None if labels is None else labels[good]
        features = embedder.images(images, rows)
    return Gallery(
        name,
        images,
        rows,
        texts,
        unit_rows(features, "images"),
        unit_rows(embedder.texts(texts), "texts"),
        labels,
        classes,
        seed,
    )


def _readable(images: Images, row: int) -> bool:
    try:
        images.image(row, _LOOK)
    except (BadImage, OSError):
        return False
    return True
