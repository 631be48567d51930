"""A scene of made-up pairs, scores and metrics."""

import numpy as np
import pytest
from PIL import Image

from protoclip_cli.core.errors import BadImage
from protoclip_cli.drawing.gallery import Answers, Gallery, unit_rows
from protoclip_cli.drawing.records import Records
from protoclip_cli.drawing.scene import Scene
from protoclip_cli.metrics.robustness import fit_trend

CAPTIONS = [
    "a <script>alert(1)</script> & $x^2_{$ \\alpha",
    "word " * 2000,
    "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd",
    "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645",
    "a dog\non\ttwo lines",
    "",
]


class Squares:
    """Images of one colour each; some can be missing."""

    def __init__(self, missing=()):
        self.missing, self.open, self.most_open = set(missing), 0, 0

    def image(self, row, draft=None):  # noqa: ARG002
        if row in self.missing:
            raise BadImage(f"{row} is gone")
        return Image.new("RGB", (40 + row % 7, 40), (row * 37 % 256, row * 91 % 256, 128))


def make_gallery(rows=40, *, missing=(), features=None, labels=True):
    rng = np.random.default_rng(0)
    images = rng.normal(size=(rows, 8)).astype(np.float32) if features is None else features
    texts = images + 0.3 * rng.normal(size=images.shape).astype(np.float32) if features is None else features
    return Gallery(
        "made up",
        Squares(missing),
        np.arange(rows),
        [CAPTIONS[row] if row < len(CAPTIONS) else f"a thing of number {row}" for row in range(rows)],
        unit_rows(images, "images"),
        unit_rows(texts, "texts"),
        np.arange(rows) % 11 if labels else None,
        tuple(f"class {number}" for number in range(11)),
    )


def score(benchmark="digits", metric="top1", value=0.5, step=4, **more):
    return {
        **{"probe": "zero_shot", "benchmark": benchmark, "split": "test", "metric": metric, "value": value},
        **{"step": step, "ci95": [value - 0.1, value + 0.1], "model_hash": str(step), "seed": 0},
        "higher_is_better": True,
        **more,
    }


def make_records(name="run", best=0.6, steps=8):
    rng = np.random.default_rng(1)
    metrics = [
        {
            **{"step": step + 1, "episode": 0, "lr": 1e-3, "text_lr": 1e-3, "loss": 5 - step / 10},
            **{"clip/loss": 4 + rng.random(), "clip/accuracy": step / 100, "clip/scale": 14.0},
            **{"modality_gap": 0.8, "grad_norm": None if step == 3 else 1.0, "prototypes/image/live": 7},
        }
        for step in range(steps)
    ]
    shifted = ("imagenet", "imagenet_a_benchmark_with_a_rather_long_name")
    scores = [score(step=step, value=best * step / 10) for step in (4, 8)]
    scores += [score(benchmark=b, step=8, value=best - 0.2 * n) for n, b in enumerate(shifted)]
    scores += [
        score(benchmark=b, metric=f"top1@alpha={a}", value=0.3 + a / 4 - a * n / 3, step=None)
        for n, b in enumerate(shifted)
        for a in (0.0, 0.5, 1.0)
    ]
    return Records(name, metrics, scores, 64)


@pytest.fixture
def gallery():
    return make_gallery


@pytest.fixture
def records():
    return make_records


@pytest.fixture
def whole_scene():
    """All that any picture may ask for, and what was noted."""
    rng, notes = np.random.default_rng(2), []
    labels = rng.integers(0, 11, 200)
    guesses = np.where(rng.random(200) < 0.6, labels, rng.integers(0, 11, 200))
    names = tuple(f"class {number} of a long name that goes on" for number in range(11))
    points = [(0.4, 0.2), (0.5, 0.3), (0.7, 0.45)]
    runs = [make_records("first", 0.6, 8), make_records("second", 0.5, 4), make_records("third", 0.7, 9)]
    for number, record in enumerate(runs):
        for row in record.scores:
            row["step"] = row["step"] and row["step"] * (number + 1)
    return Scene(
        records=runs,
        gallery=make_gallery(),
        answers=[Answers("made up", names, labels, guesses)],
        trends={"imagenet_a_benchmark_with_a_rather_long_name": fit_trend(*zip(*points, strict=True))},
        reference={"imagenet_a_benchmark_with_a_rather_long_name": points},
        note=notes.append,
    ), notes
