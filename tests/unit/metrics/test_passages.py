import numpy as np
import pytest

from protoclip_cli.core.errors import ProtoclipError
from protoclip_cli.metrics import passages
from protoclip_cli.metrics.passages import BestPassages

CHANCE = np.random.default_rng(0)
QUERIES, CORPUS = CHANCE.normal(size=(9, 6)), CHANCE.normal(size=(70, 6))


def found(measure, chunk, keep=10, corpus=CORPUS):
    best = BestPassages(QUERIES, measure, keep)
    for first in range(0, len(corpus), chunk):
        best.add(corpus[first : first + chunk], first)
    return best.rows()


@pytest.mark.parametrize("measure", ["cosine", "dot"])
@pytest.mark.parametrize("chunk", [1, 7, 70])
def test_the_best_are_those_of_sorting_everything(measure, chunk):
    corpus = CORPUS / np.linalg.norm(CORPUS, axis=1, keepdims=True) if measure == "cosine" else CORPUS
    expected = np.argsort(-(QUERIES @ corpus.T), axis=1)[:, :10]
    assert found(measure, chunk).tolist() == expected.tolist()


@pytest.mark.parametrize("measure", ["cosine", "dot"])
def test_of_equal_passages_the_first_comes_first_whatever_the_chunks(measure):
    corpus = np.repeat(CORPUS[:5], 14, axis=0)[CHANCE.permutation(70)]
    whole = found(measure, 70, 20, corpus)
    assert whole.tolist() == found(measure, 3, 20, corpus).tolist() == found(measure, 33, 20, corpus).tolist()
    scores = np.take_along_axis((QUERIES @ corpus.T).round(9), whole, axis=1)
    for row, values in zip(whole, scores, strict=True):
        for value in set(values):
            assert (np.diff(row[values == value]) > 0).all()


def test_negative_dot_products_are_in_order():
    best = BestPassages(np.array([[1.0]]), "dot", 5)
    best.add(np.array([[-3.0], [2.0], [-0.5], [0.0], [-1e30]]), 0)
    assert best.rows().tolist() == [[1, 3, 2, 0, 4]]


def test_blocks_of_queries_change_nothing(monkeypatch):
    whole = found("cosine", 70).tolist()
    monkeypatch.setattr(passages, "_BLOCK", 150)
    assert found("cosine", 70).tolist() == whole


def test_a_small_corpus_has_fewer_passages_than_are_kept():
    rows = found("cosine", 2, keep=100, corpus=CORPUS[:3])
    assert np.sort(rows).tolist() == [[0, 1, 2]] * 9
    relevant = rows == 1
    assert passages.precision_at(relevant, 100).tolist() == [0.01] * 9
    assert passages.ndcg_at(relevant, np.ones(9, int), 10).min() >= 0.5
    assert passages.average_precision_at(relevant, np.ones(9, int), 100).min() >= 1 / 3


def test_passages_that_are_not_finite():
    best = BestPassages(QUERIES, "dot")
    with pytest.raises(ProtoclipError, match="1 of 70 passages are not finite"):
        best.add(np.where(np.arange(70)[:, None] == 3, np.nan, CORPUS), 0)


def test_more_relevant_passages_than_places():
    relevant, judged = np.ones((1, 2), bool), np.array([5])
    assert passages.average_precision_at(relevant, judged, 2).tolist() == [1]
    assert passages.ndcg_at(relevant, judged, 2).tolist() == [1]
    assert passages.recall_at(relevant, judged, 2).tolist() == [0.4]
