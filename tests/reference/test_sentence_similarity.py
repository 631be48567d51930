"""Sentence similarity against ITRA's SentEval and sentence-transformers.

Known differences, each an assertion: SentEval reports one correlation over all subsets, where others report
the mean of the subsets; sentence-transformers reports the best of four measures, where we report the cosine.
"""

import numpy as np
import pytest

from protoclip_cli.metrics.correlation import by_subset, pearson, pooled, spearman
from protoclip_cli.metrics.similarity import SIMILARITIES, similarities


def files(golden):
    for path in golden("eval_sts_*.npz"):
        with np.load(path, allow_pickle=False) as arrays:
            yield dict(arrays)


def cosine(arrays):
    return similarities(arrays["emb_a"], arrays["emb_b"])


def reference(arrays, kind):
    return dict(zip(arrays["ref_agg_keys"].tolist(), arrays[f"ref_agg_{kind}"].tolist(), strict=True))


def test_each_subset(golden):
    for arrays in files(golden):
        found, sizes = by_subset(cosine(arrays), arrays["gold"], arrays["subset"])
        assert found == pytest.approx(arrays["ref_subset_spearman"], abs=1e-6)
        assert sizes.tolist() == np.bincount(arrays["subset"]).tolist()
        parts = [arrays["subset"] == number for number in range(len(sizes))]
        values = [pearson(cosine(arrays)[part], arrays["gold"][part]) for part in parts]
        assert values == pytest.approx(arrays["ref_subset_pearson"], abs=1e-6)


def test_all_and_mean_and_weighted_mean(golden):
    for arrays in files(golden):
        ours = cosine(arrays)
        values, sizes = by_subset(ours, arrays["gold"], arrays["subset"])
        found = {
            "all": spearman(ours, arrays["gold"]),
            "mean": pooled(values, sizes, "mean"),
            "wmean": pooled(values, sizes, "wmean"),
        }
        assert found == pytest.approx(reference(arrays, "spearman"), abs=1e-6)
        assert len({round(value, 4) for value in found.values()}) == 3
        assert pearson(ours, arrays["gold"]) == pytest.approx(reference(arrays, "pearson")["all"], abs=1e-6)


def test_measures_and_their_best(golden):
    for arrays in files(golden):
        assert arrays["ref_sbert_similarity_names"].tolist() == list(SIMILARITIES)
        each = [similarities(arrays["emb_a"], arrays["emb_b"], measure) for measure in SIMILARITIES]
        found = [spearman(one, arrays["gold"]) for one in each]
        assert found == pytest.approx(arrays["ref_sbert_spearman"], abs=1e-5)
        values = [pearson(one, arrays["gold"]) for one in each]
        assert values == pytest.approx(arrays["ref_sbert_pearson"], abs=1e-5)
        assert max(found) == pytest.approx(arrays["ref_sbert_main_score_max"].item(), abs=1e-5)
