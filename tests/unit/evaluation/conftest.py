"""A model that sees pixels through a random matrix and reads letters through another."""

import copy

import numpy as np
import pytest
import torch

from protoclip_cli.core.types import Preprocess
from protoclip_cli.data.benchmarks.base import Benchmark, Labelled, Paired
from protoclip_cli.data.views.eval import EvalView
from protoclip_cli.evaluation.embedder import TunableTower


class Bright(torch.nn.Module):
    def forward(self, view):
        return view.float().mean(dim=1).flatten(1) / 255 - 0.5


class PixelEmbedder:
    model_hash, transform, precision = "0123456789ab", "8x8 grey", "fp32"

    def __init__(self):
        rng = np.random.default_rng(0)
        self.image_matrix, self.text_matrix = rng.normal(size=(64, 16)), rng.normal(size=(256, 16))
        self.asked = []

    def images(self, images, rows):
        self.asked.append(("images", tuple(int(row) for row in rows)))
        pictures = [images.image(int(row)).convert("L").resize((8, 8)) for row in rows]
        pixels = np.stack([np.asarray(picture, np.float64).reshape(-1) / 255 - 0.5 for picture in pictures])
        return (pixels @ self.image_matrix).astype(np.float32)

    def using(self, features):
        """The first pixels are the backbone; a head turns all features round."""
        other = copy.copy(self)
        if features == "backbone":
            other.image_matrix = np.eye(64)[:, :5]
        else:
            other.image_matrix, other.text_matrix = self.image_matrix[:, ::-1], -self.text_matrix
        return other

    def tunable(self):
        torch.manual_seed(0)
        tower = torch.nn.Sequential(Bright(), torch.nn.Linear(64, 16))
        return TunableTower(tower, EvalView().build(Preprocess(8)), torch.device("cpu"))

    def texts(self, texts):
        self.asked.append(("texts", tuple(texts)))
        counts = np.stack([np.bincount(list(text.encode()), minlength=256) for text in texts])
        return (counts @ self.text_matrix).astype(np.float32)


class MadeImages:
    """Images of one grey value or pattern per class, with noise."""

    in_memory = True

    def __init__(self, classes, each, noise, seed=0):
        rng = np.random.default_rng(seed)
        patterns = np.random.default_rng(99).uniform(0, 255, (classes, 8, 8))
        self.labels = np.roll(np.tile(np.arange(classes), each), seed - 1)  # no two splits in one order
        self.pixels = patterns[self.labels] + rng.normal(0, noise, (len(self.labels), 8, 8))
        self.fingerprint = f"made/{classes}/{each}/{noise}/{seed}"

    def __len__(self):
        return len(self.labels)

    def image(self, row, draft=None):  # noqa: ARG002
        from PIL import Image

        return Image.fromarray(np.clip(self.pixels[row], 0, 255).astype(np.uint8)).convert("RGB")

    def place(self, row):
        return f"made {row}"


def labelled(*args, **settings):
    images = MadeImages(*args, **settings)
    return Labelled(images, np.arange(len(images)), images.labels)


@pytest.fixture
def embedder():
    return PixelEmbedder()


@pytest.fixture
def benchmark():
    """Six classes that a linear probe can tell apart, with captions that say nothing."""
    test = labelled(6, 10, 30.0, seed=1)
    texts = [f"picture {number}" for number in range(60)] + ["another of the first"]
    return Benchmark(
        name="made",
        split="test",
        classes=("ant", "bee", "cow", "dog", "eel", "fox"),
        templates=("a photo of a {}.", "one {}"),
        test=test,
        train=labelled(6, 30, 30.0, seed=2),
        pairs=Paired(test.images, test.rows, texts, np.append(np.arange(60), 0)),
    )
