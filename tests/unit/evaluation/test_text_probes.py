"""Probes of texts, on models whose scores are known."""

import numpy as np
import pytest

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.base import Benchmark
from protoclip_cli.data.benchmarks.text_tasks import (
    Passages,
    Questions,
    SentencePairs,
    TextEntailment,
    Triplets,
    VisualEntailment,
    WordPairs,
)
from protoclip_cli.evaluation.embedder import CachedEmbedder
from protoclip_cli.evaluation.probes.passage_retrieval import PassageRetrievalSpec
from protoclip_cli.evaluation.probes.sts import StsSpec
from protoclip_cli.evaluation.probes.triplets import TripletsProbeSpec
from protoclip_cli.evaluation.probes.visual_entailment import VisualEntailmentSpec
from protoclip_cli.evaluation.probes.vqa import VqaProbeSpec
from protoclip_cli.evaluation.probes.word_similarity import WordSimilaritySpec


class Reader:
    """A text is its last number, as an angle in degrees; an image is its row."""

    model_hash, transform, precision = "reader", "none", "fp32"

    def __init__(self):
        self.asked = []

    def _turn(self, degrees):
        angle = np.deg2rad(np.asarray(degrees, float))
        return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)

    def texts(self, texts):
        self.asked.append(list(texts))
        return self._turn([float(text.split()[-1].strip(".")) for text in texts])

    def images(self, images, rows):  # noqa: ARG002
        return self._turn(rows)


def bench(task):
    return Benchmark("made", "test", texts=task)


def by_metric(scores):
    return {score.metric: score for score in scores}


@pytest.fixture
def reader():
    return Reader()


def angles(*degrees):
    return [f"at {degree}" for degree in degrees]


def test_sentence_similarity_of_a_perfect_reader(reader):
    task = SentencePairs(
        angles(0, 0, 0, 0, 0),
        angles(1, 20, 40, 60, 80),
        np.array([5.0, 4, 3, 1, 2]),
        np.array([0, 0, 0, 1, 1]),
        ("a", "b"),
    )
    scores = by_metric(StsSpec().run(bench(task), reader, 0))
    assert scores["spearman"].value == pytest.approx(0.9)
    assert scores["spearman_mean"].value == pytest.approx(0)
    assert scores["spearman_wmean"].value == pytest.approx(0.2)
    assert scores["spearman_euclidean"].value == pytest.approx(0.9)
    assert (scores["spearman"].n, scores["spearman"].selection) == (5, "none")
    assert scores["spearman_max"].selection == "test", "the best of four is chosen on the test data"
    assert reader.asked == [angles(0, 1, 20, 40, 60, 80)], "each sentence once"


def test_sentences_that_are_all_alike_are_told(reader):
    task = SentencePairs(angles(0, 0), angles(0, 0), np.array([1.0, 2]), np.zeros(2, int), ("a",))
    notes = []
    assert by_metric(StsSpec().run(bench(task), reader, 0, notes.append))["spearman"].value == 0
    assert "equally alike" in notes[0]


@pytest.mark.parametrize(
    ("probe", "task"),
    [
        (StsSpec(), SentencePairs(angles(0, 1), angles(1, 2), np.ones(2), np.zeros(2, int), ("a",))),
        (WordSimilaritySpec(), WordPairs(angles(0, 1), angles(1, 2), np.ones(2))),
    ],
)
def test_people_who_always_say_the_same_are_no_gold(probe, task, reader):
    with pytest.raises(DataError, match="has scores of people that do not differ"):
        probe.run(bench(task), reader, 0)


def test_words_alone_and_in_prompts(reader):
    task = WordPairs(angles(0, 0, 0), angles(10, 90, 50), np.array([3.0, 1, 2]))
    alone = WordSimilaritySpec().run(bench(task), reader, 0)[0]
    assert alone.value == pytest.approx(1)
    assert reader.asked[-1] == angles(0, 10, 90, 50)
    own = {"prompts": ["see {}", "look {}"]}
    hashes = set()
    for way in ("ensemble", "mean_cosine", "pooled"):
        score = WordSimilaritySpec(templates=way, **own).run(bench(task), reader, 0)[0]
        assert score.value == pytest.approx(1)
        assert (score.n, score.metric) == (3, "spearman")
        hashes.add(score.prompts_hash)
    assert reader.asked[-1][:3] == ["see at 0", "look at 0", "see at 10"]
    assert hashes != {alone.prompts_hash}


def test_prompts_of_imagenet_are_eighty(reader):
    reader.texts = lambda texts: reader.asked.append(texts) or np.eye(2)[np.arange(len(texts)) % 2]
    WordSimilaritySpec(templates="ensemble").run(
        bench(WordPairs(["a", "b"], ["b", "c"], np.array([1.0, 2]))), reader, 0
    )
    assert len(reader.asked[0]) == 3 * 80
    assert reader.asked[0][0] == "a bad photo of a a."


@pytest.mark.parametrize("chunk", [1, 20_000])
def test_triplets(reader, chunk):
    task = Triplets(angles(0, 0, 0, 0), angles(10, 10, 30, 10), angles(20, 5, 30, 60))
    scores = by_metric(TripletsProbeSpec(chunk=chunk).run(bench(task), reader, 0))
    assert scores["accuracy"].value == scores["accuracy_max"].value == 0.5, "a tie is wrong"
    assert scores["accuracy_max"].selection == "test"


class Corpus(list):
    def chunks(self, size):
        return (self[start : start + size] for start in range(0, len(self), size))


@pytest.mark.parametrize("chunk", [2, 100_000])
def test_passages(reader, chunk):
    corpus = Corpus(angles(0, 10, 20, 30, 40))
    relevant = (np.array([0]), np.array([1, 2]))
    task = Passages(angles(1, 40), corpus, relevant, np.array([1, 4]))
    cached = CachedEmbedder(reader)
    scores = by_metric(PassageRetrievalSpec(chunk=chunk).run(bench(task), cached, 0))
    assert scores["mrr@10"].value == pytest.approx((1 + 1 / 3) / 2)
    assert scores["accuracy@1"].value == 0.5
    assert scores["recall@100"].value == pytest.approx((1 + 2 / 4) / 2), "two judged ones are not there"
    assert scores["dot_mrr@10"].value == scores["mrr@10"].value
    assert scores["map@100_max"].selection == "test"
    assert list(cached._texts) == [tuple(angles(1, 40))], "the corpus is not remembered"


def test_questions_take_the_nearest_statement(reader):
    task = Questions(
        images=None,
        rows=np.array([0, 90, 0, 45]),
        statements=(("is 5", "is 80"), ("is 5", "is 80"), ("is 3", "is 3"), ("is 44",)),
        choices=(("Two", "3"), ("yes", "no"), ("first", "second"), ("a cat",)),
        answers=(("2",) * 10, ("yes",) * 8 + ("no",) * 2, ("second",) * 10, ("cat.",) * 10),
        kinds=("number", "yes/no", "other", "other"),
    )
    for chunk in (1, 3, 4096):
        scores = by_metric(VqaProbeSpec(chunk=chunk).run(bench(task), reader, 0))
        assert scores["accuracy"].value == pytest.approx((1 + 0.6 + 0 + 1) / 4)
        assert {name: (score.value, score.n) for name, score in scores.items() if name != "accuracy"} == {
            "accuracy_yes_no": (pytest.approx(0.6), 1),
            "accuracy_number": (1, 1),
            "accuracy_other": (0.5, 2),
        }


def entailment(count, seed):
    """A hypothesis is entailed near its premise, neutral a quarter turn away, contradicted opposite to it."""
    chance = np.random.default_rng(seed)
    premises, labels = chance.integers(0, 360, count), chance.integers(0, 3, count)
    hypotheses = premises + 90 * labels + chance.integers(-20, 21, count)
    return premises, hypotheses, labels


def test_what_is_learned_from_captions_is_tried_on_images(reader):
    premises, hypotheses, labels = entailment(600, 0)
    split = TextEntailment(angles(*premises), angles(*hypotheses), labels)
    rows, others, truth = entailment(150, 1)
    task = VisualEntailment(split, split, None, rows, angles(*others), truth)
    probe = VisualEntailmentSpec(hidden=32, epochs=12)
    scores = by_metric(probe.run(bench(task), reader, 0))
    assert scores["top1"].value > 0.8
    assert (scores["top1"].selection, scores["top1"].n, scores["top1"].classes) == ("validation", 150, 3)
    nonsense = TextEntailment(split.premises, split.hypotheses, np.random.default_rng(2).permutation(labels))
    broken = VisualEntailment(nonsense, nonsense, None, rows, angles(*others), truth)
    assert by_metric(probe.run(bench(broken), reader, 0))["top1"].value < 0.6


def test_fewer_rows_to_learn_from(reader):
    premises, hypotheses, labels = entailment(300, 0)
    split = TextEntailment(angles(*premises), angles(*hypotheses), labels)
    task = VisualEntailment(split, split, None, premises, angles(*hypotheses), labels)
    notes = []
    VisualEntailmentSpec(rows=1, epochs=1).run(bench(task), reader, 0, notes.append)
    assert len(reader.asked[0]) == 2
    assert "the last of 1 epochs" in notes[0]


def test_one_label_is_nothing_to_learn(reader):
    split = TextEntailment(angles(1, 2), angles(3, 4), np.zeros(2, int))
    task = VisualEntailment(split, split, None, np.arange(2), angles(1, 2), np.arange(2))
    with pytest.raises(DataError, match="has one label only"):
        VisualEntailmentSpec().run(bench(task), reader, 0)
