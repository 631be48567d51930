"""k-NN, clustering and statistics of features against ProtoCLIP and ITRA, and against scikit-learn.

Known difference: ProtoCLIP's self-similarity takes positive cosines only and a row with itself
(`pairs="protoclip"`); the mean over pairs of different rows is smaller.
"""

import numpy as np
import pytest

from protoclip_cli.metrics import feature_statistics as statistics
from protoclip_cli.metrics.clustering import (
    adjusted_mutual_information,
    adjusted_rand_index,
    normalized_mutual_information,
)
from protoclip_cli.metrics.neighbours import neighbour_votes
from protoclip_cli.metrics.ranking import unit
from protoclip_cli.metrics.robustness import fit_trend


def arrays_of(paths):
    for path in paths:
        with np.load(path, allow_pickle=False) as arrays:
            yield dict(arrays)


def named(arrays, name):
    return dict(zip(arrays[f"{name}_keys"].tolist(), arrays[name].tolist(), strict=True))


@pytest.mark.parametrize("chunk", [None, 7])
def test_votes_of_neighbours(golden, chunk):
    for arrays in arrays_of(golden("eval_knn_*.npz")):
        train_labels, test_labels = arrays["train_labels"], arrays["test_labels"]
        classes = np.eye(train_labels.max() + 1)[train_labels]
        for at, (k, temperature) in enumerate(zip(arrays["k"], arrays["temperature"], strict=True)):
            votes = neighbour_votes(
                arrays["train_features"],
                classes,
                arrays["test_features"],
                k=int(k),
                temperature=float(temperature),
                chunk=chunk,
            )
            predicted = votes.argmax(axis=1)
            assert (predicted == arrays["formula_predictions"][at]).all()
            percent = 100 * (predicted == test_labels).mean()
            assert percent == pytest.approx(arrays["ref_itra_top1_pct"][at], abs=1e-3)


def test_agreement_of_clusters(golden):
    for arrays in arrays_of(golden("eval_clustering_*.npz")):
        both = arrays["labels"], arrays["predicted"]
        assert adjusted_rand_index(*both) == pytest.approx(float(arrays["ref_ari"]), abs=1e-5)
        assert adjusted_mutual_information(*both) == pytest.approx(float(arrays["ref_ami"]), abs=1e-5)
        assert normalized_mutual_information(*both) == pytest.approx(float(arrays["ref_nmi"]), abs=1e-5)


def test_clusters_of_features(golden):
    """Where clusters overlap, faiss and scikit-learn stop at different optima of one objective."""
    from protoclip_cli.evaluation.probes.clustering import cluster

    for arrays in arrays_of(golden("eval_clustering_*.npz")):
        for name, labels, tolerance in (("easy", "labels_easy", 1e-9), ("hard", "labels", 0.15)):
            truth = arrays[labels]
            found = cluster(unit(arrays[f"features_{name}"]), int(truth.max()) + 1, 0, print)
            ari, ami = adjusted_rand_index(truth, found), adjusted_mutual_information(truth, found)
            assert ari == pytest.approx(float(arrays[f"ref_{name}_kmeans_ari"]), abs=tolerance)
            assert ami == pytest.approx(float(arrays[f"ref_{name}_kmeans_ami"]), abs=tolerance)


@pytest.mark.parametrize("chunk", [5, 1024])
def test_statistics(golden, chunk):
    for arrays in arrays_of(golden("eval_feature_stats_*.npz")):
        images, texts = unit(arrays["image_features"]), unit(arrays["text_features"])
        assert {
            "image_avg_self_similarity": statistics.self_similarity(images, "protoclip", chunk),
            "text_avg_self_similarity": statistics.self_similarity(texts, "protoclip", chunk),
            "modality_gap": statistics.modality_gap(images, texts),
            "image_feature_std": statistics.spread(images),
            "text_feature_std": statistics.spread(texts),
        } == pytest.approx(named(arrays, "ref_protoclip"), abs=1e-5)
        assert {
            "image_self_similarity_offdiag_all": statistics.self_similarity(images),
            "text_self_similarity_offdiag_all": statistics.self_similarity(texts),
            "alignment_alpha2": statistics.alignment(images, texts),
            "alignment_alpha1": statistics.alignment(images, texts, 1),
            "image_uniformity_t2": statistics.uniformity(images, chunk=chunk),
            "text_uniformity_t2": statistics.uniformity(texts, chunk=chunk),
            "paired_cosine_mean": statistics.paired_cosine(images, texts),
            "clip_score_w2p5": statistics.clip_score(images, texts),
        } == pytest.approx(named(arrays, "formula"), abs=1e-5)
        assert statistics.self_similarity(images, "protoclip") > statistics.self_similarity(images)


def test_effective_robustness(golden):
    for arrays in arrays_of(golden("eval_robustness_*.npz")):
        trend = fit_trend(arrays["reference_id_acc"], arrays["reference_ood_acc"])
        accuracy, shifted = float(arrays["model_id_acc"]), float(arrays["model_ood_acc"])
        assert trend.slope == pytest.approx(float(arrays["formula_slope"]), abs=1e-5)
        assert trend.intercept == pytest.approx(float(arrays["formula_intercept"]), abs=1e-5)
        assert trend.expected(accuracy) == pytest.approx(float(arrays["formula_expected_ood"]), abs=1e-5)
        assert trend.effective_robustness(accuracy, shifted) == pytest.approx(
            float(arrays["formula_effective_robustness"]), abs=1e-5
        )
