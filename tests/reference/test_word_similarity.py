"""Word similarity against ITRA, which correlates every sentence of every pair on its own (`pooled`).

The other ways are computed from their definitions: they differ, and ours is a plain word or the ensemble.
"""

import numpy as np
import pytest

from protoclip_cli.metrics.word_similarity import word_correlation, word_cosines

NAMES = {
    "pooled": "ref_itra_spearman_over_templates",
    "ensemble": "formula_spearman_ensembled",
    "mean_cosine": "formula_spearman_mean_cosine",
}


def test_every_way(golden):
    for path in golden("eval_wordsim_*.npz"):
        with np.load(path, allow_pickle=False) as arrays:
            left, right, gold = arrays["left"], arrays["right"], arrays["gold"]
            found = {way: word_correlation(word_cosines(left, right, way), gold) for way in NAMES}
            assert found == pytest.approx({w: arrays[name].item() for w, name in NAMES.items()}, abs=1e-5)
            assert len({round(value, 4) for value in found.values()}) == 3
            for way in NAMES:  # of one sentence, all ways are one
                alone = word_correlation(word_cosines(left[:, :1], right[:, :1], way), gold)
                assert alone == pytest.approx(arrays["formula_spearman_template0"].item(), abs=1e-5)
