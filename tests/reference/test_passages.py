"""Passage retrieval against sentence-transformers, and against `ir-measures`, which speaks for trec_eval.

Known differences: sentence-transformers headlines the better of cosine and dot at MAP@100, we MRR@10 of the
cosine. trec_eval divides average precision by all relevant passages; we, as sentence-transformers, by at
most k.
"""

import numpy as np
import pytest

from protoclip_cli.metrics import passages
from protoclip_cli.metrics.passages import BestPassages


def files(golden):
    for path in golden("eval_ir_*.npz"):
        with np.load(path, allow_pickle=False) as arrays:
            yield dict(arrays)


def found_by(arrays, measure, chunk):
    """Relevance (q, found), how many are judged, the rows found, and the numbers of the judged queries."""
    judged = np.unique(arrays["relevant_query"])
    best = BestPassages(arrays["query_embeddings"][judged], measure)
    for first in range(0, len(arrays["corpus_embeddings"]), chunk):
        best.add(arrays["corpus_embeddings"][first : first + chunk], first)
    rows = best.rows()
    pairs = set(zip(arrays["relevant_query"].tolist(), arrays["relevant_doc"].tolist(), strict=True))
    relevant = np.array(
        [[(query, row) in pairs for row in some] for query, some in zip(judged, rows, strict=True)]
    )
    return relevant, np.bincount(arrays["relevant_query"])[judged], rows, judged


def numbers(relevant, judged):
    found = {f"accuracy@{k}": passages.accuracy_at(relevant, k) for k in (1, 3, 5, 10)}
    found |= {f"precision@{k}": passages.precision_at(relevant, k) for k in (10, 100)}
    found |= {f"recall@{k}": passages.recall_at(relevant, judged, k) for k in (10, 100)}
    found["ndcg@10"] = passages.ndcg_at(relevant, judged, 10)
    found["mrr@10"] = passages.reciprocal_rank_at(relevant, 10)
    found["map@100"] = passages.average_precision_at(relevant, judged, 100)
    return {name: float(values.mean()) for name, values in found.items()}


@pytest.mark.parametrize("chunk", [7, 100_000])
def test_every_number(golden, chunk):
    for arrays in files(golden):
        ours = {}
        for measure, theirs in (("cosine", "cos_sim"), ("dot", "dot_score")):
            relevant, judged, _, _ = found_by(arrays, measure, chunk)
            ours |= {f"{theirs}/{name}": value for name, value in numbers(relevant, judged).items()}
        reference = dict(zip(arrays["ref_keys"].tolist(), arrays["ref_values"].tolist(), strict=True))
        assert ours == pytest.approx(reference, abs=1e-5)
        best = max(ours["cos_sim/map@100"], ours["dot_score/map@100"])
        assert best == pytest.approx(arrays["ref_main_score"].item(), abs=1e-5)


def test_ir_measures_agrees(golden):
    ir = pytest.importorskip("ir_measures")
    wanted = {
        "accuracy@1": ir.Success @ 1,
        "accuracy@5": ir.Success @ 5,
        "precision@10": ir.P @ 10,
        "precision@100": ir.P @ 100,
        "recall@10": ir.R @ 10,
        "recall@100": ir.R @ 100,
        "mrr@10": ir.RR @ 10,
        "ndcg@10": ir.nDCG @ 10,
        "map@100": ir.AP @ 100,
    }
    for arrays in files(golden):
        relevant, judged, rows, queries = found_by(arrays, "cosine", 64)
        names = [f"q{query}" for query in queries]
        qrels = {name: {} for name in names}
        for query, row in zip(arrays["relevant_query"], arrays["relevant_doc"], strict=True):
            qrels[f"q{query}"][f"d{row}"] = 1
        places = range(rows.shape[1])
        run = {
            name: {f"d{rows[number, place]}": float(-place) for place in places}
            for number, name in enumerate(names)
        }
        theirs = ir.calc_aggregate(list(wanted.values()), qrels, run)
        ours = numbers(relevant, judged)
        assert judged.max() <= 100, "where both ways of average precision are one"
        for name, measure in wanted.items():
            assert ours[name] == pytest.approx(theirs[measure], abs=1e-9), name
