"""Triplets against sentence-transformers, which reports the best of three measures; we report the cosine."""

import numpy as np
import pytest

from protoclip_cli.metrics.triplets import closer


def test_every_measure_and_their_best(golden):
    for path in golden("eval_triplet_*.npz"):
        with np.load(path, allow_pickle=False) as arrays:
            sides = arrays["anchor"], arrays["positive"], arrays["negative"]
            names = arrays["ref_keys"].tolist()
            assert names == ["cosine", "manhattan", "euclidean"]
            right = {name: closer(*sides, name) for name in names}
            found = [float(one.mean()) for one in right.values()]
            assert found == pytest.approx(arrays["ref_accuracy"].tolist(), abs=1e-9)
            assert max(found) == pytest.approx(arrays["ref_main_score_max"].item(), abs=1e-9)
            assert not any(one[0] for one in right.values()), "a tie is wrong"
