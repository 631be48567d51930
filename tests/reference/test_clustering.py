"""k-means and prototype back translation against ProtoCLIP (training/clustering.py, which calls faiss)."""

import pytest
import torch

from protoclip_cli.metrics.clustering import adjusted_rand_index
from protoclip_cli.prototypes.back_translation import cluster_means
from protoclip_cli.prototypes.kmeans import KMeansSettings, kmeans


def test_back_translation_equals_protoclips(golden, load, near):
    for path in golden("protoclip_pbt_*.npz"):
        g = load(path)
        means, sizes = cluster_means(g["in_features"], g["in_teacher_labels"], g["hp_k"])
        near(means, g["out_prototypes"], 1e-6)  # the original keeps prototypes in float32
        assert sizes.tolist() == torch.bincount(g["in_teacher_labels"], minlength=g["hp_k"]).tolist()


def settings(g):
    return KMeansSettings(k=g["hp_k"], iterations=g["hp_niter"], restarts=g["hp_nredo"])


@pytest.mark.parametrize("backend", ["torch", "faiss"])
def test_clusters_are_as_good_as_protoclips(backend, golden, load):
    if backend == "faiss":
        pytest.importorskip("faiss")
    for path in golden("protoclip_kmeans_*.npz"):
        g = load(path)
        made = KMeansSettings(g["hp_k"], g["hp_niter"], g["hp_nredo"], backend=backend)
        found = kmeans(g["in_features"], made, seed=1234)
        # faiss starts from rows drawn at random, so of faiss only the reference's neighbourhood can be asked.
        assert found.objective <= g["out_objective"] * (1.01 if backend == "torch" else 1.05)
        assert found.backend == f"{backend} on cpu"


def test_well_separated_clusters_are_protoclips(golden, load, near):
    for path in golden("protoclip_kmeans_blobs_*.npz"):
        g = load(path)
        found = kmeans(g["in_features"], settings(g), seed=0)
        assert adjusted_rand_index(g["out_labels"].numpy(), found.labels.numpy()) == 1
        assert found.objective == pytest.approx(g["out_objective"], rel=1e-5)
        ours = torch.zeros(g["hp_k"], dtype=torch.long)
        ours[found.labels] = g["out_labels"].long()
        near(found.centroids.double(), g["out_centroids"][ours], 1e-5)
        other, _ = cluster_means(g["in_other_features"], found.labels, g["hp_k"])
        near(other, g["out_prototypes_other"][ours], 1e-5)


def test_what_protoclip_found_is_consistent_with_our_rules(golden, load):
    """Labels are the nearest centroid, distances squared, and the objective their sum."""
    for path in golden("protoclip_kmeans_*.npz"):
        g = load(path)
        distances = torch.cdist(g["in_features"], g["out_centroids"]).square()
        assert (distances.argmin(dim=1) == g["out_labels"]).float().mean() > 0.999
        torch.testing.assert_close(distances.amin(dim=1), g["out_distances_squared"], rtol=1e-4, atol=1e-5)
