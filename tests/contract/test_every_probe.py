"""What every probe keeps."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from protoclip_cli.core.errors import ProtoclipError
from protoclip_cli.core.types import Preprocess
from protoclip_cli.data.benchmarks import names
from protoclip_cli.data.benchmarks.base import Benchmark, Labelled, Paired
from protoclip_cli.data.benchmarks.readers.digits import DigitsSpec
from protoclip_cli.data.benchmarks.text_tasks import (
    Passages,
    Questions,
    SentencePairs,
    TextEntailment,
    Triplets,
    VisualEntailment,
    WordPairs,
)
from protoclip_cli.data.views.eval import EvalView
from protoclip_cli.evaluation.embedder import CachedEmbedder, TunableTower
from protoclip_cli.evaluation.probes import PROBES
from protoclip_cli.evaluation.probes.base import ProbeSpec
from protoclip_cli.evaluation.score import read_scores

OF_ANY_SIZE = {"feature_statistics"}
"""Probes whose scores are no shares."""


class Brightness(torch.nn.Module):
    def __init__(self, scale):
        super().__init__()
        self.scale = scale

    def forward(self, view):
        return self.scale * view.float().mean(dim=1).flatten(1) / 255


class Pixels:
    """Pixels through a random matrix for images; any numbers for texts."""

    model_hash, transform, precision = "pixels", "8x8", "fp32"
    scale = 1.0

    def images(self, images, rows):
        pictures = [np.asarray(images.image(int(row)).convert("L").resize((8, 8)), float) for row in rows]
        matrix = np.random.default_rng(1).normal(size=(64, 24))
        return (self.scale * np.stack(pictures).reshape(-1, 64) @ matrix).astype(np.float32)

    def tunable(self):
        torch.manual_seed(0)
        tower = torch.nn.Sequential(Brightness(self.scale), torch.nn.Linear(64, 24))
        return TunableTower(tower, EvalView().build(Preprocess(8)), torch.device("cpu"))

    def texts(self, texts):
        features = np.random.default_rng(len(texts)).normal(size=(len(texts), 24))
        return (self.scale * features).astype(np.float32)


class Listed(list):
    """A corpus in memory."""

    def chunks(self, size):
        return (self[start : start + size] for start in range(0, len(self), size))


@pytest.fixture(params=PROBES.kinds())
def probe(request) -> ProbeSpec:
    return PROBES.spec(request.param)()


@pytest.fixture(scope="module")
def seen():
    digits = DigitsSpec().open()
    some = Labelled(digits.test.images, digits.test.rows[:200], digits.test.labels[:200])
    train = Labelled(digits.train.images, digits.train.rows[:300], digits.train.labels[:300])
    pairs = Paired(some.images, some.rows, [f"digit {row}" for row in some.rows], np.arange(200))
    known = {"classes": digits.classes, "templates": digits.templates}
    return Benchmark("made", "half", test=some, train=train, pairs=pairs, **known)


@pytest.fixture
def benchmark(probe, seen):
    """Images with all there can be about them, and the texts that the probe asks for."""
    rows, images = seen.test.rows, seen.test.images
    one, two, three = ([f"{name} {row}" for row in rows] for name in ("some", "other", "third"))
    gold = np.arange(200.0)
    halves = TextEntailment(one, two, rows % 3)
    texts = {
        "sts": SentencePairs(one, two, gold, rows % 2, ("even", "odd")),
        "word_similarity": WordPairs(one, two, gold),
        "triplets": Triplets(one, two, three),
        "passage_retrieval": Passages(
            one, Listed(two), tuple(np.arange(200)[:, None]), np.ones(200, np.int64)
        ),
        "vqa": Questions(
            images,
            rows,
            (("yes.", "no."),) * 200,
            (("yes", "no"),) * 200,
            (("no",) * 10,) * 200,
            ("other",) * 200,
        ),
        "visual_entailment": VisualEntailment(halves, halves, images, rows, two, rows % 3),
    }
    return replace(seen, texts=texts.get(probe.kind))


def run(probe, benchmark, seed=0):
    return probe.run(benchmark, CachedEmbedder(Pixels()), seed)


def test_scores_are_rows_of_the_contract(probe, benchmark):
    scores = run(probe, benchmark)
    assert len({score.identity for score in scores}) == len(scores) > 0
    assert read_scores(score.line() for score in scores) == scores
    for score in scores:
        assert (score.probe, score.benchmark, score.split) == (probe.kind, "made", "half")
        assert math.isfinite(score.value)
        assert probe.kind in OF_ANY_SIZE or -1 <= score.value <= 1
        assert score.n == 200
        if score.ci95 is not None:
            low, high = score.ci95
            assert low <= score.value <= high
            assert high - low < 0.4
            assert probe.kind in OF_ANY_SIZE or -1 <= low <= high <= 1
        assert "NaN" not in json.dumps(score.row())


def test_the_same_seed_gives_the_same_scores(probe, benchmark):
    def values(seed):
        return [(score.metric, score.value, score.ci95) for score in run(probe, benchmark, seed)]

    assert values(3) == values(3)


def test_it_refuses_what_it_cannot_use_and_says_why(probe):
    reason = probe.refuses(Benchmark("empty", "test"))
    assert reason.startswith("has ")
    with pytest.raises(ProtoclipError, match=reason):
        run(probe, Benchmark("empty", "test"))


def test_features_that_are_not_finite_are_an_error(probe, benchmark, monkeypatch):
    monkeypatch.setattr(Pixels, "scale", float("nan"))
    with pytest.raises(ProtoclipError, match="not finite"):
        run(probe, benchmark)


def test_its_own_benchmarks_are_shipped(probe):
    assert probe.default_benchmarks
    assert set(probe.default_benchmarks) <= set(names())


def test_every_setting_is_described(probe):
    fields = type(probe).model_fields
    assert [name for name, field in fields.items() if name != "kind" and not field.description] == []


def test_a_recipe_can_set_how_often_and_on_what():
    for kind in PROBES.kinds():
        spec = PROBES.spec(kind).model_validate(
            {"every": "8", "benchmarks": ["digits", {"kind": "folder", "path": "x"}]}
        )
        assert (spec.every, spec.benchmarks[0], spec.benchmarks[1].kind) == (8, "digits", "folder")
