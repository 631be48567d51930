from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.base import Labelled, Paired
from protoclip_cli.evaluation.probes.clustering import ClusteringSpec
from protoclip_cli.evaluation.probes.linear_probe import LinearProbeSpec
from protoclip_cli.evaluation.probes.retrieval import RetrievalSpec
from protoclip_cli.evaluation.probes.zero_shot import ZeroShotSpec


def by_metric(scores):
    return {score.metric: score for score in scores}


class Oracle:
    """Its features are the labels, for images and prompts alike, but for the given mistakes."""

    model_hash, transform, precision = "oracle", "none", "fp32"

    def __init__(self, benchmark, mistakes=()):
        self.names = benchmark.classes
        self.mistakes = mistakes
        self.prompts = []

    def images(self, images, rows):
        labels = images.labels[rows]
        wrong = np.isin(rows, self.mistakes)
        return np.eye(len(self.names), dtype=np.float32)[
            np.where(wrong, (labels + 1) % len(self.names), labels)
        ]

    def texts(self, texts):
        self.prompts += texts
        found = [next(i for i, name in enumerate(self.names) if name in text.split(".")[0]) for text in texts]
        return np.eye(len(self.names), dtype=np.float32)[found]


def test_zero_shot_counts_what_is_right(benchmark):
    oracle = Oracle(benchmark, mistakes=[0, 1, 6])  # two ants and a bee
    scores = by_metric(ZeroShotSpec().run(benchmark, oracle, seed=0))
    assert set(scores) == {"top1", "top5", "mean_per_class"}
    assert scores["top1"].value == pytest.approx(57 / 60)
    assert scores["mean_per_class"].value == pytest.approx((0.8 + 0.9 + 4) / 6)
    top1 = scores["top1"]
    assert (top1.split, top1.n, top1.classes, top1.selection) == ("test", 60, 6, "none")
    assert top1.ci95[0] < top1.value < top1.ci95[1]
    assert oracle.prompts[:3] == ["a photo of a ant.", "one ant", "a photo of a bee."]


def test_zero_shot_of_four_classes_has_no_top5(benchmark, embedder):
    keep = benchmark.test.labels < 4
    test = Labelled(benchmark.test.images, benchmark.test.rows[keep], benchmark.test.labels[keep])
    four = replace(benchmark, classes=benchmark.classes[:4], test=test)
    assert set(by_metric(ZeroShotSpec().run(four, embedder, 0))) == {"top1", "mean_per_class"}


def test_zero_shot_takes_templates_of_the_recipe(benchmark):
    oracle = Oracle(benchmark)
    usual = ZeroShotSpec().run(benchmark, oracle, 0)[0]
    own = ZeroShotSpec(templates=["my {}"]).run(benchmark, oracle, 0)[0]
    assert oracle.prompts[-6:] == ["my ant", "my bee", "my cow", "my dog", "my eel", "my fox"]
    assert own.prompts_hash != usual.prompts_hash
    with pytest.raises(ValidationError, match="must have one"):
        ZeroShotSpec(templates=["no place"])


def test_zero_shot_uses_all_rows_where_the_split_is_our_own(benchmark, embedder):
    halves = replace(benchmark, whole=benchmark.train)
    score = ZeroShotSpec().run(halves, embedder, 0)[0]
    assert (score.split, score.n) == ("all", 180)
    probe = LinearProbeSpec().run(halves, embedder, 0)[0]
    assert (probe.split, probe.n) == ("test", 60)


def test_retrieval_measures_both_ways(benchmark, embedder):
    scores = by_metric(RetrievalSpec().run(benchmark, embedder, 0))
    cuts = [f"{way}_recall@{k}" for way in ("image_to_text", "text_to_image") for k in (1, 5, 10)]
    assert list(scores) == [*cuts, "mean_recall"]
    assert scores["mean_recall"].value == pytest.approx(np.mean([scores[name].value for name in cuts]))
    assert (scores["image_to_text_recall@1"].n, scores["text_to_image_recall@1"].n) == (60, 61)


def test_retrieval_tells_of_captions_that_say_nothing(benchmark, embedder):
    texts = ["", " ", *benchmark.pairs.texts[2:]]
    notes = []
    RetrievalSpec().run(
        replace(benchmark, pairs=replace(benchmark.pairs, texts=texts)), embedder, 0, notes.append
    )
    assert notes == ["retrieval: 2 of 61 captions are empty and find no image but by chance"]


def test_linear_probe_learns_from_train_and_is_judged_on_test(benchmark, embedder):
    scores = by_metric(LinearProbeSpec().run(benchmark, embedder, 0))
    assert scores["top1"].value > 0.9
    assert (scores["top1"].n, scores["top1"].selection) == (60, "validation")
    shuffled = np.random.default_rng(0).permutation(benchmark.train.labels)
    nonsense = replace(benchmark, train=replace(benchmark.train, labels=shuffled))
    assert LinearProbeSpec().run(nonsense, embedder, 0)[0].value < 0.5


def test_clustering_finds_groups(benchmark, embedder):
    scores = by_metric(ClusteringSpec().run(benchmark, embedder, 0))
    assert set(scores) == {"ami", "ari", "nmi"}
    assert scores["ami"].value > 0.8
    assert scores["ami"].ci95[0] < scores["ami"].value <= scores["ami"].ci95[1]


def test_clustering_tells_when_features_collapsed(benchmark, embedder):
    embedder.image_matrix[:] = 0
    notes = []
    scores = by_metric(ClusteringSpec().run(benchmark, embedder, 0, notes.append))
    assert scores["ami"].value == pytest.approx(0)
    assert "only 1 features differ" in notes[0]


@pytest.mark.parametrize(
    ("probe", "lacking", "reason"),
    [
        (ZeroShotSpec(), {"test": None}, "no labelled images"),
        (ZeroShotSpec(), {"classes": ()}, "no class names"),
        (ZeroShotSpec(), {"templates": ()}, "no prompt templates"),
        (RetrievalSpec(), {"pairs": None}, "no captions"),
        (RetrievalSpec(), {"pairs": Paired(None, np.arange(2), [], np.arange(0))}, "no captions"),
        (RetrievalSpec(), {"pairs": Paired(None, np.arange(2), ["a"], np.array([0]))}, "without a caption"),
        (LinearProbeSpec(), {"test": None}, "no labelled images"),
        (LinearProbeSpec(), {"train": None}, "no train split"),
        (ClusteringSpec(), {"test": None}, "no labelled images"),
    ],
)
def test_what_a_probe_needs(benchmark, embedder, probe, lacking, reason):
    poor = replace(benchmark, **lacking)
    assert probe.refuses(benchmark) is None
    assert reason in probe.refuses(poor)
    with pytest.raises(DataError, match=f"{probe.kind} cannot run on made: it has .*{reason}"):
        probe.run(poor, embedder, 0)


def test_clustering_needs_more_images_than_classes(benchmark):
    few = Labelled(benchmark.test.images, benchmark.test.rows[:6], benchmark.test.labels[:6])
    assert ClusteringSpec().refuses(replace(benchmark, test=few)) == "has no more images than classes"
