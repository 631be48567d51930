from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from protoclip_cli.core.errors import DataError, MissingExtra, RecipeError
from protoclip_cli.prototypes.back_translation import cluster_means
from protoclip_cli.prototypes.kmeans import KMeansSettings, kmeans
from protoclip_cli.prototypes.kmeans._assign import assign, full_precision, nearest
from protoclip_cli.prototypes.kmeans._start import plus_plus_start, random_start
from protoclip_cli.prototypes.kmeans._torch import fit
from protoclip_cli.prototypes.kmeans._types import Shard


def blobs(rows=600, width=8, centres=12, spread=0.3, seed=0):
    chance = torch.Generator().manual_seed(seed)
    middle = torch.randn(centres, width, generator=chance)
    which = torch.randint(0, centres, (rows,), generator=chance)
    return F.normalize(middle[which] + spread * torch.randn(rows, width, generator=chance), dim=-1)


def lloyd(rows, start, settings):
    found = fit(Shard.of(rows), start, settings)
    return found.centroids, found.reseeded


def faiss_objective(rows, k, seed, start=None):
    faiss = pytest.importorskip("faiss")
    options = {"niter": 20, "seed": seed, "min_points_per_centroid": 1, "max_points_per_centroid": 10**6}
    found = faiss.Kmeans(rows.shape[1], k, **options)
    found.train(rows.numpy(), init_centroids=None if start is None else start.numpy())
    return float(found.index.search(rows.numpy(), 1)[0].sum())


def test_means_and_sizes_of_clusters():
    rows, labels = torch.randn(50, 3, dtype=torch.float64), torch.arange(50) % 4
    labels[:5] = -1
    means, sizes = cluster_means(rows, labels, 6)
    for cluster in range(4):
        torch.testing.assert_close(means[cluster], rows[labels == cluster].mean(dim=0))
    assert means[4:].abs().sum() == 0
    assert sizes.tolist() == [int((labels == cluster).sum()) for cluster in range(6)]
    assert means.dtype == torch.float64


def test_the_nearest_centroid_of_each_row():
    rows, centroids = torch.randn(1000, 7), torch.randn(90, 7)
    labels, distances = assign(rows, centroids)
    want = torch.cdist(rows, centroids).square()
    torch.testing.assert_close(distances, want.amin(dim=1), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(want.gather(1, labels[:, None])[:, 0], want.amin(dim=1), rtol=1e-4, atol=1e-5)
    assert assign(rows[:0], centroids)[0].shape == (0,)


@pytest.mark.parametrize("k", [5, 30, 200])
def test_equal_starts_end_where_faiss_does(k):
    rows = blobs()
    start = rows[:k].clone()
    centroids, reseeded = lloyd(rows, start, KMeansSettings(k=k))
    ours = float(assign(rows, centroids)[1].double().sum())
    theirs = faiss_objective(rows, k, 1, start)
    # Where clusters lose all members the two refill them differently.
    assert ours == pytest.approx(theirs, rel=1e-4 if not reseeded else 2e-2)


@pytest.mark.parametrize("k", [10, 100])
@pytest.mark.parametrize("iterations", [0, 1, 3, 12, 100])
def test_leaving_out_what_cannot_have_changed_changes_nothing(k, iterations):
    rows = blobs(spread=0.8)
    start = rows[torch.randperm(600)[:k]]
    centroids = start
    for _ in range(iterations):
        means, sizes = cluster_means(rows, assign(rows, centroids)[0], k)
        assert sizes.min() > 0
        centroids = means
    found = fit(Shard.of(rows), start, KMeansSettings(k=k, iterations=iterations))
    torch.testing.assert_close(found.centroids, centroids)
    assert torch.equal(found.labels, nearest(rows, centroids)[0])


def test_rows_compare_only_with_centroids_that_moved(monkeypatch):
    from protoclip_cli.prototypes.kmeans import _torch

    work = []

    def counted(rows, centroids, which=None):
        work[-1] += (len(rows) if which is None else len(which)) * len(centroids)
        return nearest(rows, centroids, which)

    monkeypatch.setattr(_torch, "nearest", counted)
    rows = blobs(spread=0.8)
    for most in (_torch._MOST, -1):
        work.append(0)
        monkeypatch.setattr(_torch, "_MOST", most)
        fit(Shard.of(rows), rows[:60].clone(), KMeansSettings(k=60))
    assert work[0] < 0.7 * work[1]


def test_distances_are_exact_where_rows_are_close_and_far_from_the_origin():
    rows = torch.tensor([[1000.0, 0.0], [1000.001, 0.0], [-1000.0, 3.0], [-1000.0, 3.001]])
    found = kmeans(rows, KMeansSettings(k=2), seed=0)
    want = rows.double() - found.centroids.double()[found.labels]
    torch.testing.assert_close(found.distances, want.square().sum(dim=1).float(), rtol=1e-2, atol=0)


def test_precision_is_lowered_neither_inside_nor_afterwards():
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        rows = torch.randn(64, 32)
        with torch.autocast("cpu", torch.bfloat16), full_precision(torch.device("cpu")):
            inside = rows @ rows.T
            assert torch.get_float32_matmul_precision() == "highest"
        assert inside.dtype == torch.float32
        torch.testing.assert_close(inside.double(), rows.double() @ rows.double().T, rtol=1e-5, atol=1e-5)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize(("spread", "k"), [(0.1, 12), (0.3, 12), (0.6, 20), (0.6, 150)])
def test_spread_out_starts_are_as_good_as_the_best_of_ten_random_ones(spread, k):
    rows = blobs(spread=spread)
    best = min(faiss_objective(rows, k, seed) for seed in range(10))
    for seed in range(3):
        settings = KMeansSettings(k=k, samples_per_centroid=None)
        assert kmeans(rows, settings, seed=seed).objective <= 1.01 * best


def test_what_a_clustering_says_of_itself():
    rows = blobs()
    found = kmeans(rows, KMeansSettings(k=20), seed=0)
    assert found.sizes.tolist() == torch.bincount(found.labels, minlength=20).tolist()
    assert found.objective == pytest.approx(float(found.distances.double().sum()))
    assert (found.empty, found.sampled, found.backend) == (0, 600, "torch on cpu")
    torch.testing.assert_close(assign(rows, found.centroids), (found.labels, found.distances))


def test_the_same_seed_gives_the_same_bits_and_another_seed_others():
    rows = blobs(spread=0.8)
    one, two, other = (kmeans(rows, KMeansSettings(k=40), seed=seed) for seed in (3, 3, 4))
    assert torch.equal(one.centroids, two.centroids)
    assert not torch.equal(one.centroids, other.centroids)


def test_restarts_keep_the_best(monkeypatch):
    rows = blobs(spread=0.8)
    monkeypatch.setattr("protoclip_cli.prototypes.kmeans._STARTS", 1)
    single = KMeansSettings(k=40, start="random", samples_per_centroid=None)
    several = KMeansSettings(k=40, start="random", samples_per_centroid=None, restarts=6)
    assert kmeans(rows, several, seed=1).objective < kmeans(rows, single, seed=1).objective


def test_a_sample_is_fitted_and_every_row_assigned():
    rows = blobs(rows=900)
    found = kmeans(rows, KMeansSettings(k=10, samples_per_centroid=20), seed=0)
    assert found.sampled == 200
    assert len(found.labels) == int(found.sizes.sum()) == 900


def test_faiss_is_given_the_rows_it_should_fit_on():
    pytest.importorskip("faiss")
    rows = blobs()  # faiss itself would take 256 for each cluster, and a warning
    found = kmeans(
        rows, KMeansSettings(k=2, iterations=100, samples_per_centroid=None, backend="faiss"), seed=0
    )
    means, _ = cluster_means(rows, found.labels, 2)
    torch.testing.assert_close(found.centroids, means)
    assert found.sampled == 600


def test_spherical_centroids_have_unit_length_and_plain_ones_are_shorter():
    rows = blobs()
    for spherical in (True, False):
        norms = kmeans(rows, KMeansSettings(k=10, spherical=spherical), seed=0).centroids.norm(dim=-1)
        assert bool((norms - 1).abs().max() < 1e-5) is spherical


@pytest.mark.parametrize("backend", ["torch", "faiss"])
def test_rows_that_are_all_alike_leave_clusters_empty_and_nothing_is_nan(backend):
    if backend == "faiss":
        pytest.importorskip("faiss")
    found = kmeans(torch.ones(50, 4), KMeansSettings(k=8, backend=backend), seed=0)
    assert found.empty >= 1
    assert found.centroids.isfinite().all()
    assert found.objective == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("start", ["k-means++", "random"])
def test_equal_rows_are_in_one_cluster_and_every_different_row_has_one(start):
    rows = blobs()[:5].repeat(60, 1)
    found = kmeans(rows, KMeansSettings(k=9, start=start), seed=0)
    assert found.sizes.sort().values.tolist() == [0, 0, 0, 0, 60, 60, 60, 60, 60]
    assert len(found.labels.view(60, 5).unique(dim=0)) == 1
    assert (found.empty, found.objective) == (4, 0)
    assert torch.equal(torch.cdist(rows, found.centroids).argmin(dim=1), found.labels)
    assert found.centroids.abs().max() <= 1


def test_clusters_without_members_are_refilled_and_counted():
    rows = blobs()
    far = torch.full((6, 8), 100.0) + torch.arange(6)[:, None]
    start = torch.cat([rows[:6], far])
    centroids, reseeded = lloyd(rows, start, KMeansSettings(k=12))
    assert reseeded >= 6
    assert torch.bincount(assign(rows, centroids)[0], minlength=12).min() > 0


@pytest.mark.parametrize("draw", [random_start, plus_plus_start])
@pytest.mark.parametrize("k", [1, 7, 300])
def test_first_centroids_are_different_rows(draw, k):
    rows = blobs()
    drawn = draw(Shard.of(rows), k, seed=2)
    assert drawn.shape == (k, 8)
    places = (drawn[:, None] == rows[None]).all(dim=-1).float().argmax(dim=1)
    assert len(set(places.tolist())) == k


def test_what_cannot_be_clustered_is_refused():
    rows = blobs()
    with pytest.raises(RecipeError, match="k is 601, more than the 600 rows"):
        kmeans(rows, KMeansSettings(k=601), seed=0)
    with pytest.raises(RecipeError, match="k is 1: one cluster tells nothing apart"):
        kmeans(rows, KMeansSettings(k=1), seed=0)
    rows[3, 2], rows[9] = float("nan"), float("inf")
    with pytest.raises(DataError, match="2 of 600 rows of features are not finite"):
        kmeans(rows, KMeansSettings(k=5), seed=0)


def test_faiss_that_is_missing_is_said_to_be(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(MissingExtra, match="faiss is not installed") as caught:
        kmeans(blobs(), KMeansSettings(k=5, backend="faiss"), seed=0)
    assert "pip install faiss-cpu" in caught.value.hint
    assert kmeans(blobs(), KMeansSettings(k=5), seed=0).backend == "torch on cpu"


@hypothesis_settings(max_examples=25, deadline=None)
@given(st.integers(2, 12), st.integers(0, 10**6))
def test_more_iterations_never_raise_the_objective(k, seed):
    rows = blobs(rows=80, spread=0.7, seed=seed % 7)
    start = random_start(Shard.of(rows), k, seed)
    line = [
        float(assign(rows, lloyd(rows, start, KMeansSettings(k=k, iterations=n))[0])[1].double().sum())
        for n in (1, 2, 4, 8)
    ]
    assert all(after <= before * (1 + 1e-6) for before, after in pairwise(line))


def test_translating_clusters_into_their_own_space_gives_their_centroids():
    rows = blobs()
    found = kmeans(rows, KMeansSettings(k=12, iterations=100, samples_per_centroid=None), seed=0)
    means, _ = cluster_means(rows, found.labels, 12)
    torch.testing.assert_close(means, found.centroids, rtol=1e-4, atol=1e-5)
