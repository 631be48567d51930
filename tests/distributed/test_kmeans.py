"""Several processes find the clusters of one, from shares of any size."""

import pytest
import torch
import torch.nn.functional as F

from protoclip_cli.compute.processes import rank, share, world
from protoclip_cli.core.errors import DataError
from protoclip_cli.prototypes.back_translation import cluster_means
from protoclip_cli.prototypes.board import make_board
from protoclip_cli.prototypes.kmeans import KMeansSettings, kmeans

pytestmark = pytest.mark.parametrize("size", [2, 3])

ROWS = F.normalize(torch.randn(211, 6, generator=torch.Generator().manual_seed(0)), dim=-1)


def _mine():
    part = share(len(ROWS))
    return slice(part.start, part.stop)


def _clustered(backend, start, samples):
    settings = KMeansSettings(k=9, restarts=2, backend=backend, start=start, samples_per_centroid=samples)
    found = kmeans(ROWS[_mine()], settings, seed=5)
    return found.centroids, found.labels, found.sizes, found.objective


@pytest.mark.parametrize(
    ("backend", "start", "samples"),
    [
        ("torch", "k-means++", None),
        ("torch", "random", None),
        ("torch", "k-means++", 12),
        ("faiss", "random", None),
    ],
)
def test_clusters_are_those_of_one_process(on_processes, size, backend, start, samples):
    if backend == "faiss":
        pytest.importorskip("faiss")
    centroids, labels, sizes, objective = _clustered(backend, start, samples)
    results = on_processes(size, _clustered, backend, start, samples)
    assert torch.equal(torch.cat([result[1] for result in results]), labels)
    for result in results:
        torch.testing.assert_close(result[0], centroids)
        assert torch.equal(result[0], results[0][0]), "the same on all processes, to the last bit"
        assert torch.equal(result[2], sizes)
        assert result[3] == pytest.approx(objective)


def _means():
    part = _mine()
    return cluster_means(ROWS[part].double(), (torch.arange(len(ROWS)) % 7)[part], 8)


def test_means_of_clusters_are_those_of_one_process(on_processes, size):
    for several in on_processes(size, _means):
        torch.testing.assert_close(several, _means())


def _board():
    part = _mine()
    features = {"image": ROWS[part], "text": ROWS.flip(1)[part]}
    names = frozenset({"image<-text", "text<-image", "text"})
    board = make_board(features, names, dict.fromkeys(features, KMeansSettings(k=9)), seed=1)
    return dict(board.labels), dict(board.prototypes)


def test_a_board_is_that_of_one_process(on_processes, size):
    for several in on_processes(size, _board):
        torch.testing.assert_close(several, _board())


def _broken():
    rows = ROWS[_mine()].clone()
    if rank() == world() - 1:
        rows[0] = float("nan")
    try:
        kmeans(rows, KMeansSettings(k=9), seed=0)
    except DataError as error:
        return str(error)
    return None


def test_what_one_process_cannot_cluster_is_refused_by_all(on_processes, size):
    messages = on_processes(size, _broken)
    assert len(set(messages)) == 1
    assert "1 of 211 rows of features are not finite" in messages[0]
