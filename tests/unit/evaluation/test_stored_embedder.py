import multiprocessing

import numpy as np
import pytest
from PIL import Image

from protoclip_cli.core.errors import ProtoclipError
from protoclip_cli.data.benchmarks.folder_images import FolderImages
from protoclip_cli.evaluation.embedder import CachedEmbedder
from protoclip_cli.evaluation.feature_cache import FeatureCache
from protoclip_cli.evaluation.stored_embedder import StoredEmbedder


class Behind:
    """Other features of a model, twice as wide."""

    def __init__(self, embedder, features):
        self.embedder, self.features = embedder, features

    def __getattr__(self, name):
        return getattr(self.embedder, name)

    def images(self, images, rows):
        return np.repeat(self.embedder.images(images, rows), 2, axis=1)


@pytest.fixture
def identified(embedder):
    embedder.identity, embedder.features = "one", "embedding"
    embedder.using = lambda features: Behind(embedder, features)
    return embedder


@pytest.fixture
def stored(identified, tmp_path):
    """`stored()` is a new process's view of the same cache."""
    return lambda: StoredEmbedder(identified, FeatureCache(tmp_path / "cache", pytest.fail))


def test_a_second_process_computes_nothing(stored, identified, benchmark):
    images, rows = benchmark.test.images, np.array([5, 3, 5, 9])
    first = stored()
    features = (
        first.images(images, rows),
        first.using("backbone").images(images, rows),
        first.texts(["a", "b"]),
    )
    asked = list(identified.asked)
    second = stored()
    again = (
        second.images(images, rows),
        second.using("backbone").images(images, rows),
        second.texts(["a", "b"]),
    )
    assert identified.asked == asked
    for one, other in zip(features, again, strict=True):
        assert np.array_equal(one, other)
    assert features[1].shape == (4, 32)


def test_only_what_is_missing_is_computed(stored, identified, benchmark):
    images = benchmark.test.images
    stored().images(images, np.array([1, 2, 3]))
    stored().images(images, np.array([7, 8]))
    found = stored().images(images, np.array([8, 4, 2, 1]))
    assert identified.asked[-1] == ("images", (4,))
    assert np.array_equal(found, identified.images(images, np.array([8, 4, 2, 1])))


def test_features_of_another_model_source_precision_or_texts_are_others(stored, identified, benchmark):
    images, rows = benchmark.test.images, np.array([1])
    stored().images(images, rows)
    stored().texts(["a"])
    before = len(identified.asked)
    stored().images(benchmark.train.images, rows)
    stored().texts(["b"])
    stored().texts(["a", "b"])
    identified.identity = "another"
    stored().images(images, rows)
    assert len(identified.asked) == before + 4


def test_a_picture_that_was_painted_over_is_embedded_again(stored, identified, tmp_path):
    for name, grey in (("a", 10), ("b", 20)):
        Image.new("L", (8, 8), grey).save(tmp_path / f"{name}.bmp")
    images, rows = FolderImages(tmp_path, ["a.bmp", "b.bmp"]), np.array([0, 1])
    stored().images(images, rows)
    Image.new("L", (8, 8), 200).save(tmp_path / "b.bmp")  # of the same size
    found = stored().images(images, rows)
    assert identified.asked[-1] == ("images", (1,))
    assert np.array_equal(found, identified.images(images, rows))


def test_nothing_that_is_not_finite_is_kept(stored, identified, benchmark, tmp_path):
    identified.image_matrix[0] = np.nan
    with pytest.raises(ProtoclipError, match="not finite"):
        stored().images(benchmark.test.images, np.array([1]))
    assert not list((tmp_path / "cache").rglob("*.npy"))


def test_a_cache_that_is_unreadable_changes_no_number(identified, benchmark, tmp_path):
    notes = []
    cache = FeatureCache(tmp_path / "cache", notes.append)
    images, rows = benchmark.test.images, np.arange(20)
    first = StoredEmbedder(identified, cache).images(images, rows)
    for file in (tmp_path / "cache").rglob("features.npy"):
        file.write_bytes(b"not an array")
    again = StoredEmbedder(identified, cache).images(images, rows)
    assert np.array_equal(first, again)
    assert len(notes) == 1
    assert (
        StoredEmbedder(identified, FeatureCache(tmp_path / "cache", pytest.fail)).images(images, rows).any()
    )


def _embed(embedder, folder, images, rows, gate, results):
    gate.wait(30)
    found = StoredEmbedder(embedder, FeatureCache(folder, pytest.fail)).images(images, rows)
    results.put(float(found.sum()))


def test_two_processes_that_fill_the_cache_at_once_agree(identified, benchmark, tmp_path):
    del identified.using  # a lambda does not travel
    context = multiprocessing.get_context("fork")
    gate, results = context.Barrier(2), context.Queue()
    images, rows = benchmark.test.images, np.arange(60)
    arguments = (identified, tmp_path / "cache", images, rows, gate, results)
    workers = [context.Process(target=_embed, args=arguments) for _ in range(2)]
    for worker in workers:
        worker.start()
    sums = {results.get(timeout=30) for _ in workers}
    for worker in workers:
        worker.join()
    assert len(sums) == 1
    asked = len(identified.asked)
    StoredEmbedder(identified, FeatureCache(tmp_path / "cache", pytest.fail)).images(images, rows)
    assert len(identified.asked) == asked


def test_memory_and_disk_together(stored, identified, benchmark):
    cached = CachedEmbedder(stored())
    cached.images(benchmark.test.images, np.array([2, 1]))
    CachedEmbedder(stored()).images(benchmark.test.images, np.array([1, 2]))
    assert identified.asked == [("images", (1, 2))]
